package demux

import (
	"testing"

	"github.com/nlmux/netlink"
)

// The cut can fall between two messages: what is left can be read, and what is
// missing is missing all the same.
func TestTruncatedBetweenMessagesIsALoss(t *testing.T) {
	for _, kind := range []Kind{Ack, Dump} {
		play(t, netlink.NETLINK_ROUTE,
			ask("a", kind),
			truncated(20, Origin{NSID: NoNSID}, data("a", "1"), done("a", 0)),
			lost(),
			overrun(), // what the client does
			drained(),
			got("a", ErrReplyLost, "1"), repliesLost(1),
		)
	}
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		truncated(20, Origin{Group: 5, NSID: NoNSID}, notice(0, "1"), notice(0, "2")),
		event("1"), lost(),
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
