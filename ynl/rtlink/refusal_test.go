//go:build linux

package rtlink_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// TestRefusals: the kernel's refusals are errors that name the attribute.
func TestRefusals(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	veth := func(change func(*rtlink.Link)) *rtlink.Link {
		l := &rtlink.Link{Ifname: ynl.Some("x0"), Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("veth")}}
		change(l)
		return l
	}
	long := strings.Repeat("x", 20)
	for name, c := range map[string]struct {
		req  *rtlink.Link
		want error
		text string
	}{
		"exists":       {veth(func(l *rtlink.Link) { l.Ifname = ynl.Some("v0") }), unix.EEXIST, ""},
		"unknown kind": {veth(func(l *rtlink.Link) { l.Linkinfo.Kind = ynl.Some("nosuchkind") }), unix.EOPNOTSUPP, ""},
		"long name":    {veth(func(l *rtlink.Link) { l.Ifname = ynl.Some(long) }), unix.ERANGE, "IFLA_IFNAME"},
		"many queues":  {veth(func(l *rtlink.Link) { l.NumTxQueues = ynl.U32(1 << 20) }), unix.EINVAL, "queues"},
		"large MTU":    {veth(func(l *rtlink.Link) { l.MTU = ynl.U32(1 << 20) }), unix.EINVAL, ""},
		"vxlan without id": {veth(func(l *rtlink.Link) {
			l.Linkinfo = &rtlink.Linkinfo{Data: &rtlink.LinkinfoVXLAN{ID: ynl.U32(1 << 25)}}
		}), unix.ERANGE, "IFLA_VXLAN_ID"},
		"bad mode": {veth(func(l *rtlink.Link) {
			l.Link = ynl.U32(uint32(s.Link(t, "v0").Index))
			l.Linkinfo = &rtlink.Linkinfo{Data: &rtlink.LinkinfoMacvlan{Mode: ynl.Some(rtlink.MacvlanMode(77))}}
		}), unix.EINVAL, ""},
	} {
		err := links.NewLink(ctx, c.req, ynlkernel.Create)
		if strings.HasPrefix(name, "vxlan") && errors.Is(err, unix.EOPNOTSUPP) {
			continue // no vxlan
		}
		if !errors.Is(err, c.want) || client.NotSent(err) || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "rt-link newlink: ") {
			t.Errorf("%s: %v, want %v and %q", name, err, c.want, c.text)
		}
	}
	if l, err := links.GetLink(ctx, rtlink.ByName("nosuchlink")); l != nil || !errors.Is(err, unix.ENODEV) {
		t.Errorf("%v, %v", l, err)
	}
}

// TestBadInput: what cannot be encoded is not sent, and the error has the path.
func TestBadInput(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	info := func(i rtlink.Linkinfo) *rtlink.Link { return &rtlink.Link{Linkinfo: &i} }
	kind := ynl.Some[string]
	long := strings.Repeat("x", 1<<16)
	for _, c := range []struct {
		text string
		bad  *rtlink.Link
	}{
		// Kind and data that contradict.
		{"IFLA_LINKINFO > IFLA_INFO_DATA", info(rtlink.Linkinfo{Kind: kind("vlan"), Data: &rtlink.LinkinfoVXLAN{}})},
		{"IFLA_LINKINFO > IFLA_INFO_DATA", info(rtlink.Linkinfo{Kind: kind("macvlan"), Data: &rtlink.LinkinfoBridge{}})},
		{"IFLA_LINKINFO > IFLA_INFO_SLAVE_DATA", info(rtlink.Linkinfo{SlaveKind: kind("bond"), SlaveData: &rtlink.LinkinfoBrport{}})},
		// A type that several kinds have.
		{"IFLA_LINKINFO > IFLA_INFO_KIND", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoGRE{}})},
		{"IFLA_LINKINFO > IFLA_INFO_KIND", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoIptun{}})},
		// A family of the header that contradicts.
		{"IFLA_AF_SPEC", &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: bridgeFamily}, AfSpec: &rtlink.AfSpec{}}},
		{"IFLA_AF_SPEC", &rtlink.Link{AfSpec: &rtlink.BridgeAfSpec{}}},
		{"IFLA_PROTINFO", &rtlink.Link{Protinfo: &rtlink.LinkinfoBrport{}}},
		{"IFLA_PROTINFO", &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: 10}, Protinfo: &rtlink.LinkinfoBrport{}}},
		// Addresses of the wrong length.
		{"IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_VXLAN_GROUP", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoVXLAN{Group: v6}})},
		{"IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_VXLAN_LOCAL6", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoVXLAN{Local6: v4}})},
		// Attributes that are too large, at all depths.
		{"IFLA_IFNAME", &rtlink.Link{Ifname: ynl.Some(long)}},
		{"IFLA_ADDRESS", &rtlink.Link{Address: make(net.HardwareAddr, 1<<16)}},
		{"IFLA_LINKINFO > IFLA_INFO_KIND", info(rtlink.Linkinfo{Kind: kind(long)})},
		{"IFLA_LINKINFO > IFLA_INFO_DATA > VETH_INFO_PEER > IFLA_IFALIAS", info(rtlink.Linkinfo{
			Data: &rtlink.LinkinfoVeth{Peer: &rtlink.Link{Ifalias: ynl.Some(long)}},
		})},
		// Numbers that are too large for their place.
		{"IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_IPVLAN_MODE", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoIpvlan{Mode: ynl.Some(rtlink.IpvlanMode(1 << 16))}})},
		{"IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_MACVLAN_FLAGS", info(rtlink.Linkinfo{Data: &rtlink.LinkinfoMacvlan{Flags: ynl.Some(rtlink.MacvlanFlags(1 << 16))}})},
	} {
		ynlkernel.NotSent(t, links.NewLink(ctx, c.bad, ynlkernel.Create), c.text)
	}
	if list, err := links.DumpLink(ctx, nil).List(); err != nil || len(list) == 0 {
		t.Errorf("afterwards: %d links, %v", len(list), err)
	}
}

