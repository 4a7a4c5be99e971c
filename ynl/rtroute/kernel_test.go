//go:build linux

package rtroute_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtroute"
)

const routeHeader = 12 // struct rtmsg

// list returns the routes that are in no table of the kernel's own.
func list(t *testing.T, s *ynlkernel.Sandbox) (routes []*rtroute.Route) {
	t.Helper()
	all, err := rtroute.New(s.Conn).DumpRoute(kerneltest.Patient(t), nil).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Table.Value != rtroute.RT_TABLE_LOCAL && r.Protocol != rtroute.RTPROT_KERNEL && r.Family <= 127 {
			routes = append(routes, r)
		}
	}
	return routes
}

// one returns the only route to a prefix.
func one(t *testing.T, s *ynlkernel.Sandbox, prefix string) *rtroute.Route {
	t.Helper()
	var found []*rtroute.Route
	for _, r := range list(t, s) {
		if r.Prefix() == netip.MustParsePrefix(prefix) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d routes to %s", len(found), prefix)
	}
	return found[0]
}

// again deletes a route that was listed, and makes it again.
func again(t *testing.T, s *ynlkernel.Sandbox, r *rtroute.Route) {
	t.Helper()
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	if err := routes.DelRoute(ctx, r.Settable()); err != nil {
		text, _ := r.Settable().MarshalJSON()
		t.Errorf("delete %s: %v", text, err)
		return
	}
	if slices.ContainsFunc(list(t, s), func(b *rtroute.Route) bool {
		return b.Prefix() == r.Prefix() && b.Table == r.Table && b.Priority == r.Priority && b.TOS == r.TOS
	}) {
		t.Errorf("%s is still there", r.Prefix())
	}
	if err := routes.NewRoute(ctx, r.Settable(), ynlkernel.Create); err != nil {
		text, _ := r.Settable().MarshalJSON()
		t.Errorf("make %s: %v", text, err)
	}
}

