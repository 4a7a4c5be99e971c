package client

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
)

// mux is one socket with the requests in flight on it and its reader.
type mux struct {
	family netlink.Family
	sock   sock.Socket
	table  *demux.Table
	window *window
	recv   *receiver
	calls  sync.Pool
	slots  *slots
	done   chan struct{} // closed when the reader is gone

	// unasked counts the messages without NLM_F_ACK since the last look. The kernel
	// answers them only to refuse, and no room is reserved for that: after lookAfter of
	// them, senders read.
	unasked   atomic.Uint32
	lookAfter uint32

	// batches holds a token while a batch runs: one at a time, as in the kernel
	// (nf_tables_valid_genid locks).
	batches chan struct{}

	// For requests that share a datagram, see coalescer.
	coalescers coalescers
	packets    sync.Pool // *packet
	yield      yielder
	maxSenders int // maximum number of goroutines that send on a coalescer at once
	maxFrame   int // maximum size in bytes of a datagram that requests share

	reader reader
}

// newMux makes a mux on s, which it owns, for inFlight requests at once, or as many as
// its receive buffer has room for if that is 0. The muxes of a Conn share the queue.
func newMux(family netlink.Family, s sock.Socket, inFlight int, q *queue) *mux {
	receive, send := s.Buffers()
	w := newWindow(receive, inFlight)
	m := &mux{
		family:     family,
		sock:       s,
		window:     w,
		slots:      newSlots(),
		done:       make(chan struct{}),
		batches:    make(chan struct{}, 1),
		maxSenders: maxSendersFor(runtime.GOMAXPROCS(0)),
		maxFrame:   min(maxFrame, send/2),

		lookAfter: uint32(max(1, min(maxSlots, receive/(4*refusalSize)))),
	}
	m.calls.New = func() any { return newExchange() }
	m.packets.New = func() any { return new(packet) }
	m.table = demux.New(family, s.PortID(), rand.Uint32(), w.size, s.Dropped)
	m.recv = newReceiver(family, s, receive, m.table, q)
	m.startParked()
	return m
}

// maxSpins is the number of times that a goroutine yields to the one that reads before
// it blocks. A read takes a few microseconds. A wakeup costs more, and happens on the
// processor of the goroutine that reads. (Measured: NOOPs of 8 goroutines on 2 processors
// take 13 percent less time with 16 spins than with none. With 64 spins, 4 goroutines kept
// a processor busy yielding.)
const maxSpins = 16

// readAnswer reads until call, whose send has returned, has its result, or until
// everything that was queued before has been read. A goroutine that sends usually reads its
// own answer here, without waking another. dry reports that a call without a result has no
// answer.
func (m *mux) readAnswer(call *demux.Call) (dry bool) {
	for range maxSpins {
		if call.Ready() {
			return true
		}
		if m.recv.mu.TryLock() {
			_, dry = m.recv.drainLocked(call, m.recv.most)
			m.recv.mu.Unlock()
			return dry
		}
		if !m.yield.do() {
			break
		}
	}
	return m.recv.readFor(call)
}

// conclude ends those of the calls, which were sent in one datagram, that get no answer.
func (m *mux) conclude(calls []*demux.Call, seqs []uint32) {
	if m.table.Unanswered(calls, seqs) {
		m.recv.conclude(calls, seqs)
	}
}

// close ends the reader and every call, and waits until they have ended.
func (m *mux) close() error {
	if m.reader.start.Stop() {
		err := m.sock.Close()
		m.run() // here: a goroutine that ends at once takes a sixth of Dial to Close
		return err
	}
	m.wakeReader() // or Close would wait for its next look
	err := m.sock.Close()
	<-m.done
	return err
}
