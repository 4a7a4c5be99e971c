package demux

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// Origin is what the socket reports about a datagram besides its bytes.
type Origin struct {
	PortID    uint32 // the sender's port, 0 for the kernel
	Group     uint32 // destination group, 0 for unicast; may be 0 if the socket has joined none
	NSID      int32  // namespace id with NETLINK_LISTEN_ALL_NSID, NoNSID without
	Truncated bool   // the datagram did not fit the receive buffer
}

// NoNSID is the NSID of a message from the socket's own namespace.
const NoNSID int32 = -1

// outcome is where a message goes.
type outcome uint8

const (
	// toNone is a message for a call that is gone. It is counted and dropped.
	toNone outcome = iota
	// toCall is a reply.
	toCall
	// toEvents is an event, multicast or unsolicited.
	toEvents
	// toBoth is an event and, as its NLM_F_ECHO copy, a reply.
	toBoth
)

// verdict applies the rule of the package documentation, from point 2 on. It
// returns the call that a reply is for.
func (t *Table) verdict(m *wire.Message, o Origin) (outcome, *Call) {
	h := &m.Header
	call := *t.slotLocked(h.Seq)
	if call != nil && call.Seq != h.Seq {
		call = nil
	}
	if call == nil {
		call = t.batchLocked(h.Seq)
	}
	ours := h.PortID == t.port

	if o.Group != 0 {
		// nlmsg_notify sends the requester the same skb as the group, so an echo keeps
		// its group; a member of the group gets only this copy. With an nsid the port
		// is one of another namespace.
		if call != nil && call.echoes(h.Seq) && ours && o.NSID == NoNSID && !IsEnd(h.Type) {
			if _, joined := t.joined[o.Group]; !joined {
				return toCall, call
			}
			return toBoth, call
		}
		// A notification whose type is NLMSG_DONE (connector) ends nothing.
		return toEvents, nil
	}
	if call != nil && (ours || h.PortID == 0 && t.answersFromZero(call, m)) {
		return toCall, call
	}
	if ours && h.Seq != 0 {
		return toNone, nil
	}
	return toEvents, nil
}

// answersFromZero reports whether m, which has the number of call and nlmsg_pid 0, is a
// reply to it. In some families every reply has nlmsg_pid 0. In generic netlink the
// kernel's own messages have it too, with any number; of these, only a reply has the
// family and the command of the request. ieee802154_nl_fill_phy in
// net/ieee802154/nl-phy.c makes such replies. A record of taskstats (prepare_reply in
// kernel/taskstats.c) has a command that is no request.
func (t *Table) answersFromZero(call *Call, m *wire.Message) bool {
	if t.family == netlink.NETLINK_GENERIC {
		return m.Header.Type == call.Type && len(m.Payload) > 0 && m.Payload[0] == call.Command
	}
	return t.traits.portZero
}

// Deliver routes the messages of datagram b. It copies what goes to a call;
// what goes to the event consumer is handed to event, in order, as messages
// that alias b. It reports whether the datagram held something that could not
// be read: the caller then calls [Table.MarkLost] and reports a gap.
func (t *Table) Deliver(b []byte, o Origin, event func(wire.Message)) (lost bool) {
	if o.Truncated || o.PortID != 0 || o.Group != 0 && t.traits.text || t.traits.records {
		if done, lost := t.deliverOther(b, o, event); done {
			return lost
		}
	}
	for at := b; len(at) > 0; {
		var m wire.Message
		rest, err := m.Decode(at)
		if err != nil {
			return t.unreadable(b, o)
		}
		if IsEnd(m.Header.Type) {
			t.deliverOne(&m, o, event)
		} else {
			rest = t.deliverRun(at, m, rest, o, event)
		}
		at = rest
	}
	// A cut between two messages shows in no message.
	return o.Truncated && t.unreadable(b, o)
}

// deliverOther delivers a datagram that is not messages of the kernel, and reports done
// for it.
func (t *Table) deliverOther(b []byte, o Origin, event func(wire.Message)) (done, lost bool) {
	if o.Truncated {
		t.count.truncated.Add(1)
	}
	if o.PortID != 0 {
		// A process with CAP_NET_ADMIN may send to a group, and to a socket that is not
		// connected, and forge the header, but not the address, which the kernel sets
		// (netlink_sendmsg).
		if !t.traits.peers && (o.Group == 0 || o.Group != t.traits.peerGroup) {
			t.count.foreign.Add(1)
			return true, false
		}
	}
	switch {
	case o.Group != 0 && t.traits.text:
		event(wire.Message{Payload: b})
		return true, o.Truncated
	case o.PortID != 0:
		return true, t.deliverPeer(b, o, event)
	}
	if t.traits.records {
		if m, ok := readRecord(b); ok {
			event(m)
			return true, o.Truncated
		}
	}
	return false, false
}

// deliverPeer gives every message of another process to the event consumer: no
// process answers a request.
func (t *Table) deliverPeer(b []byte, o Origin, event func(wire.Message)) (lost bool) {
	for m, err := range wire.Messages(b) {
		if err != nil {
			if !o.Truncated {
				t.count.malformed.Add(1)
			}
			return true
		}
		event(m)
	}
	return o.Truncated
}