// show returns what ip shows of the routes, without those that the kernel makes, some of
// them later. The time that a route has left passes.
func show(t *testing.T, s *ynlkernel.Sandbox) string {
	t.Helper()
	out := s.Run(t, "ip -d route show table all\nip -d -6 route show table all")
	var lines []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, " proto kernel ") {
			continue
		}
		if before, rest, ok := strings.Cut(line, " expires "); ok {
			_, after, _ := strings.Cut(rest, "sec")
			line = before + " expires" + after
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// many are routes of all sorts that every kernel can have.
var many = []string{
	"ip route add 198.51.100.0/24 via 192.0.2.9 dev v0 metric 5 mtu 1300 advmss 1200 hoplimit 9 initcwnd 4 quickack 1 features ecn congctl reno",
	"ip route add 198.51.101.0/24 via inet6 2001:db8::9 dev v0 src 192.0.2.1",
	"ip route add 198.51.102.0/24 nexthop via 192.0.2.9 dev v0 weight 3 nexthop via 192.0.2.8 dev v0 weight 7",
	"ip route add 198.51.103.0/24 nexthop via inet6 2001:db8::9 dev v0 nexthop via 192.0.2.8 dev v0",
	"ip route add 198.51.104.0/24 dev v0 scope link table 1000",
	"ip route add blackhole 198.51.105.0/24",
	"ip route add unreachable 198.51.106.0/24 metric 4",
	"ip route add prohibit 198.51.107.0/24",
	"ip route add throw 198.51.108.0/24 table 1000",
	"ip route add 198.51.109.0/24 via 203.0.113.1 dev v0 onlink",
	"ip route add 198.51.110.0/24 dev v0 tos 0x10 realm 3/4 protocol bird",
	"ip route add 198.51.110.0/24 dev v0",
	"ip route add default via 192.0.2.9",
	"ip route add local 198.51.111.1 dev v0 table 1001",
	"ip route add multicast 239.0.0.0/8 dev v0",
	"ip route add 2001:db8:1::/48 via 2001:db8::9 dev v0 metric 5 mtu lock 1300 pref high",
	"ip route add 2001:db8:2::/48 dev v0 expires 600",
	"ip route add 2001:db8:3::/48 nexthop via 2001:db8::9 dev v0 weight 3 nexthop via 2001:db8::8 dev v0",
	"ip route add blackhole 2001:db8:4::/48",
	"ip route add unreachable 2001:db8:5::/48 metric 77",
	"ip route add 2001:db8:6::/48 via 2001:db8:99::1 dev v0 onlink table 1000",
	"ip route add default via 2001:db8::9 proto ra",
	"ip route add 2001:db8:7::/48 from 2001:db8:8::/48 dev v0",
	"ip route add 2001:db8:9::/48 via ::ffff:192.0.2.9 dev v0 onlink",
}

// nexthops and their routes exist since Linux 5.3.
var nexthops = []string{
	"ip nexthop add id 5 via 192.0.2.9 dev v0",
	"ip nexthop add id 6 via 192.0.2.8 dev v0",
	"ip nexthop add id 10 group 5,3/6,7",
	"ip nexthop add id 20 blackhole",
	"ip nexthop add id 7 via 2001:db8::9 dev v0",
	"ip nexthop add id 21 blackhole", // the family is that of the first route
	"ip route add 203.0.112.0/24 nhid 10",
	"ip route add 203.0.113.0/24 nhid 5",
	"ip route add 203.0.114.0/24 nhid 20",
	"ip route add 203.0.115.0/24 nhid 7",
	"ip route add 2001:db8:a::/48 nhid 7",
}

// encaps are routes with encapsulations, of which a kernel may lack some.
var encaps = []string{
	"ip route add 2001:db8:b1::/48 encap seg6 mode encap segs 2001:db8::a,2001:db8::b dev v0",
	"ip route add 2001:db8:b2::/48 encap seg6 mode inline segs 2001:db8::a,2001:db8::b dev v0",
	"ip route add 2001:db8:b3::/48 encap seg6 mode l2encap segs 2001:db8::a dev v0",
	"ip route add 2001:db8:b4::/48 encap seg6local action End.X nh6 2001:db8::9 dev v0",
	"ip route add 2001:db8:b5::/48 encap seg6local action End.DX4 nh4 192.0.2.9 dev v0",
	"ip route add 2001:db8:b6::/48 encap seg6local action End.T table 254 dev v0",
	"ip route add 2001:db8:b7::/48 encap seg6local action End.B6 srh segs 2001:db8::a,2001:db8::b dev v0",
	"ip route add 2001:db8:b8::/48 encap seg6local action End flavors psp,usd dev v0",
	"ip route add 2001:db8:b9::/48 encap seg6local action End count dev v0",
	"ip route add 203.0.116.0/24 encap ip id 42 dst 192.0.2.9 src 192.0.2.1 ttl 5 tos 4 key csum dev v0",
	"ip route add 203.0.117.0/24 encap ip id 42 geneve_opts 0f01:80:00112233 dst 192.0.2.9 dev v0",
	"ip route add 203.0.118.0/24 encap ip id 42 vxlan_opts 123 dst 192.0.2.9 dev v0",
	"ip route add 203.0.119.0/24 encap ip id 42 erspan_opts 2:0:1:9 dst 192.0.2.9 dev v0",
	"ip route add 203.0.120.0/24 encap ip6 id 43 dst 2001:db8::9 src 2001:db8::1 hoplimit 5 tc 4 dev v0",
	"ip route add 203.0.121.0/24 encap mpls 100/200 ttl 9 via 192.0.2.9 dev v0",
	"ip route add 2001:db8:c1::/48 encap rpl segs 2001:db8::a,2001:db8::b dev v0",
	"ip route add 2001:db8:c2::/48 encap ioam6 mode encap tundst 2001:db8::a trace prealloc type 0x800000 ns 1 size 12 dev v0",
	"ip route add 2001:db8:c3::/48 encap ila 1111:1111:1111:1111 csum-mode no-action dev v0",
	"ip route add 203.0.122.0/24 encap xfrm if_id 42 dev v0",
	"ip route add 203.0.123.0/24 nexthop encap seg6 mode encap segs 2001:db8::a dev v0 nexthop encap ip id 42 dst 192.0.2.9 dev v0",
}

// full makes a Sandbox with all of them.
func full(t *testing.T) *ynlkernel.Sandbox {
	t.Helper()
	s := ynlkernel.NewEnds(t)
	s.Run(t, strings.Join(many, "\n"))
	s.Fill(t, nexthops)
	s.Fill(t, encaps)
	// mpls_router has no labels by default, and needs a link that takes them.
	if _, err := os.Stat("/proc/sys/net/mpls"); err == nil {
		s.Set(t, "net/mpls/platform_labels", "1000")
		s.Set(t, "net/mpls/conf/v0/input", "1")
		s.Fill(t, []string{
			"ip -f mpls route add 100 as 200/300 via inet 192.0.2.9 dev v0",
			"ip -f mpls route add 101 via inet6 2001:db8::9 dev v0",
			"ip -f mpls route add 102 nexthop as 5 via inet 192.0.2.9 dev v0 nexthop via inet 192.0.2.8 dev v0",
		})
	}
	return s
}

func TestCase5GatewayOfOtherFamily(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	s.Run(t, "ip route add 198.51.100.0/24 via inet6 2001:db8::9 dev v0 src 192.0.2.1")
	r := one(t, s, "198.51.100.0/24")
	gateway := netip.MustParseAddr("2001:db8::9")
	if r.Gateway.IsValid() || r.Via != gateway || r.Prefsrc != netip.MustParseAddr("192.0.2.1") || r.NextHop() != gateway {
		t.Errorf("%+v", r)
	}
	before := show(t, s)
	again(t, s, r)
	if after := show(t, s); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	v0 := uint32(s.Link(t, "v0").Index)
	made := rtroute.To(netip.MustParsePrefix("203.0.113.0/24"))
	made.Oif = ynl.U32(v0)
	made.SetGateway(netip.MustParseAddr("2001:db8::7"))
	if err := routes.NewRoute(ctx, made, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "ip route show 203.0.113.0/24"); !strings.Contains(out, "via inet6 2001:db8::7 dev v0") {
		t.Error(out)
	}
	wrong := rtroute.To(netip.MustParsePrefix("203.0.114.0/24"))
	wrong.Oif, wrong.Gateway = ynl.U32(v0), netip.MustParseAddr("2001:db8::7")
	ynlkernel.NotSent(t, routes.NewRoute(ctx, wrong, ynlkernel.Create), "RTA_GATEWAY")

	mapped := rtroute.To(netip.MustParsePrefix("2001:db8:9::/48"))
	mapped.Oif, mapped.Rtmsg.Flags = ynl.U32(v0), rtroute.RTNH_F_ONLINK
	mapped.SetGateway(netip.MustParseAddr("::ffff:192.0.2.9"))
	if err := routes.NewRoute(ctx, mapped, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if r := one(t, s, "2001:db8:9::/48"); r.Gateway != netip.MustParseAddr("::ffff:192.0.2.9") {
		t.Errorf("%+v", r)
	}

	hops := rtroute.To(netip.MustParsePrefix("203.0.115.0/24"))
	hops.Multipath = []rtroute.RouteMultipath{
		hops.Hop(int32(v0), netip.MustParseAddr("2001:db8::7"), 3), hops.Hop(int32(v0), netip.MustParseAddr("192.0.2.8"), 7),
	}
	if err := routes.NewRoute(ctx, hops, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "ip route show 203.0.115.0/24"); !strings.Contains(out, "nexthop via inet6 2001:db8::7 dev v0 weight 3") ||
		!strings.Contains(out, "nexthop via 192.0.2.8 dev v0 weight 7") {
		t.Error(out)
	}
	r = one(t, s, "203.0.115.0/24")
	if h := r.Multipath; len(h) != 2 || h[0].Route.Via != netip.MustParseAddr("2001:db8::7") || h[1].Hops != 6 || h[0].Ifindex != int32(v0) {
		t.Errorf("%+v", h)
	}
	again(t, s, r)
}

func TestCase6NextHopObjects(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Try(t, "nexthop", "ip nexthop add id 5 via 192.0.2.9 dev v0")
	s.Run(t, `
		ip nexthop add id 6 via 192.0.2.8 dev v0
		ip nexthop add id 10 group 5,3/6,7
		ip nexthop add id 20 blackhole
		ip route add 198.51.100.0/24 nhid 10
		ip route add 198.51.101.0/24 nhid 5
		ip route add 198.51.102.0/24 nhid 20`)
	v0 := s.Link(t, "v0").Index
	group := one(t, s, "198.51.100.0/24")
	if h := group.Multipath; group.NhID != ynl.U32(10) || len(h) != 2 || h[0].Hops != 2 || h[1].Hops != 6 ||
		h[0].Route.Gateway != netip.MustParseAddr("192.0.2.9") || h[1].Route.Gateway != netip.MustParseAddr("192.0.2.8") {
		t.Errorf("%+v", group)
	}
	single := one(t, s, "198.51.101.0/24")
	if single.NhID != ynl.U32(5) || single.Gateway != netip.MustParseAddr("192.0.2.9") || single.Oif != ynl.U32(uint32(v0)) {
		t.Errorf("%+v", single)
	}
	if set := group.Settable(); set.Multipath != nil || set.NhID != ynl.U32(10) {
		t.Errorf("%+v", set)
	}
	if set := single.Settable(); set.Gateway.IsValid() || set.Oif.Set {
		t.Errorf("%+v", set)
	}
	before := show(t, s)
	for _, r := range list(t, s) {
		again(t, s, r)
	}
	if after := show(t, s); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	made := rtroute.To(netip.MustParsePrefix("203.0.113.0/24"))
	made.NhID = ynl.U32(10)
	if err := rtroute.New(s.Conn).NewRoute(kerneltest.Patient(t), made, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "ip route show 203.0.113.0/24"); !strings.Contains(out, "nhid 10") {
		t.Error(out)
	}
}

// TestAgain: each route is deleted with what was listed, and made again with it.
func TestAgain(t *testing.T) {
	s := full(t)
	before := show(t, s)
	routes := list(t, s)
	for _, r := range routes {
		again(t, s, r)
	}
	if after := show(t, s); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Log(len(routes), "routes")
}

// TestAgainWithoutCarrier: the kernel reports that a route's link has no carrier, and
// refuses to be told.
func TestAgainWithoutCarrier(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Run(t, `
		ip route add 198.51.100.0/24 via 192.0.2.9 dev v0
		ip route add 198.51.102.0/24 nexthop via 192.0.2.9 dev v0 weight 3 nexthop via 192.0.2.8 dev v0 weight 7
		ip route add 2001:db8:1::/48 via 2001:db8::9 dev v0
		ip link set v1 down`)
	down := func(r *rtroute.Route) bool {
		hops := len(r.Multipath) > 0
		for _, h := range r.Multipath {
			hops = hops && h.Flags&rtroute.RTNH_F_LINKDOWN != 0
		}
		return hops || r.Rtmsg.Flags&rtroute.RTNH_F_LINKDOWN != 0
	}
	// The kernel looks at the carrier a little later.
	ctx := kerneltest.Patient(t)
	for slices.ContainsFunc(list(t, s), func(r *rtroute.Route) bool { return !down(r) }) {
		if ctx.Err() != nil {
			t.Fatalf("routes have a carrier:\n%s", show(t, s))
		}
	}
	before := show(t, s)
	for _, r := range list(t, s) {
		again(t, s, r)
	}
	if after := show(t, s); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestExpiry: the time that is left is set in another attribute and unit than it is
// reported.
func TestExpiry(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Run(t, "ip route add 2001:db8:2::/48 dev v0 expires 600")
	r := one(t, s, "2001:db8:2::/48")
	if left := r.Cacheinfo.Value.Expires; left > 60000 || left < 59000 || r.Expires.Set {
		t.Errorf("%+v", r)
	}
	if set := r.Settable(); set.Expires != ynl.U32(600) || set.Cacheinfo.Set {
		t.Errorf("%+v", set)
	}
	r.Cacheinfo.Value.Expires = -5
	if set := r.Settable(); set.Expires != ynl.U32(1) {
		t.Errorf("expired: %s", set.Expires)
	}
	r.Cacheinfo.Value.Expires = 0
	if set := r.Settable(); set.Expires.Set {
		t.Errorf("without: %s", set.Expires)
	}
}

func TestSegments(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	a, b := netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b")
	for mode, want := range map[rtroute.Seg6IptunMode]string{
		rtroute.SEG6_IPTUN_MODE_ENCAP:   "encap seg6 mode encap segs 2 [ 2001:db8::a 2001:db8::b ]",
		rtroute.SEG6_IPTUN_MODE_INLINE:  "encap seg6 mode inline segs 3 [ 2001:db8::a 2001:db8::b :: ]",
		rtroute.SEG6_IPTUN_MODE_L2ENCAP: "encap seg6 mode l2encap segs 2 [ 2001:db8::a 2001:db8::b ]",
	} {
		r := rtroute.To(netip.MustParsePrefix("2001:db8:b1::/48"))
		r.Oif, r.Encap = ynl.U32(uint32(s.Link(t, "v0").Index)), rtroute.Segments(mode, a, b)
		err := rtroute.New(s.Conn).NewRoute(kerneltest.Patient(t), r, netlink.NLM_F_CREATE|netlink.NLM_F_REPLACE)
		if errors.Is(err, unix.EOPNOTSUPP) {
			nstest.Skip(t, "seg6", "%v", err)
		}
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		if out := s.Run(t, "ip -6 route show 2001:db8:b1::/48"); !strings.Contains(out, want) {
			t.Errorf("%s: %s", mode, out)
		}
	}
}

func TestLossless(t *testing.T) {
	got := captures(t)
	for _, c := range got {
		ynlkernel.Lossless(t, &rtroute.Family, c, routeHeader)
	}
	t.Log(len(got), "routes")
}

// TestOldAndNew: messages of older and newer kernels decode.
func TestOldAndNew(t *testing.T) {
	for _, c := range captures(t) {
		ynlkernel.Mutate(t, &rtroute.Family, c, routeHeader)
	}
}

// captures returns the messages of a dump of all families.
func captures(t *testing.T) []ynlkernel.Capture {
	t.Helper()
	return full(t).Dump(t, rtroute.OpGetRoute, &rtroute.Route{})
}

func TestGetRoute(t *testing.T) {
	s := full(t)
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	for dst, want := range map[string]string{
		"198.51.100.7":  "192.0.2.9",
		"198.51.101.7":  "2001:db8::9",
		"2001:db8:1::7": "2001:db8::9",
	} {
		ip := netip.MustParseAddr(dst)
		r, err := routes.GetRoute(ctx, &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: af.Of(ip), DstLen: uint8(ip.BitLen())}, Dst: ip})
		if err != nil || r.NextHop() != netip.MustParseAddr(want) || r.Dst != ip {
			t.Errorf("%s: %+v, %v", dst, r, err)
		}
	}
	// The entry of the table, instead of the route for a packet.
	match := &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: af.Inet, DstLen: 32, Flags: rtroute.RTM_F_FIB_MATCH}, Dst: netip.MustParseAddr("198.51.100.7")}
	r, err := routes.GetRoute(ctx, match)
	if err != nil || r.Prefix() != netip.MustParsePrefix("198.51.100.0/24") {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = routes.GetRoute(ctx, &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: af.Inet, DstLen: 32}, Dst: netip.MustParseAddr("198.51.107.1")})
	if !errors.Is(err, unix.EACCES) {
		t.Errorf("prohibited: %v", err)
	}
}

