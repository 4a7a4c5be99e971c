//go:build linux

package tc_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/tc"
)

// An HTB class for 10 Mb/s, and a filter that sends packets to port 80 of a network there.
func ExampleClient_NewFilter() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	link, err := rtlink.New(c).GetLink(ctx, rtlink.ByName("eth0"))
	if err != nil {
		log.Fatal(err)
	}
	const (
		create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
		rate   = 10_000_000 / 8 // bytes a second
		burst  = 16384          // bytes
	)
	root, class := tc.Handle(1, 0), tc.Handle(1, 0x10)
	t := tc.New(c)

	err = t.NewQdisc(ctx, &tc.Object{
		Tcmsg:   tc.Tcmsg{Ifindex: link.Index, Parent: tc.TC_H_ROOT, Handle: root},
		Options: &tc.Htb{Init: ynl.Some(tc.TcHtbGlob{Version: 3, Rate2quantum: 10})},
	}, create)
	if err != nil {
		log.Fatal(err)
	}
	spec, _ := tc.Rate(rate)
	err = t.NewClass(ctx, &tc.Object{
		Tcmsg: tc.Tcmsg{Ifindex: link.Index, Parent: root, Handle: class},
		Options: &tc.Htb{Parms: ynl.Some(tc.TcHtbOpt{
			Rate: spec, Ceil: spec, Buffer: tc.BurstTicks(burst, rate), Cbuffer: tc.BurstTicks(burst, rate),
		})},
	}, create)
	if err != nil {
		log.Fatal(err)
	}
	err = t.NewFilter(ctx, &tc.Object{
		Tcmsg: tc.Tcmsg{Ifindex: link.Index, Parent: root, Info: tc.FilterInfo(10, unix.ETH_P_IP)},
		Options: &tc.Flower{
			Classid:        ynl.U32(class),
			KeyEthType:     ynl.U16(unix.ETH_P_IP),
			KeyIPProto:     ynl.U8(unix.IPPROTO_TCP),
			KeyIPv4Dst:     netip.MustParseAddr("192.0.2.0"),
			KeyIPv4DstMask: netip.MustParseAddr("255.255.255.0"),
			KeyTCPDst:      ynl.U16(80),
		},
	}, create)
	if err != nil {
		log.Fatal(err)
	}

	for q, err := range t.DumpQdisc(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(q.Ifindex, q.Kind, tc.FormatHandle(q.Handle), q.Stats2.Basic.Value.Bytes)
	}
}
