//go:build linux

package rtrule_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtrule"
)

// Packets from a network that have a mark look into table 200.
func ExampleClient_NewRule() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	rules := rtrule.New(c)
	r := rtrule.From(netip.MustParsePrefix("192.0.2.0/24"))
	r.Fwmark, r.Table, r.Priority = ynl.U32(0x50), ynl.U32(200), ynl.U32(1000)
	if err := rules.NewRule(ctx, r, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL); err != nil {
		log.Fatal(err)
	}
	defer rules.DelRule(ctx, r)
	for r, err := range rules.DumpRule(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if r.Priority.Value == 1000 {
			fmt.Println(r.SrcPrefix(), r.Fwmark, r.Action, r.Table)
		}
	}
	// Output: 192.0.2.0/24 80 to-tbl 200
}
