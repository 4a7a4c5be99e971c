package demux

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file go through point 4 of the rule in the package documentation,
// unsolicited messages to our port, and through the families with other datagrams.

// nfqueue, nflog, nl80211 frames, ACCT_QUOTA: no group, number 0.
func TestUnsolicitedUnicastIsAnEvent(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		ask("a", Ack),
		kernel(notice(0, "packet").from(0), notice(0, "packet to our port")),
		event("packet", "packet to our port"),
		// taskstats: a counter of its own.
		kernel(notice(3, "exit record").from(0)),
		event("exit record"),
		// An NLMSG_ERROR without a number answers no call either.
		kernel(notice(0, errnoBytes(syscall.EIO)).typed(netlink.NLMSG_ERROR).from(0)),
		event(errnoBytes(syscall.EIO)),
		kernel(ack("a")),
		got("a", nil),
	)
}

func TestLateRepliesAreCounted(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		kernel(data("a", "1"), ack("a")),
		got("a", nil, "1"),
		kernel(data("a", "late"), data("a", "later"), ack("a")),
		late(3),
		kernel(notice(77, "never asked")),
		late(1),
		// Other numbers share the slot of a pending call.
		ask("b", Ack),
		kernel(notice(1002+minSlots, "same slot")),
		late(1),
		kernel(notice(1002+1<<31, "same slot")),
		late(1),
		kernel(ack("b")),
		got("b", nil),
	)
}

// Unsolicited messages of the kernel have number 0. It shares a slot with others.
func TestNumberZeroIsNeverInFlight(t *testing.T) {
	playFrom(t, netlink.NETLINK_ROUTE, minSlots-1,
		ask("slot 0", Ack),
		kernel(notice(0, "unsolicited")),
		event("unsolicited"),
		kernel(notice(0, errnoBytes(0)).typed(netlink.NLMSG_ERROR)),
		event(errnoBytes(0)),
		kernel(ack("slot 0")),
		got("slot 0", nil),
	)
}

// Uevents have no netlink header at all.
func TestUeventIsDeliveredWhole(t *testing.T) {
	play(t, netlink.NETLINK_KOBJECT_UEVENT,
		raw(Origin{Group: 1, NSID: NoNSID}, []byte("add@/devices\x00ACTION=add\x00")),
		event("add@/devices\x00ACTION=add\x00"),
		raw(Origin{Group: 1, NSID: NoNSID, Truncated: true}, []byte("add@/dev")),
		event("add@/dev"), lost(),
		// A unicast datagram is a message.
		ask("a", Ack),
		kernel(ack("a")),
		got("a", nil),
		// udev sends to group 2, from its port. Messages of processes to other groups
		// are dropped.
		raw(Origin{Group: 2, PortID: other, NSID: NoNSID}, []byte("libudev\x00")),
		event("libudev\x00"),
		raw(Origin{Group: 1, PortID: other, NSID: NoNSID}, []byte("forged")),
		foreign(1),
		raw(Origin{PortID: other, NSID: NoNSID}, []byte("forged")),
		foreign(1),
	)
}

// auditRecord is a record as audit_log_end writes it: the length does not count the
// header.
func auditRecord(text string) []byte {
	b := wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: 1300}})
	binary.NativeEndian.PutUint32(b, uint32(len(text)))
	return append(b, text...)
}

func TestAuditRecordIsDeliveredWhole(t *testing.T) {
	alone := Origin{NSID: NoNSID}
	const short, long = "arch", "audit(1700000000.123:45): arch=c000003e"
	play(t, netlink.NETLINK_AUDIT,
		openTyped("status", Deferred, auditGet, false),
		sent("status"),
		raw(alone, auditRecord(short)),
		event(short),
		raw(alone, auditRecord(long)),
		event(long),
		raw(alone, auditRecord("")),
		event(""),
		// Multicast copies and replies of the same family count it.
		multicast(1, notice(0, long).from(0)),
		event(long),
		kernel(notice(0, long).from(0), notice(0, short).from(0)),
		event(long, short),
		kernel(ack("status").from(0)),
		kernel(data("status", "0123456789abcdef").from(0)),
		got("status", nil, "0123456789abcdef"),
		raw(alone, auditRecord(long)[:wire.HeaderLen-1]),
		malformed(1), lost(),
		// More records may be missing after it.
		raw(Origin{NSID: NoNSID, Truncated: true}, auditRecord(long)),
		event(long), lost(),
	)
}

// A length that is 16 bytes short is a record only if the header has neither a
// number nor a port.
func TestShortReplyIsNoAuditRecord(t *testing.T) {
	for _, h := range []wire.Header{
		{Type: 1300, Seq: 1001},
		{Type: 1300, PortID: port},
	} {
		b := wire.AppendMessage(nil, wire.Message{Header: h})
		b = append(b, "record"...)
		binary.NativeEndian.PutUint32(b, uint32(len("record")))
		play(t, netlink.NETLINK_AUDIT,
			openTyped("status", Deferred, auditGet, false),
			sent("status"),
			raw(Origin{NSID: NoNSID}, b),
			malformed(1), lost(),
		)
	}
}

func TestShortLengthIsMalformedElsewhere(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		raw(Origin{NSID: NoNSID}, auditRecord("record")),
		malformed(1), lost(),
	)
}

// The header of a record has the true length. The record aliases the datagram, so the
// consumer copies what it keeps.
func TestAuditRecordHeader(t *testing.T) {
	b := auditRecord("a record of audit")
	var got []wire.Message
	table := New(netlink.NETLINK_AUDIT, port, 1000, plenty, nothingDropped)
	if table.Deliver(b, Origin{NSID: NoNSID}, func(m wire.Message) { got = append(got, m) }) {
		t.Error("lost")
	}
	want := wire.Header{Length: uint32(len(b)), Type: 1300}
	if len(got) != 1 || got[0].Header != want {
		t.Fatalf("got %+v", got)
	}
	b[wire.HeaderLen] = 'A'
	if string(got[0].Payload) != "A record of audit" {
		t.Errorf("got %q", got[0].Payload)
	}
}
