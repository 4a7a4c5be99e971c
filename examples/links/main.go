//go:build linux

// Command links lists the network links with their addresses, like ip address.
// It needs no privilege.
package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func main() {
	up := flag.Bool("up", false, "only links that are up")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "links lists the network links with their addresses.\n\nUsage: links [-up]\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *up); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "links:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, up bool) error {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer c.Close()

	addresses := make(map[uint32][]string) // by the link's index
	for m, err := range c.Dump(ctx, unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg)) {
		var h unix.IfAddrmsg
		var attrs map[uint16]wire.Attr
		if err == nil {
			attrs, err = decode(m, &h)
		}
		if changed(err) {
			break
		} else if err != nil {
			return fmt.Errorf("addresses: %w", err)
		}
		// On a point-to-point link IFA_ADDRESS is the peer's. IPv6 has IFA_LOCAL
		// nowhere else.
		own, ok := attrs[unix.IFA_LOCAL]
		if !ok {
			own = attrs[unix.IFA_ADDRESS]
		}
		ip, _ := netip.AddrFromSlice(own.Value)
		addresses[h.Index] = append(addresses[h.Index], fmt.Sprintf("%v/%d", ip, h.Prefixlen))
	}

	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INDEX\tNAME\tSTATE\tMTU\tADDRESSES")
	for m, err := range c.Dump(ctx, unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg)) {
		var h unix.IfInfomsg
		var attrs map[uint16]wire.Attr
		if err == nil {
			attrs, err = decode(m, &h)
		}
		if changed(err) {
			break
		} else if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		if up && h.Flags&unix.IFF_UP == 0 {
			continue
		}
		state, _ := attrs[unix.IFLA_OPERSTATE].Uint8()
		mtu, _ := attrs[unix.IFLA_MTU].Uint32()
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", h.Index, attrs[unix.IFLA_IFNAME],
			states[state], mtu, cmp.Or(strings.Join(addresses[uint32(h.Index)], " "), "-"))
	}
	return w.Flush()
}

// states are the operational states of RFC 2863, by IFLA_OPERSTATE.
var states = map[uint8]string{
	0: "UNKNOWN", 1: "NOTPRESENT", 2: "DOWN", 3: "LOWERLAYERDOWN", 4: "TESTING", 5: "DORMANT", 6: "UP",
}

// changed reports whether a dump is over that a change has interrupted, and says
// so: an entry may be missing or stand twice.
func changed(err error) bool {
	if !errors.Is(err, client.ErrDumpInterrupted) {
		return false
	}
	fmt.Fprintln(os.Stderr, "links: the list changed while it was read")
	return true
}

// decode reads the header before the attributes and returns those by type.
func decode(m wire.Message, header any) (map[uint16]wire.Attr, error) {
	n, err := binary.Decode(m.Payload, binary.NativeEndian, header)
	if err != nil {
		return nil, err
	}
	attrs := make(map[uint16]wire.Attr)
	for a, err := range wire.Attrs(m.Payload[n:]) {
		if err != nil {
			return nil, err
		}
		attrs[a.Type] = a
	}
	return attrs, nil
}
