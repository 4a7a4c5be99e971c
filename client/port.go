package client

import (
	"runtime"
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
)

// port is one socket with the requests in flight on it and its reader.
type port struct {
	family netlink.Family
	sock   sock.Socket
	table  *demux.Table
	window *window
	in     *intake
	calls  sync.Pool
	done   chan struct{} // closed when the reader is gone

	// The way of requests that share a datagram, see lane.
	lanes    lanes
	leaders  int // who send on a lane at once, at the most
	maxFrame int // bytes of a datagram that requests share, at the most

	reader reader
}

// newPort makes a port on s, which it owns. Ports of a Conn share the queue.
func newPort(family netlink.Family, s sock.Socket, w *window, q *queue, seq uint32) *port {
	_, send := s.Buffers()
	p := &port{
		family:   family,
		sock:     s,
		window:   w,
		done:     make(chan struct{}),
		leaders:  leadersFor(runtime.GOMAXPROCS(0)),
		maxFrame: min(maxFrame, send/2),
	}
	p.reader.nudge = make(chan struct{}, 1)
	p.calls.New = func() any { return newExchange() }
	p.table = demux.New(family, s.PortID(), seq, p.release)
	p.in = newIntake(s, p.table, q)
	go p.run()
	return p
}

// release gives back what a request of this kind was lent.
func (p *port) release(kind demux.Kind) {
	if kind == demux.Dump {
		p.in.dumping.Store(false)
	}
	p.window.release(kind)
}

// read reads on the reader's behalf until call, which was sent, has its result
// or the queue is empty: a caller without company is served without waking
// another goroutine. A call in doubt has to be read for until it is certain.
func (p *port) read(call *demux.Call, doubt bool) {
	switch {
	case p.in.dumping.Load() && !doubt:
	case p.in.try(call):
	case doubt:
		p.in.drained()
	case p.reader.away.Load():
		// Else the reader has been woken and comes next.
		p.takeTurns(call)
	}
	if !call.Ready() && (call.Kind != demux.Ack || p.in.dumping.Load()) {
		p.attend()
	}
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
		if call.Ready() || p.in.try(call) {
			return
		}
	}
	p.in.last(call)
}

// close ends the reader and every call, and waits until they have ended.
func (p *port) close() error {
	err := p.sock.Close()
	p.wake()
	<-p.done
	return err
}