func TestEvents(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, cancel := context.WithCancel(kerneltest.Patient(t))
	defer cancel()
	events := ynl.Events(ctx, s.Conn, &rtlink.Family)
	s.Run(t, `
		ip link add x0 type veth peer name x1
		ip link set x0 mtu 1400
		ip link set x0 up
		ip link del x0`)
	want := []string{"16 x0 veth 1500 false", "16 x0 veth 1400 false", "16 x0 veth 1400 true", "17 x0 veth 1400 false"}
	ynlkernel.Await(t, events, cancel, want, func(e ynl.Event) string {
		l, ok := e.Value.(*rtlink.Link)
		if !ok {
			return ynlkernel.Line(e.Type)
		}
		return ynlkernel.Line(e.Type, l.Ifname, l.Kind(), l.MTU, l.IsUp())
	})
}

// TestSettings: settings of IPv4 are reported as an array and set by attributes.
func TestSettings(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	read := func() (forwarding, hops uint32) {
		t.Helper()
		spec := s.Link(t, "v0").AfSpec.(*rtlink.AfSpec)
		f, ok1 := spec.Inet.Value(rtlink.IPV4_DEVCONF_FORWARDING)
		h, ok2 := spec.Inet6.Value(rtlink.DEVCONF_HOPLIMIT)
		if !ok1 || !ok2 {
			t.Fatalf("%+v", spec)
		}
		return f, h
	}
	if f, h := read(); f != 0 || h != 64 {
		t.Errorf("forwarding %d, hop limit %d", f, h)
	}
	inet := new(rtlink.Inet)
	inet.SetValue(rtlink.IPV4_DEVCONF_FORWARDING, 1)
	inet.SetValue(rtlink.IPV4_DEVCONF_PROXY_ARP, 1)
	change := rtlink.ByName("v0")
	change.AfSpec = &rtlink.AfSpec{Inet: inet, Inet6: &rtlink.Inet6{AddrGenMode: ynl.U8(rtlink.IN6_ADDR_GEN_MODE_NONE)}}
	if err := rtlink.New(s.Conn).NewLink(kerneltest.Patient(t), change); err != nil {
		t.Fatal(err)
	}
	if f, _ := read(); f != 1 {
		t.Errorf("forwarding %d", f)
	}
	spec := s.Link(t, "v0").AfSpec.(*rtlink.AfSpec)
	if spec.Inet6.AddrGenMode != ynl.U8(1) {
		t.Errorf("mode %s", spec.Inet6.AddrGenMode)
	}
	if v, _ := spec.Inet.Value(rtlink.IPV4_DEVCONF_PROXY_ARP); v != 1 {
		t.Errorf("proxy_arp %d", v)
	}
	if v := s.Setting(t, "net/ipv4/conf/v0/proxy_arp"); v != "1" {
		t.Errorf("proxy_arp %s", v)
	}
}

