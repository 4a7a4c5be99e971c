package client

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// intake is the read side of a port. Whoever has it, the reader or a caller,
// reads for all: it delivers what comes to whom it is for, and finds out what a
// loss has cost.
type intake struct {
	sock  sock.Socket
	table *demux.Table
	queue *queue
	gate  gate // shut while an overrun is being read away
	most  int  // datagrams that can be queued at once, at the most

	// dumping is true while a dump is in flight. A read then runs the dump's
	// next part in the kernel, which may wait for the kernel's locks, so reading
	// is left to the reader.
	dumping atomic.Bool

	// wanted counts who waits in lock.
	wanted atomic.Int32

	// sweep asks whoever reads to read to the empty queue once more.
	sweep atomic.Bool

	mu sync.Mutex // guards following

	found int                // datagrams, by the last who found any
	d     *sock.Datagram     // is being delivered
	event func(wire.Message) // queues a message of d as an event
	gap   bool               // a loss was reported, its place has not come
	shut  bool               // a loss was reported and is not settled, the gate is shut

	congested bool // the loss that gap is about was an overrun; then:
	old       int  // the most that the queue can still hold of what is older, as charged
}

// newIntake returns the read side of s, which delivers replies to the table and
// events to the queue.
func newIntake(s sock.Socket, table *demux.Table, q *queue) *intake {
	receive, _ := s.Buffers()
	in := &intake{sock: s, table: table, queue: q, most: 1 + receive/sock.Charge}
	in.event = func(m wire.Message) { q.push(m, in.d.Group, in.d.NSID) }
	return in
}

// try reads for call if nobody else reads, and reports whether it has.
func (in *intake) try(call *demux.Call) bool {
	if !in.mu.TryLock() {
		return false
	}
	in.drain(call, in.most)
	in.unlock()
	return true
}

// last waits for the read side and reads on behalf of a call, of which nobody
// else may read the result that is queued: not the reader who is away, and not in
// time where a result is to beat a ctx that has ended. It reads no more than can
// have been queued before, and nothing beside a dump: the reader is there then, and
// may be in the kernel for long.
func (in *intake) last(call *demux.Call) {
	if in.dumping.Load() {
		return
	}
	in.lock()
	in.drain(call, in.most)
	in.unlock()
}

// look reads until the queue is empty, or about as many datagrams as limit says,
// and returns how many.
func (in *intake) look(limit int) int {
	in.mu.Lock()
	defer in.unlock()
	return in.drain(nil, limit)
}

// lock waits for the read side, which the reader gives up between two reads.
func (in *intake) lock() {
	in.wanted.Add(1)
	in.mu.Lock()
	in.wanted.Add(-1)
}

// drained has the queue read until it is empty, from now on, by the caller or
// by whoever reads.
func (in *intake) drained() {
	in.sweep.Store(true)
	if in.mu.TryLock() {
		in.unlock()
	}
}

// unlock gives up the read side, and serves the sweeps that found it taken.
func (in *intake) unlock() {
	for {
		for in.sweep.CompareAndSwap(true, false) {
			in.drain(nil, in.most)
		}
		in.mu.Unlock()
		if !in.sweep.Load() || !in.mu.TryLock() {
			return
		}
	}
}

// maxFailed is how many reads in a row may fail before the queue is left alone
// until more arrives. An overrun fails one, since the kernel reports none until
// the queue has been empty (netlink_overrun), and a dump for which the kernel has
// no memory one each.
const maxFailed = 100

// drain reads until the queue is empty, until call, if it is not nil, has its
// result and no loss is unsettled, or until it has read as many datagrams as limit
// says, or some more, and returns how many. What is left then has arrived
// meanwhile, so the reader has been woken for it, or looks in before long. The
// caller holds mu.
func (in *intake) drain(call *demux.Call, limit int) (count int) {
	r := rooms.Get().(*room)
	failed := 0
	for count < limit && failed < maxFailed && (in.shut || call == nil || !call.Ready()) {
		ds := r.first(in.width(count))
		n, err := in.sock.Recv(ds)
		for i := range n {
			in.deliver(&ds[i])
		}
		count += n
		switch {
		case err == nil:
			failed = 0
			if call == nil && in.wanted.Load() > 0 {
				in.mu.Unlock()
				in.mu.Lock()
			}
			continue
		case err == net.ErrClosed:
			// Whoever shut the gate reads on and comes by here. The reader may
			// have gone before.
			in.gate.open()
		case err != syscall.EAGAIN:
			failed++
			in.overrun(ds[0].Congested)
			continue
		case in.settle():
			continue
		}
		break
	}
	rooms.Put(r)
	if count > 0 {
		in.found = count
	}
	return count
}

// width returns for how many datagrams the next read has room, when the ones
// before it have found so many. A NOOP of 64 goroutines takes a third less time
// than if each answer is read by itself, and one who is alone needs no more than
// one buffer. Beside a dump it is one, since the kernel makes the next part of the
// dump for each datagram that it hands over.
func (in *intake) width(count int) int {
	if in.dumping.Load() {
		return 1
	}
	return min(max(1, count, in.found), sock.MaxRecv)
}

// deliver hands a datagram to whom it is for.
func (in *intake) deliver(d *sock.Datagram) {
	in.d = d
	o := demux.Origin{PortID: d.PortID, Group: d.Group, NSID: d.NSID, Truncated: d.Truncated}
	if in.table.Deliver(d.Buf[:d.N], o, in.event) {
		// It was in this datagram, whoever it was for.
		in.table.Overrun()
		in.queue.gap()
	}
	if in.shut && in.outdated(d) {
		// By what was counted. Should the kernel drop on, then the next read
		// that finds the queue empty tells who lost by it, and of a request whose
		// send has overlapped.
		in.conclude()
		in.reopen()
		in.table.Doubt()
	}
	in.d = nil
}

// overrun notes that the kernel dropped something: usually for want of room,
// and then, until what is queued has been read away, it drops all that comes
// (netlink_attachskb, netlink_broadcast_deliver). So no request is sent
// meanwhile.
func (in *intake) overrun(congested bool) {
	if in.gap && in.congested && congested {
		// It would be the same overrun had the queue not been empty in between.
		in.conclude()
	}
	in.gate.shut()
	in.gap, in.shut = true, true
	in.table.Overrun()
	if in.congested = congested; in.congested {
		in.old = in.sock.Backlog()
	}
}

// outdated reports whether with d, just read, all is read that was
// queued before an overrun. Where events come faster than they are read, no read
// finds the queue empty, and this is what ends the wait for it. The parts of a
// dump are queued even then, so beside one it cannot be told, nor beside one
// that runs on in the kernel after its call was given up for lost.
func (in *intake) outdated(d *sock.Datagram) bool {
	if in.congested = in.congested && !in.dumping.Load() && !in.table.Tail(); !in.congested {
		return false
	}
	in.old -= d.N + sock.Charge
	return in.old <= 0
}

// conclude tells what follows from the queue having been empty since the loss:
// that its place is here, and who will have no answer. It reports whether that
// has to be seen once more.
func (in *intake) conclude() (again bool) {
	if in.gap {
		in.gap, in.congested = false, false
		in.queue.gap()
	}
	return in.table.Drained()
}

// settle concludes, and opens the gate when nothing is in doubt any more.
func (in *intake) settle() (again bool) {
	if in.conclude() {
		return true
	}
	in.reopen()
	return false
}

// reopen opens the gate that an overrun has shut.
func (in *intake) reopen() {
	if in.shut {
		in.shut = false
		in.gate.open()
	}
}
