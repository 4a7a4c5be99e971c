package demux

import (
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// deliver has the table and the model read a datagram that is made up.
func (w *walk) deliver() {
	o := Origin{NSID: NoNSID}
	if w.chance(30) {
		o.Group = w.group()
	}
	if w.chance(10) {
		o.NSID = one(w, int32(0), 5)
	}
	if w.chance(5) || w.model.family == netlink.NETLINK_USERSOCK && w.chance(30) {
		o.PortID = other
	}
	msgs := w.messages(o)
	b, whole, damage := w.damage(msgs)
	o.Truncated = damage == ErrTruncated
	first := msgs[0]
	if len(whole) == 0 {
		first.Payload = b[wire.HeaderLen:]
	}
	w.note("deliver %+v %q, %d of %d whole, %v", o, msgs, len(whole), len(msgs), damage)

	want := w.model.deliver(whole, first, o, damage)
	lost := w.table.Deliver(b, o, func(m wire.Message) { w.events = append(w.events, string(m.Payload)) })
	for i := range b {
		b[i] = '!'
	}
	w.same("lost", lost, want)
	if lost {
		w.table.MarkLost()
		w.model.markLost()
	}
}

// damage returns the bytes of a datagram, or a part of them, and the messages that are
// whole in it. damage is ErrTruncated if the system reports a cut, ErrReplyLost if the
// bytes are malformed.
func (w *walk) damage(msgs []wire.Message) (b []byte, whole []wire.Message, damage error) {
	last := len(msgs) - 1
	size := 0
	for i, m := range msgs {
		if i == last {
			size = len(b)
		}
		b = wire.AppendMessage(b, m)
	}
	switch n := w.IntN(100); {
	case n < 3: // between messages
		return b, msgs, ErrTruncated
	case n < 9 && len(msgs[last].Payload) > 0: // in the last one
		b = b[:size+wire.HeaderLen+w.IntN(len(msgs[last].Payload))]
		return b, msgs[:last], one(w, ErrTruncated, ErrReplyLost)
	case n < 11: // after all
		return append(b, "garbage"...), msgs, ErrReplyLost
	}
	return b, msgs, nil
}

// messages makes up a datagram.
func (w *walk) messages(o Origin) (msgs []wire.Message) {
	for n := 1 + w.IntN(5); len(msgs) < n; {
		m := wire.Message{Header: wire.Header{Type: newAddr, PortID: one(w, port, port, port, port, port, port, uint32(0), other)}}
		h := &m.Header
		if n := len(msgs); n > 0 && w.chance(40) {
			h.Seq, h.PortID = msgs[n-1].Header.Seq, msgs[n-1].Header.PortID
		} else {
			h.Seq = w.number()
		}
		payload := fmt.Sprintf("%c%d-%d", w.command(), w.model.now, len(msgs))
		switch w.IntN(10) {
		case 0, 1:
			h.Type, payload = netlink.NLMSG_ERROR, w.verdict()
		case 2:
			h.Type, payload = netlink.NLMSG_DONE, w.verdict()
		case 3:
			h.Type = one(w, netlink.NLMSG_NOOP, netlink.NLMSG_OVERRUN)
		case 4:
			h.Type = getAddr
		}
		m.Payload = []byte(payload)
		h.Length = uint32(wire.HeaderLen + len(payload))
		msgs = append(msgs, m)
		if w.model.family == netlink.NETLINK_AUDIT && h.Seq == 0 && h.PortID == 0 {
			break // it could be taken for an audit record
		}
	}
	return msgs
}

func (w *walk) number() uint32 {
	switch n := w.IntN(10); {
	case n < 6 && len(w.live) > 0:
		c := one(w, w.live...)
		switch w.IntN(4) {
		case 0:
			return c.seq + c.width() - 1 // the closing message of a batch
		case 1:
			return c.seq + c.width() - min(2, c.width()) // its last one
		}
		return c.seq + w.Uint32N(c.width())
	case n < 8 && len(w.gone) > 0:
		return one(w, w.gone...).seq
	case n < 9:
		return w.Uint32N(4)
	}
	return w.Uint32()
}

// verdict is the payload of a last message.
func (w *walk) verdict() string {
	return one(w, errnoBytes(0), errnoBytes(0), errnoBytes(0), errnoBytes(syscall.EBUSY), errnoBytes(syscall.EAGAIN),
		errnoBytes(syscall.ENOBUFS), errnoBytes(5000), codeBytes(7), "", "xx")
}
