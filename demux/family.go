package demux

import (
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
)

// Kind says how the kernel ends its answer to a request that is not a dump.
type Kind uint8

const (
	// Ack ends with NLMSG_ERROR, which acknowledges or refuses. Data that comes
	// before it, with NLM_F_MULTI or without, ends nothing.
	Ack Kind = iota
	// First ends with the first reply; no acknowledgement comes.
	First
	// Deferred is acknowledged first. Its data comes later, from a thread
	// of the kernel: one message, or a list that NLMSG_DONE ends.
	Deferred
	// Silent is never answered; it ends when the send returns.
	Silent
	// Batch is a transaction of nfnetlink, many messages with many answers; see
	// [BatchState].
	Batch
)

// traits describes how a family differs from others. The zero value is for an unknown
// family: the kernel answers every request before the send returns, ends each answer
// with NLMSG_ERROR, and may answer only the first message of a datagram.
type traits struct {
	kind Kind // of every request, unless kinds has its type

	kinds map[netlink.MessageType]Kind

	// minType is the lowest type of a request, NLMSG_MIN_TYPE if 0.
	minType netlink.MessageType
	// otherType is a type below minType that is a request as well.
	otherType netlink.MessageType
	// minPayload is the size in bytes of the shortest payload that the kernel does
	// not drop without an answer.
	minPayload int

	// noNoop: the kernel does not acknowledge NLMSG_NOOP.
	noNoop bool
	// sequential: the kernel answers every message of a datagram, because
	// netlink_rcv_skb takes the datagram apart.
	sequential bool
	// shares reports whether requests of this type may share a datagram, if sequential; nil:
	// none may.
	shares func(netlink.MessageType) bool
	// portZero: replies have nlmsg_pid 0.
	portZero bool
	// peers: processes, not the kernel, talk to each other here.
	peers bool
	// peerGroup is the one group whose messages from processes are delivered, 0 for none.
	peerGroup uint32
	// quiet: the kernel sends no event to a socket alone.
	quiet bool
	// text: what is sent to a group has no netlink header.
	text bool

	// records: what the kernel sends to a group or unasked may have the header of a record of
	// audit, see readRecord.
	records bool

	// dumps reports whether a request may be a dump; nil: it may be if a bit of
	// NLM_F_DUMP is set.
	dumps func(netlink.MessageType, netlink.Flags) bool
	// reads reports whether a dump of this type changes nothing; nil: not known.
	reads func(netlink.MessageType) bool
	// asks reports whether a request of this type that is not a dump changes nothing;
	// nil: not known.
	asks func(netlink.MessageType) bool
}