// TestMadeHere makes links of many kinds here, and looks at what ip reads of them.
func TestMadeHere(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	v0 := ynl.U32(uint32(s.Link(t, "v0").Index))
	for name, c := range map[string]struct {
		link *rtlink.Link
		want string
	}{
		"bridge": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoBridge{
			StpState: ynl.U32(1), HelloTime: ynl.U32(300), Priority: ynl.U16(4096), GroupAddr: net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 8},
		}}}, "hello_time 300 max_age 2000 ageing_time 30000 stp_state 1 priority 4096"},
		"vxlan": {&rtlink.Link{MTU: ynl.U32(1300), Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoVXLAN{
			ID: ynl.U32(99), Link: v0, Local: netip.MustParseAddr("192.0.2.1"), Group: netip.MustParseAddr("239.1.1.1"), Port: ynl.U16(4789),
			PortRange: ynl.Some(rtlink.IflaVXLANPortRange{Low: 1000, High: 2000}), Learning: ynl.U8(0), Gbp: true, TTL: ynl.U8(9),
		}}}, "vxlan id 99 group 239.1.1.1 local 192.0.2.1 dev v0 srcport 1000 2000 dstport 4789 nolearning ttl 9 ageing 300 udpcsum"},
		"vxlan inherit": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoVXLAN{
			ID: ynl.U32(98), Port: ynl.U16(4790), Group6: netip.MustParseAddr("2001:db8::9"), Label: ynl.U32(0x12345), TTLInherit: []byte{},
		}}}, "flowlabel 0x12345"},
		"macvlan": {&rtlink.Link{Link: v0, Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoMacvlan{
			Mode: ynl.Some(rtlink.MACVLAN_MODE_PASSTHRU), Flags: ynl.Some(rtlink.MACVLAN_FLAG_NOPROMISC),
		}}}, "macvlan mode passthru nopromisc"},
		"vlan": {&rtlink.Link{Link: v0, Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoVLAN{
			ID: ynl.U16(7), Protocol: ynl.Some(rtlink.ETH_P_8021AD), Flags: ynl.Some(rtlink.IflaVLANFlags{Flags: rtlink.VLAN_FLAG_GVRP, Mask: uint32(rtlink.VLAN_FLAG_GVRP)}),
		}}}, "vlan protocol 802.1ad id 7 <REORDER_HDR,GVRP>"},
		"bond": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoBond{
			Mode: ynl.U8(rtlink.BOND_MODE_ACTIVEBACKUP), ARPInterval: ynl.U32(100), ARPIPTarget: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		}}}, "arp_ip_target 192.0.2.7"},
		"ipvlan": {&rtlink.Link{Link: v0, Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoIpvlan{
			Mode: ynl.Some(rtlink.IPVLAN_MODE_L3), Flags: ynl.Some(rtlink.IPVLAN_F_VEPA),
		}}}, "ipvlan  mode l3 vepa"},
		"macsec": {&rtlink.Link{Link: v0, Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoMacsec{
			Sci: ynl.U64(0x1122334455667788), Encrypt: ynl.U8(1),
		}}}, "sci 1122334455667788"},
		"vrf":    {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoVrf{Table: ynl.U32(1234)}}}, "vrf table 1234"},
		"geneve": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoGeneve{ID: ynl.U32(5), Remote: netip.MustParseAddr("192.0.2.9")}}}, "geneve id 5 remote 192.0.2.9"},
		"gre": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("gre"), Data: &rtlink.LinkinfoGRE{
			Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr("192.0.2.9"), Iflags: ynl.U16(rtlink.GRE_KEY), Ikey: ynl.U32(7),
		}}}, "ikey 0.0.0.7"},
		"xfrm":      {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoXfrm{Link: v0, IfID: ynl.U32(42)}}}, "if_id 0x2a"},
		"wireguard": {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("wireguard")}}, "wireguard"},
		"dummy":     {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("dummy")}}, "dummy"},
		"ifb":       {&rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some("ifb")}}, "ifb"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(name, " ")
			c.link.Ifname = ynl.Some("x0")
			err := rtlink.New(s.Conn).NewLink(kerneltest.Patient(t), c.link, ynlkernel.Create)
			if errors.Is(err, unix.EOPNOTSUPP) {
				nstest.Skip(t, kind, "%v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if out := s.Run(t, "ip -d link show x0"); !strings.Contains(out, c.want) {
				t.Errorf("%s, want %s", out, c.want)
			}
			s.Run(t, "ip link del x0")
		})
	}
}
