//go:build linux

package sockdiag_test

import (
	"context"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl/sockdiag"
)

// The connections of TCP over IPv4, with their round trip times.
func ExampleClient_DumpInet() {
	c, err := client.Dial(netlink.NETLINK_SOCK_DIAG)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	req := sockdiag.Sockets(unix.AF_INET, unix.IPPROTO_TCP)
	req.States = sockdiag.TCPF_ESTABLISHED
	req.Ext = sockdiag.INET_DIAG_EXT_INFO
	for s, err := range sockdiag.New(c).DumpInet(context.Background(), req) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Source(), s.Destination(), s.Info.Value.RTT, "us")
	}
}
