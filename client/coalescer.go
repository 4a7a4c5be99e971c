package client

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// coalescer coalesces requests. Up to maxSenders goroutines send at once; each sends
// the queued requests with its own, last, and reads the answers. A request that comes
// meanwhile is queued, unsent, and its goroutine is woken to send when one of them is
// done. So a lone request is sent at once, and under load requests share the cost of
// system calls and wakeups (measured: NOOPs of 512 goroutines take a third less time).
//
// A goroutine that runs never waits for one that was woken and does not run yet: it sends
// itself.
type coalescer struct {
	// load is the number of goroutines that send, and oneWaiting times the number of
	// queued requests. So a lone request needs no lock.
	load atomic.Int64

	// busy is the number of further sends for which requests are expected to be queued.
	busy atomic.Int32

	mu sync.Mutex // guards following

	waiting waitList // not registered yet
	ended   bool     // every goroutine may send
}

// packet has queued requests, which a goroutine sends together with its own: their calls and
// numbers. The frame has the sender's own request at its end.
type packet struct {
	frame []byte
	calls []*demux.Call
	seqs  []uint32
}

// add adds a copy of the frame of an opened request, since its caller may abandon it at any
// moment.
func (p *packet) add(x *exchange) {
	at := len(p.frame)
	p.frame = append(p.frame, x.frame...)
	setSeq(p.frame[at:], x.call.Seq)
	p.calls = append(p.calls, x.call)
	p.seqs = append(p.seqs, x.call.Seq)
}

// reject ends the calls of p, which could not be sent.
func (m *mux) reject(p *packet, err error) {
	for i, c := range p.calls {
		m.table.Reject(c, p.seqs[i], opError("request", err, true))
	}
}

// oneWaiting is more than any number of goroutines that send.
const oneWaiting = 1 << 32

// coalescers are those of one port. Requests of the same type share one: they take the
// same locks in the kernel, so coalescing adds no wait for a lock.
type coalescers [16]coalescer

func (c *coalescers) of(typ netlink.MessageType) *coalescer {
	if typ == netlink.NLMSG_NOOP {
		return &c[0]
	}
	return &c[1+int(typ>>2)%(len(c)-1)]
}

const (
	// maxCoalesced is the maximum number of requests in one datagram. 8 save most of
	// the system calls. (Measured with 64 goroutines on 2 processors: with 4, NOOPs take
	// 14 percent longer. With 16, NOOPs and RTM_GETLINK take 10 percent longer, because
	// processors run out of work while one of them sends.)
	maxCoalesced = 8

	// maxFrame is the maximum number of bytes in one.
	maxFrame = 16 << 10

	// busySends is the number of further sends, after one with queued requests, for
	// which such requests are expected. (Measured: with 1, NOOPs and RTM_GETLINK of 64
	// goroutines take 5 percent longer, and NOOPs of 512 on one processor 17 percent.)
	busySends = 32
)

// maxSendersFor returns the maximum number of goroutines that send at once with n CPUs:
// two per CPU, because one may wait for the other in the kernel (rtnl_lock), and then a
// third can read. (Measured on 2 CPUs: with one per CPU, RTM_GETLINK by 64 goroutines takes
// 30 percent longer.)
func maxSendersFor(n int) int {
	if n == 1 {
		return 1
	}
	return 2 * n
}

// waitState is the state of an exchange in the waitList of its coalescer.
type waitState uint8

const (
	notWaiting waitState = iota
	inWaitList
	chosen // taken out of the list to send
	taken  // taken out of it by another goroutine, which sends it
)

// start reports whether the caller may send now: few goroutines send, and no request is
// queued. If not, the caller calls acquire.
func (c *coalescer) start(maxSenders int) bool {
	n := c.load.Load()
	return n < int64(maxSenders) && c.load.CompareAndSwap(n, n+1)
}

// acquire reports whether x may send now. If not, x is queued, or another goroutine has
// taken it. One that was woken and comes too late is first in the queue again.
func (c *coalescer) acquire(x *exchange, maxSenders int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x.state {
	case inWaitList, taken:
		return false
	case chosen:
		c.waiting.pushFirst(x)
	default:
		c.waiting.push(x)
	}
	// Queue x before looking at the number of senders: the last of them to end looks at
	// the queue afterwards.
	x.state = inWaitList
	if n := c.load.Add(oneWaiting) % oneWaiting; n >= int64(maxSenders) && !c.ended {
		return false
	}
	c.removeLocked(x, notWaiting, 1)
	return true
}

// removeLocked takes x out of the queue, and adds senders in the same step, or start could
// see neither x in the queue nor the new sender.
func (c *coalescer) removeLocked(x *exchange, state waitState, senders int64) {
	c.waiting.remove(x)
	c.load.Add(senders - oneWaiting)
	x.state = state
}

// cancel takes x back. It reports false if another goroutine sends x.
func (c *coalescer) cancel(x *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x.state {
	case inWaitList:
		c.removeLocked(x, notWaiting, 0)
	case chosen:
		c.wakeLocked() // another one instead
	case taken:
		return false
	}
	x.state = notWaiting
	return true
}

// release ends a send and wakes the goroutine that has waited longest.
func (c *coalescer) release() {
	if c.load.Add(-1) >= oneWaiting {
		c.wake()
	}
}

func (c *coalescer) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
}

// wakeLocked takes the first request out of the queue and wakes its goroutine. It reports
// whether there was one.
func (c *coalescer) wakeLocked() bool {
	x := c.waiting.first
	if x == nil {
		return false
	}
	c.removeLocked(x, chosen, 0)
	x.call.Wake()
	return true
}

// end lets every goroutine send, now that no request can be opened any more: the
// current senders may be in the kernel for a long time.
func (c *coalescer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for c.wakeLocked() {
	}
}

// awaitTurn waits until x may send. sent reports that another goroutine has sent x instead.
// NotSent(err) reports whether x was not sent.
func (m *mux) awaitTurn(ctx context.Context, c *coalescer, x *exchange) (sent bool, err error) {
	for !c.acquire(x, m.maxSenders) {
		err := await(ctx, x.call)
		switch {
		case x.call.Ready():
			return true, nil
		case err != nil && c.cancel(x):
			return false, opError("request", err, true)
		case err != nil:
			return true, m.giveUp(ctx, x.call)
		}
	}
	return false, nil
}

// mayPack reports whether a request is queued or soon will be.
func (c *coalescer) mayPack() bool { return c.busy.Load() > 0 || c.load.Load() >= oneWaiting }

// pack returns a packet of queued requests, as far as there is room for more answers, with
// x at the end: so all are answered when x is. It returns nil if there is none.
func (m *mux) pack(c *coalescer, x *exchange) *packet {
	if c.busy.Load() > 0 {
		// The goroutines whose requests were just answered are about to send again.
		c.busy.Add(-1)
		m.yield.do()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting.first == nil {
		return nil
	}
	p := m.packets.Get().(*packet)
	p.frame, p.calls, p.seqs = p.frame[:0], p.calls[:0], p.seqs[:0]
	for w := c.waiting.first; w != nil && len(p.calls) < maxCoalesced-1; w = c.waiting.first {
		if len(p.frame)+len(w.frame)+len(x.frame) > m.maxFrame || !m.tryOpen(w.call) {
			break
		}
		c.removeLocked(w, taken, 0)
		p.add(w)
	}
	if len(p.calls) == 0 {
		m.packets.Put(p)
		return nil
	}
	p.frame = append(p.frame, x.frame...)
	c.busy.Store(busySends)
	return p
}
