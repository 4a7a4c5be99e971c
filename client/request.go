package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// maxPayload is the largest payload of a request, in bytes.
const maxPayload = 64 << 10

// busyRetries is how often a dump is started again that the kernel refused with
// EBUSY although the Conn runs no other: the remains of one whose end was lost
// stall the socket until something is read while half of its buffer is free
// (netlink_recvmsg in net/netlink/af_netlink.c).
const busyRetries = 3

// Request sends a message of type typ with the given payload, waits for the end
// of the kernel's answer and returns the replies in the kernel's order, without
// the NLMSG_ERROR or NLMSG_DONE at its end. NLM_F_REQUEST and NLM_F_ACK are
// added to flags. The payload is the caller's again when Request returns; the
// replies are the caller's for good.
//
// A request that dumps (NLM_F_DUMP) is collected whole; [Conn.Dump] does not
// need the memory. A socket runs one dump at a time, so dumps wait for each
// other. A dump during which the table changed is started again, see
// [WithDumpRetries], and at last returned together with [ErrDumpInterrupted].
// With any other error there are no replies.
//
// When ctx ends, Request returns its error at once; if the request was sent by
// then it has probably been applied, and its answer goes to nobody. An answer
// that has arrived is returned even so. A request that waits its turn, for room
// in the receive buffer or to share a datagram, has not been sent. The system call
// that sends cannot be interrupted: the kernel does the request's work in it.
//
// The kernel's refusal is a [*wire.KernelError], which names the attribute that
// was wrong where the kernel tells. Other errors are an [*OpError] around ctx's
// error, [ErrReplyLost], [ErrTruncated], net.ErrClosed, an error of the send, or
// the reason why the request makes no sense: a nil ctx, a typ below
// NLMSG_MIN_TYPE (the kernel acknowledges those and ignores them), one that opens a
// batch of nf_tables (see [Conn.Batch]), a payload over 64 KiB or over the send
// buffer (EMSGSIZE). [NotSent] tells which of them left the kernel untouched.
//
// The payload begins with the family's header, such as struct ifinfomsg. An
// rtnetlink request without any is acknowledged and ignored by the kernel
// (rtnetlink_rcv_msg in net/core/rtnetlink.c): there are no replies then, and no
// error. In general a nil error promises that the kernel has done what it was asked
// for, and not that there is a reply.
//
// Some families answer in ways of their own. NETLINK_FIB_LOOKUP sends no
// acknowledgement, so the first reply ends the request. NETLINK_CONNECTOR
// answers nothing, so Request returns once the message is sent; there the type
// is NLMSG_DONE. On NETLINK_USERSOCK only processes answer, as events.
func (c *Conn) Request(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) ([]wire.Message, error) {
	if err := c.check(ctx, typ, payload); err != nil {
		return nil, opError("request", err, true)
	}
	kind := demux.KindOf(c.family, typ, flags)
	msgs, interrupted, err := c.requests.exchange(ctx, kind, typ, payload, flags)
	for busy, again := busyRetries, c.dumpRetries; kind == demux.Dump; {
		switch {
		case busy > 0 && errors.Is(err, syscall.EBUSY):
			busy--
			c.requests.in.look(c.requests.in.most)
		case again > 0 && err == nil && interrupted:
			again--
		default:
			return msgs, explain(c.family, typ, payload, dumpError(err, interrupted))
		}
		msgs, interrupted, err = c.requests.exchange(ctx, kind, typ, payload, flags)
		// The kernel has seen the earlier ones.
		if NotSent(err) {
			err = opError("request", errors.Unwrap(err), false)
		}
	}
	return msgs, explain(c.family, typ, payload, err)
}

// dumpError returns err, or the error of an interrupted dump that has none.
func dumpError(err error, interrupted bool) error {
	if err == nil && interrupted {
		return opError("dump", ErrDumpInterrupted, false)
	}
	return err
}

