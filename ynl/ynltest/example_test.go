package ynltest_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/netdev"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/ynltest"
)

// raiseMTU is the code under test: it raises the MTU of each link to a minimum, and
// returns the names of those that it changed.
func raiseMTU(ctx context.Context, c *client.Conn, minimum uint32) (changed []string, err error) {
	links := rtlink.New(c)
	list, err := links.DumpLink(ctx, nil).List()
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		if l.MTU.Value >= minimum {
			continue
		}
		err := links.SetLink(ctx, &rtlink.Link{
			Ifinfomsg: rtlink.Ifinfomsg{Index: l.Index},
			MTU:       ynl.Some(minimum),
		})
		if err != nil {
			return changed, fmt.Errorf("link %v: %w", l.Ifname, err)
		}
		changed = append(changed, l.Ifname.Value)
	}
	return changed, nil
}

// A unit test of a program that manages links: no kernel, no privilege, but the real
// clients.
func Example() {
	kernel := []*rtlink.Link{
		{Ifinfomsg: rtlink.Ifinfomsg{Index: 1}, Ifname: ynl.Some("lo"), MTU: ynl.U32(65536)},
		{Ifinfomsg: rtlink.Ifinfomsg{Index: 2}, Ifname: ynl.Some("eth0"), MTU: ynl.U32(1500)},
		{Ifinfomsg: rtlink.Ifinfomsg{Index: 3}, Ifname: ynl.Some("slow0"), MTU: ynl.U32(576)},
	}
	c := nltest.Dial(netlink.NETLINK_ROUTE, ynltest.Handle(
		ynltest.On(rtlink.OpGetLink, func(*rtlink.Link, netlink.Flags) ([]*rtlink.Link, error) {
			return kernel, nil
		}),
		ynltest.On(rtlink.OpSetLink, func(req *rtlink.Link, _ netlink.Flags) ([]*rtlink.Link, error) {
			l := kernel[req.Index-1]
			if l.Ifname == ynl.Some("slow0") {
				return nil, syscall.EINVAL
			}
			l.MTU = req.MTU
			return nil, nil
		}),
	))
	defer c.Close()

	changed, err := raiseMTU(context.Background(), c, 9000)
	fmt.Println(changed, kernel[1].MTU, errors.Is(err, syscall.EINVAL))
	// Output: [eth0] 9000 true
}

// Generic families are looked up by name, as in a kernel.
func ExampleHandleGeneric() {
	c := nltest.Dial(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&netdev.Family,
		ynltest.On(netdev.OpDevGet, func(req *netdev.Dev, _ netlink.Flags) ([]*netdev.Dev, error) {
			return []*netdev.Dev{{Ifindex: req.Ifindex, XDPZcMaxSegs: ynl.U32(17)}}, nil
		}),
	))
	defer c.Close()

	dev, err := netdev.New(c).DevGet(context.Background(), &netdev.Dev{Ifindex: ynl.U32(2)})
	fmt.Println(dev.Ifindex, dev.XDPZcMaxSegs, err)
	// Output: 2 17 <nil>
}

func ExamplePush() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial()
	defer c.Close()
	events := ynl.Events(context.Background(), c, &rtlink.Family)

	ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpNewLink, &rtlink.Link{Ifname: ynl.Some("eth0")})
	ynltest.Push(k, rtlink.RTNLGRP_LINK, rtlink.OpDelLink, &rtlink.Link{Ifname: ynl.Some("eth0")})
	for e := range events {
		fmt.Println(e.Type == rtlink.RTM_NEWLINK, e.Value.(*rtlink.Link).Ifname)
		if e.Type == rtlink.RTM_DELLINK {
			break
		}
	}
	// Output:
	// true eth0
	// false eth0
}
