package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// BatchMessage is one message of a batch.
type BatchMessage struct {
	Type    netlink.MessageType // subsystem and message, such as unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	Flags   netlink.Flags       // without NLM_F_REQUEST and NLM_F_ACK, which Batch sets where they belong
	Payload []byte              // a struct nfgenmsg and attributes
}

// BatchOption changes how [Conn.Batch] applies a batch.
type BatchOption func(*batch)

// AtGeneration makes the kernel apply the batch only if the ruleset still has this
// generation number: NFTA_GEN_ID in the answer to NFT_MSG_GETGEN and in the event
// NFT_MSG_NEWGEN. Otherwise the whole batch is refused with ERESTART. Default and zero:
// any generation.
func AtGeneration(id uint32) BatchOption {
	return func(b *batch) { b.generation = id }
}

// Numbers of include/uapi/linux/netfilter/nfnetlink.h.
const (
	batchBegin      netlink.MessageType = 16 // NFNL_MSG_BATCH_BEGIN
	batchEnd        netlink.MessageType = 17 // NFNL_MSG_BATCH_END
	batchGeneration                     = 1  // NFNL_BATCH_GENID

	genmsgLen = 4 // size of struct nfgenmsg in bytes
)

// batch is one batch.
type batch struct {
	subsystem  uint8
	generation uint32
	msgs       []BatchMessage
}

// Batch has the kernel apply messages of one nfnetlink subsystem as one transaction:
// all of them or none. subsystem is unix.NFNL_SUBSYS_NFTABLES; no other subsystem has
// transactions so far. The kernel refuses theirs with EOPNOTSUPP, or with EINVAL if it
// does not know the subsystem. The Conn's family has to be NETLINK_NETFILTER. Batch
// needs CAP_NET_ADMIN over the network namespace.
//
// NLM_F_REQUEST is added to the flags of every message. NLM_F_ACK is set where it is
// needed and cleared elsewhere: refusals come without it, and each acknowledgement
// takes room in the receive buffer. The messages are the caller's again when Batch
// returns.
//
// Batch returns the replies to messages with NLM_F_ECHO, in the kernel's order; they
// are the caller's for good. Header.Seq of a reply is the index in msgs of its message.
// If the first message has the flag, an NFT_MSG_NEWGEN with index 0 is among the
// replies. An empty batch succeeds without being sent.
//
// If the kernel refuses a message, it checks the remaining ones as well and applies
// nothing: the error is a [*BatchError].
//
// ctx and other errors are those of [Conn.Request]. With [ErrReplyLost] or
// [ErrUnanswered] the batch was applied as a whole or not at all. Further causes:
//   - EMSGSIZE: the batch is larger than the send buffer, see [WithSendBuffer].
//   - EINVAL: a message is of another subsystem or has no struct nfgenmsg. The kernel
//     would drop the batch.
//   - [errors.ErrUnsupported]: the Conn is of another family.
//
// A Conn that has joined the group of nf_tables (NFNLGRP_NFTABLES) gets an event for
// every change. With more than about 1,000 messages in a batch these events overrun the
// receive buffer during the send, so such a Conn needs [WithEventSocket].
//
// Batches on a Conn run one at a time, as they do in the kernel. Each waits until the
// receive buffer has room for a refusal of every message, or is otherwise unused.
func (c *Conn) Batch(ctx context.Context, subsystem uint8, msgs []BatchMessage, opts ...BatchOption) ([]wire.Message, error) {
	defer runtime.KeepAlive(c)
	b := &batch{subsystem: subsystem, msgs: msgs}
	for _, o := range opts {
		if o == nil {
			return nil, opError("batch", errNilOption, true)
		}
		o(b)
	}
	if err := c.checkBatch(ctx, b); err != nil {
		return nil, opError("batch", err, true)
	}
	if len(msgs) == 0 {
		return nil, nil
	}
	return c.requests.batch(ctx, b)
}

