//go:build linux

package nexthop_test

import (
	"context"
	"log"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nexthop"
)

// Two nexthops, and a group of them, in which the second gets three times the traffic.
func ExampleClient_NewNexthop() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const (
		create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
		eth0   = 2
	)
	via := func(id uint32, gateway string) *nexthop.Nexthop {
		return &nexthop.Nexthop{
			Nhmsg: nexthop.Nhmsg{Family: unix.AF_INET, Protocol: nexthop.RTPROT_STATIC},
			ID:    ynl.U32(id), Oif: ynl.U32(eth0), Gateway: netip.MustParseAddr(gateway),
		}
	}
	group := &nexthop.Nexthop{
		Nhmsg: nexthop.Nhmsg{Protocol: nexthop.RTPROT_STATIC},
		ID:    ynl.U32(10), Group: []nexthop.NexthopGrp{nexthop.Member(1, 1), nexthop.Member(2, 3)},
	}
	n := nexthop.New(c)
	for _, req := range []*nexthop.Nexthop{via(1, "192.0.2.1"), via(2, "192.0.2.2"), group} {
		if err := n.NewNexthop(ctx, req, create); err != nil {
			log.Fatal(err)
		}
	}
}
