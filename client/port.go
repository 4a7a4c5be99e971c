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

// port is one socket with the requests in flight on it and its reader.
type port struct {
	sock   sock.Socket
	table  *demux.Table
	window *window
	queue  *queue // shared by the ports of a Conn
	gate   gate   // shut while an overrun is being read away
	calls  sync.Pool
	done   chan struct{} // closed when the reader is gone

	// dumping is true while a dump is in flight. A read then runs the dump's
	// next part in the kernel, which may wait for the kernel's locks, so reading
	// is left to the reader.
	dumping atomic.Bool

	// sweep asks whoever reads to read to the empty queue once more.
	sweep atomic.Bool

	readMu sync.Mutex // guards following: the read side of sock

	d     sock.Datagram
	event func(wire.Message) // queues a message of d as an event
	gap   bool               // a loss was reported, the queue not yet seen empty
}

// readBuffer is the room for one datagram. The kernel sizes the parts of a dump
// by it, up to 32 KiB (netlink_recvmsg); single messages can be larger, such as
// a link with hundreds of virtual functions.
const readBuffer = 256 << 10

// buffers lends a read buffer to whoever reads: idle sockets hold none.
var buffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

func newPort(family netlink.Family, s sock.Socket, w *window, q *queue, seq uint32) *port {
	p := &port{
		sock:   s,
		window: w,
		queue:  q,
		done:   make(chan struct{}),
	}
	p.calls.New = func() any { return &exchange{call: demux.NewCall()} }
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

// run is the reader: the one goroutine of the port.
func (p *port) run() {
	// It returns when the socket is closed.
	_ = p.sock.Watch(func() {
		p.readMu.Lock()
		p.drain(nil)
		p.unlock()
	})
	p.table.Fail(net.ErrClosed)
	p.gate.open()
	close(p.done)
}

// help reads on the reader's behalf until call has its result or the queue is
// empty, unless somebody reads already. A caller without company is served
// without waking another goroutine.
func (p *port) help(call *demux.Call) {
	if p.readMu.TryLock() {
		p.drain(call)
		p.unlock()
	}
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
			p.drain(nil)
		}
		p.readMu.Unlock()
		if !p.sweep.Load() || !p.readMu.TryLock() {
			return
		}
	}
}

// drain reads until the queue is empty, or until call, if it is not nil, has
// its result. The caller holds readMu.
func (p *port) drain(call *demux.Call) {
	buf := buffers.Get().(*[readBuffer]byte)
	p.d.Buf = buf[:]
	for call == nil || p.gap || !call.Ready() {
		err := p.sock.Recv(&p.d)
		if err == nil {
			p.deliver()
			continue
		}
		if err == net.ErrClosed {
			break
		}
		if err != syscall.EAGAIN {
			p.overrun()
			continue
		}
		if p.table.Drained() {
			continue
		}
		if p.gap {
			// What was queued was older than the loss, so here is its place.
			p.gap = false
			p.queue.gap()
			p.gate.open()
		}
		break
	}
	p.d.Buf = nil
	buffers.Put(buf)
}

func (p *port) deliver() {
	o := demux.Origin{PortID: p.d.PortID, Group: p.d.Group, NSID: p.d.NSID, Truncated: p.d.Truncated}
	if p.table.Deliver(p.d.Buf[:p.d.N], o, p.event) {
		// It was in this datagram, whoever it was for.
		p.table.Overrun()
		p.queue.gap()
	}
}

// overrun notes that the kernel dropped something. Until the queue has been
// read away it drops all that comes (netlink_attachskb, netlink_broadcast_deliver),
// so no request is sent meanwhile.
func (p *port) overrun() {
	p.gate.shut()
	p.gap = true
	p.table.Overrun()
}

// close ends the reader and every call, and waits until they have ended.
func (p *port) close() error {
	err := p.sock.Close()
	<-p.done
	return err
}
