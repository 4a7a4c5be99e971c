//go:build linux

// Command uevents prints what the kernel reports about devices as it happens, like
// udevadm monitor --kernel --property. It needs no privilege. In a container it
// may see nothing but network devices: the kernel reports others only in network
// namespaces that belong to the initial user namespace.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
)

func main() {
	n := flag.Int("n", 0, "stop after this many events, 0 for never")
	subsystem := flag.String("subsystem", "", "only events of this subsystem, such as net")
	cli.Command{
		Name:  "uevents",
		Args:  "[-n N] [-subsystem S]",
		About: "uevents prints what the kernel reports about devices, until Ctrl-C.",
		Valid: func() bool { return *n >= 0 },
		Run: func(ctx context.Context) error {
			c, err := client.Dial(netlink.NETLINK_KOBJECT_UEVENT)
			if err != nil {
				return err
			}
			return run(ctx, os.Stdout, c, *n, *subsystem)
		},
	}.Main()
}

// kernelGroup is the multicast group of the kernel's events. Those of group 2
// are udev's, in a format of its own.
const kernelGroup = 1

// run prints n events of c, or all until ctx ends, and closes c.
func run(ctx context.Context, w io.Writer, c *client.Conn, n int, subsystem string) error {
	defer c.Close()
	if err := c.AddMembership(kernelGroup); err != nil {
		return err
	}
	fmt.Fprintln(w, "watching devices")
	for seen := 0; n == 0 || seen < n; {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-c.Receive():
			if !ok {
				return net.ErrClosed
			}
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				fmt.Fprint(w, "\n*** events are missing here ***\n")
				continue
			}
			if text, of := describe(string(e.Payload)); subsystem == "" || subsystem == of {
				seen++
				fmt.Fprint(w, text)
			}
		}
	}
	return nil
}

// describe decodes an event, "action@device" and lines of KEY=VALUE that end in
// NUL, and returns the subsystem that it is of.
func describe(event string) (text, subsystem string) {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSuffix(event, "\x00"), "\x00") {
		if i == 0 {
			action, device, _ := strings.Cut(line, "@")
			fmt.Fprintf(&b, "\n%s %s\n", action, device)
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ACTION", "DEVPATH":
			continue // printed in the heading
		case "SUBSYSTEM":
			subsystem = value
		}
		fmt.Fprintf(&b, "  %-16s %s\n", key, value)
	}
	return b.String(), subsystem
}
