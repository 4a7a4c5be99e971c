package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// Request sends a message of type typ with the given payload, waits for the end of the
// kernel's answer and returns the replies in the kernel's order, without the final
// NLMSG_ERROR or NLMSG_DONE. NLM_F_REQUEST and NLM_F_ACK are added to flags. The
// payload is the caller's again when Request returns; the replies are the caller's for
// good.
//
// With NLM_F_DUMP, Request collects the whole dump; [Conn.Dump] needs less memory. See
// Dumps in the documentation of the package. If the table changed during the dump,
// Request repeats it, see [WithDumpRetries], unless that could reset the values. After
// the last try it returns the replies with [ErrDumpInterrupted]. Header.Seq and
// Header.PortID of the messages are those of the dump's socket. With any other error
// there are no replies.
//
// If ctx ends while a request waits:
//   - A request that waits for room in the receive buffer, for a shared datagram or for
//     a socket for its dump has not been sent.
//   - A request that was sent has probably been applied. Its answer is dropped.
//
// The send cannot be interrupted, since the kernel handles the request in it, nor can
// the read of a datagram of a dump. Request then returns when the system call does. An
// answer that has arrived is returned even if ctx has ended.
//
// The kernel's refusal is a [*wire.KernelError], which names the wrong attribute if the
// kernel does. Other errors are an [*OpError] around
//   - ctx's error,
//   - [ErrReplyLost], [ErrUnanswered], [ErrTruncated],
//   - net.ErrClosed,
//   - an error of the send, or of opening a socket for a dump,
//   - the reason why the request is invalid: a nil ctx; a typ below NLMSG_MIN_TYPE,
//     which the kernel acknowledges and ignores; one that opens a batch of nf_tables
//     (see [Conn.Batch]); a payload too short for the family, which would ignore it; a
//     payload larger than the send buffer (EMSGSIZE), see [WithSendBuffer].
//
// [NotSent] reports for which of them the kernel never saw the request.
//
// The payload begins with the family's header, such as struct ifinfomsg. The kernel
// acknowledges and ignores an rtnetlink request without one (rtnetlink_rcv_msg in
// net/core/rtnetlink.c): there are no replies and no error. In general a nil error
// means that the kernel carried out the request, not that there is a reply.
//
// The kernel answers RTM_GETQDISC and RTM_GETTCLASS without NLM_F_DUMP by a message to
// the group RTNLGRP_TC; there is a reply only with NLM_F_ECHO.
//
// Some families answer in ways of their own:
//   - NETLINK_FIB_LOOKUP sends no acknowledgement. The first reply ends the request.
//   - NETLINK_CONNECTOR and NETLINK_ISCSI acknowledge nothing. Request returns when the
//     message is sent, and the kernel's answer is an event. The type of a connector
//     message is NLMSG_DONE; types of NETLINK_ISCSI begin with 10.
//   - NETLINK_AUDIT sends some replies from a thread of the kernel. If the kernel
//     cannot start that thread, only ctx or Close ends the request.
//   - NETLINK_USERSOCK: only processes answer, by events.
func (c *Conn) Request(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) ([]wire.Message, error) {
	return c.request(ctx, typ, payload, flags, nil)
}

// Reply is the kernel's answer to a request.
type Reply struct {
	// Messages are the replies as [Conn.Request] returns them.
	Messages []wire.Message

	// Ack is the kernel's last message: the warning in Ext.Message, the cookie, and the
	// positive code with which some families acknowledge. It is zero if the answer had
	// no such message, as on NETLINK_FIB_LOOKUP. Request is 0 after a dump, whose
	// NLMSG_DONE does not name it.
	Ack wire.Ack
}

// Exchange is [Conn.Request] that also returns how the kernel ended its answer: a
// success can carry a warning, a cookie or a positive code. With an error the Reply is
// zero, except with ErrDumpInterrupted.
func (c *Conn) Exchange(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) (Reply, error) {
	var r Reply
	var err error
	r.Messages, err = c.request(ctx, typ, payload, flags, &r.Ack)
	if err != nil && !errors.Is(err, ErrDumpInterrupted) {
		r = Reply{}
	}
	return r, err
}