// TestStrictDump: with strict checking, a dump has one table or one link.
func TestStrictDump(t *testing.T) {
	s := full(t)
	strict := rtroute.New(kerneltest.Dial(t, s.NS, netlink.NETLINK_ROUTE, client.WithStrictChecking()))
	ctx := kerneltest.Patient(t)
	list, err := strict.DumpRoute(ctx, &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: af.Inet}, Table: ynl.U32(1000)}).List()
	if err != nil || len(list) != 2 {
		t.Errorf("%d routes in table 1000, %v", len(list), err)
	}
	for _, r := range list {
		if r.Table != ynl.U32(1000) {
			t.Errorf("%s is in table %s", r.Prefix(), r.Table)
		}
	}
	_, err = strict.DumpRoute(ctx, &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: af.Inet}, Gateway: netip.MustParseAddr("192.0.2.9")}).List()
	var refusal interface{ Unwrap() error }
	if !errors.Is(err, unix.EINVAL) || !errors.As(err, &refusal) {
		t.Errorf("a dump by gateway: %v", err)
	}
}

func TestEvents(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, cancel := context.WithCancel(kerneltest.Patient(t))
	defer cancel()
	events := ynl.Events(ctx, s.Conn, &rtroute.Family)
	s.Run(t, `
		ip route add 198.51.100.0/24 via 192.0.2.9 dev v0
		ip route del 198.51.100.0/24
		ip route add 2001:db8:1::/48 via 2001:db8::9 dev v0
		ip route del 2001:db8:1::/48`)
	want := []string{
		"24 198.51.100.0/24 192.0.2.9", "25 198.51.100.0/24 192.0.2.9",
		"24 2001:db8:1::/48 2001:db8::9", "25 2001:db8:1::/48 2001:db8::9",
	}
	ynlkernel.Await(t, events, cancel, want, func(e ynl.Event) string {
		r := e.Value.(*rtroute.Route)
		return ynlkernel.Line(e.Type, r.Prefix(), r.NextHop())
	})
}

