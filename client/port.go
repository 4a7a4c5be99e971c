package client

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// port is one socket with the requests in flight on it and its reader.
type port struct {
	family netlink.Family
	sock   sock.Socket
	table  *demux.Table
	window *window
	queue  *queue // shared by the ports of a Conn
	gate   gate   // shut while an overrun is being read away
	calls  sync.Pool
	most   int           // datagrams that can be queued at once, at the most
	done   chan struct{} // closed when the reader is gone

	// dumping is true while a dump is in flight. A read then runs the dump's
	// next part in the kernel, which may wait for the kernel's locks, so reading
	// is left to the reader.
	dumping atomic.Bool

	// wanted counts who waits in lockRead.
	wanted atomic.Int32

	// The way of requests that share a datagram, see lane.
	lanes    lanes
	leaders  int // who send on a lane at once, at the most
	maxFrame int // bytes of a datagram that requests share, at the most

	reader reader

	// sweep asks whoever reads to read to the empty queue once more.
	sweep atomic.Bool

	readMu sync.Mutex // guards following: the read side of sock

	found int                // datagrams, by the last who found any
	d     *sock.Datagram     // is being delivered
	event func(wire.Message) // queues a message of d as an event
	gap   bool               // a loss was reported, its place has not come
	shut  bool               // a loss was reported and is not settled, the gate is shut

	congested bool // the loss that gap is about was an overrun; then:
	old       int  // the most that the queue can still hold of what is older, as charged
}

func newPort(family netlink.Family, s sock.Socket, w *window, q *queue, seq uint32) *port {
	receive, send := s.Buffers()
	p := &port{
		family: family,
		sock:   s,
		window: w,
		queue:  q,
		most:   1 + receive/sock.Charge,
		done:   make(chan struct{}),
	}
	p.leaders = leadersFor(runtime.GOMAXPROCS(0))
	p.maxFrame = min(maxFrame, send/2)
	p.reader.nudge = make(chan struct{}, 1)
	p.calls.New = func() any { return newExchange() }
	p.event = func(m wire.Message) { q.push(m, p.d.Group, p.d.NSID) }
	p.table = demux.New(family, s.PortID(), seq, p.release)
	go p.run()
	return p
}

// release gives back what a request of this kind was lent.
func (p *port) release(kind demux.Kind) {
	if kind == demux.Dump {
		p.dumping.Store(false)
	}
	p.window.release(kind)
}

// read reads on the reader's behalf until call, which was sent, has its result
// or the queue is empty: a caller without company is served without waking
// another goroutine. A call in doubt has to be read for until it is certain.
func (p *port) read(call *demux.Call, doubt bool) {
	switch {
	case p.dumping.Load() && !doubt:
	case p.tryRead(call):
	case doubt:
		p.drained()
	case p.reader.away.Load():
		// Else the reader has been woken and comes next.
		p.takeTurns(call)
	}
	if !call.Ready() && (call.Kind != demux.Ack || p.dumping.Load()) {
		p.attend()
	}
}

// tryRead reads for call if nobody else reads, and reports whether it has.
func (p *port) tryRead(call *demux.Call) bool {
	if !p.readMu.TryLock() {
		return false
	}
	p.drain(call, p.most)
	p.unlock()
	return true
}

// turns is how often a caller gives way to who reads before it goes to sleep. A
// read takes a few microseconds; to be woken takes longer, and happens on the
// processor of who reads, where the other one's work then waits as well. With 16
// a NOOP of 8 goroutines takes 15 percent less time on two processors than with
// none; with 64 four goroutines kept a processor busy giving way.
const turns = 16

// takeTurns is read for a call whose result another caller may be reading, and
// which nobody might read later.
func (p *port) takeTurns(call *demux.Call) {
	for range turns {
		runtime.Gosched()
		if call.Ready() || p.tryRead(call) {
			return
		}
	}
	p.last(call)
}

// last waits for the read side and reads on behalf of a call, of which nobody
// else may read the result that is queued: not the reader who is away, and not in
// time where a result is to beat a ctx that has ended. It reads no more than can
// have been queued before, and nothing beside a dump: the reader is there then, and
// may be in the kernel for long.
func (p *port) last(call *demux.Call) {
	if p.dumping.Load() {
		return
	}
	p.lockRead()
	p.drain(call, p.most)
	p.unlock()
}

// lockRead waits for the read side, which the reader gives up between two reads.
func (p *port) lockRead() {
	p.wanted.Add(1)
	p.readMu.Lock()
	p.wanted.Add(-1)
}

