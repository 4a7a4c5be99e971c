package demux

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// TestRandomWalk has a table and a model go the same way and compares them
// after each step. The way is the same in each run; TEST_SEED leads another
// one, or the one that has failed elsewhere.
func TestRandomWalk(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 0, 64); err != nil {
			t.Fatalf("TEST_SEED: %v", err)
		}
	}
	t.Logf("TEST_SEED=%d", seed)
	families := []netlink.Family{
		netlink.NETLINK_ROUTE,
		netlink.NETLINK_GENERIC,
		netlink.NETLINK_AUDIT,
		netlink.NETLINK_RDMA,
		netlink.NETLINK_USERSOCK,
		netlink.NETLINK_NETFILTER,
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 50 {
		newWalk(t, families[i%len(families)], rng).run(2000)
	}
}

// walk is one table's life.
type walk struct {
	*testing.T
	*rand.Rand
	table *Table
	model *model

	live  []*modelCall // open, or over with a send that has not returned
	spare []*Call      // whose result was taken, to be used again
	old   []uint32     // numbers of calls that are gone

	events   []string
	released []Kind
	log      []string // the latest steps
}

func newWalk(t *testing.T, family netlink.Family, rng *rand.Rand) *walk {
	w := &walk{T: t, Rand: rng, model: newModel(family)}
	// Often from shortly before the wrap.
	start := rng.Uint32()
	if w.chance(50) {
		start = -rng.Uint32N(200)
	}
	w.table = New(family, port, start, func(k Kind) { w.released = append(w.released, k) })
	return w
}

func (w *walk) chance(percent int) bool { return w.IntN(100) < percent }

// one returns any of its arguments.
func one[T any](w *walk, of ...T) T { return of[w.IntN(len(of))] }

func (w *walk) failf(format string, args ...any) {
	w.Helper()
	for _, l := range w.log {
		w.Log(l)
	}
	w.Fatalf(format, args...)
}

func (w *walk) note(format string, args ...any) {
	const kept = 40
	if len(w.log) == kept {
		w.log = slices.Delete(w.log, 0, 1)
	}
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *walk) run(steps int) {
	w.Helper()
	// The window changes, so that the table grows and empties.
	window := one(w, 5, 40, 200)
	for range steps {
		w.model.now++
		switch n := w.IntN(100); {
		case n < 25 && len(w.live) < window:
			w.open()
		case n < 45:
			w.sent()
		case n < 48:
			w.withdraw()
		case n < 52:
			w.abandon()
		case n < 54:
			w.note("overrun")
			w.table.Overrun()
			w.model.overrun()
		case n < 60:
			w.same("drained", w.table.Drained(), w.model.drained())
		case n < 62:
			w.membership()
		case n < 63 && len(w.old) > 0:
			// The next numbers meet those in flight.
			w.table.seq = one(w, w.old...) - w.Uint32N(8)
			w.note("turn to %d", w.table.seq)
		default:
			w.deliver()
		}
		w.compare()
	}
	down := errors.New("down")
	w.note("fail")
	w.table.Fail(down)
	w.model.fail(down)
	w.compare()
	for range 20 {
		w.deliver()
		w.compare()
	}
	if err := w.table.Open(NewCall()); err != down {
		w.failf("open after Fail: %v", err)
	}
}

// same fails the walk if the table and the model have answered differently.
func (w *walk) same(what string, got, want bool) {
	w.Helper()
	w.note("%s = %t", what, got)
	if got != want {
		w.failf("%s = %t, want %t", what, got, want)
	}
}

func (w *walk) open() {
	var c *Call
	if n := len(w.spare); n > 0 && w.chance(80) {
		c, w.spare = w.spare[n-1], w.spare[:n-1]
		c.Reset()
	} else {
		c = NewCall()
	}
	c.Kind, c.Type, c.Echo = one(w, Ack, Ack, Dump, Dump, First, Deferred, Batch), getAddr, w.chance(30)
	if c.Kind == Batch {
		c.Parts = w.parts()
	}
	if c.Kind == Deferred {
		c.Type = one(w, auditGet, auditListRules)
	}
	if err := w.table.Open(c); err != nil {
		w.failf("open: %v", err)
	}
	w.note("open %d: kind %d, type %d, echo %t", c.Seq, c.Kind, c.Type, c.Echo)
	for i := range c.numbers() {
		if n := c.Seq + i; n == 0 || w.model.calls[n] != nil {
			w.failf("number %d is in use", n)
		}
	}
	w.live = append(w.live, w.model.open(c))
}