// TestRefusals: the kernel's refusals are errors that say what is wrong.
func TestRefusals(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	to := func(change func(*rtroute.Route)) *rtroute.Route {
		r := rtroute.To(netip.MustParsePrefix("198.51.100.0/24"))
		r.Oif = ynl.U32(uint32(s.Link(t, "v0").Index))
		change(r)
		return r
	}
	noMetric := new(rtroute.Metrics)
	noMetric.Unknown.Add(99, []byte{0, 0, 0, 0})
	for name, c := range map[string]struct {
		req  *rtroute.Route
		want error
		text string
	}{
		"unreachable gateway": {to(func(r *rtroute.Route) { r.SetGateway(netip.MustParseAddr("203.0.113.9")) }), unix.ENETUNREACH, "gateway"},
		"not a prefix":        {to(func(r *rtroute.Route) { r.Dst = netip.MustParseAddr("198.51.100.9") }), unix.EINVAL, "prefix"},
		"no link":             {to(func(r *rtroute.Route) { r.Oif = ynl.U32(1 << 20) }), unix.ENODEV, ""},
		"metric that is none": {to(func(r *rtroute.Route) { r.Metrics = noMetric }), unix.EINVAL, "metric"},
		"short priority":      {to(func(r *rtroute.Route) { r.Unknown.Add(unix.RTA_PRIORITY, []byte{1}) }), unix.ERANGE, "RTA_PRIORITY"},
	} {
		err := routes.NewRoute(ctx, c.req, ynlkernel.Create)
		if !errors.Is(err, c.want) || client.NotSent(err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.want, c.text)
		}
	}
	if err := routes.DelRoute(ctx, rtroute.To(netip.MustParsePrefix("198.51.100.0/24"))); !errors.Is(err, unix.ESRCH) {
		t.Errorf("delete: %v", err)
	}
}

