//go:build linux

// Command watch prints what changes in the network as it happens: links,
// addresses, routes and neighbours, like ip monitor, and which links go up or down: two
// consumers share one connection. It needs no privilege. With -w it writes what it reads
// to a file for Wireshark as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/wire"
)

func main() {
	n := flag.Int("n", 0, "stop after this many events, 0 for never")
	file := flag.String("w", "", "capture the netlink messages in this file, for Wireshark")
	cli.Command{
		Name:  "watch",
		Args:  "[-n N] [-w FILE]",
		About: "watch prints changes of links, addresses, routes and neighbours until Ctrl-C.",
		Valid: func() bool { return *n >= 0 },
		Run:   func(ctx context.Context) error { return watch(ctx, *file, *n) },
	}.Main()
}

// watch dials, with a capture if there is a name for one, and runs.
func watch(ctx context.Context, file string, n int) error {
	var opts []client.Option
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		opts = append(opts, client.WithCapture(f))
	}
	c, err := client.Dial(netlink.NETLINK_ROUTE, opts...)
	if err != nil {
		return err
	}
	err = run(ctx, os.Stdout, c, n)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	// Closed by run already, and this is what came of the capture.
	return errors.Join(err, c.Close())
}

// groups are the names of the multicast groups that are watched.
var groups = map[uint32]string{
	unix.RTNLGRP_LINK:        "link",
	unix.RTNLGRP_NEIGH:       "neigh",
	unix.RTNLGRP_IPV4_IFADDR: "ipv4-ifaddr",
	unix.RTNLGRP_IPV6_IFADDR: "ipv6-ifaddr",
	unix.RTNLGRP_IPV4_ROUTE:  "ipv4-route",
	unix.RTNLGRP_IPV6_ROUTE:  "ipv6-route",
}

// run prints n events of c, or all until ctx ends, and closes c.
func run(ctx context.Context, w io.Writer, c *client.Conn, n int) error {
	defer c.Close() // which closes the subscriptions
	all, err := c.Subscribe(slices.Collect(maps.Keys(groups))...)
	if err != nil {
		return err
	}
	ofLinks, err := c.Subscribe(unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan string)
	go make(states).follow(ctx, ofLinks, changes)
	// After joining: a link that comes in between is in the dump or an event.
	links := make(names)
	if err := links.read(ctx, c); err != nil {
		return err
	}
	fmt.Fprintln(w, "watching the network")
	for seen := 0; n == 0 || seen < n; {
		select {
		case <-ctx.Done():
			return nil
		case text := <-changes:
			fmt.Fprintln(w, "***", text)
		case e, ok := <-all.Events():
			if !ok {
				return net.ErrClosed
			}
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				fmt.Fprintln(w, "*** events are missing here ***")
				if err := links.read(ctx, c); err != nil {
					return err
				}
				continue
			}
			seen++
			fmt.Fprintf(w, "%-12s %s\n", groups[e.Group], links.describe(e.Message))
		}
	}
	return nil
}

// names are those of the links, by index.
type names map[uint32]string

// read reads the names of all links.
func (l names) read(ctx context.Context, c *client.Conn) error {
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{}) // all links
	request, err := b.Encode()
	if err != nil {
		return err
	}
	for m, err := range c.Dump(ctx, unix.RTM_GETLINK, request) {
		if errors.Is(err, client.ErrDumpInterrupted) {
			return nil // what interrupted it comes as events
		} else if err != nil {
			return fmt.Errorf("links: %w", err)
		}
		l.describe(m)
	}
	return nil
}