// request is Request, and fills in the acknowledgement if ack is not nil.
func (c *Conn) request(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags, ack *wire.Ack) ([]wire.Message, error) {
	defer runtime.KeepAlive(c)
	if err := c.check(ctx, typ, payload); err != nil {
		return nil, opError("request", err, true)
	}
	req := dumpRequest{typ, payload, flags, ack}
	if demux.MayDump(c.family, typ, flags) {
		return c.collect(ctx, req)
	}
	msgs, err := c.requests.exchange(ctx, typ, payload, flags, ack)
	if errors.Is(err, ErrReplyLost) && demux.ChangesNothing(c.family, typ, flags) {
		// Once more, on a socket of its own, where no other answer takes room.
		return c.repeat(ctx, req)
	}
	return msgs, explain(c.family, typ, payload, err)
}

// repeat sends a request again, on a socket of its own: a dump that was interrupted, or a
// request that changes nothing and whose answer was lost.
func (c *Conn) repeat(ctx context.Context, req dumpRequest) ([]wire.Message, error) {
	msgs, err := c.collectOnce(ctx, req)
	if NotSent(err) {
		err = opError("request", errors.Unwrap(err), false) // the first try was sent
	}
	return msgs, err
}

// Noop sends a message that only asks for the kernel's acknowledgement, and waits for
// it. The kernel has then handled every earlier request and queued every event that
// they caused. ctx and errors are those of [Conn.Request]. NETLINK_AUDIT refuses the
// message with EINVAL. NETLINK_CONNECTOR, NETLINK_FIB_LOOKUP, NETLINK_ISCSI and
// NETLINK_SCSITRANSPORT do not acknowledge it: there Noop fails with
// [errors.ErrUnsupported] and sends nothing.
func (c *Conn) Noop(ctx context.Context) error {
	if err := c.checkNoop(ctx); err != nil {
		return opError("noop", err, true)
	}
	_, err := c.requests.exchange(ctx, netlink.NLMSG_NOOP, nil, 0, nil)
	runtime.KeepAlive(c)
	if op, ok := err.(*OpError); ok {
		return opError("noop", op, false)
	}
	return err
}

func (c *Conn) checkNoop(ctx context.Context) error {
	if err := live(ctx); err != nil {
		return err
	}
	if !demux.HasNoop(c.family) {
		return fmt.Errorf("%v does not acknowledge: %w", c.family, errors.ErrUnsupported)
	}
	return nil
}

// Send sends a message of type typ with the given payload and does not wait for an
// answer. NLM_F_REQUEST is added to flags, NLM_F_ACK is not. It is for messages without
// an acknowledgement: the verdicts of nfqueue, the control messages of the connector.
// The payload is the caller's again when Send returns.
//
// The message has the sequence number 0. If the kernel refuses it, the refusal is an
// [Event] of type NLMSG_ERROR with that number, which [wire.ParseAck] reads. Data in
// the answer becomes events as well.
//
// ctx ends the wait for one of the 64 send slots, not the send itself. The error is an
// [*OpError] as for [Conn.Request], and [NotSent] holds for each. EINVAL means flags
// that request an answer, NLM_F_ACK and NLM_F_ECHO, or a request that may be a dump.
func (c *Conn) Send(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) error {
	defer runtime.KeepAlive(c)
	err := c.check(ctx, typ, payload)
	switch {
	case err != nil:
	case flags&(netlink.NLM_F_ACK|netlink.NLM_F_ECHO) != 0:
		err = fmt.Errorf("flags %v ask for an answer: %w", flags, syscall.EINVAL)
	case demux.MayDump(c.family, typ, flags):
		err = fmt.Errorf("type %v may be a dump: %w", typ, syscall.EINVAL)
	default:
		err = c.requests.sendOnly(ctx, typ, payload, flags)
	}
	if err != nil {
		return opError("send", err, true)
	}
	return nil
}

// sendOnly sends a message to which no answer is expected.
func (m *mux) sendOnly(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags) error {
	x := m.calls.Get().(*exchange)
	defer m.reuse(x)
	x.call.Type = typ
	m.encode(x, payload, flags|netlink.NLM_F_REQUEST)
	if err := m.slots.acquire(ctx, m.done); err != nil {
		return err
	}
	err := m.sock.Send(x.frame)
	m.slots.release()
	if err != nil {
		return err
	}
	if m.unasked.Add(1) >= m.lookAfter {
		// Until then every sender waits here, or the refusals would overrun a reader
		// that has the lock but is not scheduled.
		m.recv.look(m.recv.most)
		m.unasked.Store(0)
	}
	return nil
}

