package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file go through the first three points of the rule in the
// package documentation.

// Point 1: the sender's address decides, not the header.

func TestMessageOfAProcessIsNoReply(t *testing.T) {
	from := Origin{PortID: other, NSID: NoNSID}
	play(t, netlink.NETLINK_ROUTE,
		ask("ack", Ack),
		ask("first", First),
		// These headers are equal to those of the kernel's answer.
		datagram(from, data("ack", "forged"), refuse("ack", syscall.EPERM)),
		foreign(1),
		datagram(from, data("first", "forged")),
		foreign(1),
		datagram(from, notice(0, "forged event")),
		foreign(1),
		// A multicast message of a process is no event.
		datagram(Origin{PortID: other, Group: 5, NSID: NoNSID}, notice(0, "forged event")),
		foreign(1),
		// The bytes are not read, so no call is damaged.
		raw(from, []byte("short")),
		foreign(1),
		short(4, from, data("ack", "forged")),
		foreign(1),
		kernel(data("ack", "true")),
		kernel(ack("ack")),
		got("ack", nil, "true"),
		kernel(data("first", "true")),
		got("first", nil, "true"),
	)
}

// On USERSOCK processes send messages to each other.
func TestMessagesOfPeersAreEvents(t *testing.T) {
	from := Origin{PortID: other, NSID: NoNSID}
	play(t, netlink.NETLINK_USERSOCK,
		ask("a", Ack),
		datagram(from, notice(0, "hello"), notice(7, "again")),
		event("hello", "again"),
		// Only the kernel answers.
		datagram(from, data("a", "as if"), ack("a")),
		event("as if", errnoBytes(0)+string(make([]byte, wire.HeaderLen))),
		datagram(Origin{PortID: other, Group: 2, NSID: NoNSID}, notice(0, "group")),
		event("group"),
		kernel(ack("a")),
		got("a", nil),
	)
}

func TestMalformedDatagramOfAPeerIsNoLoss(t *testing.T) {
	from := Origin{PortID: other, NSID: NoNSID}
	b := wire.AppendMessage(nil, notice(0, "hello").Message)
	play(t, netlink.NETLINK_USERSOCK,
		raw(from, append(b, "short"...)),
		event("hello"), malformed(1), lost(),
		// A truncated datagram may have lost whole messages.
		truncated(20, from, notice(0, "one"), notice(0, "two")),
		event("one"), lost(),
	)
}

// Point 2: a destination group makes an event.

// A joined socket that adds an address gets the notification before the
// acknowledgement, with the number and the port of the request.
func TestOwnMulticastIsNoReply(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		ask("add", Ack),
		multicast(5, data("add", "address")),
		event("address"),
		kernel(ack("add")),
		got("add", nil),
	)
}

// A family's counter, or another socket, can have our number by chance.
func TestForeignMulticastWithOurNumberIsNoReply(t *testing.T) {
	play(t, netlink.NETLINK_GENERIC,
		join(6),
		openEcho("a", Ack), // so that only the port distinguishes the copy
		sent("a"),
		multicast(6, data("a", "counter").from(0)),
		event("counter"),
		multicast(6, data("a", "another").from(other)),
		event("another"),
		multicast(6, notice(1001+minSlots, "number in the same slot")),
		event("number in the same slot"),
		kernel(ack("a")),
		got("a", nil),
	)
}

// XFRM copies the port from the request of another process.
func TestForgedPortInMulticastIsNoReply(t *testing.T) {
	play(t, netlink.NETLINK_XFRM,
		join(4),
		ask("a", Ack),
		multicast(4, notice(31337, "policy"), data("a", "policy with our number")),
		event("policy", "policy with our number"),
		kernel(ack("a")),
		got("a", nil),
	)
}

// The connector's events are of type NLMSG_DONE, and a team device multicasts one as
// well. They end no call, not even one with NLM_F_ECHO.
func TestMulticastOfTypeDoneEndsNothing(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred, Silent} {
		play(t, netlink.NETLINK_CONNECTOR,
			join(1),
			ask("plain", kind),
			openEcho("echo", kind),
			sent("echo"),
			multicast(1, done("plain", 0), done("echo", 0)),
			event(errnoBytes(0), errnoBytes(0)),
			multicast(1, refuse("plain", syscall.EIO), refuse("echo", syscall.EIO)),
			event(errnoBytes(syscall.EIO), errnoBytes(syscall.EIO)),
			// The same without a membership.
			multicast(2, done("plain", 0), done("echo", 0)),
			event(errnoBytes(0), errnoBytes(0)),
		)
	}
}

