//go:build linux

package rtaddr_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl/rtaddr"
)

func ExampleClient_NewAddr() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	addrs := rtaddr.New(c)
	const lo = 1 // the index of lo in every network namespace
	a := rtaddr.At(lo, netip.MustParsePrefix("192.0.2.1/24"))
	if err := addrs.NewAddr(ctx, a, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL); err != nil {
		log.Fatal(err)
	}
	defer addrs.DelAddr(ctx, a)
	for a, err := range addrs.DumpAddr(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if !a.IP().IsLoopback() {
			fmt.Println(a.Index, a.Prefix(), a.Label)
		}
	}
	// Output: 1 192.0.2.1/24 lo
}

// An address without a route to its network, which is removed after ten minutes. The flag
// is one that only Addr.Flags has room for, not the byte in the header.
func ExampleAddr_SetLifetimes() {
	a := rtaddr.At(1, netip.MustParsePrefix("2001:db8::1/64")).SetLifetimes(300, 600)
	a.Flags.Value, a.Flags.Set = rtaddr.IFA_F_NOPREFIXROUTE|rtaddr.IFA_F_NODAD, true
	fmt.Println(a.Flags)
	// Output: nodad|noprefixroute
}
