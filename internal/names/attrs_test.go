package names

import (
	"strings"
	"testing"

	"github.com/nlmux/netlink"
)

func TestPath(t *testing.T) {
	const route, generic, netfilter = netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC, netlink.NETLINK_NETFILTER
	for _, tt := range []struct {
		family netlink.Family
		typ    netlink.MessageType
		header int
		types  []uint16
		want   string
	}{
		{route, 16, 16, []uint16{18, 1}, "IFLA_LINKINFO > IFLA_INFO_KIND"},
		{route, 19, 16, []uint16{18, 2, 1, 4}, "IFLA_LINKINFO > IFLA_INFO_DATA > 1 > 4"},
		{route, 19, 16, []uint16{22, 1, 13}, "IFLA_VFINFO_LIST > IFLA_VF_INFO > IFLA_VF_BROADCAST"},
		{route, 19, 16, []uint16{43, 8}, "IFLA_XDP > IFLA_XDP_EXPECTED_FD"},
		{route, 16, 16, []uint16{55, 2}, "IFLA_PROTO_DOWN_REASON > IFLA_PROTO_DOWN_REASON_VALUE"},
		{route, 108, 16, []uint16{52, 53}, "IFLA_PROP_LIST > IFLA_ALT_IFNAME"},
		{route, 16, 16, []uint16{9999}, "9999"},
		{route, 16, 16, []uint16{9999, 1}, "9999 > 1"},
		{route, 16, 16, nil, ""},
		{route, 22, 8, []uint16{2}, "IFA_LOCAL"},
		{route, 24, 12, []uint16{8, 16}, "RTA_METRICS > RTAX_CC_ALGO"},
		{route, 28, 12, []uint16{1}, "NDA_DST"},
		{route, 33, 12, []uint16{30}, "FRA_DSCP_MASK"},
		{route, 36, 20, []uint16{1}, "TCA_KIND"},
		{route, 40, 20, []uint16{2, 1}, "TCA_OPTIONS > 1"},
		{route, 46, 20, []uint16{11}, "TCA_CHAIN"},
		{route, 48, 4, []uint16{1, 1}, "TCA_ROOT_TAB > 1"},
		{route, 88, 1, []uint16{3}, "NETNSA_FD"},
		{route, 102, 20, []uint16{11}, "TCA_CHAIN"},
		{route, 104, 8, []uint16{12, 4}, "NHA_RES_GROUP > NHA_RES_GROUP_UNBALANCED_TIME"},
		{route, 118, 8, []uint16{13, 3}, "NHA_RES_BUCKET > NHA_RES_BUCKET_NH_ID"},
		{generic, 16, 4, []uint16{2}, "CTRL_ATTR_FAMILY_NAME"},
		{netfilter, 10<<8 | 1, 4, []uint16{1}, "NFTA_TABLE_NAME"},
		{netfilter, 10<<8 | 4, 4, []uint16{3}, "NFTA_CHAIN_NAME"},
		{netfilter, 10<<8 | 7, 4, []uint16{3}, "NFTA_RULE_HANDLE"},
		{netfilter, 10<<8 | 10, 4, []uint16{18}, "NFTA_SET_EXPRESSIONS"},
		{netfilter, 10<<8 | 13, 4, []uint16{3}, "NFTA_SET_ELEM_LIST_ELEMENTS"},
		{netfilter, 10<<8 | 16, 4, []uint16{1}, "1"},
		{netfilter, 10<<8 | 21, 4, []uint16{2}, "NFTA_OBJ_NAME"},
		{netfilter, 10<<8 | 24, 4, []uint16{2}, "NFTA_FLOWTABLE_NAME"},
		{netfilter, 10<<8 | 255, 4, []uint16{2}, "2"},
		{netfilter, 1<<8 | 1, 4, []uint16{1}, "1"},
	} {
		header, attrs, ok := AttrsOf(tt.family, tt.typ)
		if got := attrs.Path(tt.types); !ok || header != tt.header || got != tt.want {
			t.Errorf("%v %d: header of %d bytes, %v, path %s; want %d and %s",
				tt.family, uint16(tt.typ), header, ok, got, tt.header, tt.want)
		}
	}
}

// TestUnknownRequests: they have no names.
func TestUnknownRequests(t *testing.T) {
	for family, types := range map[netlink.Family][]netlink.MessageType{
		netlink.NETLINK_ROUTE:   {0, 1, 15, 52, 68, 84, 112, 120, 124, 0xffff},
		netlink.NETLINK_GENERIC: {15, 17, 40},
		netlink.NETLINK_XFRM:    {16, 19},
		99:                      {16},
	} {
		for _, typ := range types {
			if header, attrs, ok := AttrsOf(family, typ); ok {
				t.Errorf("%v %d: header of %d bytes, set %d", family, uint16(typ), header, attrs)
			}
		}
	}
}

// TestSets: every set is used, and every nest is that of an attribute.
func TestSets(t *testing.T) {
	used := map[Set]bool{0: true}
	use := func(s Set) { used[s] = true }
	for _, l := range routes {
		use(l.attrs)
	}
	for _, s := range tables {
		use(s)
	}
	use(controller)
	for s := range sets {
		for _, n := range sets[s].nests {
			use(n.in)
			if name := Set(s).name(n.typ); !strings.HasPrefix(name, sets[s].prefix) {
				t.Errorf("set %d has a nest in type %s", s, name)
			}
		}
	}
	for s := range sets {
		if !used[Set(s)] {
			t.Errorf("set %d, %s, is not used", s, sets[s].prefix)
		}
	}
}
