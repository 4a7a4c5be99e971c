//go:build linux

package rtroute_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// A route with a metric, and one over two gateways, one of which gets three times the
// traffic of the other.
func ExampleClient_NewRoute() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	const (
		create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
		lo     = 1
	)
	if err := rtlink.New(c).NewLink(ctx, rtlink.ByIndex(lo).SetUp(true)); err != nil {
		log.Fatal(err)
	}
	addrs, a := rtaddr.New(c), rtaddr.At(lo, netip.MustParsePrefix("192.0.2.1/24"))
	if err := addrs.NewAddr(ctx, a, create); err != nil {
		log.Fatal(err)
	}
	defer addrs.DelAddr(ctx, a)

	routes := rtroute.New(c)
	r := rtroute.To(netip.MustParsePrefix("198.51.100.0/24"))
	r.Oif = ynl.U32(lo)
	r.SetGateway(netip.MustParseAddr("192.0.2.254"))
	r.Metrics = &rtroute.Metrics{MTU: ynl.U32(1300)}
	if err := routes.NewRoute(ctx, r, create); err != nil {
		log.Fatal(err)
	}
	defer routes.DelRoute(ctx, r)

	both := rtroute.To(netip.MustParsePrefix("203.0.113.0/24"))
	both.Multipath = []rtroute.RouteMultipath{
		both.Hop(lo, netip.MustParseAddr("192.0.2.10"), 1),
		both.Hop(lo, netip.MustParseAddr("192.0.2.11"), 3),
	}
	if err := routes.NewRoute(ctx, both, create); err != nil {
		log.Fatal(err)
	}
	defer routes.DelRoute(ctx, both)

	for r, err := range routes.DumpRoute(ctx, &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: 2}}) { // AF_INET
		if err != nil {
			log.Fatal(err)
		}
		if r.Table.Value != rtroute.RT_TABLE_MAIN || r.Protocol != rtroute.RTPROT_STATIC {
			continue
		}
		fmt.Print(r.Prefix())
		if gateway := r.NextHop(); gateway.IsValid() {
			fmt.Print(" via ", gateway, " mtu ", r.Metrics.MTU)
		}
		for _, h := range r.Multipath {
			fmt.Print(" via ", h.Route.NextHop(), " weight ", h.Hops+1)
		}
		fmt.Println()
	}
	// Output:
	// 198.51.100.0/24 via 192.0.2.254 mtu 1300
	// 203.0.113.0/24 via 192.0.2.10 weight 1 via 192.0.2.11 weight 3
}

// Which way would a packet take? Dst is complete with its prefix length.
func ExampleClient_GetRoute() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	const lo = 1
	if err := rtlink.New(c).NewLink(ctx, rtlink.ByIndex(lo).SetUp(true)); err != nil {
		log.Fatal(err)
	}
	r, err := rtroute.New(c).GetRoute(ctx, &rtroute.Route{
		Rtmsg: rtroute.Rtmsg{Family: 2 /* AF_INET */, DstLen: 32},
		Dst:   netip.MustParseAddr("127.0.0.1"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Type, r.Oif, r.Prefsrc)
	// Output: local 1 127.0.0.1
}

func ExampleSegments() {
	r := rtroute.To(netip.MustParsePrefix("2001:db8:9::/48"))
	r.Oif = ynl.U32(1)
	r.Encap = rtroute.Segments(rtroute.SEG6_IPTUN_MODE_ENCAP, netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"))
	text, err := r.Encap.(*rtroute.EncapSeg6).MarshalJSON()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	// Output: {"srh":{"mode":"encap","nexthdr":0,"hdrlen":4,"type":4,"segments-left":1,"first-segment":1,"flags":[],"tag":0,"segments":[{"addr":"2001:db8::2"},{"addr":"2001:db8::1"}]}}
}