// check refuses requests that cannot be sent.
func (c *Conn) check(ctx context.Context, typ netlink.MessageType, payload []byte) error {
	if err := live(ctx); err != nil {
		return err
	}
	if err := demux.CheckRequest(c.family, typ, len(payload)); err != nil {
		return err
	}
	if c.family == netlink.NETLINK_NETFILTER && typ == batchBegin {
		// Without a batch after it, the kernel drops it without an answer
		// (nfnetlink_rcv_skb_batch in net/netfilter/nfnetlink.c).
		return fmt.Errorf("type %v opens a batch, use Conn.Batch: %w", typ, syscall.EINVAL)
	}
	if len(payload) > math.MaxInt32 { // more than any send buffer has
		return fmt.Errorf("payload of %d bytes: %w", len(payload), syscall.EMSGSIZE)
	}
	return nil
}

// exchange has the state of one request, and is reused for the next.
type exchange struct {
	call  *demux.Call
	frame []byte

	// Guarded by the mutex of the coalescer.
	state waitState
	node  waitNode
}

func newExchange() *exchange { return &exchange{call: demux.NewCall()} }

// exchange sends one request that is not a dump and waits for its result. It fills in
// the acknowledgement if ack is not nil.
func (m *mux) exchange(ctx context.Context, typ netlink.MessageType, payload []byte, flags netlink.Flags, ack *wire.Ack) ([]wire.Message, error) {
	x := m.calls.Get().(*exchange)
	c := x.call
	m.table.Describe(c, typ, flags)
	c.AckInto = ack
	if m.family == netlink.NETLINK_GENERIC && len(payload) > 0 {
		c.Command = payload[0]
	}
	m.encode(x, payload, flags|netlink.NLM_F_REQUEST|netlink.NLM_F_ACK)
	if c.Echo {
		if err := m.recv.reportGroups(); err != nil {
			return nil, opError("request", err, true)
		}
	}
	if err := m.ask(ctx, x); err != nil {
		return nil, err
	}
	msgs, err := c.Result()
	if err != nil {
		return nil, m.failed(x, err)
	}
	m.window.learn(typ, c.Charge())
	m.reuse(x)
	return msgs, nil
}

// failed returns the error of an exchange whose result is err.
func (m *mux) failed(x *exchange, err error) error {
	if err == ErrReplyLost {
		m.window.learnLoss(x.call.Type)
	}
	var refusal *wire.KernelError
	if errors.As(err, &refusal) {
		m.reuse(x)
		return err
	}
	return opError("request", err, false)
}

// ask sends x and waits for its result. NotSent(err) reports whether it was not sent.
func (m *mux) ask(ctx context.Context, x *exchange) error {
	call := x.call
	var co *coalescer
	if call.Coalescable {
		co = m.coalescers.of(call.Type)
		if !co.start(m.maxSenders) {
			if sent, err := m.awaitTurn(ctx, co, x); sent || err != nil {
				return err
			}
		}
	}
	err := m.open(ctx, call)
	if err == nil {
		setSeq(x.frame, call.Seq)
		var p *packet
		if co != nil && co.mayPack() {
			p = m.pack(co, x)
		}
		if p == nil {
			err = m.send(call, x.frame, nil)
		} else {
			err = m.send(call, p.frame, p)
			clear(p.calls)
			m.packets.Put(p)
		}
	}
	if co != nil {
		co.release()
	}
	switch {
	case err != nil:
		return opError("request", err, true)
	case call.Ready():
		return nil
	}
	return m.wait(ctx, call)
}

// encode lays out the request. Its number is set when it is sent.
func (m *mux) encode(x *exchange, payload []byte, flags netlink.Flags) {
	x.frame = wire.AppendMessage(x.frame[:0], wire.Message{
		Header: wire.Header{
			Type:  x.call.Type,
			Flags: flags,
			// xfrm and FIB_LOOKUP copy the field into what they send, so it is
			// our own port and not 0.
			PortID: m.sock.PortID(),
		},
		Payload: payload,
	})
}

