//go:build linux

package ethtool_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl/ethtool"
)

// The features of all devices are listed, and one of eth0 is switched off.
func ExampleClient_FeaturesSet() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	e := ethtool.New(c)
	for f, err := range e.DumpFeatures(ctx, &ethtool.Features{Header: &ethtool.Header{}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Header.DevName, f.Active.Names())
	}
	var wanted ethtool.Bitset
	wanted.Set("rx-gro", false)
	reply, err := e.FeaturesSet(ctx, &ethtool.Features{Header: ethtool.Dev("eth0"), Wanted: &wanted})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("changed:", reply.Active.Names())
}