// Without a membership the requester's copy of an NLM_F_ECHO notification has its group
// as well, but is no event.
func TestEchoWithoutMembershipIsReplyOnly(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("add", Ack),
		sent("add"),
		multicast(5, data("add", "address")),
		kernel(ack("add")),
		got("add", nil, "address"),
	)
}

// A member gets one copy, which is both.
func TestEchoWithMembershipIsBoth(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		openEcho("add", Ack),
		sent("add"),
		multicast(5, data("add", "address"), data("add", "second")),
		event("address", "second"),
		kernel(ack("add")),
		got("add", nil, "address", "second"),
		// The socket must have joined the group of this message.
		openEcho("other group", Ack),
		sent("other group"),
		multicast(6, data("other group", "route")),
		kernel(ack("other group")),
		got("other group", nil, "route"),
		leave(5),
		openEcho("left", Ack),
		sent("left"),
		multicast(5, data("left", "address")),
		kernel(ack("left")),
		got("left", nil, "address"),
	)
}

// The consumer also receives the event after the request was abandoned.
func TestEchoOfAbandonedRequestIsStillAnEvent(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		openEcho("add", Ack),
		sent("add"),
		abandon("add"),
		multicast(5, data("add", "address")),
		event("address"), late(1),
		kernel(ack("add")),
		gone("add"), late(1),
		multicast(5, notice(1001, "after the end")),
		event("after the end"),
	)
}

// With an nsid the port is one of another namespace, where a socket can have
// our port: the first socket of a process gets its process id in each of them.
func TestEchoFromAnotherNamespaceIsAnEvent(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("add", Ack),
		sent("add"),
		datagram(Origin{Group: 5, NSID: 0}, data("add", "there")),
		event("there"),
		datagram(Origin{Group: 5, NSID: 7}, data("add", "elsewhere")),
		event("elsewhere"),
		kernel(ack("add")),
		got("add", nil),
	)
}

// One datagram of nf_tables holds many messages with different numbers.
func TestOneMulticastOfManyRequests(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		join(7),
		openEcho("mine", Ack),
		sent("mine"),
		ask("quiet", Ack),
		multicast(7,
			notice(3, "a"),
			data("mine", "b"), data("mine", "c").from(other),
			data("quiet", "d"),
			data("mine", "e"),
		),
		event("a", "b", "c", "d", "e"),
		kernel(ack("mine")),
		got("mine", nil, "b", "e"),
	)
}

// Point 3: no group, our port, a number in flight.

func TestRepliesInterleave(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("many", Ack),
		ask("get", Ack),
		kernel(data("many", "1"), data("many", "2")),
		kernel(data("get", "one")),
		kernel(ack("get")),
		got("get", nil, "one"),
		kernel(data("many", "3")),
		// Answers to several requests in one datagram are routed one by one.
		ask("a", Ack),
		ask("b", Ack),
		kernel(data("a", "x"), data("b", "y"), data("a", "z"), ack("b"), ack("a"), ack("many")),
		got("a", nil, "x", "z"),
		got("b", nil, "y"),
		got("many", nil, "1", "2", "3"),
	)
}

// An acknowledgement from port 0 must not end a request either.
func TestAckFromPortZeroEndsNothing(t *testing.T) {
	play(t, netlink.NETLINK_GENERIC,
		ask("a", Ack),
		kernel(refuse("a", syscall.EIO).from(0)),
		event(errnoBytes(syscall.EIO)),
		kernel(ack("a")),
		got("a", nil),
	)
}

// RDMA's kernel part sends requests of its own, counted from 1 and from port 0;
// with a number that is not in flight they are events.
func TestRequestsOfTheKernelAreEvents(t *testing.T) {
	play(t, netlink.NETLINK_RDMA,
		ask("a", Ack),
		kernel(notice(1, "resolve").from(0)),
		event("resolve"),
		kernel(ack("a").from(0)),
		got("a", nil),
	)
}

// A message with another socket's port is no reply, whatever its number.
func TestOtherPortIsNoReply(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		kernel(data("a", "theirs").from(other)),
		event("theirs"),
		kernel(ack("a")),
		got("a", nil),
	)
}