// setSeq sets the number of a request.
func setSeq(frame []byte, seq uint32) { binary.NativeEndian.PutUint32(frame[8:], seq) }

// open waits for a send slot and for room for the answer to a call, and registers the
// call. With an error nothing is held. Otherwise the caller sends it with send, which frees
// the slot.
func (m *mux) open(ctx context.Context, call *demux.Call) error {
	m.window.measure(call)
	for {
		err := m.slots.acquire(ctx, m.done)
		if err == nil {
			if err = m.recv.gate.pass(ctx); err == nil {
				// Before the send, or the answer could come first.
				if err = m.table.Open(call); err == nil {
					return nil
				}
			}
			m.slots.release()
		}
		if err == demux.ErrNoCredit {
			err = m.reserve(ctx, call) // without a slot, which others may need
		}
		if err != nil {
			m.table.Unreserve(call)
			return err
		}
	}
}

// reserve waits for room for the answer to a call.
func (m *mux) reserve(ctx context.Context, call *demux.Call) error {
	for !m.table.Reserve(call) {
		if err := await(ctx, call); err != nil {
			return err
		}
	}
	return nil
}

// await waits until the call is woken. If ctx has ended then, or ends before, it returns
// ctx's error.
func await(ctx context.Context, call *demux.Call) error {
	ended := ctx.Done()
	if ended == nil {
		// (Measured: NOOPs of 512 goroutines take 8 percent less time than with select.)
		<-call.Woken()
		return nil
	}
	select {
	case <-call.Woken():
		return ctx.Err() // which may have ended before this goroutine ran
	case <-ended:
		return ctx.Err()
	}
}

// tryOpen registers a call that need not be sent now. It does not wait.
func (m *mux) tryOpen(call *demux.Call) bool {
	m.window.measure(call)
	return m.table.Open(call) == nil
}

// send sends a frame with the request of call, which was opened, and reads the answer. The
// frame may be that of a packet, whose requests come first. With an error nothing was sent,
// and none of the calls is open any more.
func (m *mux) send(call *demux.Call, frame []byte, p *packet) error {
	err := m.sock.Send(frame)
	m.slots.release()
	if err != nil {
		if p != nil {
			m.reject(p, err)
		}
		m.table.Withdraw(call)
		return err
	}
	m.table.MarkSent(call)
	if call.Kind == demux.Silent || !m.readAnswer(call) {
		return nil
	}
	// The last request is answered last. By now, requests without a result have no answer.
	if p != nil {
		m.conclude(p.calls, p.seqs)
	}
	if !call.Ready() {
		m.conclude([]*demux.Call{call}, []uint32{call.Seq})
	}
	return nil
}

// wait waits for the result of a call that was sent and is not ready: its kind is Silent, a
// thread of the kernel answers it, or the result will be net.ErrClosed. The result beats
// ctx.
func (m *mux) wait(ctx context.Context, call *demux.Call) error {
	switch call.Kind {
	case demux.Silent:
		m.table.Withdraw(call)
		m.unparkIfNeeded() // what the kernel answers is an event
		return nil
	case demux.Deferred:
		m.unparkIfNeeded()
		for !call.Ready() {
			if await(ctx, call) != nil {
				return m.giveUp(ctx, call)
			}
		}
	}
	call.Wait()
	return nil
}

// giveUp leaves a request whose ctx has ended, unless its result is there or queued.
// The call stays in the table, with its credit, until the kernel is done with
// it.
func (m *mux) giveUp(ctx context.Context, call *demux.Call) error {
	m.recv.readFor(call)
	if m.table.Abandon(call) {
		return opError("request", ctx.Err(), false)
	}
	call.Wait()
	return nil
}

// keepFrame is the largest frame kept for the next request, in bytes.
const keepFrame = 4 << 10

// reuse keeps x for the next request. The kernel is done with it.
func (m *mux) reuse(x *exchange) {
	if cap(x.frame) > keepFrame {
		x.frame = nil
	}
	x.call.Reset()
	x.state = notWaiting
	m.calls.Put(x)
}
