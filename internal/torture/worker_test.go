//go:build linux

package torture

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// worker is one goroutine of the torture. Its random numbers choose the operations; the
// moment at which a ctx ends is not repeatable.
type worker struct {
	*torture
	id   int
	rand *rand.Rand
	own  []*object
	seq  uint32 // of the last answer, 0 before the first
	did  tally
}

func newWorker(x *torture, id int, seed uint64) *worker {
	w := &worker{torture: x, id: id, rand: rand.New(rand.NewPCG(seed, uint64(id))), did: newTally()}
	for n, class := range []class{anAddress, aRoute, aRoute, aLink} {
		w.own = append(w.own, &object{key: key{class: class, owner: uint16(id), n: uint8(n)}, known: true})
	}
	return w
}

// operations of the torture and their share in 1,000.
var operations = []struct {
	name  string
	share int
	do    func(*worker)
}{
	{"get", 295, (*worker).get},
	{"refused", 120, (*worker).refused},
	{"noop", 80, (*worker).noop},
	{"change address", 180, func(w *worker) { w.change(w.own[0]) }},
	{"change route", 220, func(w *worker) { w.change(w.own[1+w.rand.IntN(2)]) }},
	{"change link", 1, func(w *worker) { w.change(w.own[3]) }},
	{"dump", 8, (*worker).dump},
	{"stream", 10, (*worker).walk},
	{"forge", 40, (*worker).forge},
	{"churn", 36, func(w *worker) { w.churn.more() }},
	{"membership", 5, (*worker).membership},
	{"subscription", 5, (*worker).subscription},
}

// run runs operations until the budget is used up.
func (w *worker) run(b budget, start time.Time) {
	for i := 0; !w.over.Load(); i++ {
		if b.ops > 0 && i == b.ops || b.time > 0 && time.Since(start) >= b.time {
			break
		}
		op, n := 0, w.rand.IntN(1000)
		for n >= operations[op].share {
			n -= operations[op].share
			op++
		}
		w.did.ops[op]++
		began := time.Now()
		operations[op].do(w)
		w.did.slowest[op] = max(w.did.slowest[op], time.Since(began))
	}
	for _, o := range w.own {
		w.settle(o)
	}
}

// moment returns the ctx of one request: mostly one that does not end, otherwise one
// that ends before, during or after the request.
func (w *worker) moment() (context.Context, context.CancelFunc) {
	switch n := w.rand.IntN(100); {
	case n < 75:
		return w.ctx, func() {}
	case n < 80:
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		return ctx, cancel
	case n < 90:
		return context.WithTimeout(w.ctx, time.Duration(w.rand.Int64N(int64(20*time.Millisecond))))
	default:
		// A request waits in the queue for nearly all that time, so this ctx ends after
		// some checks.
		return newFuse(w.ctx, w.rand.IntN(4))
	}
}

// fuse is a ctx that ends after a number of checks: on the way to the socket or back.
type fuse struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int32
}

func newFuse(parent context.Context, looks int) (*fuse, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	f := &fuse{Context: ctx, cancel: cancel}
	f.left.Store(int32(looks))
	return f, cancel
}

func (f *fuse) look() {
	if f.left.Add(-1) < 0 {
		f.cancel()
	}
}

// Done implements context.Context.
func (f *fuse) Done() <-chan struct{} {
	f.look()
	return f.Context.Done()
}

// Err implements context.Context.
func (f *fuse) Err() error {
	f.look()
	return f.Context.Err()
}

// Request is Conn.Request with every check that holds for all requests. An
// error that it returns is one that the request may end with.
func (w *worker) request(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) ([]wire.Message, error) {
	w.t.Helper()
	msgs, err := w.conn.Request(ctx, typ, payload, flags)
	for _, m := range msgs {
		if !isDump(typ, flags) && (m.Header.PortID == w.conn.PortID() || !w.repeatable(typ)) {
			w.answered(m.Header.Seq, m.Header.Seq != msgs[0].Header.Seq || m.Header.PortID != w.conn.PortID())
			continue
		}
		// A dump has its own socket, and so another port and other numbers. So has a
		// request that is sent again.
		if m.Header.Seq != msgs[0].Header.Seq || m.Header.PortID != msgs[0].Header.PortID || m.Header.PortID == w.conn.PortID() {
			w.fault("worker %d: message of port %d, number %d among those of port %d, number %d", w.id,
				m.Header.PortID, m.Header.Seq, msgs[0].Header.PortID, msgs[0].Header.Seq)
		}
	}
	w.ended(ctx, typ, flags, err)
	if err != nil && len(msgs) > 0 && !errors.Is(err, client.ErrDumpInterrupted) {
		w.fault("type %d: %d replies and %v", typ, len(msgs), err)
	}
	return msgs, err
}

