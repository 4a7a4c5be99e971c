//go:build linux

package netdev_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl/netdev"
)

// The devices that can redirect packets in XDP.
func ExampleClient_DumpDev() {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for d, err := range netdev.New(c).DumpDev(context.Background(), nil) {
		if err != nil {
			log.Fatal(err)
		}
		if d.XDPFeatures.Value&netdev.NETDEV_XDP_ACT_REDIRECT != 0 {
			fmt.Println(d.Ifindex, d.XDPFeatures)
		}
	}
}
