//go:build linux

package rtlink_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
)

func Example() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	links := rtlink.New(c)
	for l, err := range links.DumpLink(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if l.Flags&rtlink.IFF_LOOPBACK != 0 {
			fmt.Println(l.Index, l.Ifname, l.MTU)
		}
	}
	// Output: 1 lo 65536
}

// A pair of virtual Ethernet links. The kind follows from the type of Data.
func ExampleClient_NewLink() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	links := rtlink.New(c)
	err = links.NewLink(ctx, &rtlink.Link{
		Ifname: ynl.Some("v0"),
		MTU:    ynl.U32(1400),
		Linkinfo: &rtlink.Linkinfo{Data: &rtlink.LinkinfoVeth{Peer: &rtlink.Link{
			Ifname:  ynl.Some("v1"),
			Address: net.HardwareAddr{2, 0, 0, 0, 0, 1},
		}}},
	}, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	if err != nil {
		log.Fatal(err)
	}
	defer links.DelLink(ctx, rtlink.ByName("v0"))
	for _, name := range []string{"v0", "v1"} {
		l, err := links.GetLink(ctx, rtlink.ByName(name))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(l.Ifname, l.Kind(), l.MTU)
	}
	// Output:
	// v0 veth 1400
	// v1 veth 1500
}

// An existing link is changed: brought up, its MTU set, and taken out of its bridge. What
// is set is sent, zero or not: Master 0 is no master.
func ExampleClient_NewLink_change() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	links := rtlink.New(c)
	const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
	bridge := &rtlink.Link{Ifname: ynl.Some("br0"), Linkinfo: &rtlink.Linkinfo{
		Data: &rtlink.LinkinfoBridge{StpState: ynl.U32(1), AgeingTime: ynl.U32(6000)},
	}}
	if err := links.NewLink(ctx, bridge, create); err != nil {
		log.Fatal(err)
	}
	defer links.DelLink(ctx, rtlink.ByName("br0"))
	br, err := links.GetLink(ctx, rtlink.ByName("br0"))
	if err != nil {
		log.Fatal(err)
	}
	port := rtlink.VethPair(&rtlink.Link{Ifname: ynl.Some("v0"), Master: ynl.U32(uint32(br.Index))}, &rtlink.Link{})
	if err := links.NewLink(ctx, port, create); err != nil {
		log.Fatal(err)
	}
	defer links.DelLink(ctx, rtlink.ByName("v0"))

	change := rtlink.ByName("v0").SetUp(true)
	change.MTU, change.Master = ynl.U32(9000), ynl.U32(0)
	if err := links.NewLink(ctx, change); err != nil {
		log.Fatal(err)
	}
	l, err := links.GetLink(ctx, rtlink.ByName("v0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.IsUp(), l.MTU, l.Master)
	// Output: true 9000 -
}

// What the kernel refuses is an error number, which errors.Is finds.
func ExampleClient_NewLink_error() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err = rtlink.New(c).NewLink(context.Background(), rtlink.ByIndex(12345).SetUp(true))
	fmt.Println(errors.Is(err, unix.ENODEV))
	// Output: true
}

// The events of links. A nil value is a gap: events were lost here, and a copy of what they
// describe has to be read again.
func Example_events() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	events := ynl.Events(ctx, c, &rtlink.Family)

	links := rtlink.New(c)
	pair := rtlink.VethPair(&rtlink.Link{Ifname: ynl.Some("v0")}, &rtlink.Link{Ifname: ynl.Some("v1")})
	if err := links.NewLink(ctx, pair, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL); err != nil {
		log.Fatal(err)
	}
	if err := links.DelLink(ctx, rtlink.ByName("v0")); err != nil {
		log.Fatal(err)
	}
	for e := range events {
		switch l := e.Value.(type) {
		case *rtlink.Link:
			if e.Type == rtlink.RTM_DELLINK && l.Ifname.Value == "v0" {
				fmt.Println("deleted:", l.Ifname, l.Kind())
				cancel()
			}
		case nil:
			fmt.Println("read all links again")
		}
	}
	// Output: deleted: v0 veth
}
