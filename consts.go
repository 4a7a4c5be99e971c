// Package netlink names the numbers of Linux netlink: families, message types
// and flags, with the kernel's spelling and typed. It does nothing else; a
// program talks to the kernel with package client.
//
// The numbers are those of include/uapi/linux/netlink.h. They are the same on
// every architecture, and the package compiles on every GOOS.
package netlink

import (
	"strconv"
	"strings"
)

// Family is an AF_NETLINK protocol, the third argument of socket(2): it says
// which part of the kernel a socket talks to. The zero value is NETLINK_ROUTE.
type Family int

// Families.
const (
	NETLINK_ROUTE          Family = 0  // links, addresses, routes, neighbours, rules, traffic control (rtnetlink)
	NETLINK_UNUSED         Family = 1  // nothing; the number is free for experiments
	NETLINK_USERSOCK       Family = 2  // messages between processes; the kernel does not answer
	NETLINK_FIREWALL       Family = 3  // nothing; was ip_queue before Linux 3.5
	NETLINK_SOCK_DIAG      Family = 4  // sockets of the machine and their state (ss)
	NETLINK_NFLOG          Family = 5  // nothing; was iptables' ULOG before Linux 3.17
	NETLINK_XFRM           Family = 6  // IPsec states and policies
	NETLINK_SELINUX        Family = 7  // changes of SELinux' policy and mode, as events only
	NETLINK_ISCSI          Family = 8  // Open-iSCSI
	NETLINK_AUDIT          Family = 9  // audit rules and records
	NETLINK_FIB_LOOKUP     Family = 10 // a look-up in the IPv4 routing table
	NETLINK_CONNECTOR      Family = 11 // kernel connector, such as process events
	NETLINK_NETFILTER      Family = 12 // nf_tables, conntrack, ipset, queues and logs (nfnetlink)
	NETLINK_IP6_FW         Family = 13 // nothing; was ip6_queue before Linux 3.5
	NETLINK_DNRTMSG        Family = 14 // nothing; was DECnet routing before Linux 6.1
	NETLINK_KOBJECT_UEVENT Family = 15 // device events for udev, as text and events only
	NETLINK_GENERIC        Family = 16 // generic netlink: families that are resolved by name
	NETLINK_SCSITRANSPORT  Family = 18 // SCSI transports
	NETLINK_ECRYPTFS       Family = 19 // nothing; was eCryptfs before Linux 2.6.39
	NETLINK_RDMA           Family = 20 // InfiniBand and other RDMA devices
	NETLINK_CRYPTO         Family = 21 // the kernel's cryptographic algorithms
	NETLINK_SMC            Family = 22 // nothing; reserved for SMC sockets, which use NETLINK_GENERIC

	NETLINK_INET_DIAG = NETLINK_SOCK_DIAG // former name
	NETLINK_RDMMA     = NETLINK_RDMA      // former misspelling in Go
)

// familyNames has one name per number; an alias prints the name of its constant.
var familyNames = [...]string{
	NETLINK_ROUTE:          "NETLINK_ROUTE",
	NETLINK_UNUSED:         "NETLINK_UNUSED",
	NETLINK_USERSOCK:       "NETLINK_USERSOCK",
	NETLINK_FIREWALL:       "NETLINK_FIREWALL",
	NETLINK_SOCK_DIAG:      "NETLINK_SOCK_DIAG",
	NETLINK_NFLOG:          "NETLINK_NFLOG",
	NETLINK_XFRM:           "NETLINK_XFRM",
	NETLINK_SELINUX:        "NETLINK_SELINUX",
	NETLINK_ISCSI:          "NETLINK_ISCSI",
	NETLINK_AUDIT:          "NETLINK_AUDIT",
	NETLINK_FIB_LOOKUP:     "NETLINK_FIB_LOOKUP",
	NETLINK_CONNECTOR:      "NETLINK_CONNECTOR",
	NETLINK_NETFILTER:      "NETLINK_NETFILTER",
	NETLINK_IP6_FW:         "NETLINK_IP6_FW",
	NETLINK_DNRTMSG:        "NETLINK_DNRTMSG",
	NETLINK_KOBJECT_UEVENT: "NETLINK_KOBJECT_UEVENT",
	NETLINK_GENERIC:        "NETLINK_GENERIC",
	NETLINK_SCSITRANSPORT:  "NETLINK_SCSITRANSPORT",
	NETLINK_ECRYPTFS:       "NETLINK_ECRYPTFS",
	NETLINK_RDMA:           "NETLINK_RDMA",
	NETLINK_CRYPTO:         "NETLINK_CRYPTO",
	NETLINK_SMC:            "NETLINK_SMC",
}

