package client

import (
	"fmt"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// BatchError is the kernel's refusal of a batch: nothing of it was applied. Index and
// Err are those of the first failure. errors.Is considers all failures, errors.As finds
// the first one.
type BatchError struct {
	Index    int               // of the message in the batch, -1 if the kernel blames the batch as a whole
	Err      *wire.KernelError // why
	Failures []BatchFailure    // all refusals in the kernel's order; the first is Index and Err

	// Incomplete reports that Failures may lack refusals, even before the first one,
	// because the socket overran.
	Incomplete bool
}

// BatchFailure is the kernel's refusal of one message of a batch.
type BatchFailure struct {
	Index int // of the message in the batch, -1 for the batch as a whole
	Err   *wire.KernelError
}

// Error returns the text of the first failure and the number of further ones.
func (e *BatchError) Error() string {
	var s strings.Builder
	s.WriteString("netlink: batch: nothing was applied: ")
	if e.Index >= 0 {
		fmt.Fprintf(&s, "message %d: ", e.Index)
	}
	s.WriteString(strings.TrimPrefix(e.Err.Error(), "netlink: "))
	if more := len(e.Failures) - 1; more > 0 {
		fmt.Fprintf(&s, " (and %d more)", more)
	}
	return s.String()
}

// Unwrap returns the errors of all failures.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// newBatchError returns the error for the refusals of a batch.
func newBatchError(b *demux.BatchState, msgs []BatchMessage) error {
	e := &BatchError{Incomplete: b.Incomplete()}
	for _, r := range b.Refusals() {
		m := BatchMessage{Type: r.Err.Request}
		if r.Index >= 0 {
			m = msgs[r.Index]
		}
		r.Err.Request = m.Type
		_ = explain(netlink.NETLINK_NETFILTER, m.Type, m.Payload, r.Err)
		e.Failures = append(e.Failures, BatchFailure(r))
	}
	e.Index, e.Err = e.Failures[0].Index, e.Failures[0].Err
	return e
}