// families has the traits by family. It is the only place in this module that knows
// them.
var families = [...]traits{
	netlink.NETLINK_ROUTE: {
		sequential: true, quiet: true,
		// A GET with either bit is a dump (rtnetlink_rcv_msg in
		// net/core/rtnetlink.c). On a NEW they are NLM_F_REPLACE and NLM_F_EXCL, on
		// a DEL they are NLM_F_NONREC and NLM_F_BULK.
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			return isRouteGet(typ) && flags&netlink.NLM_F_DUMP != 0
		},
		reads:  always,
		asks:   isRouteGet,
		shares: isRouteGet,
	},
	netlink.NETLINK_GENERIC: {
		sequential: true,
		// genl_family_rcv_msg in net/netlink/genetlink.c asks for both bits.
		dumps: func(_ netlink.MessageType, flags netlink.Flags) bool {
			return flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP
		},
		// The only dumps that are ever marked as interrupted are lists of objects (the
		// callers of genl_dump_check_consistent).
		reads: always,
		asks:  func(typ netlink.MessageType) bool { return typ == genlCtrl },
	},
	netlink.NETLINK_SOCK_DIAG: {
		sequential: true, quiet: true,
		// SOCK_DESTROY changes (sock_diag_rcv_msg in net/core/sock_diag.c).
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			return typ != sockDestroy && flags&netlink.NLM_F_DUMP != 0
		},
		reads: always,
		asks:  func(typ netlink.MessageType) bool { return typ == sockDiagByFamily },
	},
	netlink.NETLINK_XFRM: {
		sequential: true, quiet: true,
		// xfrm_user_rcv_msg in net/xfrm/xfrm_user.c.
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			return isXfrmGet(typ) && flags&netlink.NLM_F_DUMP != 0
		},
		reads: always,
		asks:  isXfrmGet,
	},
	netlink.NETLINK_CRYPTO: {
		sequential: true, quiet: true,
		// crypto_user_rcv_msg in crypto/crypto_user.c.
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			return typ == cryptoGetAlg && flags&netlink.NLM_F_DUMP != 0
		},
		reads: always,
	},
	netlink.NETLINK_NETFILTER: {
		// Not sequential: nfnetlink_rcv in net/netfilter/nfnetlink.c answers the
		// first message only if the sender lacks CAP_NET_ADMIN.
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			get, ok := netfilterGets[typ]
			return ok && (get.always || flags&netlink.NLM_F_DUMP != 0)
		},
		reads: isNetfilterRead,
		asks:  isNetfilterRead,
	},
	netlink.NETLINK_RDMA: {
		portZero: true, // ibnl_put_msg in drivers/infiniband/core/netlink.c
		// rdma_nl_rcv_msg in the same file: every message of RDMA_NL_IWCM is a
		// dump, and the bits mean something else in the answers of RDMA_NL_LS.
		dumps: func(typ netlink.MessageType, flags netlink.Flags) bool {
			switch typ >> rdmaClientShift {
			case rdmaIWCM:
				return true
			case rdmaLS:
				return false
			}
			return flags&netlink.NLM_F_DUMP != 0
		},
	},
	netlink.NETLINK_AUDIT: {
		portZero: true, // audit_make_reply in kernel/audit.c
		records:  true,
		// A kernel thread sends these replies, after the acknowledgement
		// (audit_send_reply in kernel/audit.c, audit_list_rules_send in
		// kernel/auditfilter.c).
		kinds: map[netlink.MessageType]Kind{
			auditGet: Deferred, auditSignalInfo: Deferred, auditListRules: Deferred,
			auditTTYGet: Deferred, auditGetFeature: Deferred,
		},
		dumps: never,
	},
	netlink.NETLINK_FIB_LOOKUP: {
		// nl_fib_input in net/ipv4/fib_frontend.c sends the request back.
		kind: First, noNoop: true, quiet: true, dumps: never,
	},
	netlink.NETLINK_CONNECTOR: {
		// cn_rx_skb in drivers/connector/connector.c acknowledges nothing and does
		// not look at the type, which is NLMSG_DONE by custom.
		kind: Silent, otherType: netlink.NLMSG_DONE, noNoop: true, dumps: never,
	},
	netlink.NETLINK_ISCSI: {
		// iscsi_if_rx in drivers/scsi/scsi_transport_iscsi.c answers with a message
		// that has no number, an event. Its types begin with ISCSI_UEVENT_BASE.
		kind: Silent, minType: 10, noNoop: true, dumps: never,
	},
	netlink.NETLINK_SCSITRANSPORT: {
		// scsi_nl_rcv_msg in drivers/scsi/scsi_netlink.c drops a message shorter than
		// struct scsi_nl_hdr, together with the rest of the datagram.
		minPayload: 8, noNoop: true, dumps: never,
	},
	netlink.NETLINK_KOBJECT_UEVENT: {
		text:      true, // alloc_uevent_skb in lib/kobject_uevent.c
		peerGroup: 2,    // MONITOR_GROUP_UDEV: where udev sends the events that it has processed
		quiet:     true,
		dumps:     never,
	},
	netlink.NETLINK_USERSOCK: {peers: true, dumps: never},
}

// traitsOf returns what is known of family.
func traitsOf(family netlink.Family) *traits {
	if family >= 0 && int(family) < len(families) {
		return &families[family]
	}
	return &traits{}
}

func always(netlink.MessageType) bool               { return true }
func never(netlink.MessageType, netlink.Flags) bool { return false }

