package demux

import (
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A modelBatch is what the model knows of a batch: all answers to it, in order.
type modelBatch struct {
	n       int
	echo    []bool
	answers []modelAnswer
	unclear bool // an answer could not be read
}

// A modelAnswer is the kernel's answer to the message with index i.
type modelAnswer struct {
	i     int
	errno syscall.Errno // 0: an acknowledgement
}

// width returns the number of sequence numbers of the call.
func (c *modelCall) width() uint32 {
	if c.batch == nil {
		return 1
	}
	return uint32(1 + c.batch.n + 1)
}

// wantsEcho reports whether the message with number seq was sent with NLM_F_ECHO.
func (c *modelCall) wantsEcho(seq uint32) bool {
	if c.batch == nil {
		return c.echo
	}
	at := seq - c.seq
	return at >= 1 && int(at) <= c.batch.n && c.batch.echo[at-1]
}

// answer takes a last message for the batch with the first number seq.
func (b *modelBatch) answer(msg wire.Message, seq uint32) {
	if msg.Header.Type == netlink.NLMSG_DONE {
		return
	}
	i := int(msg.Header.Seq-seq) - 1
	switch err := verdictOf(msg.Payload).(type) {
	case nil:
		b.answers = append(b.answers, modelAnswer{i, 0})
	case syscall.Errno:
		b.answers = append(b.answers, modelAnswer{i, err})
	default:
		b.unclear = true
		b.answers = append(b.answers, modelAnswer{i, unreadableAnswer})
	}
}

// unreadableAnswer marks an answer that could not be read.
const unreadableAnswer syscall.Errno = 1 << 20

// refusals returns the answers that refuse.
func (b *modelBatch) refusals() (r []modelAnswer) {
	for _, a := range b.answers {
		if a.errno != 0 && a.errno != unreadableAnswer {
			r = append(r, a)
		}
	}
	return r
}

func (b *modelBatch) acked(i int) bool { return slices.Contains(b.answers, modelAnswer{i, 0}) }

// answered reports whether there was any answer to the message with index i.
func (b *modelBatch) answered(i int) bool {
	return slices.ContainsFunc(b.answers, func(a modelAnswer) bool { return a.i == i })
}

// outcome returns the result of a batch with these answers. The kernel applies it as a
// whole, refuses at least one message, or ignores it. It acknowledges the closing
// message after the commit, or never (before Linux 6.10). The acknowledgement of the
// last message, which the client requests, shows that the batch was not ignored.
func (m *model) outcome(c *modelCall) error {
	b := c.batch
	incomplete := m.incomplete(c)
	switch {
	case len(b.refusals()) > 0:
		return b.refusals()[0].errno
	case incomplete && (!b.acked(b.n) || slices.Contains(b.echo, true)):
		return ErrReplyLost
	case !b.acked(b.n) && !b.answered(b.n-1):
		return ErrUnanswered
	}
	return nil
}

// incomplete reports whether an answer to a batch may be missing.
func (m *model) incomplete(c *modelCall) bool { return c.batch.unclear || m.mayBeLost(c) }

// wantRefusals is what BatchState.Refusals has to return.
func (m *model) wantRefusals(c *modelCall) (want []modelAnswer) {
	b := c.batch
	for _, a := range b.refusals() {
		whole := a.i == -1 || a.i == b.n || // the messages that open and close it
			a.i == 0 && b.acked(0) || // its commit was refused
			!b.answered(b.n-1) && !m.incomplete(c) // the kernel dropped all other answers
		if whole {
			a.i = -1
		}
		want = append(want, a)
	}
	return want
}

// batch makes up a batch.
func (w *walk) batch() *BatchState {
	b := &BatchState{N: 1 + w.IntN(one(w, 1, 3, 3, 100))}
	if w.chance(30) {
		b.Echo = make([]bool, b.N)
		for i := range b.Echo {
			b.Echo[i] = w.chance(50)
		}
		b.Echo[w.IntN(b.N)] = true
	}
	return b
}

// compareBatch compares the refusals of a batch.
func (w *walk) compareBatch(mc *modelCall) {
	w.Helper()
	b := mc.call.Batch
	var got []modelAnswer
	for _, r := range b.Refusals() {
		got = append(got, modelAnswer{r.Index, r.Err.Errno})
	}
	want, incomplete := w.model.wantRefusals(mc), w.model.incomplete(mc)
	if !slices.Equal(got, want) || b.Incomplete() != incomplete {
		w.failf("%d: refused %v, incomplete = %t; want %v, %t", mc.seq, got, b.Incomplete(), want, incomplete)
	}
}
