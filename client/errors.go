package client

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/nlmux/netlink/demux"
)

var (
	// ErrReplyLost reports that the kernel dropped a request's answer because the
	// socket's receive buffer was full. The request may have been applied.
	// errors.Is(err, unix.ENOBUFS) holds as well.
	//
	// If the request has NLM_F_ECHO, only a part may have been dropped: the kernel does
	// not report the number of echoes, so the answer counts as lost if anything was
	// dropped during the send. A request that is known to change nothing is sent once
	// more, on a socket of its own, before this error is returned. If its answer is
	// larger than the receive buffer, the error names [WithReceiveBuffer].
	ErrReplyLost = demux.ErrReplyLost

	// ErrUnanswered reports that the kernel did not answer a request, dropped nothing,
	// and will not answer it later. The kernel ignored the request, as
	// NETLINK_FIB_LOOKUP does if the payload is too short, or a signal interrupted its
	// work (EINTR in netlink_rcv_skb). The request may have been applied.
	// errors.Is(err, unix.EBADMSG) holds as well.
	ErrUnanswered = demux.ErrUnanswered

	// ErrTruncated reports that a message of the answer was larger than the largest
	// buffer of a Conn, 256 KiB. The request may have been applied. errors.Is(err,
	// unix.EMSGSIZE) holds as well.
	ErrTruncated = demux.ErrTruncated

	// ErrDumpInterrupted reports that the table changed while the kernel dumped it
	// (NLM_F_DUMP_INTR). Entries may be missing or duplicated, even unchanged ones: the
	// kernel continues at an entry's index in the list (inet_dump_ifaddr in
	// net/ipv4/devinet.c does). It comes with the entries.
	//
	// The kernel marks some tables only. In rtnetlink these are links, addresses and
	// next hops. It never marks routes, neighbours and rules, and a dump without this
	// error can lack entries there:
	//   - IPv6 routes and rules: unchanged entries, if others are added and deleted
	//     meanwhile (fib6_dump_table in net/ipv6/ip6_fib.c continues at a count). In an
	//     experiment, the union of two consecutive dumps had all of them.
	//   - IPv4 routes and neighbours: only entries that change meanwhile.
	ErrDumpInterrupted = errors.New("dump interrupted by a change of the table")
)

// OpError is the failure of an operation on this side of the socket. The kernel's
// answer to a request is a [wire.KernelError] instead.
type OpError struct {
	Op  string // what was tried, such as "dial NETLINK_ROUTE" or "request"
	Err error  // why it failed

	notSent bool
}

// Error returns "netlink: ", the operation and the cause.
func (e *OpError) Error() string { return "netlink: " + e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// NotSent reports whether the kernel never saw the request, see the function [NotSent].
func (e *OpError) NotSent() bool { return e.notSent }

// NotSent reports whether err proves that the kernel never saw the request, so that
// sending it again cannot apply it twice. It is false for nil and for every uncertain
// error.
//
// The outermost error with a method NotSent() bool decides: an [*OpError], or the error
// of a package that builds requests, such as ynl for a value that cannot be encoded.
func NotSent(err error) bool {
	var e interface{ NotSent() bool }
	return errors.As(err, &e) && e.NotSent()
}

// Errors of invalid arguments.
var (
	errNilContext = errors.New("nil context")
	errNilOption  = errors.New("nil option")
	errNoGroups   = fmt.Errorf("no groups: %w", syscall.EINVAL)
	errGroupZero  = fmt.Errorf("group 0 is not a multicast group: %w", syscall.EINVAL)
)

// opError returns an OpError for op; notSent is the result of [NotSent]. An OpError as err
// keeps its own.
func opError(op string, err error, notSent bool) error {
	if e, ok := err.(*OpError); ok {
		err, notSent = e.Err, e.notSent
	}
	return &OpError{Op: op, Err: err, notSent: notSent}
}

// live returns the error of a ctx that is nil or has ended.
func live(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	return ctx.Err()
}