// Types of requests (include/uapi/linux/sock_diag.h, xfrm.h, cryptouser.h,
// audit.h, rdma/rdma_netlink.h).
const (
	genlCtrl         netlink.MessageType = 16
	sockDiagByFamily netlink.MessageType = 20
	sockDestroy      netlink.MessageType = 21
	xfrmGetSA        netlink.MessageType = 18
	xfrmGetPolicy    netlink.MessageType = 21
	cryptoGetAlg     netlink.MessageType = 19
	auditGet         netlink.MessageType = 1000
	auditSignalInfo  netlink.MessageType = 1010
	auditListRules   netlink.MessageType = 1013
	auditTTYGet      netlink.MessageType = 1016
	auditGetFeature  netlink.MessageType = 1019

	rdmaClientShift = 10 // RDMA_NL_GET_CLIENT
	rdmaIWCM        = 2
	rdmaLS          = 4
)

// netfilterGet is describes a request of NETLINK_NETFILTER that dumps.
type netfilterGet struct {
	always bool // whatever the flags say
	resets bool // what it reads, so that a second dump shows other values
}

// netfilterGets has every request of NETLINK_NETFILTER that can be a dump, by subsystem
// and message (include/uapi/linux/netfilter/nfnetlink*.h, nf_tables.h, ipset/ip_set.h).
// All others change something, whatever their flags, or bind something to the socket
// (nfqueue, nflog).
var netfilterGets = map[netlink.MessageType]netfilterGet{
	1<<8 | 1:   {},             // IPCTNL_MSG_CT_GET
	1<<8 | 3:   {resets: true}, // IPCTNL_MSG_CT_GET_CTRZERO
	1<<8 | 4:   {},             // IPCTNL_MSG_CT_GET_STATS_CPU
	1<<8 | 6:   {},             // IPCTNL_MSG_CT_GET_DYING
	1<<8 | 7:   {},             // IPCTNL_MSG_CT_GET_UNCONFIRMED
	2<<8 | 1:   {},             // IPCTNL_MSG_EXP_GET
	2<<8 | 3:   {},             // IPCTNL_MSG_EXP_GET_STATS_CPU
	6<<8 | 7:   {always: true}, // IPSET_CMD_LIST (ip_set_dump)
	6<<8 | 8:   {always: true}, // IPSET_CMD_SAVE (ip_set_dump)
	7<<8 | 1:   {},             // NFNL_MSG_ACCT_GET
	7<<8 | 2:   {resets: true}, // NFNL_MSG_ACCT_GET_CTRZERO
	8<<8 | 1:   {},             // IPCTNL_MSG_TIMEOUT_GET
	9<<8 | 1:   {},             // NFNL_MSG_CTHELPER_GET
	10<<8 | 1:  {},             // NFT_MSG_GETTABLE
	10<<8 | 4:  {},             // NFT_MSG_GETCHAIN
	10<<8 | 7:  {},             // NFT_MSG_GETRULE
	10<<8 | 10: {},             // NFT_MSG_GETSET
	10<<8 | 13: {},             // NFT_MSG_GETSETELEM
	10<<8 | 19: {},             // NFT_MSG_GETOBJ
	10<<8 | 21: {resets: true}, // NFT_MSG_GETOBJ_RESET
	10<<8 | 23: {},             // NFT_MSG_GETFLOWTABLE
	10<<8 | 25: {resets: true}, // NFT_MSG_GETRULE_RESET
	10<<8 | 33: {resets: true}, // NFT_MSG_GETSETELEM_RESET
	12 << 8:    {},             // NFNL_MSG_HOOK_GET
}

// Describe sets the fields of c that follow from a request of type typ with these flags
// that is not a dump.
func (t *Table) Describe(c *Call, typ netlink.MessageType, flags netlink.Flags) {
	f := t.traits
	c.Type, c.Echo = typ, flags&netlink.NLM_F_ECHO != 0
	c.Kind, c.Repeat, c.Coalescable = f.kindOf(typ), f.changesNothing(typ, flags), f.coalescable(typ, flags)
}

// KindOf returns how family answers a request of type typ that is not a dump.
func KindOf(family netlink.Family, typ netlink.MessageType) Kind { return traitsOf(family).kindOf(typ) }

func (f *traits) kindOf(typ netlink.MessageType) Kind {
	if f.kinds != nil {
		if kind, ok := f.kinds[typ]; ok {
			return kind
		}
	}
	return f.kind
}