// repeatable reports whether a request may have been sent again: it reads, and answers
// were lost.
func (w *worker) repeatable(typ netlink.MessageType) bool {
	return typ&3 == unix.RTM_GETLINK&3 && w.conn.Stats().Overruns != 0
}

// isDump reports whether a request asks for a table.
func isDump(typ netlink.MessageType, flags netlink.Flags) bool {
	return flags == netlink.NLM_F_DUMP && slices.ContainsFunc(tables, func(x table) bool { return x.typ == typ })
}

// answered records the number of an answer. A goroutine's requests have increasing
// numbers, so an answer with a smaller number is another request's.
func (w *worker) answered(seq uint32, wrong bool) {
	if wrong || w.seq != 0 && int32(seq-w.seq) < 0 {
		w.fault("worker %d: answer with number %d after %d is not its own", w.id, seq, w.seq)
	}
	w.seq = seq
	w.seen.Store(seq)
}

// ended counts the result of a request of type typ, and reports an invalid one.
func (w *worker) ended(ctx context.Context, typ netlink.MessageType, flags netlink.Flags, err error) {
	w.t.Helper()
	var refusal *wire.KernelError
	switch {
	case err == nil:
		w.did.ends["ok"]++
		return
	case errors.As(err, &refusal):
		w.did.ends[unix.ErrnoName(refusal.Errno)]++
		if refusal.Request != typ || client.NotSent(err) {
			w.fault("type %d: %v, NotSent %v; it is about type %d", typ, err, client.NotSent(err), refusal.Request)
		}
		if !isDump(typ, flags) && !w.repeatable(typ) {
			w.answered(refusal.Seq, false)
		}
		// If a reply finds no room, the kernel refuses the request with this errno
		// (netlink_attachskb), and the refusal may find room.
		if refusal.Errno == unix.EAGAIN && w.conn.Stats().Overruns == 0 {
			w.fault("type %d: %v without an overrun", typ, err)
		}
	case errors.Is(err, client.ErrReplyLost):
		w.did.ends["reply lost"]++
		w.did.lost++
	case errors.Is(err, client.ErrDumpInterrupted):
		w.did.ends["interrupted"]++
	case ctx.Err() != nil && errors.Is(err, ctx.Err()) && w.ctx.Err() == nil:
		if client.NotSent(err) {
			w.did.ends["ctx, not sent"]++
			return
		}
		w.did.ends["ctx, sent"]++
	default:
		w.fault("type %d: %v", typ, err)
	}
	if client.NotSent(err) {
		w.fault("type %d: %v counts as not sent", typ, err)
	}
}

// answer reports whether err is the kernel's answer: nil or a refusal for a reason
// other than lack of room for the reply.
func answer(err error) bool {
	var refusal *wire.KernelError
	return err == nil || errors.As(err, &refusal) && refusal.Errno != unix.EAGAIN
}

// get requests a link by its index.
func (w *worker) get() {
	ctx, cancel := w.moment()
	defer cancel()
	index := w.links[w.rand.IntN(len(w.links))]
	msgs, err := w.request(ctx, unix.RTM_GETLINK, kerneltest.Pack(unix.IfInfomsg{Index: int32(index)}), 0)
	if answer(err) && (err != nil || len(msgs) != 1 || kerneltest.LinkIndex(msgs[0]) != index) {
		w.fault("link %d: %v, %v", index, msgs, err)
	}
}

// refused sends requests that the kernel refuses, with different errnos.
func (w *worker) refused() {
	ctx, cancel := w.moment()
	defer cancel()
	nowhere := object{key: key{class: class(w.rand.IntN(int(classes))), owner: uint16(w.id), n: 200}}
	typ, payload, want := removes[nowhere.class], nowhere.payload(1), absent[nowhere.class]
	switch w.rand.IntN(4) {
	case 0:
		typ, payload = nowhere.question()
		want = nowhere.unfound()
	case 1:
		typ, payload, want = unix.RTM_GETADDR, kerneltest.Pack(unix.IfAddrmsg{Family: unix.AF_INET}), unix.EOPNOTSUPP
	}
	if _, err := w.request(ctx, typ, payload, 0); answer(err) && !errors.Is(err, want) {
		w.fault("type %d about %v: %v, want %v", typ, nowhere.key, err, want)
	}
}

