package demux

import "github.com/nlmux/netlink"

// Kind says how the kernel ends its answer to a request.
type Kind uint8

const (
	// Ack ends with NLMSG_ERROR, which acknowledges or refuses. Data that comes
	// before it, with NLM_F_MULTI or without, ends nothing.
	Ack Kind = iota
	// Dump ends with NLMSG_DONE, or with NLMSG_ERROR where it could not start.
	// A socket runs one at a time (netlink_dump_start answers -EBUSY).
	Dump
	// First ends with the first reply; no acknowledgement comes.
	First
	// Deferred is acknowledged first and gets its data afterwards: one message,
	// or a list closed by NLMSG_DONE.
	Deferred
	// Silent is never answered; it has happened when the send returns.
	Silent
	// Batch is a transaction of nfnetlink, many messages with many answers; see
	// [Parts]. It ends with the answer to its barrier.
	Batch
)

// Audit requests that a kernel thread answers after the acknowledgement
// (audit_send_reply and audit_list_rules_send in kernel/audit.c and
// kernel/auditfilter.c); numbers of include/uapi/linux/audit.h.
const (
	auditGet        netlink.MessageType = 1000
	auditSignalInfo netlink.MessageType = 1010
	auditListRules  netlink.MessageType = 1013
	auditTTYGet     netlink.MessageType = 1016
	auditGetFeature netlink.MessageType = 1019
)

// KindOf returns how family answers a request of type typ with these flags.
//
// The bits of NLM_F_DUMP mean something else on requests that create
// (NLM_F_REPLACE, NLM_F_EXCL) and delete (NLM_F_NONREC, NLM_F_BULK), so the
// message type decides where the family's types tell.
func KindOf(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) Kind {
	switch family {
	case netlink.NETLINK_FIB_LOOKUP:
		// nl_fib_input in net/ipv4/fib_frontend.c copies the request back.
		return First
	case netlink.NETLINK_CONNECTOR:
		// cn_rx_skb in drivers/connector/connector.c never acknowledges.
		return Silent
	case netlink.NETLINK_AUDIT:
		switch typ {
		case auditGet, auditSignalInfo, auditListRules, auditTTYGet, auditGetFeature:
			return Deferred
		}
		return Ack
	}
	if isDump(family, typ, flags) {
		return Dump
	}
	return Ack
}

func isDump(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) bool {
	dump := flags & netlink.NLM_F_DUMP
	if dump == 0 || typ < netlink.NLMSG_MIN_TYPE {
		return false
	}
	switch family {
	case netlink.NETLINK_ROUTE:
		// A GET with either bit is a dump (rtnetlink_rcv_msg).
		return isRouteGet(typ)
	case netlink.NETLINK_GENERIC:
		// genl_family_rcv_msg in net/netlink/genetlink.c asks for both.
		return dump == netlink.NLM_F_DUMP
	}
	// Elsewhere either bit makes a GET a dump, and NLM_F_CREATE beside one of
	// them tells a create.
	return dump == netlink.NLM_F_DUMP || flags&netlink.NLM_F_CREATE == 0
}

// Shares reports whether requests of type typ may travel in one datagram. The
// kernel works through a datagram in order and in one go (netlink_rcv_skb in
// net/netlink/af_netlink.c), so only those may that do next to nothing, or that
// read, take the same locks and so would wait for each other anyhow.
func Shares(family netlink.Family, typ netlink.MessageType, kind Kind) bool {
	switch {
	case kind != Ack:
		return false
	case typ == netlink.NLMSG_NOOP:
		return true
	}
	return family == netlink.NETLINK_ROUTE && isRouteGet(typ)
}

// isRouteGet reports whether typ is a GET of NETLINK_ROUTE, whose types come in
// fours: NEW DEL GET SET (rtnetlink_rcv_msg in net/core/rtnetlink.c).
func isRouteGet(typ netlink.MessageType) bool {
	return typ >= netlink.NLMSG_MIN_TYPE && (typ-netlink.NLMSG_MIN_TYPE)&3 == 2
}

// answersFromPortZero reports whether family leaves nlmsg_pid 0 in its replies:
// audit_make_reply in kernel/audit.c, ibnl_put_msg in
// drivers/infiniband/core/netlink.c.
func answersFromPortZero(family netlink.Family) bool {
	return family == netlink.NETLINK_AUDIT || family == netlink.NETLINK_RDMA
}

// hasPeers reports whether processes, and not the kernel, speak on family.
func hasPeers(family netlink.Family) bool { return family == netlink.NETLINK_USERSOCK }

// IsText reports whether a datagram that the kernel sends to group (0 for unicast)
// has no netlink header (alloc_uevent_skb in lib/kobject_uevent.c).
func IsText(family netlink.Family, group uint32) bool {
	return family == netlink.NETLINK_KOBJECT_UEVENT && group != 0
}
