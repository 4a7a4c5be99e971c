package demux

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
)

// The numbers of family.go are those of the kernel's headers, as far as package unix
// has them.
func TestNumbersMatchTheKernelHeaders(t *testing.T) {
	netfilter := func(subsystem, msg int) netlink.MessageType { return netlink.MessageType(subsystem<<8 | msg) }
	for _, tt := range []struct {
		name string
		got  netlink.MessageType
		want int
	}{
		{"SOCK_DESTROY", sockDestroy, unix.SOCK_DESTROY},
		{"CRYPTO_MSG_GETALG", cryptoGetAlg, unix.CRYPTO_MSG_GETALG},
		{"AUDIT_GET", auditGet, unix.AUDIT_GET},
		{"AUDIT_SIGNAL_INFO", auditSignalInfo, unix.AUDIT_SIGNAL_INFO},
		{"AUDIT_LIST_RULES", auditListRules, unix.AUDIT_LIST_RULES},
		{"AUDIT_TTY_GET", auditTTYGet, unix.AUDIT_TTY_GET},
		{"AUDIT_GET_FEATURE", auditGetFeature, unix.AUDIT_GET_FEATURE},
	} {
		if int(tt.got) != tt.want {
			t.Errorf("%s is %d, want %d", tt.name, tt.got, tt.want)
		}
	}
	for _, tt := range []struct {
		name string
		typ  netlink.MessageType
	}{
		{"NFT_MSG_GETTABLE", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETTABLE)},
		{"NFT_MSG_GETCHAIN", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETCHAIN)},
		{"NFT_MSG_GETRULE", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETRULE)},
		{"NFT_MSG_GETSET", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETSET)},
		{"NFT_MSG_GETSETELEM", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETSETELEM)},
		{"NFT_MSG_GETOBJ", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETOBJ)},
		{"NFT_MSG_GETOBJ_RESET", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETOBJ_RESET)},
		{"NFT_MSG_GETFLOWTABLE", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETFLOWTABLE)},
		{"NFT_MSG_GETRULE_RESET", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_GETRULE_RESET)},
		{"NFT_MSG_GETSETELEM_RESET", netfilter(unix.NFNL_SUBSYS_NFTABLES, unix.NFT_MSG_MAX-1)},
		{"IPCTNL_MSG_CT_GET", netfilter(unix.NFNL_SUBSYS_CTNETLINK, 1)},
		{"IPCTNL_MSG_EXP_GET", netfilter(unix.NFNL_SUBSYS_CTNETLINK_EXP, 1)},
		{"IPSET_CMD_LIST", netfilter(unix.NFNL_SUBSYS_IPSET, 7)},
		{"NFNL_MSG_ACCT_GET", netfilter(unix.NFNL_SUBSYS_ACCT, 1)},
		{"IPCTNL_MSG_TIMEOUT_GET", netfilter(unix.NFNL_SUBSYS_CTNETLINK_TIMEOUT, 1)},
		{"NFNL_MSG_CTHELPER_GET", netfilter(unix.NFNL_SUBSYS_CTHELPER, 1)},
		{"NFNL_MSG_HOOK_GET", netfilter(unix.NFNL_SUBSYS_HOOK, 0)},
	} {
		named := false
		for _, d := range netfilterDumps {
			named = named || d.name == tt.name && d.typ == tt.typ
		}
		if _, dumps := netfilterGets[tt.typ]; !named || !dumps {
			t.Errorf("%s, %#x: in the table %t, in the test's %t", tt.name, uint16(tt.typ), dumps, named)
		}
	}
	if len(netfilterDumps) != len(netfilterGets) {
		t.Errorf("%d requests dump, want %d", len(netfilterGets), len(netfilterDumps))
	}
}

// rtnetlink's types come in groups of four; the third is a GET.
func TestRouteGetsMatchTheKernelHeaders(t *testing.T) {
	for _, tt := range []struct {
		name string
		typ  netlink.MessageType
		want bool
	}{
		{"RTM_NEWLINK", unix.RTM_NEWLINK, false},
		{"RTM_DELLINK", unix.RTM_DELLINK, false},
		{"RTM_GETLINK", unix.RTM_GETLINK, true},
		{"RTM_SETLINK", unix.RTM_SETLINK, false},
		{"RTM_GETADDR", unix.RTM_GETADDR, true},
		{"RTM_GETROUTE", unix.RTM_GETROUTE, true},
		{"RTM_GETNEIGH", unix.RTM_GETNEIGH, true},
		{"RTM_GETRULE", unix.RTM_GETRULE, true},
		{"RTM_GETQDISC", unix.RTM_GETQDISC, true},
		{"RTM_GETMDB", unix.RTM_GETMDB, true},
		{"RTM_GETSTATS", unix.RTM_GETSTATS, true},
		{"RTM_GETNEXTHOP", unix.RTM_GETNEXTHOP, true},
		{"RTM_NEWNEXTHOP", unix.RTM_NEWNEXTHOP, false},
		{"RTM_DELNEIGH", unix.RTM_DELNEIGH, false},
	} {
		if got := MayDump(netlink.NETLINK_ROUTE, tt.typ, dump); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
		if got := Coalescable(netlink.NETLINK_ROUTE, tt.typ, 0); got != tt.want {
			t.Errorf("%s shares a datagram: %t, want %t", tt.name, got, tt.want)
		}
	}
}
