package client

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// lane coalesces requests. Up to leaders goroutines send at once; each sends the queued
// requests with its own, last, and reads the answers. A request that comes meanwhile
// waits in the lane, unsent, and its goroutine is woken to lead when one of them is done.
// So a lone request is sent at once, and under load requests share the cost of system
// calls and of wakeups: 512 goroutines take half the processor time for a NOOP that they
// take if each sends its own.
//
// A goroutine that runs never waits for one that was woken to lead and does not run yet:
// it leads itself.
type lane struct {
	// crowd is the number of sends for which the lane still counts as crowded.
	crowd atomic.Int32

	loads sync.Pool // *load

	mu sync.Mutex // guards following

	leading int  // goroutines that send
	waiting line // not registered yet
	ended   bool // every goroutine leads
}

// load is a datagram of several requests: the calls and their numbers.
type load struct {
	frame []byte
	calls []*demux.Call
	seqs  []uint32
}

// lanes are the lanes of one port. Requests of the same type meet in one: they
// take the same locks in the kernel, so none waits for another's that it would
// not wait for by itself.
type lanes [16]lane

func (l *lanes) of(typ netlink.MessageType) *lane {
	if typ == netlink.NLMSG_NOOP {
		return &l[0]
	}
	return &l[1+int(typ>>2)%(len(l)-1)]
}

const (
	// maxShare is the most requests in one datagram. With 8 most of the system
	// call is saved already; with 64 requests that cost the kernel more, such as
	// RTM_GETLINK, took half as long again, because processors ran out of work
	// while one of them sent.
	maxShare = 8

	// maxFrame is the most bytes in one.
	maxFrame = 16 << 10

	// crowdLasts is for how many sends a lane counts as crowded after one that
	// was shared. With 1 about half of a crowd's requests were sent alone, with
	// 32 hardly any.
	crowdLasts = 32
)

// leadersFor returns how many lead a lane at once at the most on so many
// processors: two for each, since of those who send one may wait for the other in
// the kernel (rtnl_lock), and then a third can read. With two for both of two
// processors RTM_GETLINK by 64 goroutines took a quarter longer.
func leadersFor(processors int) int {
	if processors == 1 {
		return 1
	}
	return 2 * processors
}

// enter reports whether x may send now. If not, x is queued.
func (l *lane) enter(x *exchange, leaders int) (leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leading < leaders || l.ended {
		l.leading++
		return true
	}
	l.waiting.push(x)
	return false
}

// lead reports whether x, which was woken, may send now. If not, it is first in the queue
// again.
func (l *lane) lead(x *exchange, leaders int) (leads bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.woken = false
	if l.leading < leaders || l.ended {
		l.leading++
		return true
	}
	l.waiting.pushFirst(x)
	return false
}

// leave takes x out of the lane. It reports false if another goroutine sends x.
func (l *lane) leave(x *exchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.woken {
		x.woken = false
		l.wakeLocked() // another one instead
		return true
	}
	return l.waiting.remove(x)
}

// pass ends a lead and wakes the goroutine that has waited longest, to lead.
func (l *lane) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leading--
	l.wakeLocked()
}

// wakeLocked takes the first request out of the queue and wakes its goroutine. It reports
// whether there was one.
func (l *lane) wakeLocked() bool {
	x := l.waiting.first
	if x == nil {
		return false
	}
	l.waiting.remove(x)
	x.woken = true
	x.turn <- struct{}{} // room for one, and x is not in the queue now
	return true
}

// end has every goroutine lead, now that no request can be opened any more: those that
// lead already may be in the kernel for long.
func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for l.wakeLocked() {
	}
}

// share sends x through its lane and waits for its result. NotSent(err) reports
// whether it was sent.
func (m *mux) share(ctx context.Context, x *exchange) error {
	l := m.lanes.of(x.call.Type)
	if l.enter(x, m.leaders) {
		return m.lead(ctx, l, x)
	}
	for {
		select {
		case <-x.turn:
			if l.lead(x, m.leaders) {
				return m.lead(ctx, l, x)
			}
		case <-x.call.Done():
			return nil
		case <-ctx.Done():
			if l.leave(x) {
				// x is not used again, so a token in turn does not matter.
				return opError("request", ctx.Err(), true)
			}
			return m.giveUp(ctx, x.call)
		}
	}
}

// lead sends the requests of the lane with x as the last of them, so that all
// are answered when x is.
func (m *mux) lead(ctx context.Context, l *lane, x *exchange) error {
	if err := m.sendFirst(ctx, l, x); err != nil {
		return err
	}
	return m.wait(ctx, x.call)
}

// sendFirst sends what waits in the lane and x. With an error x was not sent.
func (m *mux) sendFirst(ctx context.Context, l *lane, x *exchange) error {
	// Also if a handler of package nltest ends the goroutine.
	defer l.pass()
	if err := m.open(ctx, x.call); err != nil {
		return opError("request", err, true)
	}
	d := m.load(l, x)
	if d == nil {
		return m.sendAlone(x)
	}
	m.sendLoad(d)
	l.loads.Put(d)
	return nil
}

// load returns a datagram of what waits in the lane and of x. It returns nil
// when nothing waits, or when there is no room for more answers.
func (m *mux) load(l *lane, x *exchange) *load {
	if l.crowd.Load() > 0 {
		// The goroutines whose requests were answered last are about to come back.
		l.crowd.Add(-1)
		m.yield.do()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.first == nil {
		return nil
	}
	d, _ := l.loads.Get().(*load)
	if d == nil {
		d = new(load)
	}
	d.frame, d.calls, d.seqs = d.frame[:0], d.calls[:0], d.seqs[:0]
	for w := l.waiting.first; w != nil && len(d.calls) < maxShare-1; w = l.waiting.first {
		if len(d.frame)+len(w.frame)+len(x.frame) > m.maxFrame || !m.tryOpen(w.call) {
			break
		}
		l.waiting.remove(w)
		d.add(w)
	}
	if len(d.calls) == 0 {
		l.loads.Put(d)
		return nil
	}
	d.add(x)
	l.crowd.Store(crowdLasts)
	return d
}

// add puts a copy of an opened request into the datagram: its owner may give up
// any moment.
func (d *load) add(x *exchange) {
	at := len(d.frame)
	d.frame = append(d.frame, x.frame...)
	setSeq(d.frame[at:], x.call.Seq)
	d.calls = append(d.calls, x.call)
	d.seqs = append(d.seqs, x.call.Seq)
}

// sendLoad sends a datagram of several requests and reads the answers. If it cannot
// be sent, all the requests in it fail.
func (m *mux) sendLoad(d *load) {
	defer clear(d.calls)
	if err := m.transmit(d.frame); err != nil {
		err = opError("request", err, true)
		for i, c := range d.calls {
			m.table.Reject(c, d.seqs[i], err)
		}
		return
	}
	// The last request is answered last. Those before it have their result by then,
	// or will have none.
	if m.settle(d.calls[len(d.calls)-1]) {
		m.conclude(d.calls, d.seqs)
	}
}
