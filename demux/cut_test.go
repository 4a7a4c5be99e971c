package demux

import (
	"testing"

	"github.com/nlmux/netlink"
)

// The cut can fall between two messages: what is left can be read, and what is
// missing is missing all the same.
func TestTruncatedBetweenMessagesIsALoss(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		truncated(20, Origin{NSID: NoNSID}, data("a", "1"), done("a", 0)),
		lost(),
		overrun(), // what the client does
		drained(),
		got("a", ErrReplyLost, "1"), repliesLost(1),
	)
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		truncated(20, Origin{Group: 5, NSID: NoNSID}, notice(0, "1"), notice(0, "2")),
		event("1"), lost(),
	)
}

// The end of a dump says nothing of a part that could not be read, so who waits is
// told at once. The end still frees its number.
func TestUnreadablePartOfADumpIsALoss(t *testing.T) {
	unicast := Origin{NSID: NoNSID}
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		truncated(20, unicast, data("dump", "1"), data("dump", "2")),
		told("dump", ErrTruncated, "1"), lost(),
		kernel(done("dump", 0)), late(1),
		gone("dump"),
	)
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump), ask("other", Ack),
		short(4, unicast, data("dump", "1"), data("dump", "2")),
		told("dump", ErrReplyLost, "1"), repliesLost(1), malformed(1), lost(),
		kernel(ack("other")),
		got("other", nil),
		kernel(done("dump", 0)), late(1),
		gone("dump"),
	)
	// Of a datagram without a header it can be any one's.
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump), ask("other", Ack),
		truncated(20, unicast, data("dump", "1")),
		told("dump", ErrTruncated), lost(),
		kernel(ack("other"), done("dump", 0)), late(1),
		got("other", nil), gone("dump"),
	)
	// An event or another's reply that cannot be read is none of it.
	play(t, netlink.NETLINK_ROUTE,
		join(5), ask("dump", Dump), ask("other", Ack),
		short(4, Origin{Group: 5, NSID: NoNSID}, notice(0, "1"), notice(0, "2")),
		event("1"), malformed(1), lost(),
		short(4, unicast, data("other", "1"), data("other", "2")),
		malformed(1), lost(),
		kernel(done("dump", 0)),
		got("dump", nil),
		kernel(ack("other")),
		got("other", nil, "1"),
	)
	// What a peer writes into its header is nothing to us.
	play(t, netlink.NETLINK_USERSOCK,
		ask("dump", Dump),
		short(4, Origin{PortID: other, NSID: NoNSID}, data("dump", "1"), data("dump", "2")),
		event("1"), malformed(1), lost(),
		kernel(done("dump", 0)),
		got("dump", nil),
	)
	// Nobody waits.
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump), abandon("dump"),
		short(4, unicast, data("dump", "1"), data("dump", "2")),
		late(1), malformed(1), lost(),
		kernel(done("dump", 0)), late(1),
		gone("dump"),
	)
}

// DONE shares the last datagram of a dump, so it is cut off with the part.
func TestTruncatedDumpIsSettledByTheDrain(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		truncated(22, Origin{NSID: NoNSID}, data("dump", "too big."), done("dump", 0)),
		told("dump", ErrTruncated),
		drained(),
		gone("dump"),
	)
}

// A First has no end to come but the message that was cut, and neither has a
// Deferred that was acknowledged: a drain settles them.
func TestTruncatedFirstIsOver(t *testing.T) {
	play(t, netlink.NETLINK_FIB_LOOKUP,
		ask("first", First),
		truncated(4, Origin{NSID: NoNSID}, data("first", "too big.")),
		told("first", ErrTruncated),
		drained(),
		gone("first"),
	)
	play(t, netlink.NETLINK_AUDIT,
		openTyped("deferred", Deferred, auditGet, false),
		sent("deferred"),
		kernel(ack("deferred")),
		truncated(4, Origin{NSID: NoNSID}, data("deferred", "too big.")),
		told("deferred", ErrTruncated),
		drained(),
		gone("deferred"),
	)
}

// First ends with the first reply, also where a second shares its datagram.
func TestFirstTakesOneReply(t *testing.T) {
	play(t, netlink.NETLINK_FIB_LOOKUP,
		ask("first", First),
		kernel(data("first", "1"), data("first", "2")),
		got("first", nil, "1"), late(1),
	)
}
