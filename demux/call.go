package demux

import (
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Call is one request and what has come of it. Its zero value is not usable:
// make one with [NewCall], and use it again after [Call.Reset].
type Call struct {
	// Set by the caller before Open, constant until the call has left the table.
	Type netlink.MessageType // of the request
	Kind Kind                // how the kernel ends its answer
	Echo bool                // the request carries NLM_F_ECHO

	Parts *Parts // of a Batch, nil for any other kind

	// Set by Open.
	Seq uint32 // nlmsg_seq to send; of a Batch, the first of its numbers

	// sent is true once the send has returned. Outside the mutex, so that the
	// common request takes the lock twice and not three times; see Table.Sent.
	sent atomic.Bool

	// done carries one token when the waiter has its result.
	done chan struct{}

	// Guarded by Table.mu until the token is there, the waiter's afterwards.
	replies     replies
	err         error
	interrupted bool // a part of the dump bore NLM_F_DUMP_INTR
	waiting     bool // nobody has told the waiter yet, and it has not left
	registered  bool // the sequence number is in use
	acked       bool // Deferred: the acknowledgement has come
	doubt       doubt

	// overlapped says that the kernel may have dropped something while the send
	// was under way: of several echoes some may be missing.
	overlapped bool
}

// doubt says how far the question whether a call's answer is lost has come.
type doubt uint8

const (
	certain doubt = iota
	// unsent: the send had not returned when the loss was seen, so an answer
	// can still be queued after any one look at the queue.
	unsent
	// suspect: the send has returned; if the next read that finds the queue
	// empty comes before an answer, there is none.
	suspect
)

// NewCall returns a call that is ready to be opened.
func NewCall() *Call { return &Call{done: make(chan struct{}, 1)} }

// Reset makes a call ready for another request once its result has been taken
// and was no error or a [wire.KernelError]: the table may still hold others.
func (c *Call) Reset() {
	c.replies.reset()
	*c = Call{done: c.done, replies: c.replies}
}

// Done returns the channel that receives one token when the call has its
// result.
func (c *Call) Done() <-chan struct{} { return c.done }

// Ready reports whether the token of Done is there to be received.
func (c *Call) Ready() bool { return len(c.done) > 0 }

// Result returns the replies in the kernel's order and the call's error. It may
// be called once the token of Done has been received. The messages and their
// payloads belong to the caller. With an error the replies that came before it
// are returned as well.
func (c *Call) Result() ([]wire.Message, error) { return c.replies.list(), c.err }

// Interrupted reports, under the same condition as Result, whether the kernel
// marked a part of the dump with NLM_F_DUMP_INTR.
func (c *Call) Interrupted() bool { return c.interrupted }
