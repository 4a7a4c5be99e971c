//go:build linux

package rtlink_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// kinds are links of all kinds, each with settings that are not those of a new one. The
// first word names the feature that the kernel needs, the rest are the arguments of ip.
var kinds = []string{
	"bridge type bridge stp_state 1 ageing_time 6000 priority 4096 forward_delay 1000 group_fwd_mask 8 mcast_querier 1 mcast_hash_max 512",
	"bridge-vlan type bridge vlan_filtering 1 vlan_default_pvid 10 vlan_stats_enabled 1 vlan_protocol 802.1ad",
	"dummy type dummy",
	"ifb type ifb",
	"macvlan link v0 type macvlan mode vepa",
	"macvlan-passthru link v1 type macvlan mode passthru nopromisc",
	"macvlan-source link v0 type macvlan mode source bcqueuelen 500",
	"macvtap link v0 type macvtap mode private",
	"ipvlan link v1 type ipvlan mode l3s private",
	"ipvtap link v1 type ipvtap mode l2",
	"vxlan type vxlan id 42 dstport 4789 dev v0 group 239.1.1.1 local 192.0.2.1 ttl 9 tos 16 ageing 100 maxaddress 5 srcport 1000 2000 noudpcsum gbp",
	"vxlan6 type vxlan id 43 dstport 4790 remote 2001:db8::9 local 2001:db8::1 nolearning flowlabel 0x1234 udp6zerocsumtx udp6zerocsumrx ttl inherit l2miss l3miss rsc proxy",
	"vxlan-external type vxlan external dstport 4791",
	"vxlan-vnifilter type vxlan external vnifilter dstport 4792",
	"vxlan-gpe type vxlan external gpe dstport 4793",
	"vlan link v0 type vlan id 100 protocol 802.1ad egress-qos-map 1:2 3:4 ingress-qos-map 5:6 reorder_hdr off gvrp on loose_binding on",
	"bond type bond mode active-backup arp_interval 100 arp_ip_target 192.0.2.7,192.0.2.8 arp_validate active fail_over_mac active",
	"bond-8023ad type bond mode 802.3ad miimon 100 updelay 200 lacp_rate fast ad_actor_sys_prio 7 xmit_hash_policy layer3+4",
	"bond-rr type bond mode balance-rr miimon 50 packets_per_slave 7",
	"bond-xor type bond mode balance-xor",
	"bond-tlb type bond mode balance-tlb tlb_dynamic_lb 0",
	"bond-alb type bond mode balance-alb miimon 100",
	"bond-broadcast type bond mode broadcast",
	"vrf type vrf table 100",
	"wireguard type wireguard",
	"macsec link v0 type macsec port 7 encrypt on cipher gcm-aes-256 validate check replay on window 64 end_station off",
	"gre type gre local 192.0.2.1 remote 192.0.2.9 ikey 1 okey 2 ttl 5 tos 4",
	"gretap type gretap local 192.0.2.1 remote 192.0.2.9 key 5 nopmtudisc ignore-df",
	"gre-external type gretap external",
	"erspan type erspan local 192.0.2.1 remote 192.0.2.9 seq key 30 erspan_ver 1 erspan 7",
	"ip6gre type ip6gre local 2001:db8::1 remote 2001:db8::9 key 6 flowlabel 0x5 encaplimit 3",
	"ip6gretap type ip6gretap local 2001:db8::1 remote 2001:db8::9 hoplimit 9",
	"ip6erspan type ip6erspan local 2001:db8::1 remote 2001:db8::9 seq key 30 erspan_ver 2 erspan_dir egress erspan_hwid 5",
	"ipip type ipip local 192.0.2.1 remote 192.0.2.9 ttl 5 dev v0",
	"sit type sit local 192.0.2.1 remote 192.0.2.8 ttl 5 6rd-prefix 2001:db8::/32",
	"ip6tnl type ip6tnl local 2001:db8::1 remote 2001:db8::9 mode ipip6 hoplimit 9 encaplimit none dscp inherit",
	"vti type vti local 192.0.2.1 remote 192.0.2.9 ikey 3 okey 4",
	"vti6 type vti6 local 2001:db8::1 remote 2001:db8::9 ikey 3 okey 4",
	"geneve type geneve id 7 remote 192.0.2.9 ttl 5 tos 8 dstport 6082 udpcsum",
	"geneve6 type geneve id 8 remote 2001:db8::9 flowlabel 0x12 udp6zerocsumtx df set",
	"geneve-external type geneve external",
	"bareudp type bareudp dstport 6635 ethertype mpls_uc srcportmin 12345 multiproto",
	"hsr type hsr slave1 d0 slave2 d1 supervision 45 version 1",
	"xfrm type xfrm dev v0 if_id 42",
	"nlmon type nlmon",
	"vcan type vcan",
	"team type team",
	"amt type amt discovery 192.0.2.9 mode gateway relay_port 2268 gateway_port 2268 local 192.0.2.1 dev v0 max_tunnels 9",
	"vsockmon type vsockmon",
	"batadv type batadv",
}