// checkBatch refuses batches that cannot be sent, and those that the kernel would drop
// without an answer: nfnetlink_rcv_batch does that if a message is too short, or opens
// a batch inside another.
func (c *Conn) checkBatch(ctx context.Context, b *batch) error {
	if err := live(ctx); err != nil {
		return err
	}
	if c.family != netlink.NETLINK_NETFILTER {
		return fmt.Errorf("%v has no batches: %w", c.family, errors.ErrUnsupported)
	}
	if b.subsystem == 0 {
		return fmt.Errorf("subsystem 0 is that of control messages: %w", syscall.EINVAL)
	}
	size := int64(0)
	for i, m := range b.msgs {
		if m.Type>>8 != netlink.MessageType(b.subsystem) {
			return fmt.Errorf("message %d: type %#x is not of subsystem %d: %w", i, uint16(m.Type), b.subsystem, syscall.EINVAL)
		}
		if len(m.Payload) < genmsgLen {
			return fmt.Errorf("message %d: payload of %d bytes has no struct nfgenmsg: %w", i, len(m.Payload), syscall.EINVAL)
		}
		size += wire.HeaderLen + int64(len(m.Payload))
	}
	if size > math.MaxInt32 { // more than any send buffer has
		return fmt.Errorf("batch of %d bytes: %w", size, syscall.EMSGSIZE)
	}
	return nil
}

// batch sends a batch and waits for its result.
func (m *mux) batch(ctx context.Context, b *batch) ([]wire.Message, error) {
	// Wait for the turn first, so that a batch that waits for it takes no room.
	select {
	case m.batches <- struct{}{}:
		defer func() { <-m.batches }()
	case <-ctx.Done():
		return nil, opError("batch", ctx.Err(), true)
	case <-m.done:
		return nil, opError("batch", net.ErrClosed, true)
	}
	call := demux.NewCall()
	call.Type, call.Kind = batchBegin, demux.Batch
	call.Batch = &demux.BatchState{N: len(b.msgs), Echo: b.echo()}
	var err error
	if call.Batch.Echo != nil {
		err = m.recv.reportGroups()
	}
	if err == nil {
		err = m.open(ctx, call)
	}
	if err == nil {
		err = m.send(call, b.frame(call.Seq, m.sock.PortID()), nil)
	}
	if err != nil {
		return nil, opError("batch", err, true)
	}
	call.Wait()
	replies, err := call.Result()
	var refusal *wire.KernelError
	switch {
	case err == nil:
		for i := range replies {
			replies[i].Header.Seq -= call.Seq + 1
		}
		return replies, nil
	case errors.As(err, &refusal):
		return nil, newBatchError(call.Batch, b.msgs)
	}
	return nil, opError("batch", err, false)
}

// frame returns the datagram of a batch whose first message has the number seq.
//
// It requests three acknowledgements. That of the last message shows that the kernel
// has read all of them. That of the first shows that a refusal of it means the commit,
// see [demux.BatchState]. That of the closing message, since Linux 6.10, shows that the
// batch was applied.
func (b *batch) frame(seq, port uint32) []byte {
	size := 2*(wire.HeaderLen+genmsgLen) + 8
	for _, m := range b.msgs {
		size += wire.HeaderLen + len(m.Payload) + 3
	}
	frame := make([]byte, 0, size)
	add := func(typ netlink.MessageType, flags netlink.Flags, payload []byte) {
		frame = wire.AppendMessage(frame, wire.Message{
			Header:  wire.Header{Type: typ, Flags: flags | netlink.NLM_F_REQUEST, Seq: seq, PortID: port},
			Payload: payload,
		})
		seq++
	}
	// struct nfgenmsg, with the subsystem as its res_id, in big endian.
	edge := []byte{0, 0, 0, b.subsystem}
	add(batchBegin, 0, slices.Concat(edge, b.attributes()))
	for i, m := range b.msgs {
		flags := m.Flags &^ netlink.NLM_F_ACK
		if i == 0 || i == len(b.msgs)-1 {
			flags |= netlink.NLM_F_ACK
		}
		add(m.Type, flags, m.Payload)
	}
	add(batchEnd, netlink.NLM_F_ACK, edge)
	return frame
}

// attributes returns the attributes of the message that opens the batch.
func (b *batch) attributes() []byte {
	if b.generation == 0 {
		return nil
	}
	attr := binary.NativeEndian.AppendUint16(nil, 8)
	attr = binary.NativeEndian.AppendUint16(attr, batchGeneration)
	return binary.BigEndian.AppendUint32(attr, b.generation)
}

// echo returns which messages carry NLM_F_ECHO, nil if none does.
func (b *batch) echo() []bool {
	carries := func(m BatchMessage) bool { return m.Flags&netlink.NLM_F_ECHO != 0 }
	if !slices.ContainsFunc(b.msgs, carries) {
		return nil
	}
	echo := make([]bool, len(b.msgs))
	for i, m := range b.msgs {
		echo[i] = carries(m)
	}
	return echo
}
