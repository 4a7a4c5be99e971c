package names

import (
	"testing"

	"github.com/nlmux/netlink"
)

func TestRequest(t *testing.T) {
	const nftables = 10 << 8
	for _, tt := range []struct {
		family  netlink.Family
		typ     netlink.MessageType
		payload []byte
		want    string
	}{
		{netlink.NETLINK_ROUTE, 1, nil, "NLMSG_NOOP"},
		{netlink.NETLINK_ROUTE, 16, nil, "RTM_NEWLINK"},
		{netlink.NETLINK_ROUTE, 19, nil, "RTM_SETLINK"},
		{netlink.NETLINK_ROUTE, 122, nil, "RTM_GETTUNNEL"},
		{netlink.NETLINK_ROUTE, 124, nil, ""},
		{netlink.NETLINK_SOCK_DIAG, 16, nil, ""},
		{netlink.NETLINK_SOCK_DIAG, 20, nil, "SOCK_DIAG_BY_FAMILY"},
		{netlink.NETLINK_SOCK_DIAG, 22, nil, ""},
		{netlink.NETLINK_XFRM, 18, nil, "XFRM_MSG_GETSA"},
		{netlink.NETLINK_XFRM, 41, nil, ""},
		{netlink.NETLINK_NETFILTER, 16, nil, "NFNL_MSG_BATCH_BEGIN"},
		{netlink.NETLINK_NETFILTER, 17, nil, "NFNL_MSG_BATCH_END"},
		{netlink.NETLINK_NETFILTER, 18, nil, ""},
		{netlink.NETLINK_NETFILTER, 1 << 8, nil, "IPCTNL_MSG_CT_NEW"},
		{netlink.NETLINK_NETFILTER, 3<<8 | 1, nil, "NFQNL_MSG_VERDICT"},
		{netlink.NETLINK_NETFILTER, nftables, nil, "NFT_MSG_NEWTABLE"},
		{netlink.NETLINK_NETFILTER, nftables | 33, nil, "NFT_MSG_GETSETELEM_RESET"},
		{netlink.NETLINK_NETFILTER, nftables | 34, nil, ""},
		{netlink.NETLINK_NETFILTER, 99 << 8, nil, ""},
		{netlink.NETLINK_GENERIC, 16, []byte{3}, "CTRL_CMD_GETFAMILY"},
		{netlink.NETLINK_GENERIC, 16, []byte{0}, ""},
		{netlink.NETLINK_GENERIC, 16, nil, ""},
		{netlink.NETLINK_GENERIC, 17, []byte{3}, ""},
		{netlink.NETLINK_AUDIT, 1000, nil, ""},
	} {
		if got := Request(tt.family, tt.typ, tt.payload); got != tt.want {
			t.Errorf("%v %d: %q, want %q", tt.family, uint16(tt.typ), got, tt.want)
		}
	}
}
