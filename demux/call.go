package demux

import (
	"container/list"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Call is one request and its answer. Its zero value is not usable: make one with
// [NewCall], and use it again after [Call.Reset].
type Call struct {
	// Set by the caller before Open, constant until the call has left the table. Those of
	// the first group are set by [Table.Describe].
	Type        netlink.MessageType // of the request
	Kind        Kind                // how the kernel ends its answer
	Echo        bool                // the request carries NLM_F_ECHO
	Repeat      bool                // if its reply is lost, the client sends the request again
	Coalescable bool                // see the function [Coalescable]

	Command uint8       // of a request of NETLINK_GENERIC, 0 for other families
	Credit  int64       // what the answer takes; see New
	Batch   *BatchState // of a call of kind Batch, nil for any other
	AckInto *wire.Ack   // receives the acknowledgement of a success, nil: not needed

	// Set by Open.
	Seq uint32 // nlmsg_seq to send; of a Batch, the first of its numbers

	// sent is true once the send has returned, of a call with Echo. Outside the mutex, so that the
	// common request takes the lock twice and not three times.
	sent atomic.Bool

	// Guarded by Table.mu, see Reserve.
	reserved      bool
	inCreditQueue *list.Element // nil if it is not there

	// state is isReady when the result is there. wake holds at most one token: look again.
	// The result sends one if a goroutine awaits it. A token may be stale, because a waiter
	// that finds the result there does not take it.
	state atomic.Uint32 // isOpen, isAwaited or isReady
	wake  chan struct{}

	// Guarded by Table.mu until ready, the waiter's afterwards.
	replies    Replies
	charge     int // see Charge
	err        error
	waiting    bool // the result has not been handed over, and the waiter has not left
	registered bool // the sequence number is in use
	acked      bool // Deferred: the acknowledgement has come

	// lost: an overrun was reported while the call was in the table, so if it has
	// no answer the kernel may have dropped it.
	lost bool
	// overlapped: the overrun was reported before the send returned, so of several
	// echoes some may be missing.
	overlapped bool
	// damage is the result if a reply could not be read, nil if all could be.
	damage error
}

// NewCall returns a call that is ready to be opened.
func NewCall() *Call { return &Call{wake: make(chan struct{}, 1)} }

// Reset makes a call ready for another request. The caller has taken the result.
func (c *Call) Reset() {
	c.replies.Reset()
	wake, replies := c.wake, c.replies
	*c = Call{}
	c.wake, c.replies = wake, replies
}

// Values of Call.state.
const (
	isOpen = iota
	isAwaited
	isReady
)

// Ready reports whether the result is there.
func (c *Call) Ready() bool { return c.state.Load() == isReady }

// Wait waits for the result.
func (c *Call) Wait() {
	for !c.Ready() {
		<-c.Woken()
	}
}

// Woken returns a channel for a goroutine that waits for more than the result. It receives
// a token when the result is there or Wake is called, and sometimes without a reason.
func (c *Call) Woken() <-chan struct{} {
	if !c.state.CompareAndSwap(isOpen, isAwaited) && c.Ready() {
		signal(c.wake) // the result was there before and sent none
	}
	return c.wake
}

// Wake wakes the goroutine that waits on Woken.
func (c *Call) Wake() { signal(c.wake) }

// setReady hands c over to its waiter.
func (c *Call) setReady() {
	wake := c.wake
	if c.state.Swap(isReady) == isAwaited {
		signal(wake) // c may be in use for another request by now
	}
}

// signal sends a token, unless there is one.
func signal(wake chan<- struct{}) {
	if len(wake) > 0 {
		return // faster than a select
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Result returns the replies in the kernel's order and the call's error. It may be called
// once the call is Ready. The messages and their payloads belong to the caller. With an
// error the replies that came before it are returned as well.
func (c *Call) Result() ([]wire.Message, error) { return c.replies.List(), c.err }

// Charge returns, under the same condition as Result, an estimate, in bytes, of what
// the kernel charged to the receive buffer for the answer. It is usually too high.
func (c *Call) Charge() int { return c.charge + chargeOf(0) }

// chargeOf returns the most that the kernel usually charges for a datagram of n bytes.
// The kernel allocates a buffer for the largest possible message, rounded up to a power
// of two, and shrinks it if less than half of it is used (netlink_trim in
// net/netlink/af_netlink.c).
func chargeOf(n int) int { return 2*n + 832 }
