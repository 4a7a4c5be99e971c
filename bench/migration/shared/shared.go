// Package shared holds what docs/MIGRATION.md shows of programs that put packages of
// others on a Conn of this module.
package shared

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"

	mdlayher "github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// NewConn returns a Conn of mdlayher/netlink that makes its requests on c. They end
// with ctx, and with Close, which leaves c open.
func NewConn(ctx context.Context, c *client.Conn) *mdlayher.Conn {
	s := &socket{conn: c}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return mdlayher.NewConn(s, c.PortID())
}

// socket is a mdlayher.Socket for requests: Send makes one and waits for the answer.
type socket struct {
	ctx    context.Context
	cancel context.CancelFunc
	conn   *client.Conn

	mu      sync.Mutex
	answers [][]mdlayher.Message // what Receive returns next
}

func (s *socket) Close() error {
	s.cancel()
	return nil
}

func (s *socket) Send(m mdlayher.Message) error {
	answer, err := exchange(s.ctx, s.conn, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answer...)
	return err
}

func (s *socket) SendMessages(msgs []mdlayher.Message) error {
	for _, m := range msgs {
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) Receive() (msgs []mdlayher.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) == 0 {
		return nil, errors.New("no request has an answer that was not received")
	}
	msgs, s.answers = s.answers[0], s.answers[1:]
	return msgs, nil
}

func (s *socket) ReceiveIter() iter.Seq2[mdlayher.Message, error] {
	return func(yield func(mdlayher.Message, error) bool) {
		msgs, err := s.Receive()
		if err != nil {
			yield(mdlayher.Message{}, err)
		}
		for _, m := range msgs {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// exchange makes a request on c. It returns the kernel's answer by datagram: the
// replies, then a refusal or the acknowledgement if m asks for one.
func exchange(ctx context.Context, c *client.Conn, m mdlayher.Message) (answer [][]mdlayher.Message, err error) {
	reply, err := c.Exchange(ctx, netlink.MessageType(m.Header.Type), m.Data, netlink.Flags(m.Header.Flags))
	var refusal *wire.KernelError
	if err != nil && !errors.As(err, &refusal) {
		return nil, err
	}
	message := func(typ mdlayher.HeaderType, flags mdlayher.HeaderFlags, data []byte) mdlayher.Message {
		h := m.Header // Execute compares its Sequence and PID
		h.Length, h.Type, h.Flags = uint32(wire.HeaderLen+len(data)), typ, flags
		return mdlayher.Message{Header: h, Data: data}
	}
	var replies []mdlayher.Message
	for _, r := range reply.Messages {
		replies = append(replies, message(mdlayher.HeaderType(r.Header.Type), mdlayher.HeaderFlags(r.Header.Flags), r.Payload))
	}
	end := unix.NlMsgerr{Msg: unix.NlMsghdr{Len: unix.SizeofNlMsghdr}}
	var ext wire.ExtAck
	switch {
	case refusal != nil:
		end.Error, ext = -int32(refusal.Errno), refusal.Ext
	case reply.Ack.Request == 0: // a dump
		return [][]mdlayher.Message{append(replies, message(mdlayher.Done, mdlayher.Multi, nil))}, nil
	case m.Header.Flags&mdlayher.Acknowledge == 0:
		return [][]mdlayher.Message{replies}, nil
	}
	if replies != nil {
		answer = append(answer, replies)
	}
	var b wire.Builder
	b.Struct(&end)
	b.String(unix.NLMSGERR_ATTR_MSG, ext.Message)
	b.Uint32(unix.NLMSGERR_ATTR_OFFS, ext.Offset)
	ack, err := b.Encode()
	return append(answer, []mdlayher.Message{message(mdlayher.Error, mdlayher.AcknowledgeTLVs, ack)}), err
}

// NFTables returns a function for nftables.WithTestDial: the nftables.Conn makes its
// requests on c, and its batches by c.Batch. They end with ctx.
func NFTables(ctx context.Context, c *client.Conn) nltest.Func {
	return func(reqs []mdlayher.Message) (replies []mdlayher.Message, err error) {
		switch {
		case len(reqs) == 0: // it receives, after the replies: an acknowledgement
			return nil, io.EOF
		case reqs[0].Header.Type == unix.NFNL_MSG_BATCH_BEGIN:
			return nil, batch(ctx, c, reqs[1:len(reqs)-1])
		}
		for _, m := range reqs {
			m.Header.Flags &^= mdlayher.Acknowledge
			answer, err := exchange(ctx, c, m)
			if err != nil {
				return nil, err
			}
			replies = append(replies, slices.Concat(answer...)...)
		}
		return replies, nil
	}
}

// batch applies the messages of a batch without its first and its last one, which
// c.Batch makes.
func batch(ctx context.Context, c *client.Conn, reqs []mdlayher.Message) error {
	msgs := make([]client.BatchMessage, len(reqs))
	for i, m := range reqs {
		msgs[i] = client.BatchMessage{
			Type:    netlink.MessageType(m.Header.Type),
			Flags:   netlink.Flags(m.Header.Flags) &^ netlink.NLM_F_ECHO, // which nftables.Conn ignores
			Payload: m.Data,
		}
	}
	_, err := c.Batch(ctx, unix.NFNL_SUBSYS_NFTABLES, msgs)
	return err
}
