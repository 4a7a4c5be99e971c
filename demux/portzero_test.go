package demux

import (
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about replies of NETLINK_GENERIC with nlmsg_pid 0.

// Types and commands of the tests. The kernel gives types to families at run time.
const (
	wpan      netlink.MessageType = 35 // 802.15.4 MAC
	taskstats netlink.MessageType = 27

	listPhy   = 15 // IEEE802154_LIST_PHY, in the request and in the reply
	listIface = 16 // IEEE802154_LIST_IFACE

	taskstatsGet = 1 // TASKSTATS_CMD_GET
	taskstatsNew = 2 // TASKSTATS_CMD_NEW
)

// generic is the payload of a message of NETLINK_GENERIC: struct genlmsghdr and
// text.
func generic(command uint8, text string) string {
	return string([]byte{command, 1, 0, 0}) + text
}

// ieee802154_nl_fill_phy makes the reply with nlmsg_pid 0, and netlink_ack the
// acknowledgement with our port.
func TestReplyOf802154WithPortZeroIsAReply(t *testing.T) {
	phy := generic(listPhy, "phy0")
	play(t, netlink.NETLINK_GENERIC,
		openCommand("phy", wpan, listPhy), sent("phy"),
		kernel(data("phy", phy).typed(wpan).from(0)),
		kernel(ack("phy")),
		got("phy", nil, phy),
		openCommand("several", wpan, listPhy), sent("several"),
		kernel(data("several", phy).typed(wpan).from(0), data("several", phy).typed(wpan).from(0)),
		kernel(ack("several")),
		got("several", nil, phy, phy),
	)
}

// Exit records of taskstats are unicast, have nlmsg_pid 0, and count from 1.
func TestTaskstatsRecordWithANumberInFlightIsAnEvent(t *testing.T) {
	record := generic(taskstatsNew, "record")
	play(t, netlink.NETLINK_GENERIC,
		openCommand("phy", wpan, listPhy), sent("phy"),
		kernel(data("phy", record).typed(taskstats).from(0)),
		event(record),
		kernel(ack("phy")),
		got("phy", nil),
		// A request to taskstats has another command than the record.
		openCommand("stats", taskstats, taskstatsGet), sent("stats"),
		kernel(data("stats", record).typed(taskstats).from(0)),
		event(record),
		// Its reply has our port.
		kernel(data("stats", record).typed(taskstats)),
		kernel(ack("stats")),
		got("stats", nil, record),
	)
}

// One difference is enough to make it an event.
func TestPortZeroNeedsTypeAndCommandOfTheRequest(t *testing.T) {
	for _, tt := range []struct {
		name    string
		typ     netlink.MessageType
		payload string
	}{
		{"other type", wpan + 1, generic(listPhy, "x")},
		{"other command", wpan, generic(listIface, "x")},
		{"no command", wpan, ""},
		{"acknowledgement", netlink.NLMSG_ERROR, errnoBytes(0)},
		{"refusal whose first byte is the command", netlink.NLMSG_ERROR, codeBytes(-1<<8 | listPhy)},
		{"done", netlink.NLMSG_DONE, generic(listPhy, "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_GENERIC,
				openCommand("phy", wpan, listPhy), sent("phy"),
				kernel(data("phy", tt.payload).typed(tt.typ).from(0)),
				event(tt.payload),
				kernel(ack("phy")),
				got("phy", nil),
			)
		})
	}
}

// Type and command do not replace the number.
func TestPortZeroNeedsTheNumberOfTheRequest(t *testing.T) {
	phy := generic(listPhy, "phy0")
	play(t, netlink.NETLINK_GENERIC,
		openCommand("phy", wpan, listPhy), sent("phy"),
		kernel(notice(0, phy).typed(wpan).from(0)),
		event(phy),
		kernel(notice(1001+minSlots, phy).typed(wpan).from(0)),
		event(phy),
		// A message with a third port is no reply either.
		kernel(data("phy", phy).typed(wpan).from(other)),
		event(phy),
		kernel(ack("phy")),
		got("phy", nil),
	)
}

// Type and command count for NETLINK_GENERIC only. In another family a message with
// nlmsg_pid 0 is no reply.
func TestTypeAndCommandCountForGenericOnly(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_ROUTE, netlink.NETLINK_NETFILTER, netlink.NETLINK_XFRM} {
		play(t, family,
			openCommand("a", wpan, listPhy), sent("a"),
			kernel(data("a", generic(listPhy, "x")).typed(wpan).from(0)),
			event(generic(listPhy, "x")),
			kernel(ack("a")),
			got("a", nil),
		)
	}
}

// Each message has a verdict of its own, also where several in a row have the same
// number and port.
func TestEachMessageFromPortZeroHasItsOwnVerdict(t *testing.T) {
	phy, record := generic(listPhy, "phy0"), generic(taskstatsNew, "record")
	play(t, netlink.NETLINK_GENERIC,
		openCommand("phy", wpan, listPhy), sent("phy"),
		kernel(
			data("phy", phy).typed(wpan).from(0),
			data("phy", record).typed(taskstats).from(0),
			data("phy", phy).typed(wpan).from(0),
		),
		event(record),
		kernel(ack("phy")),
		got("phy", nil, phy, phy),
	)
}

// The header of a truncated message shows which call it answers.
func TestTruncatedReplyFromPortZeroDamagesItsCall(t *testing.T) {
	unicast := Origin{NSID: NoNSID}
	play(t, netlink.NETLINK_GENERIC,
		openCommand("phy", wpan, listPhy), sent("phy"),
		truncated(4, unicast, data("phy", generic(listPhy, "too big.")).typed(wpan).from(0)),
		kernel(ack("phy")),
		got("phy", ErrTruncated),
		// A truncated record is a lost event.
		openCommand("other", wpan, listPhy), sent("other"),
		truncated(4, unicast, data("other", generic(taskstatsNew, "too big.")).typed(taskstats).from(0)),
		lost(),
		kernel(ack("other")),
		got("other", nil),
	)
}
