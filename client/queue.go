package client

import (
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// queue is the bounded way from the readers to the consumer of Receive. A
// reader never waits: an event that finds the queue full is dropped, and a gap event
// stands in its place whose count grows until the consumer takes it.
//
// A goroutine, started by the first event, moves events from the ring to the
// channel. A buffered channel alone would not do: the gap at its end could
// neither be counted up nor be sent before the next event.
type queue struct {
	wake    chan struct{} // one token: the ring is not empty
	stop    chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine is gone

	mu sync.Mutex // guards following

	ch      chan Event // what Receive returns, see channelLocked; closed by close
	owner   *Conn      // nil until the Conn has given the channel away, so that it lives as long
	ring    ring
	sending bool // the first event of ring has been offered to ch and may be taken any moment
	limit   int  // events that may wait in ring and ch, where gaps in ch count as well
	events  int  // events, without gaps, that wait in ring
	bytes   int  // that they hold
	total   uint64
	dropped uint64
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

// push queues a copy of m, or drops it and counts it in a gap.
func (q *queue) push(m wire.Message, group uint32, nsid int32, sender uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.total++
	if q.fullLocked(len(m.Payload)) {
		q.dropped++
		q.gapLocked(1)
		return
	}
	q.events++
	q.bytes += len(m.Payload)
	q.appendLocked(Event{Message: m.Clone(), Group: group, NSID: nsid, Sender: sender})
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
	if last := q.ring.last(); last != nil && isGap(*last) && !(q.sending && q.ring.len() == 1) {
		last.Lost += lost
		return
	}
	q.appendLocked(Event{
		Message: wire.Message{Header: wire.Header{Length: wire.HeaderLen, Type: netlink.NLMSG_OVERRUN}},
		NSID:    demux.NoNSID,
		Lost:    lost,
	})
}

// isGap distinguishes the Conn's own NLMSG_OVERRUN from one that a process might send.
func isGap(e Event) bool {
	return e.Header.Type == netlink.NLMSG_OVERRUN && e.Group == 0 && e.Payload == nil
}

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
	if e := q.ring.pop(); !isGap(e) {
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
// ring are gone; those in the channel can be received.
func (q *queue) close() {
	q.mu.Lock()
	q.closed, q.owner = true, nil
	running, ch := q.running, q.ch
	q.mu.Unlock()
	close(q.stop)
	if running {
		<-q.stopped
	}
	if ch != nil {
		close(ch)
	}
}

// counts returns the number of events that came and of those that were dropped.
func (q *queue) counts() (events, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total, q.dropped
}
