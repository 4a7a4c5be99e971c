package names

import (
	"testing"

	"github.com/nlmux/netlink"
)

func TestNames(t *testing.T) {
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
		{netlink.NETLINK_ROUTE, 79, nil, "RTM_SETDCB"},
		{netlink.NETLINK_ROUTE, 122, nil, "RTM_GETTUNNEL"},
		{netlink.NETLINK_ROUTE, 124, nil, ""},
		{netlink.NETLINK_SOCK_DIAG, 16, nil, ""},
		{netlink.NETLINK_SOCK_DIAG, 20, nil, "SOCK_DIAG_BY_FAMILY"},
		{netlink.NETLINK_SOCK_DIAG, 20, []byte{1}, "SOCK_DIAG_BY_FAMILY"},
		{netlink.NETLINK_SOCK_DIAG, 21, nil, "SOCK_DESTROY"},
		{netlink.NETLINK_SOCK_DIAG, 22, nil, ""},
		{netlink.NETLINK_XFRM, 18, nil, "XFRM_MSG_GETSA"},
		{netlink.NETLINK_XFRM, 41, nil, ""},
		{netlink.NETLINK_NETFILTER, 16, nil, "NFNL_MSG_BATCH_BEGIN"},
		{netlink.NETLINK_NETFILTER, 17, nil, "NFNL_MSG_BATCH_END"},
		{netlink.NETLINK_NETFILTER, 18, nil, ""},
		{netlink.NETLINK_NETFILTER, 1 << 8, nil, "IPCTNL_MSG_CT_NEW"},
		{netlink.NETLINK_NETFILTER, 2<<8 | 2, nil, "IPCTNL_MSG_EXP_DELETE"},
		{netlink.NETLINK_NETFILTER, 3<<8 | 1, nil, "NFQNL_MSG_VERDICT"},
		{netlink.NETLINK_NETFILTER, 4<<8 | 1, nil, "NFULNL_MSG_CONFIG"},
		{netlink.NETLINK_NETFILTER, 6<<8 | 2, nil, "IPSET_CMD_CREATE"},
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
		if got := Of(tt.family, tt.typ, tt.payload).Name; got != tt.want {
			t.Errorf("%v %d %x: %q, want %q", tt.family, uint16(tt.typ), tt.payload, got, tt.want)
		}
	}
}

func TestNamesOfCommands(t *testing.T) {
	for _, tt := range []struct {
		family  string
		payload []byte
		want    string
	}{
		{"ethtool", []byte{1, 1}, "ETHTOOL_MSG_STRSET_GET"},
		{"nl80211", []byte{1, 1}, "NL80211_CMD_GET_WIPHY"},
		{"wireguard", []byte{1, 1}, "WG_CMD_SET_DEVICE"},
		{"wireguard", []byte{2, 1}, ""},
		{"wireguard", nil, ""},
		{"acme", []byte{1, 1}, ""},
		{"", []byte{1, 1}, ""},
	} {
		if got := OfGeneric(tt.family, tt.payload, 0).Name; got != tt.want {
			t.Errorf("%s %x: %q, want %q", tt.family, tt.payload, got, tt.want)
		}
	}
}