// readRecord reads a record of the audit family. Its nlmsg_len does not count the
// header (audit_log_end in kernel/audit.c); that of replies and multicast copies does.
func readRecord(b []byte) (wire.Message, bool) {
	if len(b) < wire.HeaderLen {
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

// unreadable fails the call that datagram b, which could not be read to its end,
// answers. A datagram holds messages of one answer, and the first of them shows which.
// unreadable reports whether other calls or events may be lost: if b is no answer, or
// if its bytes are complete but malformed.
func (t *Table) unreadable(b []byte, o Origin) (lost bool) {
	damage := ErrTruncated
	if !o.Truncated {
		t.count.malformed.Add(1)
		damage = ErrReplyLost
	}
	if len(b) < wire.HeaderLen {
		return true
	}
	var first wire.Message
	_, _ = first.Decode(b) // the header is enough
	t.mu.Lock()
	defer t.mu.Unlock()
	out, call := t.verdict(&first, o)
	if call != nil {
		call.damage = damage
		if call.wantsOneLocked() {
			t.finishLocked(call, nil)
		}
	}
	return !o.Truncated || out == toEvents || out == toBoth || IsEnd(first.Header.Type)
}

// deliverOne routes a message that may end an answer.
func (t *Table) deliverOne(m *wire.Message, o Origin, event func(wire.Message)) {
	t.mu.Lock()
	out, call := t.verdict(m, o)
	if out == toCall {
		t.endLocked(call, m)
	}
	t.mu.Unlock()
	if out != toCall {
		t.dispatch(out, *m, event)
	}
}

// deliverRun routes m, at the head of b, and the messages at the head of rest with the
// same verdict, and returns the rest after them. The messages of a run are looked up
// and copied once.
func (t *Table) deliverRun(b []byte, m wire.Message, rest []byte, o Origin, event func(wire.Message)) []byte {
	t.mu.Lock()
	out, call := t.verdict(&m, o)
	if call == nil {
		t.mu.Unlock()
		t.dispatch(out, m, event)
		return rest
	}
	count := 1
	var next wire.Message
	// Of port 0, see answersFromZero, the next message may be none of call's.
	for one := call.wantsOneLocked() || m.Header.PortID != t.port; len(rest) > 0 && !one; {
		after, err := next.Decode(rest)
		if err != nil || IsEnd(next.Header.Type) || next.Header.Seq != m.Header.Seq || next.Header.PortID != m.Header.PortID {
			break
		}
		count, rest = count+1, after
	}
	run := b[:len(b)-len(rest)]
	t.dataLocked(call, run, count)
	t.mu.Unlock()
	if out == toBoth {
		for m := range wire.Messages(run) {
			event(m)
		}
	}
	return rest
}

// dispatch handles a message that is kept by no call.
func (t *Table) dispatch(out outcome, m wire.Message, event func(wire.Message)) {
	switch out {
	case toEvents, toBoth:
		event(m)
	case toNone:
		t.count.late.Add(1)
	}
}

// dataLocked gives c a run of count data messages.
func (t *Table) dataLocked(c *Call, run []byte, count int) {
	if c.waiting {
		c.replies.Keep(run, count)
		c.charge += chargeOf(len(run))
	} else {
		t.count.late.Add(uint64(count))
	}
	if c.wantsOneLocked() {
		t.finishLocked(c, nil)
	}
}

// wantsOneLocked reports whether the next data message ends c's answer.
func (c *Call) wantsOneLocked() bool {
	return c.Kind == First || c.Kind == Deferred && c.acked && c.Type != auditListRules
}

// endLocked gives c a message of type NLMSG_ERROR or NLMSG_DONE.
func (t *Table) endLocked(c *Call, m *wire.Message) {
	if !c.waiting {
		t.count.late.Add(1)
	}
	if c.Kind == Batch {
		c.Batch.answer(*m, c.Seq)
		return
	}
	err := c.parseAckLocked(m)
	if err == nil && c.Echo || err != nil && isDropped(err) {
		t.notReportedLocked(c)
	}
	switch {
	case m.Header.Type == netlink.NLMSG_DONE:
		// A DONE without payload is one that a driver writes itself; an acknowledgement
		// follows (team_nl_send_options_get in the team device).
		if c.Kind == Ack && len(m.Payload) == 0 {
			return
		}
	case c.Kind == Deferred && err == nil:
		c.acked = true
		return
	case c.lost && (isDropped(err) || err == nil && c.lacksEcho()):
		err = ErrReplyLost
	}
	t.finishLocked(c, err)
}

// parseAckLocked returns the result that a message of type NLMSG_ERROR or NLMSG_DONE means
// for c.
func (c *Call) parseAckLocked(m *wire.Message) error {
	refusal, err := wire.ParseAck(*m)
	switch {
	case refusal != nil:
		refusal.Request = c.Type
		return refusal
	case err == nil && c.AckInto != nil && c.waiting:
		*c.AckInto, err = wire.DecodeAck(*m)
	}
	return err
}