// TestAgain: a link of each kind is deleted with what was listed, and made again with it.
func TestAgain(t *testing.T) {
	for _, line := range kinds {
		feature, args, _ := strings.Cut(line, " ")
		t.Run(feature, func(t *testing.T) {
			s := ynlkernel.NewEnds(t)
			if feature == "hsr" {
				s.Try(t, "dummy", "ip link add d0 type dummy")
				s.Run(t, "ip link add d1 type dummy")
			}
			words := "ip link add name x0"
			if link, rest, ok := strings.Cut(args, " type "); ok && strings.HasPrefix(link, "link ") {
				words, args = words+" "+link, "type "+rest
			}
			s.Try(t, feature, words+" group 7 "+args)
			if feature == "macvlan-source" {
				s.Run(t, "ip link set x0 type macvlan macaddr set 02:00:00:00:00:01 02:00:00:00:00:02")
			}
			s.Run(t, "ip link set x0 alias nickname")
			again(t, s, "x0")
		})
	}
}

// again deletes a link and makes it again, and compares what is read before and after, here
// and by ip.
func again(t *testing.T, s *ynlkernel.Sandbox, name string) {
	t.Helper()
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	show := "ip -d -o link show dev " + name
	before, shown := s.Link(t, name), s.Run(t, show)
	if err := links.DelLink(ctx, before.Settable()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if l, err := links.GetLink(ctx, rtlink.ByName(name)); err == nil {
		t.Fatalf("%s is still there", l.Ifname)
	}
	set := before.Settable()
	if err := links.NewLink(ctx, set, ynlkernel.Create); err != nil {
		t.Fatalf("make: %v\n%s", err, text(set))
	}
	if err := links.NewLink(ctx, before.Remainder()); err != nil {
		t.Fatalf("the remainder: %v\n%s", err, text(before.Remainder()))
	}
	after := s.Link(t, name)
	if a, b := set, after.Settable(); !reflect.DeepEqual(a, b) {
		t.Errorf("before: %s\nafter:  %s", text(a), text(b))
	}
	if out := s.Run(t, show); normal(out) != normal(shown) {
		t.Errorf("before: %s\nafter:  %s", shown, out)
	}
}

// normal leaves out what ip prints of the time, of states that change, and of what the
// kernel makes anew.
func normal(out string) string {
	words := strings.Fields(strings.ReplaceAll(out, "NO-CARRIER,", ""))
	for _, name := range []string{"gc_timer", "hello_timer", "state", "qdisc", "bridge_id", "designated_root", "permaddr"} {
		for i, w := range words[:max(len(words)-1, 0)] {
			if w == name {
				words[i+1] = ""
			}
		}
	}
	// Lists that the kernel prints in an order of its own.
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestVethAgain(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	s.Run(t, "ip link set v0 mtu 1400\nip link set v1 txqueuelen 0 alias other\nip link set v1 down")
	v0, v1 := s.Link(t, "v0"), s.Link(t, "v1")
	const show = "ip -d -o link show dev v0\nip -d -o link show dev v1"
	shown := s.Run(t, show)
	if err := links.DelLink(ctx, v0.Settable()); err != nil {
		t.Fatal(err)
	}
	if err := links.NewLink(ctx, rtlink.VethPair(v0.Settable(), v1.Settable()), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*rtlink.Link{v0, v1} {
		if err := links.NewLink(ctx, l.Remainder()); err != nil {
			t.Error(err)
		}
	}
	if out := s.Run(t, show); normal(out) != normal(shown) {
		t.Errorf("before: %s\nafter:  %s", shown, out)
	}
}

// TestPortAgain: what a link has as a port of a bridge is set after it has been made.
func TestPortAgain(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	s.Try(t, "bridge", "ip link add br0 type bridge")
	s.Try(t, "ifb", "ip link add p0 type ifb")
	s.Run(t, `
		ip link set p0 master br0
		ip link set p0 type bridge_slave cost 7 priority 9 hairpin on guard on learning off`)
	const show = "ip -d -o link show dev p0"
	port, shown := s.Link(t, "p0"), s.Run(t, show)
	if err := links.DelLink(ctx, port.Settable()); err != nil {
		t.Fatal(err)
	}
	if err := links.NewLink(ctx, port.Settable(), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if err := links.NewLink(ctx, port.Remainder()); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, show); normal(out) != normal(shown) {
		t.Errorf("before: %s\nafter:  %s", shown, out)
	}
}

// TestVLANsAgain: the VLANs of a bridge and of its ports are listed, removed, and added
// again.
func TestVLANsAgain(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	s.Try(t, "bridge-vlan", "ip link add br0 type bridge vlan_filtering 1")
	s.Try(t, "bridge-tool", "bridge -V")
	s.Run(t, `
		ip link set v1 master br0
		bridge vlan add vid 20-22 dev v1
		bridge vlan add vid 30 dev v1 pvid untagged
		bridge vlan add vid 40 dev br0 self`)
	dump := func() (list []*rtlink.Link) {
		t.Helper()
		req := &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: bridgeFamily}}
		req.ExtMask.Value, req.ExtMask.Set = rtlink.RTEXT_FILTER_BRVLAN, true
		list, err := links.DumpLink(ctx, req).List()
		if err != nil || len(list) != 2 {
			t.Fatalf("%d links, %v", len(list), err)
		}
		return list
	}
	const show = "bridge vlan show"
	shown := s.Run(t, show)
	for _, l := range dump() {
		spec, ok := l.AfSpec.(*rtlink.BridgeAfSpec)
		if !ok || len(spec.VLANInfo) == 0 {
			t.Fatalf("%s: %T", l.Ifname, l.AfSpec)
		}
		if err := links.DelLink(ctx, l.Settable()); err != nil {
			t.Errorf("remove the VLANs of %s: %v", l.Ifname, err)
		}
		for _, left := range dump() {
			if spec, ok := left.AfSpec.(*rtlink.BridgeAfSpec); ok && left.Index == l.Index && len(spec.VLANInfo) > 0 {
				t.Errorf("%s has %s", l.Ifname, text(left))
			}
		}
		if err := links.SetLink(ctx, l.Settable()); err != nil {
			t.Errorf("add the VLANs of %s: %v", l.Ifname, err)
		}
	}
	s.Same(t, show, shown)
	// A port's settings are in the same message.
	for _, l := range dump() {
		if p, ok := l.Protinfo.(*rtlink.LinkinfoBrport); l.Ifname.Value == "v1" && (!ok || p.Learning.Value != 1) {
			t.Errorf("%s: %T", l.Ifname, l.Protinfo)
		}
	}
}

const bridgeFamily = 7 // AF_BRIDGE
