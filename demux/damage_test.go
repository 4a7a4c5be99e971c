package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about datagrams that cannot be read to their end. A
// datagram holds messages of one answer, and the first of them shows which.

var unicast = Origin{NSID: NoNSID}

// damages are three ways in which the last of two messages cannot be read.
var damages = []struct {
	name    string
	deliver func(first, second template) step
	result  error
	count   []step // the counts, and whether other messages may be lost
}{
	{
		"truncated in the middle of a message",
		func(first, second template) step { return truncated(4, unicast, first, second) },
		ErrTruncated, nil,
	},
	{
		"truncated between messages",
		func(first, second template) step {
			second.Payload = make([]byte, 4)
			return truncated(wire.HeaderLen+4, unicast, first, second)
		},
		ErrTruncated, nil,
	},
	{
		"garbage",
		func(first, second template) step { return short(4, unicast, first, second) },
		ErrReplyLost, []step{malformed(1), lost()},
	},
}

// all makes one step of several.
func all(steps ...step) step {
	return func(s *script) {
		s.Helper()
		for _, do := range steps {
			do(s)
		}
	}
}

// countedAs counts a call that ended with this error.
func countedAs(err error) step {
	if err == ErrReplyLost {
		return repliesLost(1)
	}
	return repliesLost(0)
}

// The call fails although its acknowledgement could be read.
func TestDamagedReplyOfAckIsReportedAtItsEnd(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("a", Ack), ask("other", Ack),
				d.deliver(data("a", "1..."), data("a", "2...")),
				all(d.count...),
				kernel(data("a", "3")),
				kernel(ack("a")),
				got("a", d.result, "1...", "3"), countedAs(d.result),
				kernel(ack("other")),
				got("other", nil),
				// The next request of the call is not damaged.
				ask("whole", Ack), kernel(ack("whole")), got("whole", nil),
				reopen("again", "whole", Ack), sent("again"),
				kernel(data("again", "1")), kernel(ack("again")),
				got("again", nil, "1"),
			)
		})
	}
}

// The only message of the datagram can be the unreadable one.
func TestDamagedFirstMessage(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("cut", Ack), ask("garbled", Ack), ask("other", Ack),
		truncated(4, unicast, data("cut", "too big.")),
		kernel(ack("cut")),
		got("cut", ErrTruncated),
		short(4, unicast, data("garbled", "too big.")),
		malformed(1), lost(),
		kernel(ack("garbled")),
		got("garbled", ErrReplyLost), repliesLost(1),
		kernel(ack("other")),
		got("other", nil),
	)
}

// First has no end but the message that was damaged.
func TestDamagedReplyOfFirstEndsIt(t *testing.T) {
	play(t, netlink.NETLINK_FIB_LOOKUP,
		ask("cut", First),
		truncated(4, unicast, data("cut", "too big.")),
		got("cut", ErrTruncated),
		ask("garbled", First),
		short(4, unicast, data("garbled", "too big.")),
		got("garbled", ErrReplyLost), repliesLost(1), malformed(1), lost(),
		ask("left", First),
		abandon("left"),
		truncated(4, unicast, data("left", "too big.")),
		gone("left"),
	)
	// Messages after the reply belong to other calls.
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			play(t, netlink.NETLINK_FIB_LOOKUP,
				ask("whole", First),
				d.deliver(data("whole", "1..."), data("whole", "2...")),
				all(d.count...),
				got("whole", nil, "1..."),
			)
		})
	}
}

// An acknowledged Deferred call gets no other message.
func TestDamagedReplyOfAcknowledgedDeferredEndsIt(t *testing.T) {
	play(t, netlink.NETLINK_AUDIT,
		openTyped("cut", Deferred, auditGet, false), sent("cut"),
		kernel(ack("cut")),
		truncated(4, unicast, data("cut", "too big.").from(0)),
		got("cut", ErrTruncated),
		openTyped("garbled", Deferred, auditGet, false), sent("garbled"),
		kernel(ack("garbled")),
		short(4, unicast, data("garbled", "too big.")),
		got("garbled", ErrReplyLost), repliesLost(1), malformed(1), lost(),
		// Before the acknowledgement it waits for both.
		openTyped("early", Deferred, auditGet, false), sent("early"),
		truncated(4, unicast, data("early", "too big.")),
		kernel(ack("early")),
		kernel(data("early", "1")),
		got("early", ErrTruncated, "1"),
	)
}

