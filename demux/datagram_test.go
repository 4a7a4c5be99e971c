package demux

import (
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// deliver has both read a datagram that is made up.
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
	var b []byte
	for _, m := range msgs {
		b = wire.AppendMessage(b, m)
	}
	damage := ""
	if last := &msgs[len(msgs)-1]; len(last.Payload) > 0 && o.PortID == 0 && w.chance(8) {
		b = b[:len(b)-(len(last.Payload)+3)&^3+w.IntN(len(last.Payload))]
		damage = "malformed"
		// A call's data is cut only where its end comes in another datagram.
		if c, _ := w.model.place(last.Header, o); w.chance(50) && (c == nil || c.kind == Ack) {
			damage = "truncated"
		}
	}
	w.note("deliver %+v %q %s", o, msgs, damage)

	var want bool
	switch damage {
	case "malformed":
		want = true
		w.model.deliver(msgs[:len(msgs)-1], o, false)
		w.model.stats.Malformed++
	case "truncated":
		o.Truncated = true
		w.model.stats.Truncated++
		want = w.model.deliver(msgs, o, true)
	default:
		want = w.model.deliver(msgs, o, false)
	}
	lost := w.table.Deliver(b, o, func(m wire.Message) { w.events = append(w.events, string(m.Payload)) })
	for i := range b {
		b[i] = '!'
	}
	w.same("lost", lost, want)
	if lost {
		w.model.spoil(msgs[0], o)
		w.table.Overrun()
		w.model.overrun()
	}
}

// messages makes up a datagram.
func (w *walk) messages(o Origin) (msgs []wire.Message) {
	for n := 1 + w.IntN(5); len(msgs) < n; {
		h := wire.Header{Type: newAddr, PortID: one(w, port, port, port, port, port, port, uint32(0), other)}
		if n := len(msgs); n > 0 && w.chance(40) {
			h.Seq, h.PortID = msgs[n-1].Header.Seq, msgs[n-1].Header.PortID
		} else {
			h.Seq = w.number()
		}
		payload := fmt.Sprintf("%d-%d", w.model.now, len(msgs))
		switch w.IntN(10) {
		case 0, 1:
			h.Type, payload = netlink.NLMSG_ERROR, w.verdict()
		case 2:
			h.Type, payload = netlink.NLMSG_DONE, w.verdict()
		case 3:
			h.Type = one(w, netlink.NLMSG_NOOP, netlink.NLMSG_OVERRUN)
		}
		if w.chance(10) {
			h.Flags = netlink.NLM_F_DUMP_INTR
		}
		if c, _ := w.model.place(h, o); c != nil && (c.kind == First || c.kind == Deferred) && len(msgs) > 0 {
			continue // the kernel sends each of theirs alone
		}
		msgs = append(msgs, wire.Message{
			Header:  wire.Header{Length: uint32(wire.HeaderLen + len(payload)), Type: h.Type, Flags: h.Flags, Seq: h.Seq, PortID: h.PortID},
			Payload: []byte(payload),
		})
		if w.model.family == netlink.NETLINK_AUDIT && h.Seq == 0 && h.PortID == 0 {
			break // it could look like the head of a record
		}
	}
	return msgs
}

func (w *walk) number() uint32 {
	switch n := w.IntN(10); {
	case n < 6 && len(w.live) > 0:
		c := one(w, w.live...)
		if w.chance(30) {
			return c.call.Seq + c.width() - 1 // the barrier of a batch
		}
		return c.call.Seq + w.Uint32N(c.width())
	case n < 8 && len(w.old) > 0:
		return one(w, w.old...)
	case n < 9:
		return w.Uint32N(4)
	}
	return w.Uint32()
}

// verdict is the payload of an ending.
func (w *walk) verdict() string {
	return one(w, errnoBytes(0), errnoBytes(0), errnoBytes(0), errnoBytes(syscall.EBUSY),
		errnoBytes(syscall.ENOBUFS), errnoBytes(5000), "", "xx")
}