// TestBadInput: what cannot be encoded is not sent.
func TestBadInput(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	p := netip.MustParsePrefix("198.51.100.0/24")
	for text, change := range map[string]func(*rtroute.Route){
		"RTA_DST":     func(r *rtroute.Route) { r.Dst = v6 },
		"RTA_GATEWAY": func(r *rtroute.Route) { r.Gateway = netip.MustParseAddr("::ffff:192.0.2.1") },
		"RTA_PREFSRC": func(r *rtroute.Route) { r.Prefsrc = v6 },
		"RTA_MULTIPATH > RTA_GATEWAY": func(r *rtroute.Route) {
			r.Multipath = []rtroute.RouteMultipath{{Route: rtroute.Route{Gateway: v6}}}
		},
		"RTA_METRICS > RTAX_CC_ALGO": func(r *rtroute.Route) {
			r.Metrics = &rtroute.Metrics{CcAlgo: ynl.Some(strings.Repeat("x", 1<<16))}
		},
		"RTA_ENCAP > LWTUNNEL_IP_DST":  func(r *rtroute.Route) { r.Encap = &rtroute.EncapIP{Dst: v6} },
		"RTA_ENCAP > LWTUNNEL_IP6_DST": func(r *rtroute.Route) { r.Encap = &rtroute.EncapIP6{Dst: v4} },
		"RTA_ENCAP: encap-type": func(r *rtroute.Route) {
			r.EncapType = ynl.Some(rtroute.LWTUNNEL_ENCAP_SEG6)
			r.Encap = &rtroute.EncapIP{}
		},
		"rtm-protocol": func(r *rtroute.Route) { r.Protocol = 256 },
		"rtm-type":     func(r *rtroute.Route) { r.Type = 300 },
		"RTA_MULTIPATH: rtnexthop.rtnh-flags": func(r *rtroute.Route) {
			r.Multipath = []rtroute.RouteMultipath{{Rtnexthop: rtroute.Rtnexthop{Flags: rtroute.RTM_F_CLONED}}}
		},
	} {
		r := rtroute.To(p)
		change(r)
		ynlkernel.NotSent(t, routes.NewRoute(ctx, r, ynlkernel.Create), text)
	}
}

