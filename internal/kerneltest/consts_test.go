//go:build linux

package kerneltest

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
)

// TestConstantsMatchKernelHeaders compares them with the numbers in x/sys, which are
// generated from the kernel's headers.
func TestConstantsMatchKernelHeaders(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"NETLINK_ROUTE", int(netlink.NETLINK_ROUTE), unix.NETLINK_ROUTE},
		{"NETLINK_UNUSED", int(netlink.NETLINK_UNUSED), unix.NETLINK_UNUSED},
		{"NETLINK_USERSOCK", int(netlink.NETLINK_USERSOCK), unix.NETLINK_USERSOCK},
		{"NETLINK_FIREWALL", int(netlink.NETLINK_FIREWALL), unix.NETLINK_FIREWALL},
		{"NETLINK_SOCK_DIAG", int(netlink.NETLINK_SOCK_DIAG), unix.NETLINK_SOCK_DIAG},
		{"NETLINK_INET_DIAG", int(netlink.NETLINK_INET_DIAG), unix.NETLINK_INET_DIAG},
		{"NETLINK_NFLOG", int(netlink.NETLINK_NFLOG), unix.NETLINK_NFLOG},
		{"NETLINK_XFRM", int(netlink.NETLINK_XFRM), unix.NETLINK_XFRM},
		{"NETLINK_SELINUX", int(netlink.NETLINK_SELINUX), unix.NETLINK_SELINUX},
		{"NETLINK_ISCSI", int(netlink.NETLINK_ISCSI), unix.NETLINK_ISCSI},
		{"NETLINK_AUDIT", int(netlink.NETLINK_AUDIT), unix.NETLINK_AUDIT},
		{"NETLINK_FIB_LOOKUP", int(netlink.NETLINK_FIB_LOOKUP), unix.NETLINK_FIB_LOOKUP},
		{"NETLINK_CONNECTOR", int(netlink.NETLINK_CONNECTOR), unix.NETLINK_CONNECTOR},
		{"NETLINK_NETFILTER", int(netlink.NETLINK_NETFILTER), unix.NETLINK_NETFILTER},
		{"NETLINK_IP6_FW", int(netlink.NETLINK_IP6_FW), unix.NETLINK_IP6_FW},
		{"NETLINK_DNRTMSG", int(netlink.NETLINK_DNRTMSG), unix.NETLINK_DNRTMSG},
		{"NETLINK_KOBJECT_UEVENT", int(netlink.NETLINK_KOBJECT_UEVENT), unix.NETLINK_KOBJECT_UEVENT},
		{"NETLINK_GENERIC", int(netlink.NETLINK_GENERIC), unix.NETLINK_GENERIC},
		{"NETLINK_SCSITRANSPORT", int(netlink.NETLINK_SCSITRANSPORT), unix.NETLINK_SCSITRANSPORT},
		{"NETLINK_ECRYPTFS", int(netlink.NETLINK_ECRYPTFS), unix.NETLINK_ECRYPTFS},
		{"NETLINK_RDMA", int(netlink.NETLINK_RDMA), unix.NETLINK_RDMA},
		{"NETLINK_CRYPTO", int(netlink.NETLINK_CRYPTO), unix.NETLINK_CRYPTO},
		{"NETLINK_SMC", int(netlink.NETLINK_SMC), unix.NETLINK_SMC},
		{"NLMSG_NOOP", int(netlink.NLMSG_NOOP), unix.NLMSG_NOOP},
		{"NLMSG_ERROR", int(netlink.NLMSG_ERROR), unix.NLMSG_ERROR},
		{"NLMSG_DONE", int(netlink.NLMSG_DONE), unix.NLMSG_DONE},
		{"NLMSG_OVERRUN", int(netlink.NLMSG_OVERRUN), unix.NLMSG_OVERRUN},
		{"NLMSG_MIN_TYPE", int(netlink.NLMSG_MIN_TYPE), unix.NLMSG_MIN_TYPE},
		{"NLM_F_REQUEST", int(netlink.NLM_F_REQUEST), unix.NLM_F_REQUEST},
		{"NLM_F_MULTI", int(netlink.NLM_F_MULTI), unix.NLM_F_MULTI},
		{"NLM_F_ACK", int(netlink.NLM_F_ACK), unix.NLM_F_ACK},
		{"NLM_F_ECHO", int(netlink.NLM_F_ECHO), unix.NLM_F_ECHO},
		{"NLM_F_DUMP_INTR", int(netlink.NLM_F_DUMP_INTR), unix.NLM_F_DUMP_INTR},
		{"NLM_F_DUMP_FILTERED", int(netlink.NLM_F_DUMP_FILTERED), unix.NLM_F_DUMP_FILTERED},
		{"NLM_F_ROOT", int(netlink.NLM_F_ROOT), unix.NLM_F_ROOT},
		{"NLM_F_MATCH", int(netlink.NLM_F_MATCH), unix.NLM_F_MATCH},
		{"NLM_F_ATOMIC", int(netlink.NLM_F_ATOMIC), unix.NLM_F_ATOMIC},
		{"NLM_F_DUMP", int(netlink.NLM_F_DUMP), unix.NLM_F_DUMP},
		{"NLM_F_REPLACE", int(netlink.NLM_F_REPLACE), unix.NLM_F_REPLACE},
		{"NLM_F_EXCL", int(netlink.NLM_F_EXCL), unix.NLM_F_EXCL},
		{"NLM_F_CREATE", int(netlink.NLM_F_CREATE), unix.NLM_F_CREATE},
		{"NLM_F_APPEND", int(netlink.NLM_F_APPEND), unix.NLM_F_APPEND},
		{"NLM_F_NONREC", int(netlink.NLM_F_NONREC), unix.NLM_F_NONREC},
		{"NLM_F_BULK", int(netlink.NLM_F_BULK), unix.NLM_F_BULK},
		{"NLM_F_CAPPED", int(netlink.NLM_F_CAPPED), unix.NLM_F_CAPPED},
		{"NLM_F_ACK_TLVS", int(netlink.NLM_F_ACK_TLVS), unix.NLM_F_ACK_TLVS},
	} {
		if c.got != c.want {
			t.Errorf("%s = %d, want %d", c.name, c.got, c.want)
		}
	}
}
