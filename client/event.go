package client

import "github.com/nlmux/netlink/wire"

// Event is a message that answers no request: a multicast message or an
// unsolicited unicast one. Its bytes stay valid. Consumers of one Conn share them and
// must not modify them; a consumer that is the only one of its group owns them.
//
// An Event whose Header.Type is NLMSG_OVERRUN is a gap: events were lost here. If events
// arrive faster than the Conn reads them, events before the gap may be newer than the
// loss. Events after it are never older. A consumer that keeps a copy of kernel state has
// to dump it again, as the Example Resync of the package does. The Conn makes this event:
// no kernel sends a message of this type (include/uapi/linux/netlink.h only defines it).
//
// The Conn also makes an Event whose Header.Type is NLMSG_NOOP, the marker of
// [Subscription.Sync]. A gap and a marker have no Payload (nil). A message has one that is
// not nil, even if it is empty.
//
// Events of NETLINK_KOBJECT_UEVENT have no netlink header: Header is zero and
// Payload is the text.
type Event struct {
	wire.Message

	// Group is the multicast group that the message was sent to, 0 for a
	// unicast message, for a gap and for a marker.
	Group uint32

	// NSID is the id of the network namespace that the message comes from, as
	// seen from the Conn's namespace, with [WithListenAllNSID]. It is -1 for
	// the Conn's own namespace.
	NSID int32

	// Sender is the port of the process that sent the message, 0 for the kernel.
	// Processes are heard on NETLINK_USERSOCK, and in the group 2 of
	// NETLINK_KOBJECT_UEVENT, where udev announces what it has done with an event. Any
	// process with the privilege to send there can pose as udev.
	Sender uint32

	// Lost is, for a gap, how many events the Conn itself dropped because they
	// were not received in time. It is 0 when only the kernel, which does not
	// count, dropped events, and for every event that is not a gap.
	Lost uint64
}
