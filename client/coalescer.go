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
	// busy is the number of further sends for which requests are expected to be queued.
	busy atomic.Int32

	packets sync.Pool // *packet

	mu sync.Mutex // guards following

	senders int      // goroutines that send
	waiting waitList // not registered yet
	ended   bool     // every goroutine may send
}

// packet is a datagram of several requests: the calls and their numbers.
type packet struct {
	frame []byte
	calls []*demux.Call
	seqs  []uint32
}

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

// acquire reports whether x may send now. If not, x is queued, or another goroutine has
// taken it. One that was woken and comes too late is first in the queue again.
func (c *coalescer) acquire(x *exchange, maxSenders int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case x.state == inWaitList || x.state == taken:
		return false
	case c.senders < maxSenders || c.ended:
		c.senders++
		x.state = notWaiting
		return true
	case x.state == chosen:
		c.waiting.pushFirst(x)
	default:
		c.waiting.push(x)
	}
	x.state = inWaitList
	return false
}

// cancel takes x back. It reports false if another goroutine sends x.
func (c *coalescer) cancel(x *exchange) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch x.state {
	case inWaitList:
		c.waiting.remove(x)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	c.senders--
	c.wakeLocked()
}

// wakeLocked takes the first request out of the queue and wakes its goroutine. It reports
// whether there was one.
func (c *coalescer) wakeLocked() bool {
	x := c.waiting.first
	if x == nil {
		return false
	}
	c.waiting.remove(x)
	x.state = chosen
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

// coalesce sends x through its coalescer and waits for its result. NotSent(err) reports
// whether it was not sent.
func (m *mux) coalesce(ctx context.Context, x *exchange) error {
	c := m.coalescers.of(x.call.Type)
	for !c.acquire(x, m.maxSenders) {
		err := await(ctx, x.call)
		switch {
		case x.call.Ready():
			return nil
		case err != nil && c.cancel(x):
			return opError("request", err, true)
		case err != nil:
			return m.giveUp(ctx, x.call)
		}
	}
	if err := m.sendQueued(ctx, c, x); err != nil {
		return err
	}
	return m.wait(ctx, x.call)
}

// sendQueued sends the queued requests with x as the last of them, so that all are
// answered when x is. With an error x was not sent.
func (m *mux) sendQueued(ctx context.Context, c *coalescer, x *exchange) error {
	// Deferred, since a handler of package nltest may end the goroutine.
	defer c.release()
	if err := m.open(ctx, x.call); err != nil {
		return opError("request", err, true)
	}
	d := m.pack(c, x)
	if d == nil {
		return m.sendAlone(x)
	}
	m.sendPacket(d)
	c.packets.Put(d)
	return nil
}

// pack returns a datagram of the queued requests and x. It returns nil if the queue is
// empty, or if there is no room for more answers.
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
	d, _ := c.packets.Get().(*packet)
	if d == nil {
		d = new(packet)
	}
	d.frame, d.calls, d.seqs = d.frame[:0], d.calls[:0], d.seqs[:0]
	for w := c.waiting.first; w != nil && len(d.calls) < maxCoalesced-1; w = c.waiting.first {
		if len(d.frame)+len(w.frame)+len(x.frame) > m.maxFrame || !m.tryOpen(w.call) {
			break
		}
		c.waiting.remove(w)
		w.state = taken
		d.add(w)
	}
	if len(d.calls) == 0 {
		c.packets.Put(d)
		return nil
	}
	d.add(x)
	c.busy.Store(busySends)
	return d
}

// add puts a copy of an opened request into the datagram, since its caller may abandon it
// at any moment.
func (d *packet) add(x *exchange) {
	at := len(d.frame)
	d.frame = append(d.frame, x.frame...)
	setSeq(d.frame[at:], x.call.Seq)
	d.calls = append(d.calls, x.call)
	d.seqs = append(d.seqs, x.call.Seq)
}

// sendPacket sends a datagram of several requests and reads the answers. If it cannot
// be sent, all the requests in it fail.
func (m *mux) sendPacket(d *packet) {
	defer clear(d.calls)
	if err := m.transmit(d.frame); err != nil {
		err = opError("request", err, true)
		for i, c := range d.calls {
			m.table.Reject(c, d.seqs[i], err)
		}
		return
	}
	// The last request is answered last. By then, requests without a result have no
	// answer.
	if m.readAnswer(d.calls[len(d.calls)-1]) {
		m.conclude(d.calls, d.seqs)
	}
}
