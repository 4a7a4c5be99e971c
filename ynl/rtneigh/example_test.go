//go:build linux

package rtneigh_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtneigh"
)

func ExampleClient_DumpNeigh() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
	links, neighbours := rtlink.New(c), rtneigh.New(c)
	pair := rtlink.VethPair(rtlink.ByName("v0").SetUp(true), rtlink.ByName("v1"))
	if err := links.NewLink(ctx, pair, create); err != nil {
		log.Fatal(err)
	}
	defer links.DelLink(ctx, rtlink.ByName("v0"))
	v0, err := links.GetLink(ctx, rtlink.ByName("v0"))
	if err != nil {
		log.Fatal(err)
	}

	n := rtneigh.At(v0.Index, netip.MustParseAddr("192.0.2.10"))
	n.Lladdr = net.HardwareAddr{2, 0, 0, 0, 0, 9}
	n.State = rtneigh.NUD_PERMANENT
	if err := neighbours.NewNeigh(ctx, n, create); err != nil {
		log.Fatal(err)
	}
	list, err := neighbours.DumpNeigh(ctx, rtneigh.On(v0.Index)).List()
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range list {
		if n.Dst.Is4() {
			fmt.Println(n.Dst, n.Lladdr, n.State)
		}
	}
	// Output: 192.0.2.10 02:00:00:00:00:09 permanent
}

// An entry in the table of a VXLAN link: where frames for a MAC address go. The link of
// the underlay, ViaIfindex, is another one than that of the entry.
func ExampleFDB() {
	n := rtneigh.FDB(7, net.HardwareAddr{2, 0, 0, 0, 0, 0x10})
	n.Flags = rtneigh.NTF_SELF
	n.State = rtneigh.NUD_PERMANENT | rtneigh.NUD_NOARP
	n.Dst = netip.MustParseAddr("192.0.2.55")
	n.Vni, n.Port = ynl.U32(100), ynl.U16(8472)
	text, err := n.MarshalJSON()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	// Output: {"ndm-family":7,"ndm-ifindex":7,"ndm-state":["noarp","permanent"],"ndm-flags":["self"],"ndm-type":"unspec","dst":"192.0.2.55","lladdr":"02:00:00:00:00:10","port":8472,"vni":100}
}
