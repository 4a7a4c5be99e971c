//go:build linux

package wireguard_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/wireguard"
)

// A peer is added to wg0, and all peers are listed.
func ExampleClient_Device() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	key, err := wireguard.ParseKey("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=")
	if err != nil {
		log.Fatal(err)
	}

	wg := wireguard.New(c)
	peer := wireguard.Peer{PublicKey: key[:], Allowedips: []wireguard.AllowedIP{wireguard.Allow(netip.MustParsePrefix("10.0.0.0/24"))}}
	if err := peer.SetEndpoint(netip.MustParseAddrPort("192.0.2.1:51820")); err != nil {
		log.Fatal(err)
	}
	err = wg.SetDevice(ctx, &wireguard.Device{Ifname: ynl.Some("wg0"), Peers: []wireguard.Peer{peer}})
	if err != nil {
		log.Fatal(err)
	}

	dev, err := wg.Device(ctx, "wg0")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range dev.Peers {
		key, _ := wireguard.KeyOf(p.PublicKey)
		fmt.Println(key, p.EndpointAddr(), p.RxBytes, p.TxBytes)
	}
}
