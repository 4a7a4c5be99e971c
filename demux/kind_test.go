package demux

import (
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The bits of a dump mean something else to requests that create or delete, so
// the family's types decide where they tell.
func TestKindOf(t *testing.T) {
	const (
		root    = netlink.NLM_F_ROOT
		match   = netlink.NLM_F_MATCH
		dump    = netlink.NLM_F_DUMP
		create  = netlink.NLM_F_CREATE
		replace = netlink.NLM_F_REPLACE
		excl    = netlink.NLM_F_EXCL
		bulk    = netlink.NLM_F_BULK
		ackEcho = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_ECHO
	)
	for _, tt := range []struct {
		name   string
		family netlink.Family
		typ    netlink.MessageType
		flags  netlink.Flags
		want   Kind
	}{
		// RTM_NEWLINK is 16, RTM_DELLINK 17, RTM_GETLINK 18, RTM_SETLINK 19, and
		// so on in fours.
		{"get one link", netlink.NETLINK_ROUTE, 18, 0, Ack},
		{"get one link with flags", netlink.NETLINK_ROUTE, 18, ackEcho, Ack},
		{"dump links", netlink.NETLINK_ROUTE, 18, dump, Dump},
		{"dump links by one bit", netlink.NETLINK_ROUTE, 18, root, Dump},
		{"dump links by the other bit", netlink.NETLINK_ROUTE, 18, match, Dump},
		{"dump routes", netlink.NETLINK_ROUTE, 26, dump, Dump},
		{"dump of the last group", netlink.NETLINK_ROUTE, 122, dump, Dump},
		{"new link, replaced", netlink.NETLINK_ROUTE, 16, create | replace | excl, Ack},
		{"new link without create", netlink.NETLINK_ROUTE, 16, replace, Ack},
		{"delete neighbours in bulk", netlink.NETLINK_ROUTE, 29, bulk, Ack},
		{"set link", netlink.NETLINK_ROUTE, 19, dump, Ack},
		{"noop", netlink.NETLINK_ROUTE, netlink.NLMSG_NOOP, dump, Ack},
		// 2 would be a GET if the fours began at 0.
		{"control type", netlink.NETLINK_ROUTE, 2, dump, Ack},

		{"ask for a family", netlink.NETLINK_GENERIC, 16, 0, Ack},
		{"dump families", netlink.NETLINK_GENERIC, 16, dump, Dump},
		{"dump needs both bits", netlink.NETLINK_GENERIC, 16, root, Ack},
		{"dump needs both bits, also this", netlink.NETLINK_GENERIC, 16, match, Ack},
		{"dump of a dynamic family", netlink.NETLINK_GENERIC, 33, dump | netlink.NLM_F_ACK, Dump},

		{"new table", netlink.NETLINK_NETFILTER, 0xa00, create, Ack},
		{"new table, exclusive", netlink.NETLINK_NETFILTER, 0xa00, create | excl, Ack},
		{"get tables", netlink.NETLINK_NETFILTER, 0xa01, dump, Dump},
		{"get tables by one bit", netlink.NETLINK_NETFILTER, 0xa01, match, Dump},
		{"get one table", netlink.NETLINK_NETFILTER, 0xa01, 0, Ack},
		{"get flows", netlink.NETLINK_NETFILTER, 0x101, dump, Dump},

		{"sockets", netlink.NETLINK_SOCK_DIAG, 20, dump, Dump},
		{"one socket", netlink.NETLINK_SOCK_DIAG, 20, 0, Ack},
		{"states", netlink.NETLINK_XFRM, 18, dump, Dump},
		{"algorithms", netlink.NETLINK_CRYPTO, 19, dump, Dump},
		{"devices", netlink.NETLINK_RDMA, 0x1401, dump, Dump},
		{"noop elsewhere", netlink.NETLINK_XFRM, netlink.NLMSG_NOOP, dump, Ack},
		{"largest control type", netlink.NETLINK_SOCK_DIAG, 15, dump, Ack},

		{"look-up", netlink.NETLINK_FIB_LOOKUP, 0, 0, First},
		{"look-up with any flags", netlink.NETLINK_FIB_LOOKUP, 20, dump, First},
		{"listen to processes", netlink.NETLINK_CONNECTOR, netlink.NLMSG_DONE, 0, Silent},
		{"connector with any flags", netlink.NETLINK_CONNECTOR, 20, dump | netlink.NLM_F_ACK, Silent},

		{"status", netlink.NETLINK_AUDIT, 1000, 0, Deferred},
		{"set status", netlink.NETLINK_AUDIT, 1001, 0, Ack},
		{"user message", netlink.NETLINK_AUDIT, 1005, 0, Ack},
		{"signal", netlink.NETLINK_AUDIT, 1010, 0, Deferred},
		{"add rule", netlink.NETLINK_AUDIT, 1011, create | excl, Ack},
		{"delete rule", netlink.NETLINK_AUDIT, 1012, 0, Ack},
		{"rules", netlink.NETLINK_AUDIT, 1013, dump, Deferred},
		{"tty", netlink.NETLINK_AUDIT, 1016, 0, Deferred},
		{"set tty", netlink.NETLINK_AUDIT, 1017, 0, Ack},
		{"set feature", netlink.NETLINK_AUDIT, 1018, 0, Ack},
		{"feature", netlink.NETLINK_AUDIT, 1019, 0, Deferred},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := KindOf(tt.family, tt.typ, tt.flags); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// Whoever has but one request in flight needs no table, and the same rule.
func TestIsReply(t *testing.T) {
	const ours = 1001
	for _, tt := range []struct {
		name   string
		family netlink.Family
		header wire.Header
		group  uint32
		want   bool
	}{
		{"ours", netlink.NETLINK_ROUTE, wire.Header{Seq: ours, PortID: port}, 0, true},
		{"other number", netlink.NETLINK_ROUTE, wire.Header{Seq: ours + 1, PortID: port}, 0, false},
		{"other port", netlink.NETLINK_ROUTE, wire.Header{Seq: ours, PortID: other}, 0, false},
		{"no port", netlink.NETLINK_ROUTE, wire.Header{Seq: ours}, 0, false},
		{"no port in audit", netlink.NETLINK_AUDIT, wire.Header{Seq: ours}, 0, true},
		{"no port and no number", netlink.NETLINK_AUDIT, wire.Header{}, 0, false},
		{"multicast", netlink.NETLINK_ROUTE, wire.Header{Seq: ours, PortID: port}, 33, false},
		{"multicast in audit", netlink.NETLINK_AUDIT, wire.Header{Seq: ours}, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsReply(tt.family, port, ours, tt.header, tt.group); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
