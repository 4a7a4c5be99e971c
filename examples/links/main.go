//go:build linux

// Command links lists the network links with their addresses, like ip address.
// It needs no privilege.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/wire"
)

func main() {
	up := flag.Bool("up", false, "only links that are up")
	cli.Command{
		Name:  "links",
		Args:  "[-up]",
		About: "links lists the network links with their addresses.",
		Run:   func(ctx context.Context) error { return run(ctx, os.Stdout, *up) },
	}.Main()
}

func run(ctx context.Context, out io.Writer, up bool) error {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer c.Close()

	addresses, err := readAddresses(ctx, c)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{}) // all links
	request, err := b.Encode()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tNAME\tSTATE\tMTU\tADDRESSES")
	for m, err := range c.Dump(ctx, unix.RTM_GETLINK, request) {
		if changed(err) {
			break
		} else if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		var link unix.IfInfomsg
		attrs, err := m.Struct(&link)
		if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		var name string
		var mtu uint32
		var state uint8
		d := wire.NewDecoder(attrs)
		for d.Next() {
			switch d.Type() {
			case unix.IFLA_IFNAME:
				name = d.String()
			case unix.IFLA_MTU:
				mtu = d.Uint32()
			case unix.IFLA_OPERSTATE:
				state = d.Uint8()
			}
		}
		if err := d.Err(); err != nil {
			return fmt.Errorf("links: %w", err)
		}
		if up && link.Flags&unix.IFF_UP == 0 {
			continue
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", link.Index, name, states[state], mtu,
			cmp.Or(strings.Join(addresses[uint32(link.Index)], " "), "-"))
	}
	return w.Flush()
}

// readAddresses returns the addresses of all links, by the link's index.
func readAddresses(ctx context.Context, c *client.Conn) (map[uint32][]string, error) {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{}) // all addresses
	request, err := b.Encode()
	if err != nil {
		return nil, err
	}
	addresses := make(map[uint32][]string)
	for m, err := range c.Dump(ctx, unix.RTM_GETADDR, request) {
		if changed(err) {
			break
		} else if err != nil {
			return nil, err
		}
		var h unix.IfAddrmsg
		attrs, err := m.Struct(&h)
		if err != nil {
			return nil, err
		}
		var local, address netip.Addr
		d := wire.NewDecoder(attrs)
		for d.Next() {
			switch d.Type() {
			case unix.IFA_LOCAL:
				local, _ = netip.AddrFromSlice(d.Bytes())
			case unix.IFA_ADDRESS:
				address, _ = netip.AddrFromSlice(d.Bytes())
			}
		}
		if err := d.Err(); err != nil {
			return nil, err
		}
		// On a point-to-point link IFA_ADDRESS is the peer's. IPv6 has IFA_LOCAL
		// nowhere else.
		own := fmt.Sprintf("%v/%d", cmp.Or(local, address), h.Prefixlen)
		addresses[h.Index] = append(addresses[h.Index], own)
	}
	return addresses, nil
}

// states are the operational states of RFC 2863, by IFLA_OPERSTATE.
var states = map[uint8]string{
	0: "UNKNOWN", 1: "NOTPRESENT", 2: "DOWN", 3: "LOWERLAYERDOWN", 4: "TESTING", 5: "DORMANT", 6: "UP",
}

// changed reports whether err is that of a dump that a change interrupted, and prints
// so: an entry may be missing or duplicated.
func changed(err error) bool {
	if !errors.Is(err, client.ErrDumpInterrupted) {
		return false
	}
	fmt.Fprintln(os.Stderr, "links: the list changed while it was read")
	return true
}
