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

// TestRandomWalk applies the same random steps to a table and a model and compares them
// after each step. The steps are the same in each run; TEST_SEED sets others, such as
// those that failed elsewhere.
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

	live    []*modelCall // in the table, or out of it while the send has not returned
	gone    []*modelCall // the latest that were live
	spare   []*Call      // whose result was taken, to be used again
	credits int64        // the credits so far: different for each call

	events []string
	log    []string // the latest steps
}

func newWalk(t *testing.T, family netlink.Family, rng *rand.Rand) *walk {
	w := &walk{T: t, Rand: rng, model: newModel(family)}
	// Often from shortly before the wrap.
	start := rng.Uint32()
	if w.chance(50) {
		start = -rng.Uint32N(200)
	}
	w.table = New(family, port, start, plenty, nothingDropped)
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
	w.Fatalf("%v: %s", w.model.family, fmt.Sprintf(format, args...))
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
		case n < 40:
			w.sent()
		case n < 43:
			w.withdraw()
		case n < 44:
			w.reject()
		case n < 47:
			w.abandon()
		case n < 49:
			w.note("overrun")
			w.table.MarkOverrun()
			w.model.overrun()
		case n < 50:
			w.note("mark lost")
			w.table.MarkLost()
			w.model.markLost()
		case n < 54:
			w.note("empty")
			w.table.MarkEmpty()
			w.model.empty()
		case n < 61:
			w.conclude()
		case n < 63:
			w.membership()
		case n < 64 && len(w.gone) > 0:
			// The next numbers collide with those in flight.
			w.table.seq = one(w, w.gone...).seq - w.Uint32N(8)
			w.note("turn to %d", w.table.seq)
		default:
			w.deliver()
		}
		w.compare()
	}
	down := errors.New("down")
	w.model.now++
	w.note("fail")
	w.table.Fail(down)
	w.model.fail(down)
	w.compare()
	for range 20 {
		w.model.now++
		w.deliver()
		w.compare()
	}
	if err := w.table.Open(NewCall()); err != down {
		w.failf("open after Fail: %v", err)
	}
}

// same fails the walk if the table and the model returned different values.
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
	c.Kind, c.Type, c.Echo = one(w, Ack, Ack, Ack, First, Deferred, Silent, Batch), getAddr, w.chance(30)
	w.credits++
	c.Credit = w.credits
	switch {
	case c.Kind == Batch:
		c.Batch = w.batch()
	case c.Kind == Deferred:
		c.Type = one(w, auditGet, auditListRules)
	case w.model.family == netlink.NETLINK_GENERIC:
		c.Type, c.Command = one(w, getAddr, newAddr, newAddr), w.command()
	}
	if err := w.table.Open(c); err != nil {
		w.failf("open: %v", err)
	}
	w.note("open %d: kind %d, type %d, command %d, echo %t", c.Seq, c.Kind, c.Type, c.Command, c.Echo)
	for i := range c.numbers() {
		if n := c.Seq + i; n == 0 || w.model.calls[n] != nil {
			w.failf("number %d is in use", n)
		}
	}
	w.live = append(w.live, w.model.open(c))
}

func (w *walk) command() uint8 { return one[uint8](w, 'x', 'y') }

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

// anyGone returns a call that has ended, or nil. Its Call may be in use again, but not
// with the same number: a table reuses a number only after 1<<32 others, the walk,
// which sets the number back, at once.
func (w *walk) anyGone() *modelCall {
	if len(w.gone) == 0 {
		return nil
	}
	c := one(w, w.gone...)
	if now := w.model.calls[c.seq]; now != nil && now.call == c.call {
		return nil
	}
	return c
}

func unsentYet(c *modelCall) bool { return c.sentAt == 0 }

func (w *walk) sent() {
	if c := w.anyLive(unsentYet); c != nil {
		w.note("sent %d", c.seq)
		w.table.MarkSent(c.call)
		c.sentAt = w.model.now
	}
}

func (w *walk) withdraw() {
	// A Silent call is withdrawn after its send as well.
	if c := w.anyLive(func(c *modelCall) bool { return unsentYet(c) || c.kind == Silent }); c != nil {
		w.note("withdraw %d", c.seq)
		w.table.Withdraw(c.call)
		w.model.withdraw(c)
		c.sentAt = w.model.now // the walk treats its send as returned
	}
}

func (w *walk) reject() {
	// Also calls that have ended.
	c := w.anyLive(unsentYet)
	if old := w.anyGone(); old != nil && w.chance(20) {
		c = old
	}
	if c != nil {
		err := errors.New("not sent")
		w.note("reject %d", c.seq)
		w.table.Reject(c.call, c.seq, err)
		// A request that was not sent has no answer that could be damaged.
		if c.damage != nil {
			err = c.damage
		}
		w.model.reject(c, err)
		c.sentAt = w.model.now
	}
}

func (w *walk) abandon() {
	if c := w.anyLive(func(*modelCall) bool { return true }); c != nil {
		w.same(fmt.Sprintf("abandon %d", c.seq), w.table.Abandon(c.call), w.model.abandon(c))
	}
}

// conclude concludes calls that were sent, including some that have ended and may be in
// use again.
func (w *walk) conclude() {
	var of []*modelCall
	for range 1 + w.IntN(5) {
		if c := w.anyLive(func(c *modelCall) bool { return c.sentAt != 0 }); c != nil && w.chance(80) {
			of = append(of, c)
		} else if old := w.anyGone(); old != nil {
			of = append(of, old)
		}
	}
	var calls []*Call
	var seqs []uint32
	for _, c := range of {
		calls, seqs = append(calls, c.call), append(seqs, c.seq)
	}
	w.note("conclude %d", seqs)
	w.table.Conclude(calls, seqs)
	w.model.conclude(of)
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
	events, ended := w.model.take()
	if !slices.Equal(w.events, events) {
		w.failf("events %q, want %q", w.events, events)
	}
	w.events = nil
	for _, mc := range ended {
		if !mc.call.Ready() {
			w.failf("%d has no result", mc.seq)
		}
		w.result(mc)
	}
	var live []*modelCall
	for _, mc := range w.live {
		switch {
		case mc.call.Ready() && !mc.ended:
			w.failf("%d has its result: %v", mc.seq, mc.call.err)
		case mc.waits || mc.sentAt == 0 || w.model.holds(mc):
			live = append(live, mc)
		default:
			w.leave(mc)
		}
	}
	w.live = live
	want := w.model.stats
	free := int64(plenty)
	for c := range w.model.each() {
		want.Pending++
		free -= c.credit
	}
	if w.table.credit != free {
		w.failf("free credit %d, want %d", w.table.credit, free)
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
	if !slices.Equal(got, mc.replies) || !matches(mc.call, err, mc.err) {
		w.failf("%d: got %q, %v\nwant %q, %v", mc.seq, got, err, mc.replies, mc.err)
	}
	if _, refused := mc.err.(syscall.Errno); refused && mc.batch != nil {
		w.compareBatch(mc)
	}
}

// leave removes a call that has ended, and keeps it for another request if the client
// may do so: after a result of the kernel.
func (w *walk) leave(mc *modelCall) {
	w.gone = append(w.gone, mc)
	if len(w.gone) > 50 {
		w.gone = w.gone[1:]
	}
	_, refused := mc.err.(syscall.Errno)
	if mc.ended && (mc.err == nil || refused) {
		w.spare = append(w.spare, mc.call)
	}
}
