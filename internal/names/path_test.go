package names

import (
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// built returns a payload: a header and what f appends.
func built(t *testing.T, header []byte, f func(b *wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	b.Struct(header)
	f(&b)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// nested returns attributes each of which contains the next, and how many bytes of
// headers they have.
func nested(types []uint16) (f func(b *wire.Builder), depth int) {
	if len(types) == 0 {
		return func(*wire.Builder) {}, 0
	}
	inner, depth := nested(types[1:])
	return func(b *wire.Builder) { b.Nest(types[0], inner) }, depth + attrHeaderLen
}

// TestPath: attributes each of which contains the next.
func TestPath(t *testing.T) {
	const route, controller, netfilter, diag = netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC, netlink.NETLINK_NETFILTER, netlink.NETLINK_SOCK_DIAG
	const bridge, unixSockets, packets = 7, 1, 17
	for _, tt := range []struct {
		family netlink.Family
		typ    netlink.MessageType
		first  byte // of the payload
		header int
		types  []uint16
		want   string
	}{
		{route, 16, 0, 16, []uint16{18, 1}, "IFLA_LINKINFO > IFLA_INFO_KIND"},
		{route, 19, 0, 16, []uint16{18, 2, 1, 4}, "IFLA_LINKINFO > IFLA_INFO_DATA > 1 > 4"},
		{route, 19, 0, 16, []uint16{22, 1, 13}, "IFLA_VFINFO_LIST > IFLA_VF_INFO > IFLA_VF_BROADCAST"},
		{route, 19, 0, 16, []uint16{43, 8}, "IFLA_XDP > IFLA_XDP_EXPECTED_FD"},
		{route, 16, 0, 16, []uint16{55, 2}, "IFLA_PROTO_DOWN_REASON > IFLA_PROTO_DOWN_REASON_VALUE"},
		{route, 16, 0, 16, []uint16{26, 2, 1}, "IFLA_AF_SPEC > AF_INET > IFLA_INET_CONF"},
		{route, 19, bridge, 16, []uint16{26, 2}, "IFLA_AF_SPEC > IFLA_BRIDGE_VLAN_INFO"},
		{route, 108, 0, 16, []uint16{52, 53}, "IFLA_PROP_LIST > IFLA_ALT_IFNAME"},
		{route, 16, 0, 16, []uint16{9999}, "9999"},
		{route, 16, 0, 16, []uint16{9999, 1}, "9999 > 1"},
		{route, 22, 0, 8, []uint16{2}, "IFA_LOCAL"},
		{route, 24, 0, 12, []uint16{8, 16}, "RTA_METRICS > RTAX_CC_ALGO"},
		{route, 28, 0, 12, []uint16{1}, "NDA_DST"},
		{route, 33, 0, 12, []uint16{30}, "FRA_DSCP_MASK"},
		{route, 36, 0, 20, []uint16{1}, "TCA_KIND"},
		{route, 40, 0, 20, []uint16{2, 1}, "TCA_OPTIONS > 1"},
		{route, 46, 0, 20, []uint16{11}, "TCA_CHAIN"},
		{route, 48, 0, 4, []uint16{1, 1, 1}, "TCA_ROOT_TAB > 1 > TCA_ACT_KIND"},
		{route, 67, 0, 4, []uint16{6, 2}, "NDTA_PARMS > NDTPA_REFCNT"},
		{route, 88, 0, 4, []uint16{3}, "NETNSA_FD"},
		{route, 95, 0, 12, []uint16{2}, "IFLA_STATS_SET_OFFLOAD_XSTATS_L3_STATS"},
		{route, 102, 0, 20, []uint16{11}, "TCA_CHAIN"},
		{route, 104, 0, 8, []uint16{12, 4}, "NHA_RES_GROUP > NHA_RES_GROUP_UNBALANCED_TIME"},
		{route, 118, 0, 8, []uint16{13, 3}, "NHA_RES_BUCKET > NHA_RES_BUCKET_NH_ID"},
		{controller, 16, 10, 4, []uint16{2}, "CTRL_ATTR_FAMILY_NAME"},
		{controller, 16, 10, 4, []uint16{8, 5, 6, 7}, "CTRL_ATTR_POLICY > 5 > 6 > NL_POLICY_TYPE_ATTR_MAX_LENGTH"},
		{netfilter, 10<<8 | 1, 0, 4, []uint16{1}, "NFTA_TABLE_NAME"},
		{netfilter, 10<<8 | 4, 0, 4, []uint16{3}, "NFTA_CHAIN_NAME"},
		{netfilter, 10<<8 | 4, 0, 4, []uint16{4, 3}, "NFTA_CHAIN_HOOK > NFTA_HOOK_DEV"},
		{netfilter, 10<<8 | 7, 0, 4, []uint16{3}, "NFTA_RULE_HANDLE"},
		{netfilter, 10<<8 | 7, 0, 4, []uint16{4, 1, 1}, "NFTA_RULE_EXPRESSIONS > NFTA_LIST_ELEM > NFTA_EXPR_NAME"},
		{netfilter, 10<<8 | 10, 0, 4, []uint16{18}, "NFTA_SET_EXPRESSIONS"},
		{netfilter, 10<<8 | 13, 0, 4, []uint16{3}, "NFTA_SET_ELEM_LIST_ELEMENTS"},
		{netfilter, 10<<8 | 16, 0, 4, []uint16{1}, "NFTA_GEN_ID"},
		{netfilter, 10<<8 | 21, 0, 4, []uint16{2}, "NFTA_OBJ_NAME"},
		{netfilter, 10<<8 | 24, 0, 4, []uint16{2}, "NFTA_FLOWTABLE_NAME"},
		{netfilter, 10<<8 | 255, 0, 4, []uint16{2}, "2"},
		{netfilter, 1<<8 | 1, 0, 4, []uint16{1, 2, 2}, "CTA_TUPLE_ORIG > CTA_TUPLE_PROTO > CTA_PROTO_SRC_PORT"},
		{netfilter, 1 << 8, 0, 4, []uint16{4, 1, 1}, "CTA_PROTOINFO > CTA_PROTOINFO_TCP > CTA_PROTOINFO_TCP_STATE"},
		{netfilter, 3<<8 | 1, 0, 4, []uint16{2}, "2"},
		{diag, 20, 2, 56, []uint16{1}, "INET_DIAG_REQ_BYTECODE"},
		{diag, 20, packets, 20, []uint16{9}, "9"},
		{diag, 20, unixSockets, 24, []uint16{9}, "9"},
	} {
		header := make([]byte, tt.header)
		header[0] = tt.first
		attrs, depth := nested(tt.types)
		payload := built(t, header, attrs)
		at := wire.HeaderLen + tt.header + depth - attrHeaderLen
		r := Of(tt.family, tt.typ, payload)
		if got := r.Path(payload, wire.ExtAck{HasOffset: true, Offset: uint32(at)}); got != tt.want {
			t.Errorf("%s %v: path %q, want %q", r.Name, tt.types, got, tt.want)
		}
		if len(tt.types) < 2 {
			continue
		}
		ext := wire.ExtAck{
			HasMissingNest: true, MissingNest: uint32(at - attrHeaderLen),
			HasMissingType: true, MissingType: uint32(tt.types[len(tt.types)-1]),
		}
		if got := r.Path(payload, ext); got != tt.want {
			t.Errorf("%s %v: path %q of the missing one, want %q", r.Name, tt.types, got, tt.want)
		}
	}
}

// TestNoPath: refusals that are about no attribute, and requests with an unknown header.
func TestNoPath(t *testing.T) {
	payload := built(t, make([]byte, 16), func(b *wire.Builder) { b.Bytes(3, []byte("eth0")) }) // at 32
	link := Of(netlink.NETLINK_ROUTE, 16, payload)
	if got := link.Path(payload, wire.ExtAck{HasMissingType: true, MissingType: 29}); got != "IFLA_EXT_MASK" {
		t.Errorf("missing attribute %q", got)
	}
	for what, ext := range map[string]wire.ExtAck{
		"nothing":                  {},
		"the header":               {HasOffset: true, Offset: 16},
		"the header of netlink":    {HasOffset: true, Offset: 4},
		"within an attribute":      {HasOffset: true, Offset: 33},
		"a value":                  {HasOffset: true, Offset: 36},
		"the end":                  {HasOffset: true, Offset: 40},
		"far away":                 {HasOffset: true, Offset: 1<<32 - 1},
		"a type that is too great": {HasMissingType: true, MissingType: 1 << 14},
		"a nest that is none":      {HasMissingType: true, MissingType: 1, HasMissingNest: true, MissingNest: 33},
	} {
		if got := link.Path(payload, ext); got != "" {
			t.Errorf("%s: path %q", what, got)
		}
	}
	if got := link.Path(payload[:8], wire.ExtAck{HasOffset: true, Offset: 32}); got != "" {
		t.Errorf("short payload: path %q", got)
	}
	for family, types := range map[netlink.Family][]netlink.MessageType{
		netlink.NETLINK_ROUTE:     {0, 1, 15, 52, 68, 84, 112, 120, 124, 0xffff},
		netlink.NETLINK_GENERIC:   {15, 17, 40},
		netlink.NETLINK_XFRM:      {16, 19},
		netlink.NETLINK_SOCK_DIAG: {19, 20},
		99:                        {16},
	} {
		for _, typ := range types {
			for _, ext := range []wire.ExtAck{{HasOffset: true, Offset: 32}, {HasMissingType: true, MissingType: 1}} {
				if got := Of(family, typ, payload).Path(payload, ext); got != "" {
					t.Errorf("%v %d: path %q", family, uint16(typ), got)
				}
			}
		}
	}
}

// TestPathInside: what attributes contain that depends on other values, or is after a
// struct. The refusal is about the last attribute.
func TestPathInside(t *testing.T) {
	const route, netfilter = netlink.NETLINK_ROUTE, netlink.NETLINK_NETFILTER
	type attrs = func(b *wire.Builder)
	leaf := func(typ uint16) attrs { return func(b *wire.Builder) { b.Uint32(typ, 0) } }
	link := func(kind string, data attrs) attrs {
		return func(b *wire.Builder) {
			b.Nest(18, func(b *wire.Builder) {
				b.String(1, kind)
				b.Nest(2, data)
			})
		}
	}
	after := func(header any, in attrs) attrs {
		return func(b *wire.Builder) {
			b.Struct(header)
			in(b)
		}
	}
	qdisc := func(kind string, options attrs) attrs {
		return func(b *wire.Builder) {
			b.String(1, kind)
			b.Nest(2, options)
		}
	}
	type nextHop struct {
		Len         uint16
		Flags, Hops uint8
		Index       int32
	}
	for _, tt := range []struct {
		family netlink.Family
		typ    netlink.MessageType
		header int
		attrs  attrs
		want   string
	}{
		{route, 16, 16, link("vxlan", leaf(15)), "IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_VXLAN_PORT"},
		{route, 16, 16, link("vlan", leaf(1)), "IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_VLAN_ID"},
		{route, 16, 16, link("no such", leaf(1)), "IFLA_LINKINFO > IFLA_INFO_DATA > 1"},
		{route, 16, 16, link("veth", leaf(1)), "IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER"},
		{
			route, 16, 16,
			link("veth", func(b *wire.Builder) { b.Nest(1, after(make([]byte, 16), leaf(4))) }),
			"IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER > IFLA_MTU",
		},
		{route, 24, 12, func(b *wire.Builder) {
			b.Nest(9, func(b *wire.Builder) {
				b.Struct(nextHop{Len: 8})
				b.Struct(nextHop{Len: 16})
				b.Uint32(5, 0)
			})
		}, "RTA_MULTIPATH > RTA_GATEWAY"},
		{route, 24, 12, func(b *wire.Builder) {
			b.Uint16(21, 5)
			b.Nest(22, leaf(1))
		}, "RTA_ENCAP > SEG6_IPTUNNEL_SRH"},
		{route, 36, 20, qdisc("netem", after(make([]byte, 24), leaf(4))), "TCA_OPTIONS > TCA_NETEM_CORRUPT"},
		{route, 36, 20, qdisc("htb", leaf(2)), "TCA_OPTIONS > TCA_HTB_INIT"},
		{route, 36, 20, qdisc("no such", leaf(2)), "TCA_OPTIONS > 2"},
		{netfilter, 10<<8 | 6, 4, func(b *wire.Builder) {
			b.Nest(4, func(b *wire.Builder) {
				b.Nest(1, qdisc("counter", leaf(1)))
				b.Nest(1, qdisc("meta", leaf(2)))
			})
		}, "NFTA_RULE_EXPRESSIONS > NFTA_LIST_ELEM > NFTA_EXPR_DATA > NFTA_META_KEY"},
		{netfilter, 10<<8 | 18, 4, func(b *wire.Builder) {
			b.Uint32BE(3, 1)
			b.Nest(4, leaf(1))
		}, "NFTA_OBJ_DATA > NFTA_COUNTER_BYTES"},
		{netfilter, 8 << 8, 4, func(b *wire.Builder) {
			b.Uint8(3, 17)
			b.Nest(4, leaf(2))
		}, "CTA_TIMEOUT_DATA > CTA_TIMEOUT_UDP_REPLIED"},
	} {
		payload := built(t, make([]byte, tt.header), tt.attrs)
		at := wire.HeaderLen + len(payload) - attrHeaderLen - 4
		r := Of(tt.family, tt.typ, payload)
		if got := r.Path(payload, wire.ExtAck{HasOffset: true, Offset: uint32(at)}); got != tt.want {
			t.Errorf("%s: path %q, want %q", r.Name, got, tt.want)
		}
	}
}

// TestPathOfCommand: the attributes are after the family's own header.
func TestPathOfCommand(t *testing.T) {
	for _, tt := range []struct {
		family  string
		command byte
		header  int
		types   []uint16
		want    string
	}{
		{"ethtool", 1, 0, []uint16{1, 2}, "ETHTOOL_A_STRSET_HEADER > ETHTOOL_A_HEADER_DEV_NAME"},
		{"wireguard", 1, 0, []uint16{8, 0, 9, 0, 3}, "WGDEVICE_A_PEERS > 0 > WGPEER_A_ALLOWEDIPS > 0 > WGALLOWEDIP_A_CIDR_MASK"},
		{"ovs_vport", 1, 4, []uint16{3}, "OVS_VPORT_ATTR_NAME"},
		{"acme", 1, 24, []uint16{5, 6}, "5 > 6"},
	} {
		attrs, depth := nested(tt.types)
		payload := built(t, append([]byte{tt.command, 1, 0, 0}, make([]byte, tt.header)...), attrs)
		at := wire.HeaderLen + genlmsghdr + tt.header + depth - attrHeaderLen
		got := OfGeneric(tt.family, payload, tt.header).Path(payload, wire.ExtAck{HasOffset: true, Offset: uint32(at)})
		if got != tt.want {
			t.Errorf("%s: path %q, want %q", tt.family, got, tt.want)
		}
	}
}
