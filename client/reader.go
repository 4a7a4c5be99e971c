package client

import (
	"net"
	"sync/atomic"
	"time"
)

// reader is the state of the mux's goroutine.
//
// While requests follow each other closely, the goroutines that send read the answers.
// Waking the reader for each would cost more than the request. So the reader parks: it
// turns the notification of its socket off and checks the socket periodically until
// quietLooks checks in a row find few requests (measured: a NOOP of a lone goroutine takes a
// quarter less time).
//
// In a storm of events the reader parks as well, and pauses between two looks. To wake it for
// each event or two costs more than to read them, most of all the process whose requests
// cause the events (measured: a storm of routes delivers 15 percent more events).
//
// A new reader is parked. Its goroutine starts when the first look is due or unpark is
// called. A Conn that makes one request and is closed needs none (measured: Dial,
// RTM_GETLINK and Close take a third less time).
type reader struct {
	start  *time.Timer   // starts the goroutine, unless Stop reports true: then its caller does
	parked atomic.Bool   // the notification is off
	wake   chan struct{} // one token: unpark

	// groups counts the groups that the socket has joined. Their messages come at any
	// time, so the reader does not park.
	groups atomic.Int32

	// Owned by the goroutine.
	since   time.Time // start of the count
	opened  uint64    // requests opened before since
	unicast uint32    // unicast events received before since
	events  uint64    // events received before since
}

const (
	// busyRequests is the number of requests after which the reader parks if they took
	// less than busyPace each. The number of wakes does not matter: in a busy process the
	// reader is woken once in a time slice, but the kernel notifies of each answer.
	// (Measured: NOOPs of one goroutine take 6 percent longer there.)
	busyRequests = 32
	busyPace     = 250 * time.Microsecond

	// lookMost is the number of datagrams after which the reader checks whether to park: under
	// load the queue may not be empty for a long time.
	lookMost = 64

	// parkTime is the time between two looks, and so usually the maximum time that an
	// unsolicited message waits while the reader is parked.
	parkTime = time.Millisecond

	// quietLooks is the number of consecutive looks, with few requests before each, after
	// which the reader unparks. For a new reader one is enough. In a busy process a
	// goroutine that makes requests waits for some time slices of 10 ms now and then.
	// (Measured: with one look, NOOPs take 5 percent longer there, because the kernel
	// notifies of each answer.)
	quietLooks = 50

	// A storm begins with stormEvents that took less than stormPace each. It ends when
	// fewer come in a pause.
	stormEvents = 64
	stormPace   = 10 * time.Microsecond

	// stormPause is the time from an empty queue to the next look in a storm. The default
	// receive buffer has room for 250 routes, and the kernel takes more than 500 microseconds
	// to change as many. (Measured: twice this time delivers no more events.)
	stormPause = 50 * time.Microsecond
)

// startParked starts run when the first look is due.
func (m *mux) startParked() {
	r := &m.reader
	r.wake = make(chan struct{}, 1)
	r.parked.Store(true)
	r.start = time.AfterFunc(parkTime, m.run)
}

// run is the reader: the one goroutine of the mux.
func (m *mux) run() {
	// It returns when the socket is closed.
	_ = m.sock.Watch(func() {
		if m.reader.parked.Load() { // the first time
			m.stayParked(quietLooks - 1)
			return
		}
		// Once is enough if the queue was emptied: later arrivals notify again.
		for more := true; more; {
			more = m.recv.look(lookMost) >= lookMost
			if m.busy() && m.park() {
				more = false
			}
		}
	})
	m.table.Fail(net.ErrClosed)
	m.recv.gate.open()
	for i := range m.coalescers {
		m.coalescers[i].end()
	}
	close(m.done)
}

// busy reports whether messages follow each other so closely that the reader should park.
func (m *mux) busy() bool {
	r := &m.reader
	if r.groups.Load() != 0 {
		return m.storm()
	}
	opened := m.table.Opened()
	n := opened - r.opened
	if 0 < n && n < busyRequests {
		return false
	}
	now, unicast := time.Now(), m.recv.unicast.Load()
	busy := n > 0 && now.Sub(r.since)/busyPace < time.Duration(n) && unicast == r.unicast
	r.since, r.opened, r.unicast = now, opened, unicast
	return busy
}

// storm reports whether a storm of events has begun. It does not matter in a receive buffer
// that a pause could fill.
func (m *mux) storm() bool {
	r := &m.reader
	events := m.recv.dispatcher.events.Load()
	n := events - r.events
	if n < stormEvents || m.recv.most < 4*stormEvents {
		return false
	}
	now := time.Now()
	storm := now.Sub(r.since)/stormPace < time.Duration(n)
	r.since, r.events = now, events
	return storm
}

// readStorm reads until the queue is empty and pauses, in turn, until the storm is over. A
// pause needs a resource that the system may lack.
func (m *mux) readStorm() {
	for m.reader.groups.Load() != 0 && m.sock.Pause(stormPause) == nil {
		before := m.recv.dispatcher.events.Load()
		for m.recv.lookIfIdle() >= m.recv.most {
		}
		if m.recv.dispatcher.events.Load()-before < uint64(stormPause/stormPace) {
			return
		}
	}
}

// mayPark reports whether a goroutine other than the reader reads every expected message.
// Unicast events, such as the packets of nfqueue, come without a membership: after the
// first, more are expected.
func (m *mux) mayPark() bool {
	return m.reader.groups.Load() == 0 && m.recv.unicast.Load() == m.reader.unicast
}

// park turns the notification off until messages come less often or unpark is
// called. It reports false, at once, if the notification cannot be turned off.
func (m *mux) park() bool {
	if m.sock.SetNotify(false) != nil {
		return false
	}
	m.reader.parked.Store(true)
	m.readStorm()
	m.stayParked(0)
	return true
}

// stayParked checks the socket periodically, and returns when the notification is on again.
// quiet is the number of quiet looks so far.
func (m *mux) stayParked(quiet int) {
	r := &m.reader
	timer := time.NewTimer(parkTime)
	defer timer.Stop()
	for ; ; timer.Reset(parkTime) {
		// The first look is for messages that a goroutine left to the reader because it
		// did not see that the reader parks.
		m.recv.lookIfIdle()
		if (quiet >= quietLooks || !m.mayPark()) && m.notify() {
			break
		}
		before := m.table.Opened()
		select {
		case <-timer.C:
			if quiet++; m.table.Opened()-before >= uint64(parkTime/busyPace) {
				quiet = 0
			}
		case <-r.wake:
			quiet = quietLooks
		}
	}
	// The count starts anew, or the next wake would find the pace of the past.
	r.since, r.opened, r.events = time.Now(), m.table.Opened(), m.recv.dispatcher.events.Load()
	r.parked.Store(false)
}

// notify turns the notification on again, if the system has the memory for it.
func (m *mux) notify() bool {
	err := m.sock.SetNotify(true)
	return err == nil || err == net.ErrClosed
}

// unparkIfNeeded unparks the reader if it is parked: a message is expected that no
// goroutine reads after its send.
func (m *mux) unparkIfNeeded() {
	if m.reader.parked.Load() {
		m.unpark()
	}
}

func (m *mux) unpark() {
	m.wakeReader()
	m.startReader()
}

// startReader starts and unparks the reader of a new mux.
func (m *mux) startReader() {
	if m.reader.start.Stop() {
		m.wakeReader()
		go m.run()
	}
}

func (m *mux) wakeReader() {
	select {
	case m.reader.wake <- struct{}{}:
	default:
	}
}
