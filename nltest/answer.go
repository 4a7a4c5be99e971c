package nltest

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

// Error returns the message that refuses a request with errno. With errno 0 it
// acknowledges the request, and a non-zero ext is a warning or a cookie. The errno has
// Linux's number.
func Error(errno syscall.Errno, ext wire.ExtAck) wire.Message {
	return ack(netlink.NLMSG_ERROR, errno, make([]byte, wire.HeaderLen), ext)
}

// Done returns the message that ends a dump; with an errno, one that failed. The errno
// has Linux's number.
func Done(errno syscall.Errno, ext wire.ExtAck) wire.Message {
	m := ack(netlink.NLMSG_DONE, errno, nil, ext)
	m.Header.Flags |= netlink.NLM_F_MULTI
	return m
}

// ack lays out an acknowledgement as netlink_ack and netlink_dump_done do.
func ack(typ netlink.MessageType, errno syscall.Errno, echo []byte, ext wire.ExtAck) wire.Message {
	var b wire.Builder
	b.Raw(binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno))))
	b.Raw(echo)
	plain, err := b.Encode()
	if err != nil {
		panic(err) // no attribute here can be too large
	}
	bare := len(plain)
	encodeExtAck(&b, ext)
	payload, err := b.Encode()
	if err != nil {
		panic("nltest: extended acknowledgement: " + err.Error())
	}
	m := wire.Message{Header: wire.Header{Type: typ}, Payload: payload}
	if echo != nil {
		m.Header.Flags |= netlink.NLM_F_CAPPED
	}
	if len(payload) > bare {
		m.Header.Flags |= netlink.NLM_F_ACK_TLVS
	}
	return m
}

// Attributes of an acknowledgement (enum nlmsgerr_attrs in
// include/uapi/linux/netlink.h).
const (
	attrMsg      = 1
	attrOffs     = 2
	attrCookie   = 3
	attrPolicy   = 4
	attrMissType = 5
	attrMissNest = 6
)

func encodeExtAck(b *wire.Builder, x wire.ExtAck) {
	if x.Message != "" {
		b.String(attrMsg, x.Message)
	}
	if x.HasOffset {
		b.Uint32(attrOffs, x.Offset)
	}
	if x.Cookie != nil {
		b.Bytes(attrCookie, x.Cookie)
	}
	if x.Policy != nil {
		b.Bytes(attrPolicy|wire.NLA_F_NESTED, x.Policy)
	}
	if x.HasMissingType {
		b.Uint32(attrMissType, x.MissingType)
	}
	if x.HasMissingNest {
		b.Uint32(attrMissNest, x.MissingNest)
	}
}

// complete adds the messages that the kernel adds to an answer.
func complete(kind demux.Kind, dump bool, req wire.Message, msgs []wire.Message) []wire.Message {
	if n := len(msgs); n > 0 && demux.IsEnd(msgs[n-1].Header.Type) {
		return msgs
	}
	msgs = slices.Clone(msgs)
	wantsAck := req.Header.Flags&netlink.NLM_F_ACK != 0
	switch {
	case dump:
		for i := range msgs {
			msgs[i].Header.Flags |= netlink.NLM_F_MULTI
		}
		msgs = append(msgs, Done(0, wire.ExtAck{}))
	case kind == demux.Deferred && wantsAck:
		msgs = slices.Insert(msgs, 0, Error(0, wire.ExtAck{}))
	case kind == demux.Ack && wantsAck:
		msgs = append(msgs, Error(0, wire.ExtAck{}))
	}
	return msgs
}

// fill sets what the handler left to the kernel: the numbers of the request and, after
// the errno of a refusal, its header.
func fill(m *wire.Message, req wire.Message, port uint32) {
	if m.Header.Seq == 0 {
		m.Header.Seq = req.Header.Seq
	}
	if m.Header.PortID == 0 {
		m.Header.PortID = port
	}
	if m.Header.Type == netlink.NLMSG_ERROR && len(m.Payload) >= 4+wire.HeaderLen {
		m.Payload = slices.Clone(m.Payload)
		copy(m.Payload[4:], wire.AppendMessage(nil, req)[:wire.HeaderLen])
	}
}