// Noop sends a message that asks for nothing but the kernel's acknowledgement
// and waits for that. Every request sent before has then been worked on, and
// every event that they caused is queued. ctx and errors are those of
// [Conn.Request]. NETLINK_AUDIT refuses the message with EINVAL;
// NETLINK_CONNECTOR and NETLINK_FIB_LOOKUP do not acknowledge at all, so there
// Noop fails with [errors.ErrUnsupported] and sends nothing.
func (c *Conn) Noop(ctx context.Context) error {
	err := live(ctx)
	kind := demux.KindOf(c.family, netlink.NLMSG_NOOP, 0)
	if err == nil && kind != demux.Ack {
		err = fmt.Errorf("%v does not acknowledge: %w", c.family, errors.ErrUnsupported)
	}
	if err != nil {
		return opError("noop", err, true)
	}
	_, _, err = c.requests.exchange(ctx, kind, netlink.NLMSG_NOOP, nil, 0)
	if op, ok := err.(*OpError); ok {
		return opError("noop", op.Err, op.notSent)
	}
	return err
}

// check refuses what cannot be sent.
func (c *Conn) check(ctx context.Context, typ netlink.MessageType, payload []byte) error {
	if err := live(ctx); err != nil {
		return err
	}
	// netlink_rcv_skb skips the control types. The connector does not look at
	// the type, and NLMSG_DONE is customary there.
	if typ < netlink.NLMSG_MIN_TYPE && (c.family != netlink.NETLINK_CONNECTOR || typ != netlink.NLMSG_DONE) {
		return fmt.Errorf("type %v is below NLMSG_MIN_TYPE: %w", typ, syscall.EINVAL)
	}
	if c.family == netlink.NETLINK_NETFILTER && typ == batchBegin {
		// Without a batch behind it, it is dropped without a word
		// (nfnetlink_rcv_skb_batch in net/netfilter/nfnetlink.c).
		return fmt.Errorf("type %v opens a batch, which is for Conn.Batch: %w", typ, syscall.EINVAL)
	}
	if len(payload) > maxPayload {
		return fmt.Errorf("payload of %d bytes, %d at most: %w", len(payload), maxPayload, syscall.EMSGSIZE)
	}
	return nil
}

// exchange is what one request needs, used again for the next.
type exchange struct {
	call  *demux.Call
	frame []byte
	turn  chan struct{} // one token: lead the lane
	place place         // guarded by the lane's mutex
}

func newExchange() *exchange {
	return &exchange{call: demux.NewCall(), turn: make(chan struct{}, 1)}
}

// exchange sends one request and waits for its result.
func (p *port) exchange(ctx context.Context, kind demux.Kind, typ netlink.MessageType, payload []byte, flags netlink.Flags) (msgs []wire.Message, interrupted bool, err error) {
	x := p.calls.Get().(*exchange)
	x.call.Type, x.call.Kind, x.call.Echo = typ, kind, flags&netlink.NLM_F_ECHO != 0
	p.encode(x, payload, flags)
	if demux.Shares(p.family, typ, kind) {
		err = p.share(ctx, x)
	} else {
		err = p.ask(ctx, x)
	}
	if err != nil {
		return nil, false, err
	}
	msgs, err = x.call.Result()
	interrupted = x.call.Interrupted()
	if err == nil {
		p.reuse(x)
		return msgs, interrupted, nil
	}
	var refusal *wire.KernelError
	if errors.As(err, &refusal) {
		p.reuse(x)
		return nil, false, err
	}
	var op *OpError
	if errors.As(err, &op) {
		return nil, false, err
	}
	return nil, false, opError("request", err, false)
}

// ask sends x and waits for its result. NotSent(err) tells whether it was sent.
func (p *port) ask(ctx context.Context, x *exchange) error {
	if err := p.open(ctx, x.call); err != nil {
		return opError("request", err, true)
	}
	if err := p.sendAlone(x); err != nil {
		return err
	}
	if x.call.Kind == demux.Silent {
		p.table.Withdraw(x.call)
		return nil
	}
	return p.wait(ctx, x.call)
}

