//go:build linux

package nftables_test

import (
	"testing"

	"github.com/nlmux/netlink/internal/nstest"
)

// rulesets are scripts of nft for everything that it can make: module names what the
// kernel needs for it.
var rulesets = []struct{ name, module, script string }{
	{"tables and chains", "nf_tables", `
		add table ip t4
		add table ip6 t6 { flags dormant; }
		add table inet t { comment "my table"; }
		add table arp ta
		add table bridge tb
		add chain inet t in { type filter hook input priority -5; policy drop; comment "chain comment"; }
		add chain inet t forwarded { type filter hook forward priority filter; }
		add chain ip t4 nat { type nat hook postrouting priority srcnat; }
		add chain ip t4 routed { type route hook output priority mangle; }
		add chain inet t plain`},
	{"netdev", "nf_tables_netdev", `
		add table netdev t
		add chain netdev t in { type filter hook ingress device lo priority 0; policy accept; }`},
	{"match", "nf_tables", `
		add table inet t
		add chain inet t c
		add rule inet t c ip saddr 10.0.0.0/8 ip daddr != 192.0.2.1 tcp dport 80 accept
		add rule inet t c ip6 saddr 2001:db8::/32 udp sport 1000-2000 drop
		add rule inet t c meta l4proto { tcp, udp } th dport { 53, 100-200 } counter packets 5 bytes 600 accept
		add rule inet t c iifname "eth*" oif lo meta mark & 0xff == 0x10 return
		add rule inet t c meta nfproto ipv4 meta protocol ip meta priority 1:2 meta pkttype broadcast
		add rule inet t c tcp flags & (syn | ack) == syn tcp option maxseg size 1000-1400
		add rule inet t c ip6 nexthdr tcp exthdr frag exists
		add rule inet t c ip option rr exists
		add rule inet t c ether saddr 02:00:00:00:00:01 ether type ip
		add rule inet t c meta hour "10:00"-"12:00" meta day "Monday"
		add rule inet t c @th,16,16 22 comment "rule comment"`},
	{"statements", "nf_tables", `
		add table inet t
		add chain inet t d
		add chain inet t c
		add rule inet t c meta mark set 0x77 meta priority set 1:7
		add rule inet t c ip ttl set 64 ip dscp set cs1
		add rule inet t c tcp dport set 8080
		add rule inet t c jump d
		add rule inet t c goto d
		add rule inet t c tcp dport vmap { 22 : jump d, 80 : accept, 443 : drop }
		add rule inet t c meta mark set tcp dport map { 22 : 1, 80 : 2 }
		add rule inet t c continue`},
	{"counters", "nft_counter", `
		add table inet t
		add chain inet t c
		add rule inet t c counter packets 7 bytes 700
		add counter inet t cnt { packets 7 bytes 700; comment "cc"; }
		add rule inet t c counter name cnt`},
	{"ct", "nft_ct", `
		add table inet t
		add chain inet t c
		add rule inet t c ct state established,related accept
		add rule inet t c ct mark 0x10 ct direction original ct status assured,confirmed
		add rule inet t c ct mark set 0x77
		add rule inet t c ct zone 7 ct original packets > 1000
		add rule inet t c ct original ip saddr 10.0.0.1`},
	{"ct helper and timeout", "nf_conntrack_ftp", `
		add table ip t
		add chain ip t c
		add ct helper ip t ftp { type "ftp" protocol tcp; }
		add ct expectation ip t exp { protocol tcp; dport 5060; timeout 30s; size 8; l3proto ip; }
		add rule ip t c ct helper set "ftp"`},
	{"ct zone", "nft_ct", `
		add table ip t
		add chain ip t raw { type filter hook prerouting priority raw; }
		add rule ip t raw notrack
		add rule ip t raw ct zone set 7`},
	{"limit", "nft_limit", `
		add table inet t
		add chain inet t c
		add rule inet t c limit rate 10/second burst 7 packets accept
		add rule inet t c limit rate over 10 kbytes/minute burst 3 kbytes drop
		add limit inet t lim { rate 10/second burst 7 packets; }
		add rule inet t c limit name lim`},
	{"quota", "nft_quota", `
		add table inet t
		add chain inet t c
		add rule inet t c quota over 10 mbytes used 3 bytes drop
		add quota inet t q { over 25 mbytes used 3 bytes; }
		add rule inet t c quota name "q"`},
	{"connlimit", "nft_connlimit", `
		add table inet t
		add chain inet t c
		add rule inet t c ct count over 20 drop`},
	{"log", "nft_log", `
		add table inet t
		add chain inet t c
		add rule inet t c log prefix "new: " level info flags ip options
		add rule inet t c log group 5 snaplen 64 queue-threshold 3`},
	{"reject", "nft_reject_inet", `
		add table inet t
		add chain inet t c { type filter hook input priority 0; }
		add rule inet t c tcp dport 22 reject with tcp reset
		add rule inet t c reject with icmpx admin-prohibited`},
	{"nat", "nft_nat", `
		add table ip t
		add chain ip t post { type nat hook postrouting priority srcnat; }
		add chain ip t pre { type nat hook prerouting priority dstnat; }
		add rule ip t post oifname "x" tcp dport 80 snat to 192.0.2.1:1024-2048 random,persistent
		add rule ip t pre tcp dport 80 dnat to 10.0.0.1-10.0.0.9:8080`},
	{"masquerade", "nft_masq", `
		add table ip t
		add chain ip t post { type nat hook postrouting priority srcnat; }
		add rule ip t post tcp dport 80 masquerade to :1024-2048 fully-random`},
	{"redirect", "nft_redir", `
		add table ip t
		add chain ip t pre { type nat hook prerouting priority dstnat; }
		add rule ip t pre tcp dport 80 redirect to :8080`},
	{"numgen", "nft_numgen", `
		add table inet t
		add chain inet t c
		add rule inet t c meta mark set numgen inc mod 10 offset 100
		add rule inet t c numgen random mod 2 0 accept`},
	{"hash", "nft_hash", `
		add table inet t
		add chain inet t c
		add rule inet t c meta mark set jhash ip saddr . ip daddr mod 16 seed 0x11 offset 5
		add rule inet t c meta mark set symhash mod 16`},
	{"fib", "nft_fib_inet", `
		add table inet t
		add chain inet t c { type filter hook prerouting priority 0; }
		add rule inet t c fib saddr . iif oif missing drop
		add rule inet t c fib daddr type local accept`},
	{"rt", "nf_tables", `
		add table inet t
		add chain inet t c { type filter hook output priority 0; }
		add rule inet t c rt ip nexthop 192.0.2.1 rt classid 7
		add rule inet t c tcp option maxseg size set rt mtu`},
	{"socket", "nft_socket", `
		add table inet t
		add chain inet t c { type filter hook prerouting priority 0; }
		add rule inet t c socket transparent 1 socket mark 0x7 accept`},
	{"tproxy", "nft_tproxy", `
		add table ip t
		add chain ip t c { type filter hook prerouting priority mangle; }
		add rule ip t c tcp dport 80 tproxy to 127.0.0.1:8080`},
	{"osf", "nft_osf", `
		add table ip t
		add chain ip t c { type filter hook input priority 0; }
		add rule ip t c osf ttl skip name "Linux"`},
	{"synproxy", "nft_synproxy", `
		add table ip t
		add chain ip t c { type filter hook input priority 0; }
		add synproxy ip t sp { mss 1460; wscale 7; timestamp sack-perm; }
		add rule ip t c tcp dport 80 synproxy mss 1460 wscale 7
		add rule ip t c tcp dport 81 synproxy name "sp"`},
	{"queue", "nft_queue", `
		add table inet t
		add chain inet t c
		add rule inet t c queue flags bypass,fanout to 3-5`},
	{"xfrm", "nft_xfrm", `
		add table inet t
		add chain inet t c { type filter hook input priority 0; }
		add rule inet t c ipsec in reqid 7 ipsec in ip saddr 192.0.2.1`},
	{"dup and fwd", "nft_fwd_netdev", `
		add table netdev t
		add chain netdev t in { type filter hook ingress device lo priority 0; }
		add rule netdev t in udp dport 53 dup to "lo"
		add rule netdev t in fwd to "lo"`},
	{"dynamic sets", "nf_tables", `
		add table inet t
		add chain inet t c
		add set inet t seen { type ipv4_addr; size 1000; flags dynamic,timeout; timeout 60s; gc-interval 10s; }
		add rule inet t c add @seen { ip saddr timeout 30s }
		add rule inet t c update @seen { ip saddr limit rate 5/second }
		add set inet t m { type ipv4_addr; size 100; flags dynamic; counter; }
		add element inet t m { 192.0.2.1 counter packets 5 bytes 60 }`},
	{"flowtable", "nft_flow_offload", `
		add table inet t
		add flowtable inet t f { hook ingress priority 5; devices = { lo }; }
		add chain inet t c { type filter hook forward priority 0; }
		add rule inet t c ip protocol tcp flow add @f`},
	{"sets", "nf_tables", `
		add table inet t
		add chain inet t d
		add set inet t nets { type ipv4_addr; flags interval; auto-merge; comment "my nets"; elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 } }
		add set inet t cc { type ipv6_addr . inet_service . ipv4_addr; flags interval; elements = { 2001:db8::1 . 1-60000 . 10.0.0.0/24 } }
		add set inet t plain { type ipv4_addr . inet_service; size 100; policy memory; elements = { 10.0.0.1 . 80 comment "e" } }
		add set inet t names { type ifname; elements = { "lo", "eth0" } }
		add set inet t macs { typeof ether saddr; elements = { 02:00:00:00:00:01 } }
		add map inet t marks { type inet_service : mark; elements = { 80 : 0x1, 443 : 0x2 } }
		add map inet t verdicts { type ipv4_addr : verdict; elements = { 192.0.2.1 : accept, 192.0.2.2 : jump d } }
		add map inet t ranges { type ipv4_addr : ipv4_addr; flags interval; elements = { 10.0.0.0/24 : 192.0.2.1 } }
		add chain inet t c
		add rule inet t c ip saddr @nets drop
		add rule inet t c ip saddr vmap @verdicts`},
	{"sets of objects", "nft_counter", `
		add table inet t
		add chain inet t c
		add counter inet t c1
		add counter inet t c2
		add map inet t m { type ipv4_addr : counter; elements = { 192.0.2.1 : "c1", 192.0.2.2 : "c2" } }
		add rule inet t c counter name ip saddr map @m`},
	{"catch-all", "nf_tables", `
		add table inet t
		add map inet t m { type ipv4_addr : mark; elements = { 192.0.2.1 : 7, * : 9 } }`},
}

// What nft makes is listed, deleted and made again by one batch. nft shows the same before
// and after.
func TestRulesetsAgain(t *testing.T) {
	for _, r := range rulesets {
		t.Run(r.name, func(t *testing.T) {
			s := open(t)
			if out, err := s.try(r.script); err != nil {
				nstest.Skip(t, r.module, "%v: %s", err, out)
			}
			s.lossless(t)
			s.sameAgain(t)
		})
	}
}
