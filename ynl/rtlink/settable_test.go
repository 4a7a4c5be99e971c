package rtlink_test

import (
	"net"
	"net/netip"
	"reflect"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// TestSettable: what the kernel reports and does not take is left out.
func TestSettable(t *testing.T) {
	const all = rtlink.IfinfoFlags(0xffffffff)
	for name, c := range map[string]struct{ read, want *rtlink.Link }{
		"header": {
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Type: 772, Index: 1, Flags: rtlink.IFF_UP | rtlink.IFF_LOOPBACK | rtlink.IFF_RUNNING | rtlink.IFF_LOWER_UP, Change: all}},
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Index: 1, Flags: rtlink.IFF_UP, Change: all}},
		},
		"read-only": {
			&rtlink.Link{Ifname: ynl.Some("x"), Qdisc: ynl.Some("noqueue"), Carrier: ynl.U8(1), Operstate: ynl.U8(6), PermAddress: net.HardwareAddr{1},
				Stats64: ynl.Some(rtlink.RtnlLinkStats64{}), Map: ynl.Some(rtlink.RtnlLinkIfmap{}), TSOMaxSize: ynl.U32(1),
				XDP: &rtlink.XDP{Attached: ynl.U8(0)}, AfSpec: &rtlink.AfSpec{Inet: &rtlink.Inet{}}, ProtoDown: ynl.U8(0)},
			&rtlink.Link{Ifname: ynl.Some("x")},
		},
		"held down": {
			&rtlink.Link{ProtoDown: ynl.U8(1), ProtoDownReason: &rtlink.ProtoDownReason{Value: ynl.U32(8)}},
			&rtlink.Link{ProtoDown: ynl.U8(1), ProtoDownReason: &rtlink.ProtoDownReason{Value: ynl.U32(8)}},
		},
		"virtual functions": {
			&rtlink.Link{VfinfoList: &rtlink.VfinfoList{Info: []rtlink.Vfinfo{{
				Spoofchk: ynl.Some(rtlink.IflaVFSpoofchk{VF: 1, Setting: 0xffffffff}), Trust: ynl.Some(rtlink.IflaVFTrust{VF: 1, Setting: 1}),
				RSSQueryEn: ynl.Some(rtlink.IflaVFRSSQueryEn{VF: 1, Setting: 0xffffffff}), Stats: &rtlink.VFStats{}, Broadcast: []byte{1},
			}}}},
			&rtlink.Link{VfinfoList: &rtlink.VfinfoList{Info: []rtlink.Vfinfo{{Trust: ynl.Some(rtlink.IflaVFTrust{VF: 1, Setting: 1})}}}},
		},
		"VLANs of a bridge": {
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge, Index: 7}, Master: ynl.U32(7),
				AfSpec: &rtlink.BridgeAfSpec{VLANInfo: []rtlink.BridgeVLANInfo{{Vid: 1}}}},
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge, Index: 7}, Master: ynl.U32(7),
				AfSpec: &rtlink.BridgeAfSpec{Flags: ynl.Some(rtlink.BRIDGE_FLAGS_SELF), VLANInfo: []rtlink.BridgeVLANInfo{{Vid: 1}}}},
		},
		"VLANs of a port": {
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge, Index: 8}, Master: ynl.U32(7), AfSpec: &rtlink.BridgeAfSpec{},
				Protinfo: &rtlink.LinkinfoBrport{State: ynl.U8(3), Cost: ynl.U32(7)}},
			&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge, Index: 8}, Master: ynl.U32(7), AfSpec: &rtlink.BridgeAfSpec{},
				Protinfo: &rtlink.LinkinfoBrport{Cost: ynl.U32(7)}},
		},
	} {
		if got := c.read.Settable(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %s, want %s", name, text(got), text(c.want))
		}
	}
}