// String returns the kernel's name, such as NETLINK_ROUTE, or Family(17) for a
// number that has none.
func (f Family) String() string {
	if f >= 0 && int(f) < len(familyNames) && familyNames[f] != "" {
		return familyNames[f]
	}
	return "Family(" + strconv.Itoa(int(f)) + ")"
}

// MessageType is what a message is about, nlmsg_type. From NLMSG_MIN_TYPE up
// each family has types of its own; below are the control types.
type MessageType uint16

// Control types, the same in every family.
const (
	NLMSG_NOOP    MessageType = 1 // the kernel does nothing but acknowledge, if it is asked to
	NLMSG_ERROR   MessageType = 2 // an acknowledgement, or with an errno below 0 a refusal
	NLMSG_DONE    MessageType = 3 // the end of a dump; the connector uses it for all its messages
	NLMSG_OVERRUN MessageType = 4 // data was lost; no kernel sends it, package client does

	// NLMSG_MIN_TYPE is the lowest type of a family's own. A request of a lower
	// one is acknowledged and otherwise ignored (netlink_rcv_skb in
	// net/netlink/af_netlink.c).
	NLMSG_MIN_TYPE MessageType = 16
)

// String returns the kernel's name of a control type, such as NLMSG_DONE, or
// MessageType(16) for any other, whose meaning depends on the family.
func (t MessageType) String() string {
	switch t {
	case NLMSG_NOOP:
		return "NLMSG_NOOP"
	case NLMSG_ERROR:
		return "NLMSG_ERROR"
	case NLMSG_DONE:
		return "NLMSG_DONE"
	case NLMSG_OVERRUN:
		return "NLMSG_OVERRUN"
	}
	return "MessageType(" + strconv.Itoa(int(t)) + ")"
}

// Flags are the flags of a message, nlmsg_flags. The bits from 0x100 up mean one
// thing in a request that reads, another in one that creates, in one that
// deletes, and in an acknowledgement.
type Flags uint16

// Flags of any message.
const (
	NLM_F_REQUEST       Flags = 0x01 // a request to the kernel, which skips messages without it
	NLM_F_MULTI         Flags = 0x02 // one of several messages of an answer
	NLM_F_ACK           Flags = 0x04 // acknowledge with NLMSG_ERROR even if there is no error
	NLM_F_ECHO          Flags = 0x08 // send the notification of this change to the requester, too
	NLM_F_DUMP_INTR     Flags = 0x10 // in a reply: the table changed during the dump, which is inconsistent
	NLM_F_DUMP_FILTERED Flags = 0x20 // in a reply: the dump was filtered as the request asked
)

// Flags of a request that reads.
const (
	NLM_F_ROOT   Flags = 0x100                    // the whole table
	NLM_F_MATCH  Flags = 0x200                    // all entries that match; the kernel treats it as NLM_F_ROOT
	NLM_F_ATOMIC Flags = 0x400                    // obsolete; was for a snapshot of the table
	NLM_F_DUMP   Flags = NLM_F_ROOT | NLM_F_MATCH // a list, ended with NLMSG_DONE, instead of one entry
)

// Flags of a request that creates or changes.
const (
	NLM_F_REPLACE Flags = 0x100 // replace an entry that exists
	NLM_F_EXCL    Flags = 0x200 // fail with EEXIST if the entry exists
	NLM_F_CREATE  Flags = 0x400 // create the entry if it does not exist
	NLM_F_APPEND  Flags = 0x800 // add at the end of the list
)

// Flags of a request that deletes.
const (
	NLM_F_NONREC Flags = 0x100 // fail rather than delete what the entry contains
	NLM_F_BULK   Flags = 0x200 // delete all entries that match
)

// Flags of an acknowledgement.
const (
	NLM_F_CAPPED   Flags = 0x100 // of the request only the header is echoed
	NLM_F_ACK_TLVS Flags = 0x200 // attributes follow that explain it (enum nlmsgerr_attrs)
)

// flagNames are the names of the bits that mean the same in every message, from
// bit 0 up.
var flagNames = [...]string{"REQUEST", "MULTI", "ACK", "ECHO", "DUMP_INTR", "DUMP_FILTERED"}

// String returns the names of the bits that mean the same in every message,
// without NLM_F_, and all others as one hexadecimal number: REQUEST|ACK|0x300,
// or 0 for no flags.
func (f Flags) String() string {
	var parts []string
	for bit, name := range flagNames {
		if f&(1<<bit) != 0 {
			parts = append(parts, name)
		}
	}
	if rest := f >> len(flagNames) << len(flagNames); rest != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, "|")
}
