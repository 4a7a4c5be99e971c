package client

import (
	"net"
	"sync/atomic"
	"time"
)

// reader is the state of the mux's goroutine.
//
// While requests follow each other closely, the goroutines that send read the
// answers, and each would wake the reader for nothing, which costs more than the
// request. Then the reader turns the notification of its socket off and looks in
// now and then until requests come less often: a NOOP of a lone goroutine takes a
// third less time.
//
// A new reader is parked, and its goroutine starts when the first look is due or unpark
// is called. A Conn that makes one request and is closed needs none: Dial, RTM_GETLINK
// and Close take a third less time.
type reader struct {
	start  *time.Timer   // starts the goroutine, unless Stop reports true: then its caller does
	parked atomic.Bool   // the notification is off
	nudge  chan struct{} // one token: come back

	// groups counts the groups that the socket has joined. Their messages come at any
	// time, so the reader does not park.
	groups atomic.Int32

	// Owned by the goroutine.
	wakes   int       // since
	since   time.Time // then, when
	opened  uint64    // requests had been sent
	unicast uint32    // and so many events to this socket alone had come
}

const (
	// busyWakes wakes in a row, each within busyPace of the one before and with a
	// request or more for each, make the reader park.
	busyWakes = 32
	busyPace  = 250 * time.Microsecond

	// lookMost is the number of datagrams that count as another wake: under load the
	// queue may not be empty for a long time.
	lookMost = 64

	// parkTime is the time between two looks, and so the longest that an
	// unsolicited message waits while the reader is parked.
	parkTime = time.Millisecond
)

// startParked has run start when the first look is due.
func (m *mux) startParked() {
	r := &m.reader
	r.nudge = make(chan struct{}, 1)
	r.parked.Store(true)
	r.start = time.AfterFunc(parkTime, m.run)
}

// run is the reader: the one goroutine of the mux.
func (m *mux) run() {
	// It returns when the socket is closed.
	_ = m.sock.Watch(func() {
		if m.reader.parked.Load() { // the first time
			m.stayParked()
			return
		}
		// Once is enough if the queue is empty by then: more comes with a
		// notification.
		for more := true; more; {
			more = m.recv.look(lookMost) >= lookMost
			if m.busy() && m.park() {
				more = false
			}
		}
	})
	m.table.Fail(net.ErrClosed)
	m.recv.gate.open()
	for i := range m.lanes {
		m.lanes[i].end()
	}
	close(m.done)
}

// busy reports whether the reader is woken too often for what it does.
func (m *mux) busy() bool {
	r := &m.reader
	if r.wakes++; r.wakes < busyWakes {
		return false
	}
	now, opened, unicast := time.Now(), m.table.Opened(), m.recv.unicast.Load()
	busy := now.Sub(r.since) < busyWakes*busyPace && opened-r.opened >= busyWakes && unicast == r.unicast
	r.wakes, r.since, r.opened, r.unicast = 0, now, opened, unicast
	return busy && m.mayPark()
}

// mayPark reports whether every message that can be expected has a goroutine that
// reads it. Events that the kernel sends to this socket alone, such as the packets of
// nfqueue, come without a membership: it expects more of them after the first.
func (m *mux) mayPark() bool {
	return m.reader.groups.Load() == 0 && m.recv.unicast.Load() == m.reader.unicast
}

// park turns the notification off until requests come less often or unpark is
// called. It reports false, at once, if the notification cannot be turned off.
func (m *mux) park() bool {
	if m.sock.Mute(true) != nil {
		return false
	}
	m.reader.parked.Store(true)
	m.stayParked()
	return true
}

// stayParked looks in now and then, and returns when the notification is on again.
func (m *mux) stayParked() {
	r := &m.reader
	timer := time.NewTimer(parkTime)
	defer timer.Stop()
	for back := false; ; timer.Reset(parkTime) {
		// The first look is for what a goroutine left to the reader because it did
		// not see that the reader parks.
		m.recv.look(m.recv.most)
		if (back || !m.mayPark()) && m.notify() {
			break
		}
		before := m.table.Opened()
		select {
		case <-timer.C:
			back = m.table.Opened()-before < uint64(parkTime/busyPace)
		case <-r.nudge:
			back = true
		}
	}
	r.parked.Store(false)
}

// notify turns the notification on again, if the system has the memory for it.
func (m *mux) notify() bool {
	err := m.sock.Mute(false)
	return err == nil || err == net.ErrClosed
}

// unparkIfNeeded has the reader come back if it is parked: a message is expected
// that no goroutine reads after a send.
func (m *mux) unparkIfNeeded() {
	if m.reader.parked.Load() {
		m.unpark()
	}
}

func (m *mux) unpark() {
	select {
	case m.reader.nudge <- struct{}{}:
	default:
	}
	if m.reader.start.Stop() {
		go m.run()
	}
}