// The list of audit rules ends with NLMSG_DONE, which comes in another datagram.
func TestDamagedReplyOfAListIsReportedAtItsEnd(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			play(t, netlink.NETLINK_AUDIT,
				openTyped("list", Deferred, auditListRules, false), sent("list"),
				kernel(ack("list")),
				d.deliver(data("list", "1..."), data("list", "2...")),
				all(d.count...),
				kernel(data("list", "3")),
				kernel(done("list", 0)),
				got("list", d.result, "1...", "3"), countedAs(d.result),
			)
		})
	}
}

// A committed batch lacks a reply. A batch without a known outcome stays unknown.
func TestDamagedReplyOfABatchIsReportedByConclude(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			play(t, netlink.NETLINK_NETFILTER,
				openEchoes("b", true, false), sent("b"),
				d.deliver(data("b", "1...").at(0), data("b", "2...").at(0)),
				all(d.count...),
				kernel(ack("b").at(1)), kernel(ack("b").at(2)),
				conclude("b"),
				got("b", d.result, "1..."), countedAs(d.result),
				openBatch("unanswered", 2), sent("unanswered"),
				d.deliver(data("unanswered", "1...").at(0), data("unanswered", "2...").at(0)),
				all(d.count...),
				conclude("unanswered"),
				got("unanswered", d.result, "1..."), countedAs(d.result),
			)
		})
	}
}

// If no last message comes, Conclude reports the damage.
func TestDamageIsReportedByConclude(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("a", Ack),
				d.deliver(data("a", "1..."), data("a", "2...")),
				all(d.count...),
				conclude("a"),
				got("a", d.result, "1..."), countedAs(d.result),
				ask("left", Ack),
				abandon("left"),
				d.deliver(data("left", "1..."), data("left", "2...")),
				all(d.count...), late(1),
				conclude("left"),
				gone("left"),
			)
		})
	}
}

// RepliesLost counts only the calls that end with ErrReplyLost.
func TestDamageAfterALossIsNotCountedAsALostReply(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack), openEcho("b", Ack), ask("c", Ack),
		truncated(4, unicast, data("a", "too big.")),
		truncated(4, unicast, data("b", "too big.")),
		truncated(4, unicast, data("c", "too big.")),
		overrun(), empty(),
		conclude("a"),
		got("a", ErrTruncated),
		kernel(ack("b")),
		got("b", ErrTruncated),
		kernel(refuse("c", syscall.ENOBUFS)),
		got("c", ErrTruncated),
	)
}

// Fail ends every call with its error, also a damaged one.
func TestDamagedCallFailsWithTheTable(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		truncated(4, unicast, data("a", "too big.")),
		fail(syscall.EBADF),
		func(s *script) {
			s.Helper()
			c := s.call("a")
			if _, err := c.Result(); err != syscall.EBADF {
				s.failf("got error %v, want %v", err, syscall.EBADF)
			}
			s.taken["a"] = true
			s.phases["a"] = over
		},
	)
}

// An echo is a reply, and an event as well if the socket has joined.
func TestDamagedEcho(t *testing.T) {
	group := Origin{Group: 5, NSID: NoNSID}
	play(t, netlink.NETLINK_ROUTE,
		openEcho("apart", Ack), sent("apart"),
		truncated(4, group, data("apart", "too big.")),
		kernel(ack("apart")),
		got("apart", ErrTruncated),
		join(5),
		openEcho("joined", Ack), sent("joined"),
		truncated(4, group, data("joined", "1..."), data("joined", "2...")),
		event("1..."), lost(),
		kernel(ack("joined")),
		got("joined", ErrTruncated, "1..."),
		// Without the flag it is an event and no reply.
		ask("plain", Ack),
		truncated(4, group, data("plain", "too big.")),
		lost(),
		kernel(ack("plain")),
		got("plain", nil),
	)
}

