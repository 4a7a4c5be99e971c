//go:build linux

package nlctrl_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nlctrl"
)

// A family of generic netlink and its multicast groups.
func ExampleClient_GetFamily() {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	f, err := nlctrl.New(c).GetFamily(context.Background(), &nlctrl.FamilyInfo{FamilyName: ynl.Some("nlctrl")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.FamilyName, f.FamilyID)
	for _, g := range f.McastGroups {
		fmt.Println(g.Name)
	}
	// Output:
	// nlctrl 16
	// notify
}
