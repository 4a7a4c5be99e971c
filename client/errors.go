package client

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/nlmux/netlink/demux"
)

var (
	// ErrReplyLost reports that the kernel dropped a request's answer because
	// the socket's receive buffer was full. The request may have been applied.
	// errors.Is(err, unix.ENOBUFS) holds as well. Of a request with NLM_F_ECHO it
	// may be a part that was dropped: the kernel does not say how many echoes
	// there are, so the answer counts as lost if something was dropped during the
	// send. A request that is known to change nothing is sent once more, on a socket of
	// its own, before this error is returned; if its answer is larger than the receive
	// buffer, the error names [WithReceiveBuffer].
	ErrReplyLost = demux.ErrReplyLost

	// ErrUnanswered reports that the kernel did not answer a request although it
	// dropped nothing, and that no answer can come any more. The kernel ignored the
	// request, as NETLINK_FIB_LOOKUP does if the payload is too short, or a signal
	// interrupted its work (EINTR in netlink_rcv_skb). The request may have been
	// applied. errors.Is(err, unix.EBADMSG) holds as well.
	ErrUnanswered = demux.ErrUnanswered

	// ErrTruncated reports that a message of the answer was larger than the
	// largest buffer that a Conn reads into, 256 KiB. The request may have been
	// applied. errors.Is(err, unix.EMSGSIZE) holds as well.
	ErrTruncated = demux.ErrTruncated

	// ErrDumpInterrupted reports that the table changed while the kernel dumped
	// it (NLM_F_DUMP_INTR), so entries may be missing or duplicated, even unchanged
	// ones: the kernel goes on by an entry's place in the list (as inet_dump_ifaddr in
	// net/ipv4/devinet.c does). It comes with the entries.
	//
	// The kernel marks some tables only. In rtnetlink these are links, addresses and
	// next hops. It never marks routes, neighbours and rules, and a dump without this
	// error can miss something there:
	//   - IPv6 routes and rules: unchanged entries, if others come and go meanwhile
	//     (fib6_dump_table in net/ipv6/ip6_fib.c goes on by a count). The union of two
	//     dumps one after the other had them all.
	//   - IPv4 routes and neighbours: only entries that change meanwhile.
	ErrDumpInterrupted = errors.New("dump interrupted by a change of the table")
)

// OpError is the failure of an operation on this side of the socket. What the
// kernel answers to a request is a [wire.KernelError] instead.
type OpError struct {
	Op  string // what was tried, such as "dial NETLINK_ROUTE" or "request"
	Err error  // why it failed

	notSent bool
}

// Error returns "netlink: ", the operation and the cause.
func (e *OpError) Error() string { return "netlink: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// NotSent reports whether err says for certain that the kernel never saw the
// request, so that sending it again cannot apply it twice. It is false for nil
// and for every error that leaves doubt.
func NotSent(err error) bool {
	var op *OpError
	return errors.As(err, &op) && op.notSent
}

// Causes of bad input.
var (
	errNilContext = errors.New("nil context")
	errNilOption  = errors.New("nil option")
	errNoGroups   = fmt.Errorf("no groups: %w", syscall.EINVAL)
	errGroupZero  = fmt.Errorf("group 0 is not a multicast group: %w", syscall.EINVAL)
)

// opError describes the failure of op; notSent as for [NotSent].
func opError(op string, err error, notSent bool) error {
	return &OpError{Op: op, Err: err, notSent: notSent}
}

// live returns the error of a ctx that ends a call before it began.
func live(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	return ctx.Err()
}