// MayDump reports whether the kernel may answer a request of type typ with these flags
// by a dump. If that is not known it reports true: on a socket of its own, a request
// that is not a dump is acknowledged as usual.
func MayDump(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) bool {
	f := traitsOf(family)
	switch {
	case typ < netlink.NLMSG_MIN_TYPE:
		return false
	case f.dumps != nil:
		return f.dumps(typ, flags)
	}
	return flags&netlink.NLM_F_DUMP != 0
}

// Repeatable reports whether a dump of type typ is known to change nothing, so
// that it may be sent again.
func Repeatable(family netlink.Family, typ netlink.MessageType) bool {
	f := traitsOf(family)
	return f.reads != nil && f.reads(typ)
}

// ChangesNothing reports whether a request of type typ that is not a dump is known to
// change nothing, so that it may be sent again.
func ChangesNothing(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) bool {
	return traitsOf(family).changesNothing(typ, flags)
}

func (f *traits) changesNothing(typ netlink.MessageType, flags netlink.Flags) bool {
	return f.asks != nil && f.asks(typ) && flags&netlink.NLM_F_ECHO == 0
}

// Coalescable reports whether a request may share a datagram with others of its type.
// The kernel handles the messages of a datagram in order, without a pause
// (netlink_rcv_skb in net/netlink/af_netlink.c). So only requests that are trivial, or
// that read and take the same locks, may be coalesced.
func Coalescable(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) bool {
	return traitsOf(family).coalescable(typ, flags)
}

func (f *traits) coalescable(typ netlink.MessageType, flags netlink.Flags) bool {
	if !f.sequential || flags&netlink.NLM_F_ECHO != 0 {
		return false
	}
	return typ == netlink.NLMSG_NOOP || f.shares != nil && f.shares(typ)
}

// HasNoop reports whether family acknowledges NLMSG_NOOP.
func HasNoop(family netlink.Family) bool { return !traitsOf(family).noNoop }

// HasPeers reports whether processes send messages of family to each other.
func HasPeers(family netlink.Family) bool { return traitsOf(family).peers }

// CheckRequest returns an error that wraps EINVAL if family would ignore a request
// of type typ with a payload of size bytes.
func CheckRequest(family netlink.Family, typ netlink.MessageType, size int) error {
	f := traitsOf(family)
	least := f.minType
	if least == 0 {
		least = netlink.NLMSG_MIN_TYPE // netlink_rcv_skb skips the control types
	}
	if typ < least && (f.otherType == 0 || typ != f.otherType) {
		return fmt.Errorf("type %v is below %d: %w", typ, uint16(least), syscall.EINVAL)
	}
	if size < f.minPayload {
		return fmt.Errorf("payload of %d bytes, %v needs %d: %w", size, family, f.minPayload, syscall.EINVAL)
	}
	return nil
}

// IsText reports whether a datagram that the kernel sends to group (0 for unicast)
// has no netlink header.
func IsText(family netlink.Family, group uint32) bool {
	return group != 0 && traitsOf(family).text
}

// IsQuiet reports whether the kernel sends no event of family to a socket alone.
func IsQuiet(family netlink.Family) bool { return traitsOf(family).quiet }

// IsEnd reports whether a message of type typ can be the last of an answer.
func IsEnd(typ netlink.MessageType) bool {
	return typ == netlink.NLMSG_ERROR || typ == netlink.NLMSG_DONE
}

func isXfrmGet(typ netlink.MessageType) bool { return typ == xfrmGetSA || typ == xfrmGetPolicy }

func isNetfilterRead(typ netlink.MessageType) bool {
	get, ok := netfilterGets[typ]
	return ok && !get.resets
}

// isRouteGet reports whether typ is a GET of NETLINK_ROUTE, whose types come in
// fours: NEW DEL GET SET (rtnetlink_rcv_msg in net/core/rtnetlink.c).
func isRouteGet(typ netlink.MessageType) bool {
	return typ >= netlink.NLMSG_MIN_TYPE && (typ-netlink.NLMSG_MIN_TYPE)&3 == 2
}
