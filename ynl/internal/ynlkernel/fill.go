//go:build linux

package ynlkernel

import "testing"

// Ends are two links, v0 and v1, that are the ends of one cable.
const Ends = `
	ip link add v0 type veth peer name v1
	ip link set v0 up
	ip link set v1 up
	ip addr add 192.0.2.1/24 dev v0
	ip addr add 2001:db8::1/64 dev v0 nodad`

// NewEnds makes a Sandbox with Ends.
func NewEnds(t testing.TB) *Sandbox {
	t.Helper()
	s := New(t)
	s.Run(t, Ends)
	return s
}

// Links makes links of many kinds on top of Ends: all that the kernel has.
func (s *Sandbox) Links(t testing.TB) {
	t.Helper()
	s.Fill(t, linkCommands)
}

var linkCommands = []string{
	"ip link set v0 alias cable",
	"ip link property add dev v0 altname averyveryverylongalternativename altname second",
	"ip link set v1 group 7 txqueuelen 0",
	"ip link add br0 type bridge stp_state 1 ageing_time 6000 priority 4096",
	"ip link add br1 type bridge vlan_filtering 1 vlan_default_pvid 10",
	"ip link add p0 type veth peer name p1",
	"ip link set p0 master br0",
	"ip link set p0 type bridge_slave cost 7 hairpin on guard on",
	"ip link add p2 type veth peer name p3",
	"ip link set p2 master br1",
	"bridge vlan add vid 20-22 dev p2",
	"bridge vlan add vid 30 dev br1 self",
	"ip link add ifb0 type ifb",
	"ip link add dummy0 type dummy",
	"ip link add mv0 link v0 type macvlan mode source",
	"ip link set mv0 type macvlan macaddr set 02:00:00:00:00:01 02:00:00:00:00:02",
	"ip link set mv0 protodown on",
	"ip link set mv0 protodown_reason 3 on",
	"ip link add mt0 link v0 type macvtap mode bridge",
	"ip link add iv0 link v1 type ipvlan mode l3 vepa",
	"ip link add ivt0 link v1 type ipvtap mode l3",
	"ip link add vx0 type vxlan id 42 dstport 4789 dev v0 group 239.1.1.1 local 192.0.2.1 ttl 9 tos 16 ageing 100 maxaddress 5 srcport 1000 2000 udpcsum gbp",
	"ip link add vx1 type vxlan id 43 dstport 4790 remote 2001:db8::9 local 2001:db8::1 nolearning flowlabel 0x1234 udp6zerocsumtx ttl inherit",
	"ip link add vx2 type vxlan external dstport 4791 vnifilter",
	"ip link add vlan0 link v0 type vlan id 100 protocol 802.1ad egress-qos-map 1:2 3:4 ingress-qos-map 5:6 reorder_hdr off",
	"ip link add bond0 type bond mode active-backup arp_interval 100 arp_ip_target 192.0.2.7,192.0.2.8",
	"ip link add bond1 type bond mode 802.3ad miimon 100 lacp_rate fast",
	"ip link add bp0 type dummy",
	"ip link set bp0 master bond0",
	"ip link add vrf0 type vrf table 100",
	"ip link add vp0 type dummy",
	"ip link set vp0 master vrf0",
	"ip link add wg0 type wireguard",
	"ip link add ms0 link v0 type macsec sci 1122334455667788 encrypt on cipher gcm-aes-256 validate check",
	"ip link add gre0x type gre local 192.0.2.1 remote 192.0.2.9 ikey 1 okey 2 ttl 5",
	"ip link add gretap0x type gretap local 192.0.2.1 remote 192.0.2.9 key 5 nopmtudisc",
	"ip link add erspan0x type erspan local 192.0.2.1 remote 192.0.2.9 seq key 30 erspan_ver 1 erspan 7",
	"ip link add ipip0 type ipip local 192.0.2.1 remote 192.0.2.9 encap fou encap-sport auto encap-dport 5555",
	"ip link add sit0x type sit local 192.0.2.1 remote 192.0.2.9 mode ip6ip 6rd-prefix 2001:db8::/32",
	"ip link add ip6gre0x type ip6gre local 2001:db8::1 remote 2001:db8::9 key 6 flowlabel 0x5",
	"ip link add ip6gretap0x type ip6gretap local 2001:db8::1 remote 2001:db8::9",
	"ip link add ip6erspan0x type ip6erspan local 2001:db8::1 remote 2001:db8::9 seq key 30 erspan_ver 2 erspan_dir egress erspan_hwid 5",
	"ip link add ip6tnl0x type ip6tnl local 2001:db8::1 remote 2001:db8::9 mode any",
	"ip link add vti0 type vti local 192.0.2.1 remote 192.0.2.9 ikey 3 okey 4",
	"ip link add vti6x type vti6 local 2001:db8::1 remote 2001:db8::9 ikey 3 okey 4",
	"ip link add gnv0 type geneve id 7 remote 192.0.2.9 ttl 5 dstport 6082",
	"ip link add gnv1 type geneve external",
	"ip link add bare0 type bareudp dstport 6635 ethertype mpls_uc srcportmin 12345 multiproto",
	"ip link add hsr0 type hsr slave1 p1 slave2 p3 supervision 45 version 1",
	"ip link add xfrm0 type xfrm dev v0 if_id 42",
	"ip link add nlmon0 type nlmon",
	"ip link add vcan0 type vcan",
	"ip link add vxc0 type vxcan peer name vxc1",
	"ip link add team0 type team",
	"ip link add amt0 type amt discovery 192.0.2.9 mode gateway relay_port 2268 gateway_port 2268 local 192.0.2.1 dev v0 max_tunnels 9",
	"ip link add nk0 type netkit mode l3 blackhole peer name nk1",
	"ip link add vsockmon0 type vsockmon",
	"ip link add bat0 type batadv",
	"ip tuntap add tun0 mode tun user 5 group 6",
	"ip tuntap add tap0 mode tap multi_queue",
}
