//go:build linux

package netns_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/netns"
)

// The identifier of a named namespace, which a link's peer there is reported with.
func ExampleClient_GetNSID() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	f, err := os.Open("/run/netns/blue")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	id, err := netns.New(c).GetNSID(context.Background(), &netns.NSID{FD: ynl.U32(uint32(f.Fd()))})
	switch {
	case err != nil:
		log.Fatal(err)
	case id.NSID.Value == netns.NETNSA_NSID_NOT_ASSIGNED:
		fmt.Println("none")
	default:
		fmt.Println(id.NSID)
	}
}
