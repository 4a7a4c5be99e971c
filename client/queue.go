package client

import (
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// queue is the bounded way from the readers to one consumer. A reader never waits: an
// event that finds the queue full is dropped, and a gap event stands in its place whose
// count grows until the consumer takes it.
//
// Events that find no room in the channel wait in a ring, from which a goroutine moves
// them. A buffered channel alone would not do: the gap at its end could neither be counted
// up nor be sent before the next event.
type queue struct {
	wake    chan struct{} // one token: the ring is not empty
	stop    chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine is gone
	closing sync.Once

	mu sync.Mutex // guards following

	ch      chan Event // the consumer's, see channelLocked; closed by close
	owner   *Conn      // nil until the Conn has given the channel away, so that it lives as long
	ring    ring
	sending bool // the first event of ring has been offered to ch and may be taken any moment
	limit   int  // events that may wait in ring and ch, where gaps in ch count as well
	events  int  // events, without gaps and markers, that wait in ring
	bytes   int  // that they hold
	running bool
	closed  bool
}

// directRoom is the number of waiting events in the channel, ready for the consumer:
// enough that consumer and goroutine need not take turns. It is less than the limit, so
// that what the goroutine has offered while the queue is full is an event, and the gap
// after it can be counted up.
const directRoom = 64

// eventRoom is the average size of the events, in bytes of payload, up to which the
// number of events is what limits a queue.
const eventRoom = 4 << 10

func newQueue(limit int) *queue {
	return &queue{
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
		limit:   limit,
	}
}

// own returns the channel, and keeps c alive as long as a reader can reach the queue: a
// consumer may have the channel and nothing else.
func (q *queue) own(c *Conn) <-chan Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.owner = c
	return q.channelLocked()
}

// channelLocked returns the channel. It has 5 KiB, so it is made when it is needed.
func (q *queue) channelLocked() chan Event {
	if q.ch == nil {
		q.ch = make(chan Event, min(q.limit-1, directRoom))
		if q.closed {
			close(q.ch)
		}
	}
	return q.ch
}

// fullLocked reports whether the queue has no room for an event of size bytes. An empty
// queue has room for any.
func (q *queue) fullLocked(size int) bool {
	waiting := q.events + len(q.ch)
	return waiting >= q.limit || waiting > 0 && (q.bytes+size)/eventRoom >= q.limit
}

// push queues an event. If the queue is full, it drops the event, counts it in a gap and
// reports false.
func (q *queue) push(a *arrival) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if q.fullLocked(len(a.Payload)) {
		q.gapLocked(1)
		return false
	}
	e := a.shared()
	if q.ring.len() == 0 {
		select {
		case q.channelLocked() <- e: // most events, if the consumer keeps up
			return true
		default:
		}
	}
	q.events++
	q.bytes += len(e.Payload)
	q.appendLocked(e)
	return true
}

// mark queues a marker, also if the queue is full. It reports false if it is closed.
func (q *queue) mark() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.appendLocked(ownEvent(netlink.NLMSG_NOOP))
	}
	return !q.closed
}

// gap marks that the kernel dropped events.
func (q *queue) gap() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.gapLocked(0)
	}
}

// gapLocked counts lost events in the gap at the end of the queue.
func (q *queue) gapLocked(lost uint64) {
	if last := q.ring.last(); last != nil && isGap(last) && !(q.sending && q.ring.len() == 1) {
		last.Lost += lost
		return
	}
	e := ownEvent(netlink.NLMSG_OVERRUN)
	e.Lost = lost
	q.appendLocked(e)
}

// ownEvent returns an event that the Conn makes: a gap or a marker.
func ownEvent(typ netlink.MessageType) Event {
	return Event{
		Message: wire.Message{Header: wire.Header{Length: wire.HeaderLen, Type: typ}},
		NSID:    demux.NoNSID,
	}
}

// isOwn distinguishes a gap or a marker from what a process might send.
func isOwn(e *Event) bool { return e.Payload == nil }

func isGap(e *Event) bool { return isOwn(e) && e.Header.Type == netlink.NLMSG_OVERRUN }

func (q *queue) appendLocked(e Event) {
	q.ring.push(e)
	if !q.running {
		q.running = true
		go q.run(q.channelLocked())
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// offer moves events to the channel until the ring is empty or the channel
// full. Then it returns the event that comes next and still counts as waiting.
func (q *queue) offer() (next Event, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.ring.len() > 0 {
		select {
		case q.ch <- *q.ring.first():
			q.popLocked()
		default:
			q.sending = true
			return *q.ring.first(), true
		}
	}
	return Event{}, false
}

// taken notes that the channel has taken the event that offer returned.
func (q *queue) taken() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = false
	q.popLocked()
}

func (q *queue) popLocked() {
	if e := q.ring.pop(); !isOwn(&e) {
		q.events--
		q.bytes -= len(e.Payload)
	}
}

func (q *queue) run(ch chan<- Event) {
	defer close(q.stopped)
	for {
		next, full := q.offer()
		if full {
			select {
			case ch <- next:
				q.taken()
			case <-q.stop:
				return
			}
			continue
		}
		select {
		case <-q.wake:
		case <-q.stop:
			return
		}
	}
}

// close ends the goroutine and then the channel. Events that still wait in the
// ring are gone; those in the channel can be received. Every call returns when that is
// done.
func (q *queue) close() {
	q.closing.Do(func() {
		q.mu.Lock()
		q.closed, q.owner = true, nil
		running, ch := q.running, q.ch
		q.mu.Unlock()
		close(q.stop)
		if running {
			<-q.stopped
		}
		q.ring = ring{}
		if ch != nil {
			close(ch)
		}
	})
}

// discard is close, and no event can be received afterwards.
func (q *queue) discard() {
	q.close()
	q.mu.Lock()
	ch := q.channelLocked()
	q.mu.Unlock()
	for range ch {
	}
}
