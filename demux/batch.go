package demux

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// BatchState holds the messages of a call of kind [Batch] and the kernel's answers to
// them. nfnetlink reads a batch from one datagram and applies all of it or nothing
// (nfnetlink_rcv_batch in net/netfilter/nfnetlink.c).
//
// The call has Numbers consecutive sequence numbers: Seq is that of the message that
// opens the batch, the messages follow, then the one that closes it. The kernel may
// acknowledge any subset of them. So no message ends the call; [Table.Conclude] does,
// when everything that the kernel queued during the send has been read.
type BatchState struct {
	// Set by the caller before Open, constant until the call has left the table.
	N    int    // messages without the opening and the closing one, at least 1
	Echo []bool // by message: it carries NLM_F_ECHO; nil if none does

	// Guarded as the call's fields are.
	refusals  []Refusal
	first     bool // the first message was acknowledged
	last      bool // the last message was acknowledged or refused
	committed bool // the closing message was acknowledged
	lost      bool // a part of the answer may have been dropped
}

// Refusal is the kernel's refusal of one message of a batch.
type Refusal struct {
	Index int // of the message, -1 for the batch as a whole
	Err   *wire.KernelError
}

// Numbers returns the number of sequence numbers that the call has.
func (b *BatchState) Numbers() uint32 { return uint32(b.N) + 2 }

// Answers returns the maximum number of messages in the kernel's answer: one for each
// number, and the echoes.
func (b *BatchState) Answers() int {
	n := int(b.Numbers())
	for _, echoes := range b.Echo {
		if echoes {
			n++
		}
	}
	return n
}

// Incomplete reports whether the kernel may have refused more of the batch than
// Refusals has, because something was lost. It may be called when Refusals may.
func (b *BatchState) Incomplete() bool { return b.lost }

// Refusals returns what the kernel refused, in its order. It may be called once the
// call's result is a [wire.KernelError], which is that of the first.
//
// A refusal of the batch as a whole may still carry the number of a message:
// nlmsg_hdr(oskb) in nfnetlink_rcv_batch is meant to be the opening message and is the
// first one after it. So the caller asks for acknowledgements of the first message and
// of the last.
func (b *BatchState) Refusals() []Refusal {
	for i, r := range b.refusals {
		switch {
		case r.Index == b.N, // a refusal of the closing message is one of the batch
			// The commit failed, although the kernel accepted each message.
			r.Index == 0 && b.first,
			// Out of memory: the refusals and acknowledgements so far are dropped.
			!b.last && !b.lost:
			b.refusals[i].Index = -1
		}
	}
	return b.refusals
}

// answer records a message of type NLMSG_ERROR that answers the batch whose first
// number is seq.
func (b *BatchState) answer(m wire.Message, seq uint32) {
	if m.Header.Type != netlink.NLMSG_ERROR {
		return // NLMSG_DONE ends dumps, and a batch holds none
	}
	i := int(m.Header.Seq-seq) - 1
	refusal, err := wire.ParseAck(m)
	switch {
	case err != nil:
		b.lost = true
	case refusal != nil:
		b.refusals = append(b.refusals, Refusal{Index: i, Err: refusal})
	case i == 0:
		b.first = true
	case i == b.N:
		b.committed = true
	}
	b.last = b.last || i == b.N-1
}

// outcome returns the result of a batch, once everything that the kernel queued for it
// has been read. lost: the kernel may have dropped a part.
func (b *BatchState) outcome(lost bool) error {
	b.lost = b.lost || lost
	switch {
	case len(b.refusals) > 0:
		// One is enough, nothing was applied.
		return b.refusals[0].Err
	case b.committed && (!b.lost || b.Echo == nil):
		// Since Linux 6.10 the closing message is acknowledged after the
		// commit, and only then. No refusal can be missing, only replies.
		return nil
	case b.lost:
		return ErrReplyLost
	case b.last:
		return nil
	}
	return ErrUnanswered
}

// openBatchLocked gives a batch the numbers after those given out so far.
func (t *Table) openBatchLocked(c *Call) {
	n := c.Batch.Numbers()
	first := t.seq + 1
	for again := true; again; {
		again = false
		if first == 0 || first+n-1 < first {
			first = 1 // the numbers do not cross 0
		}
		for other := range t.callsLocked() {
			if width := other.numbers(); other.Seq-first < n || first-other.Seq < width {
				first, again = other.Seq+width, true
			}
		}
	}
	c.Seq, t.seq = first, first+n-1
	t.batches = append(t.batches, c)
}

// batchLocked returns the batch that has the number seq.
func (t *Table) batchLocked(seq uint32) *Call {
	for _, c := range t.batches {
		if seq-c.Seq < c.Batch.Numbers() {
			return c
		}
	}
	return nil
}

// numbers returns the number of sequence numbers that c has.
func (c *Call) numbers() uint32 {
	if c.Batch != nil {
		return c.Batch.Numbers()
	}
	return 1
}

// echoes reports whether the request with number seq, which is c's or one of
// c's, carries NLM_F_ECHO.
func (c *Call) echoes(seq uint32) bool {
	if c.Batch == nil {
		return c.Echo
	}
	i := int(seq-c.Seq) - 1
	return i >= 0 && i < len(c.Batch.Echo) && c.Batch.Echo[i]
}
