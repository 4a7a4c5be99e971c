package client

import (
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// queue is the bounded way from the readers to the consumer of Receive. A
// reader never waits: what finds the queue full is dropped, and a gap event
// stands in its place whose count grows until the consumer takes it.
//
// A goroutine, started by the first event, moves events from the ring to the
// channel. A buffered channel alone would not do: the gap at its end could
// neither be counted up nor be told before the next event.
type queue struct {
	ch      chan Event    // what Receive returns; closed by close
	wake    chan struct{} // one token: the ring is not empty
	stop    chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine is gone

	mu sync.Mutex // guards following

	ring    []Event // ring[head:] waits
	head    int
	sending bool // ring[head] has been offered to ch and may be taken any moment
	limit   int  // events that may wait in ring and ch, where gaps in ch count as well
	events  int  // events, without gaps, that wait in ring
	total   uint64
	dropped uint64
	running bool
	closed  bool
}

// directRoom is how many of the waiting events stand in the channel, ready for
// the consumer: enough that consumer and goroutine need not take turns. It is
// less than the limit, so that what the goroutine has offered while the queue is
// full is an event, and the gap behind it can be counted up.
const directRoom = 64

func newQueue(limit int) *queue {
	return &queue{
		ch:      make(chan Event, min(limit-1, directRoom)),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
		limit:   limit,
	}
}

// push queues a copy of m, or drops it and counts it in a gap.
func (q *queue) push(m wire.Message, group uint32, nsid int32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.total++
	if q.events+len(q.ch) >= q.limit {
		q.dropped++
		q.gapLocked(1)
		return
	}
	q.events++
	q.appendLocked(Event{Message: m.Clone(), Group: group, NSID: nsid})
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
	last := len(q.ring) - 1
	if last >= q.head && isGap(q.ring[last]) && !(q.sending && last == q.head) {
		q.ring[last].Lost += lost
		return
	}
	q.appendLocked(Event{
		Message: wire.Message{Header: wire.Header{Length: wire.HeaderLen, Type: netlink.NLMSG_OVERRUN}},
		NSID:    demux.NoNSID,
		Lost:    lost,
	})
}

// isGap tells the Conn's own NLMSG_OVERRUN from one that a process might send.
func isGap(e Event) bool {
	return e.Header.Type == netlink.NLMSG_OVERRUN && e.Group == 0 && e.Payload == nil
}

func (q *queue) appendLocked(e Event) {
	if q.head > 0 && len(q.ring) == cap(q.ring) {
		// Use the room at the front before growing.
		n := copy(q.ring, q.ring[q.head:])
		clear(q.ring[n:])
		q.ring, q.head = q.ring[:n], 0
	}
	q.ring = append(q.ring, e)
	if !q.running {
		q.running = true
		go q.run()
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
	for q.head < len(q.ring) {
		select {
		case q.ch <- q.ring[q.head]:
			q.popLocked()
		default:
			q.sending = true
			return q.ring[q.head], true
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
	if !isGap(q.ring[q.head]) {
		q.events--
	}
	q.ring[q.head] = Event{}
	if q.head++; q.head == len(q.ring) {
		q.ring, q.head = q.ring[:0], 0
	}
}

func (q *queue) run() {
	defer close(q.stopped)
	for {
		next, full := q.offer()
		if full {
			select {
			case q.ch <- next:
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
	q.closed = true
	running := q.running
	q.mu.Unlock()
	close(q.stop)
	if running {
		<-q.stopped
	}
	close(q.ch)
}

// counts returns how many events came and how many of them were dropped.
func (q *queue) counts() (events, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total, q.dropped
}
