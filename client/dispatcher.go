package client

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// dispatcher hands the events and the gaps of one socket to the queues of the consumers:
// that of [Conn.Receive], and that of each [Subscription].
//
// The goroutine that reads the socket calls deliver and gap, with the read lock. A
// consumer is added and removed with that lock too, so each change has its place in the
// order of the events. close needs no read lock, since it must not wait for a read.
type dispatcher struct {
	events  atomic.Uint64 // that came
	dropped atomic.Uint64 // that found a queue full, counted for each queue

	receive []*queue // of Receive, for what groups does not have
	quiet   bool     // no event comes to the socket alone

	mu sync.Mutex // guards following; the lock of a queue is taken inside it

	// groups has the consumers of each group that the Conn has joined. There are none
	// if the kernel refused to end the membership.
	groups map[uint32][]*queue
	closed bool
}

// deliver queues an event for its consumers. The payload is the reader's.
func (d *dispatcher) deliver(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.events.Add(1)
	queues, joined := d.groups[e.Group]
	if !joined {
		queues = d.receive
	}
	a := arrival{Event: e}
	for _, q := range queues {
		if !q.push(&a) {
			d.dropped.Add(1)
		}
	}
}

// arrival is an event that is being delivered.
type arrival struct {
	Event

	copied bool
}

// shared returns the event with a copy of its payload, the same one for each queue.
func (a *arrival) shared() Event {
	if !a.copied {
		a.Message, a.copied = a.Message.Clone(), true
	}
	return a.Event
}

// gap marks that events may be missing, for each consumer that can have lost one.
func (d *dispatcher) gap() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for q := range d.queuesLocked(!d.quiet) {
		q.gap()
	}
}

// queuesLocked returns the queues of all groups, and with receive also that of Receive.
func (d *dispatcher) queuesLocked(receive bool) map[*queue]struct{} {
	all := make(map[*queue]struct{})
	for _, queues := range d.groups {
		for _, q := range queues {
			all[q] = struct{}{}
		}
	}
	if receive {
		all[d.receive[0]] = struct{}{}
	}
	return all
}

// add makes q a consumer of group. It reports whether q was none before (added), and
// whether the group was not joined before (first).
func (d *dispatcher) add(q *queue, group uint32) (added, first bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false, false, net.ErrClosed
	}
	queues, joined := d.groups[group]
	if slices.Contains(queues, q) {
		return false, false, nil
	}
	d.groups[group] = append(queues, q)
	return true, !joined, nil
}

// remove undoes add. With left the socket is no longer a member of the group.
func (d *dispatcher) remove(q *queue, group uint32, left bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left {
		delete(d.groups, group)
		return
	}
	d.removeLocked(q, group)
}

func (d *dispatcher) removeLocked(q *queue, group uint32) {
	if i := slices.Index(d.groups[group], q); i >= 0 {
		d.groups[group] = slices.Delete(d.groups[group], i, i+1)
	}
}

// removeAll makes q a consumer of no group.
func (d *dispatcher) removeAll(q *queue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for group := range d.groups {
		d.removeLocked(q, group)
	}
}

// users reports whether q is a consumer of group, and whether another queue is.
func (d *dispatcher) users(q *queue, group uint32) (own, other bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	queues := d.groups[group]
	own = slices.Contains(queues, q)
	return own, len(queues) > 1 || len(queues) == 1 && !own
}

// joined returns the number of groups that the socket has joined.
func (d *dispatcher) joined() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.groups)
}

// close closes every queue, and nothing is delivered any more.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	queues := d.queuesLocked(true)
	d.mu.Unlock()
	for q := range queues {
		q.close()
	}
}
