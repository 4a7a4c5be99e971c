package demux

import (
	"iter"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Parts are the messages of a call of kind [Batch] and what the kernel says of
// them. nfnetlink reads a batch from one datagram and applies all of it or
// nothing (nfnetlink_rcv_batch in net/netfilter/nfnetlink.c).
//
// The call has Numbers sequence numbers in a row: Seq is that of the message
// that opens the batch, the messages follow, then the one that closes it, and at
// the end the barrier. That is a request for nothing but an acknowledgement. It
// is sent once the batch's send has returned, so all that the kernel has to say
// of the batch is queued before the barrier's acknowledgement.
type Parts struct {
	// Set by the caller before Open, constant until the call has left the table.
	N    int    // messages between the one that opens and the one that closes, at least 1
	Echo []bool // by message: it carries NLM_F_ECHO; nil if none does

	// Guarded as the call's fields are.
	refusals  []Refusal
	first     bool // the first message was acknowledged
	last      bool // the last message was acknowledged or refused
	committed bool // the closing message was acknowledged
	lost      bool // some of the answer may have been dropped
}

// Refusal is the kernel's refusal of one message of a batch.
type Refusal struct {
	Index int // of the message, -1 for the batch as a whole
	Err   *wire.KernelError
}

// Numbers returns how many sequence numbers the call has.
func (p *Parts) Numbers() uint32 { return uint32(p.N) + 3 }

// Answers returns how many messages the kernel can answer with: one to each
// number, and the echoes.
func (p *Parts) Answers() int {
	n := int(p.Numbers())
	for _, echoes := range p.Echo {
		if echoes {
			n++
		}
	}
	return n
}

// Incomplete reports whether the kernel may have refused more of the batch than
// Refusals tells: there was a loss. It may be called as Refusals may.
func (p *Parts) Incomplete() bool { return p.lost }

// Refusals returns what the kernel has refused, in its order. It may be called
// once the call's result is a [wire.KernelError], which is that of the first.
//
// Where the kernel blames the batch as a whole it may still put the number of a
// message into the refusal: nlmsg_hdr(oskb) in nfnetlink_rcv_batch, which is
// meant to be the opening message, is the first one behind it. So the caller
// asks for acknowledgements of the first message and of the last.
func (p *Parts) Refusals() []Refusal {
	for i, r := range p.refusals {
		switch {
		case r.Index == p.N, // the closing message stands for the batch
			// The commit has failed: each message by itself was good.
			r.Index == 0 && p.first,
			// Out of memory: the refusals and acknowledgements so far are dropped.
			!p.last && !p.lost:
			p.refusals[i].Index = -1
		}
	}
	return p.refusals
}

// outcome is the result of a batch once all of its answer has come that was not
// dropped.
func (p *Parts) outcome() error {
	switch {
	case len(p.refusals) > 0:
		// One is enough, nothing was applied.
		return p.refusals[0].Err
	case p.committed && (!p.lost || p.Echo == nil):
		// Since Linux 6.10 the closing message is acknowledged after the
		// commit, and only then. No refusal can be missing, only replies.
		return nil
	case p.lost:
		return ErrReplyLost
	case p.last:
		return nil
	}
	return errUnanswered
}

// answerLocked takes a message of type NLMSG_ERROR or NLMSG_DONE for a batch
// and reports whether that is done.
func (t *Table) answerLocked(c *Call, m wire.Message) (freed bool) {
	if !c.waiting {
		t.count.late.Add(1)
	}
	if m.Header.Type != netlink.NLMSG_ERROR {
		return false // dumps end with the other one, and a batch holds none
	}
	p, i := c.Parts, int(m.Header.Seq-c.Seq)-1
	if i == p.N+1 {
		// The barrier is passed even if it is refused, as all is to the
		// unprivileged (nfnetlink_rcv).
		return t.concludeLocked(c)
	}
	refusal, err := wire.ParseAck(m)
	switch {
	case err != nil:
		p.lost = true
	case refusal != nil:
		p.refusals = append(p.refusals, Refusal{Index: i, Err: refusal})
	case i == 0:
		p.first = true
	case i == p.N:
		p.committed = true
	}
	p.last = p.last || i == p.N-1
	return false
}

// concludeLocked ends a batch with what is known of it.
func (t *Table) concludeLocked(c *Call) (freed bool) {
	err := c.Parts.outcome()
	if c.waiting && err == ErrReplyLost {
		t.count.repliesLost.Add(1)
	}
	return t.finishLocked(c, err)
}

// Unfenced notes that c, a batch, was sent and that its barrier will not be: an
// empty queue has to tell that all of the answer has come. The caller goes on
// with Sent.
func (t *Table) Unfenced(c *Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.registered && c.doubt == certain {
		// A read that has just found the queue empty may have begun too early.
		c.doubt = unsent
		t.lossy.Store(true)
	}
}

// settleBatchesLocked ends the batches of which an empty queue has told that
// nothing more will come.
func (t *Table) settleBatchesLocked() (freed []Kind) {
	for c := range t.callsLocked() {
		if c.Kind == Batch && c.doubt == suspect && t.concludeLocked(c) {
			freed = append(freed, c.Kind)
		}
	}
	return freed
}

// openBatchLocked registers a batch behind the numbers given out so far.
func (t *Table) openBatchLocked(c *Call) {
	n := c.Parts.Numbers()
	first := t.seq + 1
	for again := true; again; {
		again = false
		if first == 0 || first+n-1 < first {
			first = 1 // not over the 0
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
		if seq-c.Seq < c.Parts.Numbers() {
			return c
		}
	}
	return nil
}

// callsLocked returns an iterator over the registered calls. The one at hand
// may be removed.
func (t *Table) callsLocked() iter.Seq[*Call] {
	return func(yield func(*Call) bool) {
		for _, c := range t.slots {
			if c != nil && !yield(c) {
				return
			}
		}
		for i := len(t.batches) - 1; i >= 0; i-- {
			if !yield(t.batches[i]) {
				return
			}
		}
	}
}

// numbers returns how many sequence numbers c has.
func (c *Call) numbers() uint32 {
	if c.Parts != nil {
		return c.Parts.Numbers()
	}
	return 1
}

// echoes reports whether the request with number seq, which is c's or one of
// c's, carries NLM_F_ECHO.
func (c *Call) echoes(seq uint32) bool {
	if c.Parts == nil {
		return c.Echo
	}
	i := int(seq-c.Seq) - 1
	return i >= 0 && i < len(c.Parts.Echo) && c.Parts.Echo[i]
}

// lostLocked notes that some of c's answer may have been dropped.
func (c *Call) lostLocked() {
	if c.Parts != nil {
		c.Parts.lost = true
	}
}