// TestSettableKinds is TestSettable for what kinds have of their own.
func TestSettableKinds(t *testing.T) {
	for name, c := range map[string]struct {
		kind       string
		read, want rtlink.LinkinfoData
	}{
		"bond, round robin": {"bond",
			&rtlink.LinkinfoBond{Mode: ynl.U8(0), Miimon: ynl.U32(0), Updelay: ynl.U32(0), PacketsPerSlave: ynl.U32(1), AdLacpRate: ynl.U8(0), TlbDynamicLb: ynl.U8(1), MissedMax: ynl.U8(2)},
			&rtlink.LinkinfoBond{Mode: ynl.U8(0), Miimon: ynl.U32(0), PacketsPerSlave: ynl.U32(1), MissedMax: ynl.U8(2)}},
		"bond, 802.3ad": {"bond",
			&rtlink.LinkinfoBond{Mode: ynl.U8(4), Miimon: ynl.U32(100), Updelay: ynl.U32(200), PacketsPerSlave: ynl.U32(1), AdLacpRate: ynl.U8(1), ARPInterval: ynl.U32(0),
				AdActorSystem: make(net.HardwareAddr, 6), AdInfo: &rtlink.BondAdInfo{}, ActiveSlave: ynl.U32(9)},
			&rtlink.LinkinfoBond{Mode: ynl.U8(4), Miimon: ynl.U32(100), Updelay: ynl.U32(200), AdLacpRate: ynl.U8(1)}},
		"bond, adaptive load balancing": {"bond",
			&rtlink.LinkinfoBond{Mode: ynl.U8(6), TlbDynamicLb: ynl.U8(1), ARPInterval: ynl.U32(0), ARPValidate: ynl.U32(0)},
			&rtlink.LinkinfoBond{Mode: ynl.U8(6), TlbDynamicLb: ynl.U8(1)}},
		"bridge": {"bridge",
			&rtlink.LinkinfoBridge{VLANFiltering: ynl.U8(0), MultiBoolopt: ynl.Some(rtlink.BrBooloptMulti{Optval: 1, Optmask: 31}), GcTimer: ynl.U64(5), FdbNLearned: ynl.U32(1)},
			&rtlink.LinkinfoBridge{MultiBoolopt: ynl.Some(rtlink.BrBooloptMulti{Optval: 1, Optmask: 1})}},
		"bridge that filters": {"bridge",
			&rtlink.LinkinfoBridge{VLANFiltering: ynl.U8(1)}, &rtlink.LinkinfoBridge{VLANFiltering: ynl.U8(1)}},
		"vxlan": {"vxlan",
			&rtlink.LinkinfoVXLAN{TTLInherit: []byte{0}, RemcsumRx: ynl.U8(0)}, &rtlink.LinkinfoVXLAN{}},
		"vxlan that inherits": {"vxlan",
			&rtlink.LinkinfoVXLAN{TTLInherit: []byte{1}, RemcsumRx: ynl.U8(1)}, &rtlink.LinkinfoVXLAN{TTLInherit: []byte{}, RemcsumRx: ynl.U8(1)}},
		"vlan": {"vlan",
			&rtlink.LinkinfoVLAN{Flags: ynl.Some(rtlink.IflaVLANFlags{Flags: 1, Mask: 0xffffffff})},
			&rtlink.LinkinfoVLAN{Flags: ynl.Some(rtlink.IflaVLANFlags{Flags: 1, Mask: 31})}},
		"vlan of a newer kernel": {"vlan",
			&rtlink.LinkinfoVLAN{Flags: ynl.Some(rtlink.IflaVLANFlags{Flags: 1 << 9, Mask: 0xffffffff})},
			&rtlink.LinkinfoVLAN{Flags: ynl.Some(rtlink.IflaVLANFlags{Flags: 1 << 9, Mask: 1<<9 | 31})}},
		"macvlan": {"macvlan",
			&rtlink.LinkinfoMacvlan{MacaddrCount: ynl.U32(1), MacaddrData: &rtlink.MacvlanMacaddrData{Macaddr: []net.HardwareAddr{{2, 0, 0, 0, 0, 1}}}},
			&rtlink.LinkinfoMacvlan{MacaddrMode: ynl.Some(rtlink.MACVLAN_MACADDR_SET), MacaddrData: &rtlink.MacvlanMacaddrData{Macaddr: []net.HardwareAddr{{2, 0, 0, 0, 0, 1}}}}},
		"gretap": {"gretap",
			&rtlink.LinkinfoGRE{CollectMetadata: true, Remote: netip.IPv4Unspecified()}, &rtlink.LinkinfoGRE{CollectMetadata: true}},
		"ip6gretap":            {"ip6gretap", &rtlink.LinkinfoGRE6{Remote: netip.IPv6Unspecified()}, &rtlink.LinkinfoGRE6{}},
		"geneve":               {"geneve", &rtlink.LinkinfoGeneve{TTL: ynl.U8(5), TTLInherit: ynl.U8(0)}, &rtlink.LinkinfoGeneve{TTL: ynl.U8(5)}},
		"geneve that inherits": {"geneve", &rtlink.LinkinfoGeneve{TTLInherit: ynl.U8(1)}, &rtlink.LinkinfoGeneve{TTLInherit: ynl.U8(1)}},
		"hsr": {"hsr",
			&rtlink.LinkinfoHsr{SupervisionAddr: net.HardwareAddr{1, 0x15, 0x4e, 0, 1, 45}, SeqNr: ynl.U16(5)},
			&rtlink.LinkinfoHsr{MulticastSpec: ynl.U8(45)}},
	} {
		read := &rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some(c.kind), Data: c.read}}
		want := &rtlink.Link{Linkinfo: &rtlink.Linkinfo{Kind: ynl.Some(c.kind), Data: c.want}}
		before := text(read)
		if got := read.Settable(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s, want %s", name, text(got), text(want))
		}
		if after := text(read); after != before {
			t.Errorf("%s: Settable changed %s into %s", name, before, after)
		}
	}
}

