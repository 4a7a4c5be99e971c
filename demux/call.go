package demux

import (
	"bytes"
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
	parts       [][]byte // the replies: what stood together in a datagram, copied
	count       int      // messages in parts
	err         error
	interrupted bool // a part of the dump bore NLM_F_DUMP_INTR
	waiting     bool // nobody has told the waiter yet, and it has not left
	registered  bool // the sequence number is in use
	acked       bool // Deferred: the acknowledgement has come
	doubt       doubt
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
	clear(c.parts)
	*c = Call{done: c.done, parts: c.parts[:0]}
	if cap(c.parts) > keepParts {
		c.parts = nil
	}
}

// keepParts is for how many parts of an answer a call keeps room.
const keepParts = 64

// Done returns the channel that receives one token when the call has its
// result.
func (c *Call) Done() <-chan struct{} { return c.done }

// Ready reports whether the token of Done is there to be received.
func (c *Call) Ready() bool { return len(c.done) > 0 }

// Result returns the replies in the kernel's order and the call's error. It may
// be called once the token of Done has been received. The messages and their
// payloads belong to the caller. With an error the replies that came before it
// are returned as well.
//
// The list of the messages is made here, where it is known how many there are,
// and not by who delivers them, for whom others wait.
func (c *Call) Result() ([]wire.Message, error) {
	if c.count == 0 {
		return nil, c.err
	}
	msgs := make([]wire.Message, c.count)
	i := 0
	for _, rest := range c.parts {
		for ; len(rest) > 0; i++ {
			rest, _ = msgs[i].Decode(rest) // was read once before
		}
	}
	return msgs, c.err
}

// Interrupted reports, under the same condition as Result, whether the kernel
// marked a part of the dump with NLM_F_DUMP_INTR.
func (c *Call) Interrupted() bool { return c.interrupted }

// keep copies a run of so many messages, which have these flags between them: one
// allocation for all of them.
func (c *Call) keep(run []byte, count int, flags netlink.Flags) {
	c.parts = append(c.parts, bytes.Clone(run))
	c.count += count
	c.interrupted = c.interrupted || flags&netlink.NLM_F_DUMP_INTR != 0
}
