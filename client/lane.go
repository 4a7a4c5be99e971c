package client

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// lane is the way to the socket of those requests that may share a datagram. A
// few lead at once: each sends what waits in the lane, its own request last, and
// reads the answers. Who comes meanwhile waits in the
// lane, unsent, and one of them leads next. So a lone request is sent at once,
// and a crowd shares the cost of system calls and of waking up: 512 goroutines
// take half the processor time for a NOOP that they take if each sends its own.
type lane struct {
	// crowd is for how many sends more the lane counts as crowded.
	crowd atomic.Int32

	loads sync.Pool // *load

	mu sync.Mutex // guards following

	leading int  // how many lead or have been told to
	waiting line // not registered yet
	ended   bool // everyone leads
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

// enter makes x one who leads, of whom there may be so many, or has it wait.
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

// leave takes x out of those who wait. It reports false when x is under way or
// is to lead.
func (l *lane) leave(x *exchange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.remove(x)
}

// pass ends a lead and has the one lead who has waited longest.
func (l *lane) pass() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leading--
	l.nextLocked()
}

// nextLocked tells the one to lead who has waited longest, if there is one.
func (l *lane) nextLocked() bool {
	x := l.waiting.first
	if x == nil {
		return false
	}
	l.waiting.remove(x)
	l.leading++
	x.turn <- struct{}{} // room for one, and it is out of the lane now
	return true
}

// end has everyone lead, now that no request can be opened any more: those who
// lead already may be in the kernel for long.
func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for l.nextLocked() {
	}
}

// share sends x through its lane and waits for its result. NotSent(err) tells
// whether it was sent.
func (m *mux) share(ctx context.Context, x *exchange) error {
	l := m.lanes.of(x.call.Type)
	if l.enter(x, m.leaders) {
		return m.lead(ctx, l, x)
	}
	select {
	case <-x.turn:
		return m.lead(ctx, l, x)
	case <-x.call.Done():
		return nil
	case <-ctx.Done():
	}
	if l.leave(x) {
		return opError("request", ctx.Err(), true)
	}
	select {
	case <-x.turn:
		l.pass()
		return opError("request", ctx.Err(), true)
	default:
		return m.giveUp(ctx, x.call)
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
	// Before the wait: who leads must not wait for what the kernel owes it. And
	// even if a handler of package nltest ends the goroutine.
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
		// Those who were served last are about to come back.
		l.crowd.Add(-1)
		runtime.Gosched()
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
		m.table.Conclude(d.calls, d.seqs)
	}
}