// drained has the queue read until it is empty, from now on, by the caller or
// by whoever reads.
func (p *port) drained() {
	p.sweep.Store(true)
	if p.readMu.TryLock() {
		p.unlock()
	}
}

// unlock gives up the read side, and serves the sweeps that found it taken.
func (p *port) unlock() {
	for {
		for p.sweep.CompareAndSwap(true, false) {
			p.drain(nil, p.most)
		}
		p.readMu.Unlock()
		if !p.sweep.Load() || !p.readMu.TryLock() {
			return
		}
	}
}

// drain reads until the queue is empty, until call, if it is not nil, has its
// result and no loss is unsettled, or until it has read as many datagrams as limit
// says, or some more, and returns how many. What is left then has arrived
// meanwhile, so the reader has been woken for it, or looks in before long. The
// caller holds readMu.
func (p *port) drain(call *demux.Call, limit int) (count int) {
	r := rooms.Get().(*room)
	for count < limit && (p.shut || call == nil || !call.Ready()) {
		ds := r.first(p.width(count))
		n, err := p.sock.Recv(ds)
		for i := range n {
			p.deliver(&ds[i])
		}
		count += n
		switch {
		case err == nil:
			if call == nil && p.wanted.Load() > 0 {
				p.readMu.Unlock()
				p.readMu.Lock()
			}
			continue
		case err == net.ErrClosed:
		case err != syscall.EAGAIN:
			p.overrun(ds[0].Congested)
			continue
		case p.settle():
			continue
		}
		break
	}
	rooms.Put(r)
	if count > 0 {
		p.found = count
	}
	return count
}

// width returns for how many datagrams the next read has room, when the ones
// before it have found so many. A NOOP of 64 goroutines takes a third less time
// than if each answer is read by itself, and one who is alone needs no more than
// one buffer. Beside a dump it is one, since the kernel makes the next part of the
// dump for each datagram that it hands over.
func (p *port) width(count int) int {
	if p.dumping.Load() {
		return 1
	}
	return min(max(1, count, p.found), sock.MaxRecv)
}

// deliver hands a datagram to whom it is for.
func (p *port) deliver(d *sock.Datagram) {
	p.d = d
	o := demux.Origin{PortID: d.PortID, Group: d.Group, NSID: d.NSID, Truncated: d.Truncated}
	if p.table.Deliver(d.Buf[:d.N], o, p.event) {
		// It was in this datagram, whoever it was for.
		p.table.Overrun()
		p.queue.gap()
	}
	if p.shut && p.outdated(d) {
		// By what was counted. Should the kernel drop on, then the next read
		// that finds the queue empty tells who lost by it.
		p.settle()
		p.table.Doubt()
	}
	p.d = nil
}

// overrun notes that the kernel dropped something: usually for want of room,
// and then, until what is queued has been read away, it drops all that comes
// (netlink_attachskb, netlink_broadcast_deliver). So no request is sent
// meanwhile.
func (p *port) overrun(congested bool) {
	if p.gap && p.congested && congested {
		// It would be the same overrun had the queue not been empty in between.
		p.conclude()
	}
	p.gate.shut()
	p.gap, p.shut = true, true
	p.table.Overrun()
	if p.congested = congested; p.congested {
		p.old = p.sock.Backlog()
	}
}

// outdated reports whether with d, just read, all is read that was
// queued before an overrun. Where events come faster than they are read, no read
// finds the queue empty, and this is what ends the wait for it. The parts of a
// dump are queued even then, so beside one it cannot be told, nor beside one
// that runs on in the kernel after its call was given up for lost.
func (p *port) outdated(d *sock.Datagram) bool {
	if p.congested = p.congested && !p.dumping.Load() && !p.table.Tail(); !p.congested {
		return false
	}
	p.old -= d.N + sock.Charge
	return p.old <= 0
}

// conclude tells what follows from the queue having been empty since the loss:
// that its place is here, and who will have no answer. It reports whether that
// has to be seen once more.
func (p *port) conclude() (again bool) {
	if p.gap {
		p.gap, p.congested = false, false
		p.queue.gap()
	}
	return p.table.Drained()
}

// settle concludes, and opens the gate when nothing is in doubt any more.
func (p *port) settle() (again bool) {
	if p.conclude() {
		return true
	}
	if p.shut {
		p.shut = false
		p.gate.open()
	}
	return false
}

// close ends the reader and every call, and waits until they have ended.
func (p *port) close() error {
	err := p.sock.Close()
	p.wake()
	<-p.done
	return err
}
