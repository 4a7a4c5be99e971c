package demux

import (
	"iter"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A modelBatch is what the model knows of a batch: everything that was said of
// it, in order.
type modelBatch struct {
	n        int
	echo     []bool
	said     []saying
	unfenced bool
	unclear  bool // something was said that could not be read
}

// A saying is what the kernel says of the message with index i.
type saying struct {
	i     int
	errno syscall.Errno // 0: an acknowledgement
}

// each returns an iterator over the calls, each once.
func (m *model) each() iter.Seq[*modelCall] {
	return func(yield func(*modelCall) bool) {
		for seq, c := range m.calls {
			if seq == c.call.Seq && !yield(c) {
				return
			}
		}
	}
}

// width returns how many numbers the call has.
func (c *modelCall) width() uint32 {
	if c.batch == nil {
		return 1
	}
	return uint32(1 + c.batch.n + 1 + 1)
}

// wantsEcho reports whether the message with number seq was sent with NLM_F_ECHO.
func (c *modelCall) wantsEcho(seq uint32) bool {
	if c.batch == nil {
		return c.echo
	}
	at := seq - c.call.Seq
	return at >= 1 && int(at) <= c.batch.n && c.batch.echo[at-1]
}

// say takes an ending that belongs to a batch.
func (m *model) say(c *modelCall, msg wire.Message) {
	if msg.Header.Type == netlink.NLMSG_DONE {
		return
	}
	b, i := c.batch, int(msg.Header.Seq-c.call.Seq)-1
	if i == b.n+1 {
		m.conclude(c)
		return
	}
	switch err := verdictOf(msg.Payload).(type) {
	case nil:
		b.said = append(b.said, saying{i, 0})
	case syscall.Errno:
		b.said = append(b.said, saying{i, err})
	default:
		b.unclear = true
	}
}

// conclude ends a batch with what was said.
func (m *model) conclude(c *modelCall) {
	b := c.batch
	acked := func(i int) bool { return slices.Contains(b.said, saying{i, 0}) }
	refusal := slices.IndexFunc(b.said, func(s saying) bool { return s.errno != 0 })
	var err error
	switch {
	case refusal >= 0:
		err = b.said[refusal].errno
	case c.mayMiss() && (!acked(b.n) || slices.Contains(b.echo, true)):
		err = ErrReplyLost
		if c.waits {
			m.stats.RepliesLost++
		}
	case !acked(b.n) && !acked(b.n-1):
		err = errUnanswered
	}
	m.end(c, err)
}

// mayMiss reports whether some of what was said of a batch may be missing.
func (c *modelCall) mayMiss() bool { return c.doubted || c.batch.unclear }

// refusals is what Parts.Refusals has to tell.
func (c *modelCall) refusals() (want []saying) {
	b := c.batch
	last := slices.ContainsFunc(b.said, func(s saying) bool { return s.i == b.n-1 })
	for _, s := range b.said {
		if s.errno == 0 {
			continue
		}
		if !last && !c.mayMiss() || s.i == b.n || s.i == 0 && slices.Contains(b.said, saying{0, 0}) {
			s.i = -1
		}
		want = append(want, s)
	}
	return want
}

// parts makes up a batch.
func (w *walk) parts() *Parts {
	p := &Parts{N: 1 + w.IntN(one(w, 1, 3, 3, 100))}
	if w.chance(30) {
		p.Echo = make([]bool, p.N)
		for i := range p.Echo {
			p.Echo[i] = w.chance(50)
		}
		p.Echo[w.IntN(p.N)] = true
	}
	return p
}

// compareParts compares what was refused of a batch.
func (w *walk) compareParts(mc *modelCall) {
	w.Helper()
	p := mc.call.Parts
	var got []saying
	for _, r := range p.Refusals() {
		got = append(got, saying{r.Index, r.Err.Errno})
	}
	if want := mc.refusals(); !slices.Equal(got, want) || p.Incomplete() != mc.mayMiss() {
		w.failf("%d: refused %v, incomplete = %t; want %v, %t", mc.call.Seq, got, p.Incomplete(), want, mc.mayMiss())
	}
}
