//go:build linux

package conntrack_test

import (
	"context"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/conntrack"
)

// The flows with a mark are listed, and deleted.
func ExampleClient_Dump() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	flows := conntrack.New(c)
	marked := &conntrack.Flow{
		Nfgenmsg: conntrack.Nfgenmsg{NfgenFamily: unix.AF_INET},
		Mark:     ynl.U32(0x100), MarkMask: ynl.U32(0xff00),
	}
	for f, err := range flows.Dump(ctx, marked) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.TupleOrig.Source(), f.TupleOrig.Destination(), f.Timeout)
		if err := flows.Delete(ctx, f.Settable()); err != nil {
			log.Fatal(err)
		}
	}
}

// Established connections of TCP are forgotten after a minute without a packet if a rule of
// nftables or iptables gives them this policy.
func ExampleClient_NewTimeout() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	err = conntrack.New(c).NewTimeout(ctx, &conntrack.Timeout{
		Name:    ynl.Some("short"),
		L3proto: ynl.U16(unix.AF_INET),
		Data:    &conntrack.TimeoutTCP{Established: ynl.U32(60)}, // seconds; the others are as always
	}, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	if err != nil {
		log.Fatal(err)
	}
}
