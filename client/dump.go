package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// Dump returns an iterator over the entries of a table: each time that it is
// ranged over, it sends a message of type typ with NLM_F_DUMP and the given
// payload and yields the kernel's messages in its order, without the
// NLMSG_DONE at the end. The payload is the caller's again when the loop has
// ended.
//
//	for m, err := range c.Dump(ctx, unix.RTM_GETROUTE, rtmsg) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// A message's payload is valid until the next step of the loop; keep a
// [wire.Message.Clone]. However long the table is, the loop holds one buffer of
// 256 KiB, of which the kernel usually fills 32. A slow loop body makes the
// kernel wait with the rest of the table, and nobody else: the loop has a
// socket of its own, so requests, events and other loops go on. The Conn keeps
// a few such sockets for the loops to come and closes them when they have not
// been used for some seconds. They have the Conn's options and network
// namespace, but not what was set through [Conn.SyscallConn].
//
// An error is the last pair of the loop, its message is zero. It is a
// [*wire.KernelError] where the kernel refused the dump or broke it off, and
// otherwise an [*OpError] around ctx's error, net.ErrClosed, [ErrReplyLost],
// [ErrTruncated], [wire.ErrMalformed], an error of opening the socket or of the
// send, or the reason why the request makes no sense, as for [Conn.Request];
// EINVAL stands for a type that does not dump. A payload without the family's
// header is as in Conn.Request: there may be no entries and no error.
// [ErrDumpInterrupted] follows a whole dump during which the table changed, so that
// entries may be missing or stand twice; it is not started again, unlike a Request.
//
// Breaking out of the loop ends the dump in the kernel. So do the end of ctx
// and [Conn.Close], which the loop notices at its next step.
func (c *Conn) Dump(ctx context.Context, typ netlink.MessageType, payload []byte) iter.Seq2[wire.Message, error] {
	return func(yield func(wire.Message, error) bool) {
		if err := c.stream(ctx, typ, payload, yield); err != nil {
			yield(wire.Message{}, err)
		}
	}
}

// stream is one loop over a dump. It returns nil when the loop was broken off.
func (c *Conn) stream(ctx context.Context, typ netlink.MessageType, payload []byte, yield func(wire.Message, error) bool) error {
	err := c.check(ctx, typ, payload)
	if err == nil && demux.KindOf(c.family, typ, netlink.NLM_F_DUMP) != demux.Dump {
		err = fmt.Errorf("%v has no dump of type %v: %w", c.family, typ, syscall.EINVAL)
	}
	if err != nil {
		return opError("dump", err, true)
	}
	s, err := c.streams.borrow()
	if err != nil {
		return opError("dump", err, true)
	}
	// Also when the loop body panics: the stream is not clean then.
	defer c.streams.giveBack(s)
	if err := s.start(typ, payload); err != nil {
		return opError("dump", err, true)
	}
	err = s.read(ctx, yield)
	var refusal *wire.KernelError
	switch {
	case err == nil || err == errBrokenOff:
		return nil
	case errors.As(err, &refusal):
		refusal.Request = typ
		return explain(c.family, typ, payload, refusal)
	}
	return opError("dump", err, false)
}
