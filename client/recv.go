package client

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// receiver is the read side of a mux. The goroutine that holds its lock reads for all:
// it delivers each datagram to its call or to the event queue. It is the reader or a
// goroutine that sends.
type receiver struct {
	sock       sock.Socket
	table      *demux.Table
	dispatcher dispatcher
	gate       gate // shut after an overrun, until the queue was empty
	most       int  // maximum number of datagrams that can be queued at once

	// waiting counts the goroutines in lock.
	waiting atomic.Int32
	// reportsGroups: the socket reports the group of a message.
	reportsGroups atomic.Bool
	// unicast counts the events that were sent to this socket alone, multicast those of
	// groups.
	unicast, multicast atomic.Uint32

	mu sync.Mutex // guards following

	found   int                // datagrams that the last read with any found
	d       *sock.Datagram     // the datagram in delivery
	event   func(wire.Message) // delivers a message of d as an event
	overrun overrun
}

// newReceiver returns the read side of s, whose receive buffer has buffer bytes. It
// delivers replies to the table, and to q the events that are Receive's.
func newReceiver(family netlink.Family, s sock.Socket, buffer int, table *demux.Table, q *queue) *receiver {
	r := &receiver{
		sock:  s,
		table: table,
		dispatcher: dispatcher{
			receive: []*queue{q},
			quiet:   demux.IsQuiet(family),
			groups:  make(map[uint32][]*queue),
		},
		most: 1 + buffer/sock.Charge,
	}
	r.event = func(m wire.Message) {
		if r.d.Group == 0 {
			r.unicast.Add(1)
		} else {
			r.multicast.Add(1)
		}
		r.dispatcher.deliver(Event{Message: m, Group: r.d.Group, NSID: r.d.NSID, Sender: r.d.PortID})
	}
	return r
}

// readFor waits for the lock, reads for call, and reports whether it read all that was
// queued or the result of call. The wait is short: a read of this socket never waits
// for the kernel's locks, because the socket runs no dump.
func (r *receiver) readFor(call *demux.Call) (dry bool) {
	r.lock()
	_, dry = r.drainLocked(call, r.most)
	r.mu.Unlock()
	return dry
}

// lock waits for the lock, which the reader releases soon.
func (r *receiver) lock() {
	r.waiting.Add(1)
	r.mu.Lock()
	r.waiting.Add(-1)
}

// conclude ends the calls without an answer: none is left on the queue.
func (r *receiver) conclude(calls []*demux.Call, seqs []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table.Conclude(calls, seqs)
}

// look reads until the queue is empty, or about limit datagrams, and returns their
// number.
func (r *receiver) look(limit int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, _ := r.drainLocked(nil, limit)
	return n
}

// lookIfIdle is look, unless another goroutine reads. A goroutine that holds the lock may not
// be scheduled. If the reader waited, it would get the lock next, and senders would wait for
// it. It reports false for open if the socket is closed.
func (r *receiver) lookIfIdle(limit int) (n int, open bool) {
	if !r.mu.TryLock() {
		return 0, true
	}
	defer r.mu.Unlock()
	return r.drainLocked(nil, limit)
}

// maxFailed is the maximum number of consecutive failed reads. Then the queue is left
// until more arrives. An overrun fails one read, since the kernel reports none until
// the queue has been empty (netlink_overrun).
const maxFailed = 100

// drainLocked reads until
//   - the queue is empty,
//   - call, if it is not nil, has its result and no overrun is being drained,
//   - about limit datagrams were read, or
//   - maxFailed reads failed in a row.
//
// It returns the number of datagrams. dry is true unless the socket is closed: with a
// limit of r.most, everything that was queued at the start has been read, or is lost
// because reads fail.
func (r *receiver) drainLocked(call *demux.Call, limit int) (count int, dry bool) {
	b := buffers.Get().(*recvBuffers)
	dry = true
	for failed := 0; count < limit && (r.overrun.draining || call == nil || !call.Ready()); {
		ds := b.first(r.batchLocked(count))
		n, err := r.sock.Recv(ds)
		if err != nil {
			failed++
			if r.failedLocked(err, ds[0].Congested, failed) {
				dry = err != net.ErrClosed
				break
			}
			continue
		}
		for i := range n {
			r.deliverLocked(&ds[i])
		}
		count, failed = count+n, 0
		if call == nil && r.waiting.Load() > 0 {
			r.mu.Unlock()
			r.mu.Lock()
		}
	}
	if r.overrun.draining && count >= limit && r.sock.Backlog() == 0 {
		// The last datagram was read. The notification wakes no reader for an empty queue.
		r.emptyLocked()
	}
	buffers.Put(b)
	if count > 0 {
		r.found = count
	}
	return count, dry
}

// failedLocked handles a read that failed, the nth in a row. It reports whether there is
// nothing more to read.
func (r *receiver) failedLocked(err error, congested bool, nth int) (end bool) {
	switch err {
	case syscall.EAGAIN:
		r.emptyLocked()
		return true
	case net.ErrClosed:
		// The reader may have exited, so the gate is opened here.
		r.gate.open()
		return true
	}
	r.overrunLocked(congested)
	if nth == maxFailed {
		// Reads are not permitted. Requests must not wait for them.
		r.emptyLocked()
	}
	return nth == maxFailed
}

// batchLocked returns the number of datagrams to request from the next Recv, given
// count read so far. (Measured: NOOPs of 64 goroutines take a fifth less time than with
// one datagram a read. A lone goroutine needs one buffer only.)
func (r *receiver) batchLocked(count int) int {
	return min(max(1, count, r.found), sock.MaxRecv)
}

// deliverLocked routes the messages of a datagram.
func (r *receiver) deliverLocked(d *sock.Datagram) {
	r.d = d
	o := demux.Origin{PortID: d.PortID, Group: d.Group, NSID: d.NSID, Truncated: d.Truncated}
	if r.table.Deliver(d.Buf[:d.N], o, r.event) {
		r.table.MarkLost()
		r.dispatcher.gap()
	}
	if r.overrun.draining {
		r.drainedLocked(d)
	}
	r.d = nil
}