func TestHelpers(t *testing.T) {
	for _, text := range []string{"192.0.2.0/24", "0.0.0.0/0", "2001:db8::/64", "::/0"} {
		p := netip.MustParsePrefix(text)
		r := rtroute.To(p)
		if r.Prefix() != p {
			t.Errorf("To(%s) has the prefix %s", p, r.Prefix())
		}
		r.Dst = netip.Addr{} // as the kernel reports a default route
		if p.Bits() == 0 && r.Prefix() != p {
			t.Errorf("%s without a destination: %s", p, r.Prefix())
		}
	}
	r := rtroute.ToLabel(100)
	if r.Family != af.MPLS || r.DstLen != 20 || r.Dst != netip.MustParseAddr("0.6.65.0") || r.Prefix().Bits() != 20 {
		t.Errorf("%+v", r)
	}
	r.SetGateway(netip.MustParseAddr("192.0.2.1"))
	if r.Gateway.IsValid() || r.Via != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("gateway of a label: %+v", r)
	}
	r.SetGateway(netip.Addr{})
	if r.NextHop().IsValid() {
		t.Errorf("no gateway: %s", r.NextHop())
	}
	if got := rtroute.Labels(100, 200); !slices.Equal(got, []uint32{100 << 12, 200<<12 | 1<<8}) || rtroute.Label(got[1]) != 200 {
		t.Errorf("%x", got)
	}
	if got := rtroute.Labels(); len(got) != 0 {
		t.Errorf("%x", got)
	}
	to := rtroute.To(netip.MustParsePrefix("192.0.2.0/24"))
	for weight, hops := range map[int]uint8{0: 0, 1: 0, 3: 2, 256: 255, 1000: 255} {
		if h := to.Hop(1, netip.Addr{}, weight); h.Hops != hops || h.Route.NextHop().IsValid() {
			t.Errorf("weight %d: %+v", weight, h.Rtnexthop)
		}
	}
}
