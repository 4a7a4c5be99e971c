package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// Dump returns an iterator over the entries of a table. Each range over it sends a
// message of type typ with NLM_F_DUMP and the given payload, and yields the kernel's
// messages in its order, without the final NLMSG_DONE. The payload is the caller's
// again when the loop has ended.
//
//	for m, err := range c.Dump(ctx, unix.RTM_GETROUTE, rtmsg) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// A message's payload is valid until the next step of the loop or its end; keep a
// [wire.Message.Clone]. For a table of any length, the loop holds one buffer of 256
// KiB, of which the kernel usually fills 32. While a loop body is slow the kernel waits
// with the rest of the table; no request, event or other loop is delayed. See Dumps in
// the documentation of the package.
//
// An error is the last pair of the loop, its message is zero. It is a
// [*wire.KernelError] if the kernel refused or aborted the dump, and otherwise an
// [*OpError] around
//   - ctx's error,
//   - [ErrReplyLost], [ErrUnanswered], [ErrTruncated], [wire.ErrMalformed],
//   - net.ErrClosed,
//   - an error of opening the socket or of the send,
//   - the reason why the request is invalid, as for [Conn.Request]; EINVAL means a type
//     that does not dump,
//   - [ErrDumpInterrupted], after a whole dump during which the table changed, if the
//     kernel marks that for this table. Unlike Request, the loop does not repeat the
//     dump; [Conn.DumpRetries] returns how many times the caller may.
//
// Links: without the attribute IFLA_EXT_MASK, a dump of RTM_GETLINK omits, without an
// error, a link whose message is larger than a datagram of a dump, 32 KiB
// (rtnl_dump_ifinfo in net/core/rtnetlink.c). With the attribute it is included.
//
// A payload without the family's header is handled as in Conn.Request: there may be no
// entries and no error.
//
// Breaking out of the loop ends the dump in the kernel. So does the end of ctx or
// [Conn.Close], which the loop notices at its next step.
func (c *Conn) Dump(ctx context.Context, typ netlink.MessageType, payload []byte) iter.Seq2[wire.Message, error] {
	return func(yield func(wire.Message, error) bool) {
		if err := c.stream(ctx, typ, payload, yield); err != nil {
			yield(wire.Message{}, err)
		}
	}
}

// stream is one loop over a dump. It returns nil if the loop body broke out.
func (c *Conn) stream(ctx context.Context, typ netlink.MessageType, payload []byte, yield func(wire.Message, error) bool) error {
	defer runtime.KeepAlive(c)
	req := dumpRequest{typ: typ, payload: payload, flags: netlink.NLM_F_DUMP}
	err := c.check(ctx, typ, payload)
	if err == nil && !demux.MayDump(c.family, typ, req.flags) {
		err = fmt.Errorf("%v has no dump of type %v: %w", c.family, typ, syscall.EINVAL)
	}
	if err != nil {
		return opError("dump", err, true)
	}
	s, err := c.dumps.borrow()
	if err != nil {
		return opError("dump", err, true)
	}
	// Deferred, since the loop body may panic: the socket is not clean then.
	defer c.dumps.giveBack(s)
	if err := s.start(ctx, req); err != nil {
		return opError("dump", err, true)
	}
	if err := s.read(ctx, yield); err != errBrokenOff {
		return c.dumpError("dump", req, err)
	}
	return nil
}

// DumpRetries returns the maximum number of times that [Conn.Request] repeats an
// interrupted dump of type typ: that of [WithDumpRetries], or 0 if a dump of that type may
// reset the values that it reads. A loop over [Conn.Dump] that collects the entries can
// repeat an [ErrDumpInterrupted] as often.
func (c *Conn) DumpRetries(typ netlink.MessageType) int {
	if !demux.Repeatable(c.family, typ) {
		return 0
	}
	return c.dumpRetries
}

// collect runs a dump and returns its messages. If the table changed during the dump,
// collect repeats it, unless that could return other values.
func (c *Conn) collect(ctx context.Context, req dumpRequest) ([]wire.Message, error) {
	msgs, err := c.collectOnce(ctx, req)
	for again := c.DumpRetries(req.typ); again > 0 && errors.Is(err, ErrDumpInterrupted); again-- {
		msgs, err = c.repeat(ctx, req)
	}
	return msgs, err
}

// collectOnce runs a dump once.
func (c *Conn) collectOnce(ctx context.Context, req dumpRequest) ([]wire.Message, error) {
	s, err := c.dumps.collector(ctx)
	if err != nil {
		return nil, opError("request", err, true)
	}
	defer c.dumps.collected(s)
	if err := s.start(ctx, req); err != nil {
		return nil, opError("request", err, true)
	}
	err = s.read(ctx, nil)
	if err != nil && err != ErrDumpInterrupted {
		return nil, c.dumpError("request", req, err)
	}
	return s.replies.List(), c.dumpError("request", req, err)
}

// dumpError returns the error of a dump that was sent and ended with err.
func (c *Conn) dumpError(op string, req dumpRequest, err error) error {
	if err == nil {
		return nil
	}
	var refusal *wire.KernelError
	if errors.As(err, &refusal) {
		refusal.Request = req.typ
		return explain(c.family, req.typ, req.payload, refusal)
	}
	return opError(op, err, false)
}
