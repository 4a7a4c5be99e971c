package demux

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Origin is what the socket tells of a datagram besides its bytes.
type Origin struct {
	PortID    uint32 // the sender's port, 0 for the kernel
	Group     uint32 // destination group from NETLINK_PKTINFO, 0 for unicast
	NSID      int32  // namespace id with NETLINK_LISTEN_ALL_NSID, NoNSID without
	Truncated bool   // the datagram did not fit the receive buffer
}

// NoNSID is the NSID of a message from the socket's own namespace.
const NoNSID int32 = -1

// outcome says whom a message is for.
type outcome uint8

const (
	// toNobody is for nobody: the late answer to a call that is gone.
	toNobody outcome = iota
	// toCall is a reply.
	toCall
	// toEvents is an event, also when it was sent to our port alone.
	toEvents
	// toBoth is an event and, as its NLM_F_ECHO copy, a reply.
	toBoth
)

// verdict is the rule of the package documentation, from point 2 on. It returns
// the call that a reply is for.
func (t *Table) verdict(h wire.Header, o Origin) (outcome, *Call) {
	call := *t.slotLocked(h.Seq)
	if call != nil && call.Seq != h.Seq {
		call = nil
	}
	if call == nil {
		call = t.batchLocked(h.Seq)
	}
	ours := h.PortID == t.port

	if o.Group != 0 {
		// nlmsg_notify sends the requester the same skb that the group got, so
		// an echo keeps its group; a socket that has joined gets this one copy
		// only. With an nsid the port is one of another namespace.
		if call != nil && call.echoes(h.Seq) && ours && o.NSID == NoNSID && !IsEnd(h.Type) {
			if _, joined := t.joined[o.Group]; !joined {
				return toCall, call
			}
			return toBoth, call
		}
		// A notification whose type is NLMSG_DONE (connector) ends nothing.
		return toEvents, nil
	}
	if call != nil && IsReply(t.family, t.port, h.Seq, h, o.Group) {
		return toCall, call
	}
	if ours && h.Seq != 0 {
		return toNobody, nil
	}
	return toEvents, nil
}

// IsReply reports whether a message with header h, which the kernel sent to
// group (0 for unicast), answers the request seq that was sent from port: point
// 3 of the rule.
func IsReply(family netlink.Family, port, seq uint32, h wire.Header, group uint32) bool {
	return group == 0 && h.Seq == seq &&
		(h.PortID == port || h.PortID == 0 && answersFromPortZero(family))
}

// IsEnd reports whether a message of type typ can be the last of an answer.
func IsEnd(typ netlink.MessageType) bool {
	return typ == netlink.NLMSG_ERROR || typ == netlink.NLMSG_DONE
}

// Deliver routes the messages of datagram b. It copies what goes to a call;
// what goes to the event consumer is handed to event, in order, as messages
// that alias b. It reports lost when the datagram held something that could not
// be read: the caller treats that like a loss in the kernel.
func (t *Table) Deliver(b []byte, o Origin, event func(wire.Message)) (lost bool) {
	lost = t.deliver(b, o, event)
	if lost && o.PortID == 0 && o.Group == 0 {
		t.spoil(b, o)
	}
	return lost
}

func (t *Table) deliver(b []byte, o Origin, event func(wire.Message)) (lost bool) {
	if o.Truncated {
		t.count.truncated.Add(1)
	}
	if o.PortID != 0 {
		// Anyone with CAP_NET_ADMIN may send to our port, and the header says
		// what he likes; the sender's address does not lie (netlink_sendmsg).
		if !hasPeers(t.family) {
			t.count.foreign.Add(1)
			return false
		}
		return t.deliverPeer(b, o, event)
	}
	if IsText(t.family, o.Group) {
		event(wire.Message{Payload: b})
		return o.Truncated
	}
	if m, ok := t.auditRecord(b); ok {
		event(m)
		return o.Truncated
	}
	for len(b) > 0 {
		var m wire.Message
		rest, err := m.Decode(b)
		if err != nil {
			return t.malformed(m, o)
		}
		if IsEnd(m.Header.Type) {
			t.deliverOne(m, o, event)
		} else {
			rest = t.deliverRun(b, m, rest, o, event)
		}
		b = rest
	}
	// A cut between two messages shows in no message.
	return o.Truncated
}