func (w *worker) noop() {
	ctx, cancel := w.moment()
	defer cancel()
	err := w.conn.Noop(ctx)
	w.ended(ctx, netlink.NLMSG_NOOP, 0, err)
	if err != nil && answer(err) {
		w.fault("noop: %v", err)
	}
}

// change creates or removes one of its objects, whether or not it exists.
func (w *worker) change(o *object) {
	ctx, cancel := w.moment()
	defer cancel()
	w.put(ctx, o, w.rand.IntN(2) == 0)
}

// toggle creates a missing object and removes an existing one.
func (w *worker) toggle(o *object) { w.put(w.ctx, o, !o.there) }

// put creates or removes an object.
func (w *worker) put(ctx context.Context, o *object, up bool) {
	flags, gen := netlink.Flags(0), o.gen
	typ, want := removes[o.class], absent[o.class]
	if up {
		typ, want = creates[o.class], unix.EEXIST
		flags = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
		if !o.there {
			gen++
		}
	}
	changes := up != o.there
	echo := w.rand.IntN(3) == 0
	if echo {
		flags |= netlink.NLM_F_ECHO
	}
	msgs, err := w.request(ctx, typ, o.payload(gen), flags)
	switch {
	case !answer(err):
		w.doubt(o, err, changes, gen)
	case !changes:
		if !errors.Is(err, want) {
			w.fault("%v, there %v: type %d gives %v, want %v", o.key, o.there, typ, err, want)
		}
	case err != nil:
		w.fault("%v, there %v: type %d gives %v", o.key, o.there, typ, err)
		o.known = false
	default:
		o.there, o.gen = up, gen
		w.echoed(o, typ, msgs, echo)
	}
}

// echoed checks the replies of a change: its echo and nothing else.
func (w *worker) echoed(o *object, typ netlink.MessageType, msgs []wire.Message, echo bool) {
	if !echo {
		if len(msgs) != 0 {
			w.fault("%v: type %d has replies %v, want none", o.key, typ, msgs)
		}
		return
	}
	if o.class == aLink && len(msgs) == 0 && !nstest.KernelSince(w.t, 6, 2) {
		// Before Linux 6.2 links have no echo (rtmsg_ifinfo_send).
		return
	}
	own := 0
	for _, m := range msgs {
		s, ok := sighting(m)
		if ok && s.key == o.key && s.typ == typ && (s.gen == o.gen || o.class == aLink) {
			own++
		}
	}
	// The other end of a new link is announced as well.
	if own == 0 || len(msgs) != 1 && o.class != aLink {
		w.fault("%v: type %d has replies %v, want its echo", o.key, typ, msgs)
	}
}

// doubt handles a change without an answer: not sent it has changed nothing,
// otherwise it may have.
func (w *worker) doubt(o *object, err error, changes bool, gen uint32) {
	before := *o
	o.known = false
	w.settle(o)
	switch applied := o.there != before.there; {
	case !o.known: // given up
	case applied && client.NotSent(err):
		w.fault("%v: applied in spite of %v, which says that it was not sent", o.key, err)
	case applied && !changes:
		w.fault("%v: there %v, then a change that must be refused, then there %v", o.key, before.there, o.there)
	case applied:
		w.did.ends["in doubt, applied"]++
		if o.there && o.class == aRoute && o.gen != gen {
			w.fault("%v: generation %d, made %d", o.key, o.gen, gen)
		}
		o.gen = gen
	case o.gen != before.gen:
		w.fault("%v: generation %d after %v, was %d", o.key, o.gen, err, before.gen)
	case changes && !client.NotSent(err):
		w.did.ends["in doubt, not applied"]++
	}
}

// settle asks the kernel for the state of an object until it is known.
func (w *worker) settle(o *object) {
	typ, payload := o.question()
	for !o.known && !w.over.Load() {
		msgs, err := w.request(w.ctx, typ, payload, 0)
		switch {
		case errors.Is(err, client.ErrReplyLost), errors.Is(err, unix.EAGAIN):
		case errors.Is(err, o.unfound()):
			o.there, o.known = false, true
		case err == nil && len(msgs) == 1:
			s, ok := sighting(msgs[0])
			if !ok || s.key != o.key {
				w.fault("asked for %v: answer is about %v", o.key, s.key)
			}
			o.there, o.known = true, true
			if o.class == aRoute {
				o.gen = s.gen
			}
		default:
			w.fault("asked for %v: %v, %v", o.key, msgs, err)
			return
		}
	}
}