// encode lays out the request. Its number is filled in when it is sent.
func (p *port) encode(x *exchange, payload []byte, flags netlink.Flags) {
	x.frame = wire.AppendMessage(x.frame[:0], wire.Message{
		Header: wire.Header{
			Type:  x.call.Type,
			Flags: flags | netlink.NLM_F_REQUEST | netlink.NLM_F_ACK,
			// xfrm and FIB_LOOKUP copy the field into what they send, so it is
			// our own port and not 0.
			PortID: p.sock.PortID(),
		},
		Payload: payload,
	})
}

// setSeq fills in the number of a request.
func setSeq(frame []byte, seq uint32) { binary.NativeEndian.PutUint32(frame[8:], seq) }

// open waits for room for the answer to a call and registers it. With an error
// nothing stays behind.
func (p *port) open(ctx context.Context, call *demux.Call) error {
	// Room for the answer first; nothing is registered while we wait for it.
	if err := p.window.acquire(ctx, call); err != nil {
		return err
	}
	if err := p.in.gate.pass(ctx); err != nil {
		p.window.release(call.Kind)
		return err
	}
	return p.register(call)
}

// tryOpen is open for a request that need not be sent now. It does not wait.
func (p *port) tryOpen(call *demux.Call) bool {
	return p.window.tryAcquire(call.Kind) && p.register(call) == nil
}

// register gives a call for which there is room its number: before it is sent, or
// the answer could come first.
func (p *port) register(call *demux.Call) error {
	if err := p.table.Open(call); err != nil {
		p.window.release(call.Kind)
		return err
	}
	if call.Kind == demux.Dump {
		p.in.dumping.Store(true)
	}
	return nil
}

// sendAlone sends x, which was opened, and reads what has come of it. With an
// error it was not sent and nothing stays behind.
func (p *port) sendAlone(x *exchange) error {
	setSeq(x.frame, x.call.Seq)
	if err := p.send(x.call, x.frame); err != nil {
		return opError("request", err, true)
	}
	p.read(x.call, p.table.Sent(x.call))
	return nil
}

// send sends the frame of a call that was opened. With an error it was not sent
// and nothing stays behind.
func (p *port) send(call *demux.Call, frame []byte) error {
	send := p.sock.Send
	if call.Kind == demux.Dump {
		send = p.sendDump
	}
	err := send(frame)
	if err != nil {
		p.table.Withdraw(call)
	}
	return err
}

// sendDump sends the request for a dump while nobody reads. A read that finds a
// dump running makes the next part of it, and netlink_dump queues a part only
// after it has let go of the dump: a read beside the send that makes the first
// part could queue the second one, or the end, before it.
func (p *port) sendDump(frame []byte) error {
	p.in.lock()
	defer p.in.unlock()
	return p.sock.Send(frame)
}

// wait waits for the result of a request that was sent and that nobody is about
// to read the answer of. The result beats ctx.
func (p *port) wait(ctx context.Context, call *demux.Call) error {
	if !call.Ready() {
		select {
		case <-call.Done():
			return nil
		case <-ctx.Done():
			return p.giveUp(ctx, call)
		}
	}
	<-call.Done()
	return nil
}

// giveUp leaves a request whose ctx has ended, unless its result is there. The
// kernel's last word is still to come, so the call stays in the table, and what
// it was lent stays lent.
func (p *port) giveUp(ctx context.Context, call *demux.Call) error {
	p.in.last(call)
	if p.table.Abandon(call) {
		return opError("request", ctx.Err(), false)
	}
	<-call.Done()
	return nil
}

// keepFrame is the largest frame kept for the next request, in bytes.
const keepFrame = 4 << 10

// reuse keeps x for the next request. The kernel has said its last word on it.
func (p *port) reuse(x *exchange) {
	if cap(x.frame) > keepFrame {
		x.frame = nil
	}
	x.call.Reset()
	p.calls.Put(x)
}