// deliverPeer gives every message of another process to the event consumer: a
// peer can be a correspondent, never the one who answers.
func (t *Table) deliverPeer(b []byte, o Origin, event func(wire.Message)) (lost bool) {
	for m, err := range wire.Messages(b) {
		if err != nil {
			t.count.malformed.Add(1)
			return true
		}
		event(m)
	}
	return o.Truncated
}

// auditRecord reads a record of the audit family, whose nlmsg_len leaves out
// the header (audit_log_end in kernel/audit.c). Replies and multicast copies
// have it right.
func (t *Table) auditRecord(b []byte) (wire.Message, bool) {
	if t.family != netlink.NETLINK_AUDIT || len(b) < wire.HeaderLen {
		return wire.Message{}, false
	}
	var m wire.Message
	_, _ = m.Decode(b) // the header is enough
	h := m.Header
	if h.Seq != 0 || h.PortID != 0 || int64(h.Length)+wire.HeaderLen != int64(len(b)) {
		return wire.Message{}, false
	}
	m.Header.Length = uint32(len(b))
	m.Payload = b[wire.HeaderLen:]
	return m, true
}

// malformed ends the datagram at a message that cannot be read to its end.
// Where its header tells whose it was, and that the buffer was too small, that
// call alone is told.
func (t *Table) malformed(m wire.Message, o Origin) (lost bool) {
	if !o.Truncated || m.Header.Length == 0 {
		t.count.malformed.Add(1)
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out, call := t.verdict(m.Header, o)
	if out == toEvents || out == toBoth || IsEnd(m.Header.Type) {
		return true
	}
	if call != nil {
		call.tellLocked(ErrTruncated)
		if call.Kind != Ack {
			// Its end may have been cut off: the empty queue will tell. An
			// acknowledgement is a datagram of its own.
			call.acked = false // nothing more is sure to come
			call.doubtLocked()
			t.lossy.Store(true)
		}
	}
	return false
}

// spoil tells the dump that a datagram is part of, if it is of one, that it could
// not be read to its end: the end of the dump will not tell. A datagram holds the
// messages of one dump or none.
func (t *Table) spoil(b []byte, o Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(b) < wire.HeaderLen {
		// Not even whose it is.
		for c := range t.callsLocked() {
			t.spoilLocked(c, o)
		}
		return
	}
	var first wire.Message
	_, _ = first.Decode(b) // the header is enough
	if _, c := t.verdict(first.Header, o); c != nil {
		t.spoilLocked(c, o)
	}
}

func (t *Table) spoilLocked(c *Call, o Origin) {
	switch {
	case c.Kind != Dump || !c.waiting:
	case o.Truncated:
		c.tellLocked(ErrTruncated)
	default:
		t.count.repliesLost.Add(1)
		c.tellLocked(ErrReplyLost)
	}
}

// deliverOne routes a message that may end an answer.
func (t *Table) deliverOne(m wire.Message, o Origin, event func(wire.Message)) {
	t.mu.Lock()
	out, call := t.verdict(m.Header, o)
	if m.Header.Type == netlink.NLMSG_DONE && out != toEvents {
		// A socket runs one dump at a time: none runs on behind this.
		t.tail.Store(false)
	}
	freed, kind := false, Kind(0)
	if out == toCall {
		kind = call.Kind
		freed = t.endLocked(call, m)
	}
	t.mu.Unlock()
	if freed {
		t.release(kind)
	}
	t.tell(out, m, event)
}

// deliverRun routes m, at the head of b, and those messages at the head of rest
// that share its verdict, and returns what follows them. A datagram of a dump is
// one run, looked up and copied once.
func (t *Table) deliverRun(b []byte, m wire.Message, rest []byte, o Origin, event func(wire.Message)) []byte {
	t.mu.Lock()
	out, call := t.verdict(m.Header, o)
	if call == nil {
		t.mu.Unlock()
		t.tell(out, m, event)
		return rest
	}
	count, flags := 1, m.Header.Flags
	var next wire.Message
	for one := call.wantsOneLocked(); len(rest) > 0 && !one; {
		after, err := next.Decode(rest)
		if err != nil || IsEnd(next.Header.Type) || next.Header.Seq != m.Header.Seq || next.Header.PortID != m.Header.PortID {
			break
		}
		count, flags, rest = count+1, flags|next.Header.Flags, after
	}
	run := b[:len(b)-len(rest)]
	kind := call.Kind
	freed := t.dataLocked(call, run, count, flags)
	t.mu.Unlock()
	if freed {
		t.release(kind)
	}
	if out == toBoth {
		for m := range wire.Messages(run) {
			event(m)
		}
	}
	return rest
}

// tell reports a message that no call keeps.
func (t *Table) tell(out outcome, m wire.Message, event func(wire.Message)) {
	switch out {
	case toEvents, toBoth:
		event(m)
	case toNobody:
		t.count.late.Add(1)
	}
}

// dataLocked takes a run of so many data messages for c and reports whether c is
// done.
func (t *Table) dataLocked(c *Call, run []byte, count int, flags netlink.Flags) (freed bool) {
	if c.waiting {
		c.replies.keep(run, count)
		c.interrupted = c.interrupted || flags&netlink.NLM_F_DUMP_INTR != 0
	} else {
		t.count.late.Add(uint64(count))
	}
	return c.wantsOneLocked() && t.finishLocked(c, nil)
}

// wantsOneLocked reports whether the next data message is the end of c's answer.
func (c *Call) wantsOneLocked() bool {
	return c.Kind == First || c.Kind == Deferred && c.acked && c.Type != auditListRules
}

// endLocked takes a message of type NLMSG_ERROR or NLMSG_DONE for c and reports
// whether c is done.
func (t *Table) endLocked(c *Call, m wire.Message) (freed bool) {
	if c.Kind == Batch {
		return t.answerLocked(c, m)
	}
	if c.waiting {
		c.interrupted = c.interrupted || m.Header.Flags&netlink.NLM_F_DUMP_INTR != 0
	} else {
		t.count.late.Add(1)
	}
	kerr, err := wire.ParseAck(m)
	if err == nil && kerr != nil {
		kerr.Request = c.Type
		err = kerr
	}
	switch {
	case m.Header.Type == netlink.NLMSG_DONE:
		// The kernel ends a dump with DONE and an int, and acknowledges no dump
		// (netlink_dump_done). A DONE without the int is written by hand: after
		// it a team device still acknowledges (team_nl_send_options_get).
		if c.Kind == Ack && len(m.Payload) == 0 {
			return false
		}
	case c.Kind == Deferred && err == nil:
		c.acked = true
		return false
	case c.Kind == Dump && err != nil && isNoRoom(err):
		// Not final yet: see isNoRoom.
		c.doubt = suspect
		t.lossy.Store(true)
		return false
	case c.Kind == Ack && c.doubt != certain && (isDropped(err) || err == nil && c.lacksEcho()):
		if c.waiting {
			t.count.repliesLost.Add(1)
		}
		err = ErrReplyLost
	}
	return t.finishLocked(c, err)
}

// lacksEcho reports whether something may be missing of what NLM_F_ECHO asked for.
// What the kernel drops of an echo does not show in the acknowledgement
// (nlmsg_notify's error is not looked at), and how many echoes there are, two or
// more for a pair of links, cannot be known. An acknowledgement that was queued
// before the loss was seen stands behind all of them.
func (c *Call) lacksEcho() bool { return c.Echo && (c.replies.count == 0 || c.overlapped) }

// finishLocked ends c with err: the kernel has said its last word.
func (t *Table) finishLocked(c *Call, err error) (freed bool) {
	removed := t.removeLocked(c)
	c.tellLocked(err)
	return removed
}