// A truncated event is not delivered; its consumer has a gap there.
func TestDamagedEventIsALoss(t *testing.T) {
	for _, o := range []Origin{unicast, {Group: 5, NSID: NoNSID}} {
		play(t, netlink.NETLINK_ROUTE,
			join(5),
			ask("a", Ack),
			truncated(4, o, notice(0, "1..."), notice(0, "2...")),
			event("1..."), lost(),
			truncated(wire.HeaderLen+4, o, notice(0, "1..."), notice(0, "2...")),
			event("1..."), lost(),
			short(4, o, notice(0, "1..."), notice(0, "2...")),
			event("1..."), malformed(1), lost(),
			kernel(ack("a")),
			got("a", nil),
		)
	}
}

// A truncated NLMSG_ERROR may have been a refusal, and ends no call.
func TestTruncatedEndIsALoss(t *testing.T) {
	for _, end := range []func(string) template{
		ack,
		func(to string) template { return refuse(to, syscall.EPERM) },
		func(to string) template { return done(to, 0) },
	} {
		play(t, netlink.NETLINK_ROUTE,
			ask("a", Ack),
			truncated(4, unicast, end("a")),
			lost(), markLost(),
			conclude("a"),
			got("a", ErrTruncated),
		)
	}
}

// A late reply that cannot be read concerns no call and no event.
func TestDamagedLateReply(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack), kernel(ack("a")), got("a", nil),
		truncated(4, unicast, data("a", "too big.")),
		truncated(wire.HeaderLen+4, unicast, data("a", "1..."), data("a", "2...")),
		late(1),
		// Messages after the malformed one may be lost.
		short(4, unicast, data("a", "too big.")),
		malformed(1), lost(),
	)
}

// An unreadable datagram of a process damages no call.
func TestDamagedMessageOfAPeer(t *testing.T) {
	from := Origin{PortID: other, NSID: NoNSID}
	play(t, netlink.NETLINK_USERSOCK,
		ask("a", Ack),
		short(4, from, data("a", "1..."), data("a", "2...")),
		event("1..."), malformed(1), lost(),
		truncated(wire.HeaderLen+4, from, data("a", "1..."), data("a", "2...")),
		event("1..."), lost(),
		kernel(ack("a")),
		got("a", nil),
	)
}

// Messages after a wrong length cannot be found.
func TestMalformedDatagramIsALoss(t *testing.T) {
	whole := wire.AppendMessage(nil, notice(1001, "1").Message)
	for _, tt := range []struct {
		name string
		tail []byte
	}{
		{"header cut", whole[:wire.HeaderLen-1]},
		{"length 0", make([]byte, 2*wire.HeaderLen)},
		{"length goes beyond", whole[:wire.HeaderLen]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("a", Ack), ask("other", Ack),
				raw(unicast, append(whole[:len(whole):len(whole)], tt.tail...)),
				malformed(1), lost(),
				kernel(ack("a")),
				got("a", ErrReplyLost, "1"), repliesLost(1),
				raw(unicast, tt.tail),
				malformed(1), lost(),
				kernel(ack("other")),
				got("other", nil),
			)
		})
	}
	// An empty datagram holds no message that is lost.
	play(t, netlink.NETLINK_ROUTE, raw(unicast, nil))
}

// A datagram without a header can belong to any call.
func TestDatagramCutInItsHeaderIsALoss(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		truncated(wire.HeaderLen, unicast, data("a", "1234")),
		lost(), markLost(),
		truncated(8, unicast, data("a", "")),
		lost(), markLost(),
		// No byte is left.
		truncated(20, unicast, data("a", "1234")),
		lost(), markLost(),
		kernel(ack("a")),
		got("a", nil),
	)
}