// TestByFamily: what IFLA_AF_SPEC and IFLA_PROTINFO are depends on the family of the header.
func TestByFamily(t *testing.T) {
	var b wire.Builder
	b.Struct(nativeHeader(af.Bridge, 5))
	b.Nest(12, func(b *wire.Builder) { b.Uint32(3, 7) }) // IFLA_PROTINFO: IFLA_BRPORT_COST
	b.Nest(26, func(b *wire.Builder) {                   // IFLA_AF_SPEC
		b.Uint16(0, 2) // IFLA_BRIDGE_FLAGS
		for vid := range uint8(3) {
			b.Bytes(2, nativeBytes(6, uint16(vid)+1)) // IFLA_BRIDGE_VLAN_INFO: flags, vid
		}
		b.Nest(3, func(b *wire.Builder) { b.Uint32(1, 100); b.Uint16(2, 7) }) // IFLA_BRIDGE_VLAN_TUNNEL_INFO
	})
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l := new(rtlink.Link)
	if err := l.Decode(payload); err != nil {
		t.Fatal(err)
	}
	const flags = rtlink.BRIDGE_VLAN_INFO_PVID | rtlink.BRIDGE_VLAN_INFO_UNTAGGED
	want := &rtlink.Link{
		Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge, Index: 5},
		Protinfo:  &rtlink.LinkinfoBrport{Cost: ynl.U32(7)},
		AfSpec: &rtlink.BridgeAfSpec{
			Flags:          ynl.Some(rtlink.BRIDGE_FLAGS_SELF),
			VLANInfo:       []rtlink.BridgeVLANInfo{{Flags: flags, Vid: 1}, {Flags: flags, Vid: 2}, {Flags: flags, Vid: 3}},
			VLANTunnelInfo: []rtlink.BridgeVLANTunnel{{ID: ynl.U32(100), Vid: ynl.U16(7)}},
		},
	}
	if !reflect.DeepEqual(l, want) {
		t.Fatalf("%s, want %s", text(l), text(want))
	}
	b = wire.Builder{}
	want.Encode(&b)
	if got, err := b.Encode(); err != nil || !reflect.DeepEqual(got, payload) {
		t.Errorf("%x, %v, want %x", got, err, payload)
	}

	b = wire.Builder{}
	(&rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Inet6}, Protinfo: &rtlink.Inet6{RaMTU: ynl.U32(1400)}}).Encode(&b)
	if payload, err = b.Encode(); err != nil {
		t.Fatal(err)
	}
	l = new(rtlink.Link)
	if err := l.Decode(payload); err != nil {
		t.Fatal(err)
	}
	if p, ok := l.Protinfo.(*rtlink.Inet6); !ok || p.RaMTU != ynl.U32(1400) {
		t.Errorf("%s", text(l))
	}
	// Families without types of their own.
	payload[0] = 99
	l = new(rtlink.Link)
	if err := l.Decode(payload); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Protinfo.(*rtlink.Raw); !ok {
		t.Errorf("family 99: %T", l.Protinfo)
	}
}