// anyLive returns a call that fits, if there is one.
func (w *walk) anyLive(fits func(*modelCall) bool) *modelCall {
	if len(w.live) == 0 {
		return nil
	}
	for i, from := 0, w.IntN(len(w.live)); i < len(w.live); i++ {
		if c := w.live[(from+i)%len(w.live)]; fits(c) {
			return c
		}
	}
	return nil
}

func unsentYet(c *modelCall) bool { return c.sentAt == 0 }

func (w *walk) sent() {
	if c := w.anyLive(unsentYet); c != nil {
		if c.batch != nil && w.chance(20) {
			w.note("unfenced %d", c.call.Seq)
			w.table.Unfenced(c.call)
			c.batch.unfenced = true
			w.model.lossy = w.model.lossy || w.model.holds(c)
		}
		w.same(fmt.Sprintf("sent %d", c.call.Seq), w.table.Sent(c.call), w.model.sent(c))
	}
}

func (w *walk) withdraw() {
	if c := w.anyLive(unsentYet); c != nil {
		w.note("withdraw %d", c.call.Seq)
		w.table.Withdraw(c.call)
		w.model.withdraw(c)
		c.sentAt = w.model.now // to the walk, a send that has returned
	}
}

func (w *walk) abandon() {
	if c := w.anyLive(func(*modelCall) bool { return true }); c != nil {
		w.same(fmt.Sprintf("abandon %d", c.call.Seq), w.table.Abandon(c.call), w.model.abandon(c))
	}
}

func (w *walk) membership() {
	group, is := w.group(), w.chance(50)
	w.note("member of %d = %t", group, is)
	w.model.joined[group] = is
	if is {
		w.table.Join(group)
	} else {
		w.table.Leave(group)
	}
}

func (w *walk) group() uint32 { return one(w, uint32(1), 2, 33) }

// compare compares all that can be seen.
func (w *walk) compare() {
	w.Helper()
	events, released, ended := w.model.take()
	slices.Sort(w.released)
	if !slices.Equal(w.released, released) {
		w.failf("released %v, want %v", w.released, released)
	}
	if !slices.Equal(w.events, events) {
		w.failf("events %q, want %q", w.events, events)
	}
	w.events, w.released = nil, nil
	for _, mc := range ended {
		select {
		case <-mc.call.Done():
		default:
			w.failf("%d has no result", mc.call.Seq)
		}
		w.result(mc)
	}
	var live []*modelCall
	for _, mc := range w.live {
		switch {
		case mc.call.Ready():
			w.failf("%d has its result: %v", mc.call.Seq, mc.call.err)
		case mc.waits || mc.sentAt == 0 || w.model.holds(mc):
			live = append(live, mc)
		default:
			w.leave(mc)
		}
	}
	w.live = live
	want := w.model.stats
	for range w.model.each() {
		want.Pending++
	}
	if got := w.table.Stats(); got != want {
		w.failf("counts %+v\nwant   %+v", got, want)
	}
}

func (w *walk) result(mc *modelCall) {
	w.Helper()
	msgs, err := mc.call.Result()
	var got []string
	for _, m := range msgs {
		got = append(got, string(m.Payload))
	}
	if !slices.Equal(got, mc.replies) || !matches(mc.call, err, mc.err) || mc.call.Interrupted() != mc.marked {
		w.failf("%d: got %q, %v, interrupted = %t\nwant %q, %v, %t", mc.call.Seq,
			got, err, mc.call.Interrupted(), mc.replies, mc.err, mc.marked)
	}
	if _, refused := mc.err.(syscall.Errno); refused && mc.batch != nil {
		w.compareParts(mc)
	}
}

// leave forgets a call that is over, and keeps it for another request where the
// client may do so: after a result that was the kernel's.
func (w *walk) leave(mc *modelCall) {
	w.old = append(w.old, mc.call.Seq)
	if len(w.old) > 50 {
		w.old = w.old[1:]
	}
	_, refused := mc.err.(syscall.Errno)
	if mc.told && (mc.err == nil || refused) {
		w.spare = append(w.spare, mc.call)
	}
}
