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
// In a storm of multicast messages the reader parks as well, and pauses each time that the
// queue is empty. To wake it for each message or two costs more than to read them, most of
// all the process whose requests cause them (measured: of a storm of routes 15 to 20 percent
// more arrive).
//
// A new reader is parked. Its goroutine starts when the first look is due or unpark is
// called. A Conn that makes one request and is closed needs none (measured: Dial,
// RTM_GETLINK and Close take a third less time).
type reader struct {
	start  *time.Timer   // starts the goroutine, unless Stop reports true: then its caller does
	parked atomic.Bool   // the notification is off
	wake   chan struct{} // one token: unpark

	// groups counts the groups that the socket has joined. Their messages come at any
	// time, so the reader does not park for requests.
	groups atomic.Int32

	// Owned by the goroutine.
	since     time.Time // start of the count
	opened    uint64    // requests opened before since
	unicast   uint32    // unicast events received before since
	multicast uint32    // multicast events received before since
}

const (
	// busyRequests is the number of requests after which the reader parks if they took
	// less than busyPace each. The number of wakes does not matter: in a busy process the
	// reader is woken once in a time slice, but the kernel notifies of each answer.
	// (Measured: NOOPs of one goroutine take 6 percent longer there.)
	busyRequests = 32
	busyPace     = 250 * time.Microsecond

	// stormEvents is the number of multicast events after which the reader parks if they
	// took less than stormPace each. The storm is over when they come at a slower pace
	// during a pause.
	stormEvents = 64
	stormPace   = 10 * time.Microsecond

	// stormPause is the time from an empty queue to the next look in a storm. The default
	// receive buffer has room for 250 routes, and the kernel takes more than 500 microseconds
	// to change as many. (Measured: twice this time delivers no more events.)
	stormPause = 50 * time.Microsecond

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

// busy reports whether messages follow each other so closely that the reader should park. If
// not, the count starts anew as soon as it has enough of them.
func (m *mux) busy() bool {
	r := &m.reader
	var n, least uint64
	var pace time.Duration
	var may bool
	if r.groups.Load() != 0 {
		n, least, pace = uint64(m.recv.multicast.Load()-r.multicast), stormEvents, stormPace
		may = m.mayPause()
	} else {
		n, least, pace = m.table.Opened()-r.opened, busyRequests, busyPace
		may = m.recv.unicast.Load() == r.unicast
	}
	if 0 < n && n < least {
		return false
	}
	busy := may && n > 0 && time.Since(r.since)/pace < time.Duration(n)
	if !busy {
		m.count()
	}
	return busy
}

// count starts the count anew.
func (m *mux) count() {
	m.reader.since, m.reader.opened = time.Now(), m.table.Opened()
	m.reader.unicast, m.reader.multicast = m.recv.unicast.Load(), m.recv.multicast.Load()
}

// mayPause reports whether the receive buffer has room for what may come in a pause.
func (m *mux) mayPause() bool { return m.recv.most >= 4*stormEvents }

// isStorm reports whether a storm goes on: multicast events came at its pace since the last
// call, or since the start of the count.
func (m *mux) isStorm() bool {
	r := &m.reader
	before := r.multicast
	r.multicast = m.recv.multicast.Load()
	return r.multicast-before >= uint32(stormPause/stormPace) && r.groups.Load() != 0
}

// mayPark reports whether a goroutine other than the reader reads every expected message.
// Unicast events, such as the packets of nfqueue, come without a membership: after the
// first, more are expected.
func (m *mux) mayPark() bool {
	return m.reader.groups.Load() == 0 && m.recv.unicast.Load() == m.reader.unicast
}

// park turns the notification off until messages come less often or, outside a storm, unpark
// is called. It reports false, at once, if the notification cannot be turned off.
func (m *mux) park() bool {
	if m.sock.SetNotify(false) != nil {
		m.count()
		return false
	}
	m.reader.parked.Store(true)
	if m.reader.groups.Load() != 0 {
		m.readStorm()
		m.stayParked(quietLooks)
	} else {
		m.stayParked(0)
	}
	return true
}

// readStorm reads until the queue is empty and pauses, in turn, until the storm is over or
// the socket closed. A pause needs a resource that the system may lack.
func (m *mux) readStorm() {
	for m.readAll() && m.isStorm() && m.sock.Pause(stormPause) == nil {
	}
}

// readAll reads until the queue is empty, unless another goroutine reads. It reports false if
// the socket is closed.
func (m *mux) readAll() (open bool) {
	for {
		n, open := m.recv.lookIfIdle(lookMost)
		if n < lookMost || !open {
			return open
		}
	}
}

// stayParked checks the socket periodically, and returns when the notification is on again
// or the socket is closed. quiet is the number of quiet looks so far.
func (m *mux) stayParked(quiet int) {
	r := &m.reader
	timer := time.NewTimer(parkTime)
	defer timer.Stop()
	// The first look is for messages that a goroutine left to the reader because it did not
	// see that the reader parks.
	for ; m.readAll(); timer.Reset(parkTime) {
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
	// Or the next wake would find the pace of the past.
	m.count()
	r.parked.Store(false)
	select {
	case <-r.wake: // for this time
	default:
	}
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
