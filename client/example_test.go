//go:build linux

package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// linkNamed encodes the request for the link of that name.
func linkNamed(name string) []byte {
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{})
	b.String(unix.IFLA_IFNAME, name)
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	return payload
}

// linkName decodes the name of the link that a message describes.
func linkName(m wire.Message) string {
	var link unix.IfInfomsg
	attrs, err := m.Struct(&link)
	if err != nil {
		log.Fatal(err)
	}
	var name string
	d := wire.NewDecoder(attrs)
	for d.Next() {
		if d.Type() == unix.IFLA_IFNAME {
			name = d.String()
		}
	}
	if err := d.Err(); err != nil {
		log.Fatal(err)
	}
	return name
}

func ExampleConn_Request() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	replies, err := c.Request(ctx, unix.RTM_GETLINK, linkNamed("lo"), 0)
	var refusal *wire.KernelError
	switch {
	case errors.As(err, &refusal):
		log.Fatal("the kernel says no: ", refusal)
	case client.NotSent(err):
		log.Fatal("safe to try again: ", err)
	case err != nil:
		log.Fatal("it may have been applied: ", err)
	}
	for _, m := range replies {
		fmt.Println(linkName(m))
	}
	// Output: lo
}

// errors.Is compares with the kernel's errno.
func ExampleConn_Request_refused() {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// CTRL_CMD_GETFAMILY by name.
	var b wire.Builder
	b.Struct(&unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY, Version: 1})
	b.String(unix.CTRL_ATTR_FAMILY_NAME, "no-such-family")
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Request(context.Background(), unix.GENL_ID_CTRL, payload, 0)
	fmt.Println(errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOENT))
	// Output: true true
}

func ExampleConn_Dump() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var b wire.Builder
	b.Struct(&unix.IfInfomsg{}) // all links
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range c.Dump(context.Background(), unix.RTM_GETLINK, payload) {
		if err != nil {
			log.Fatal(err)
		}
		if linkName(m) == "lo" {
			fmt.Println("there is a lo")
			break
		}
	}
	// Output: there is a lo
}

// Events are received from a channel until Close. For a program that keeps a copy of
// the table, see the Example Resync of the package.
func ExampleConn_Receive() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.AddMembership(unix.RTNLGRP_LINK); err != nil {
		log.Fatal(err)
	}

	var g sync.WaitGroup
	g.Go(func() {
		for e := range c.Receive() {
			switch e.Header.Type {
			case unix.RTM_NEWLINK:
				fmt.Println("there is", linkName(e.Message))
			case unix.RTM_DELLINK:
				fmt.Println("gone is", linkName(e.Message))
			case netlink.NLMSG_OVERRUN:
				fmt.Println("some changes were missed")
			}
		}
	})

	// Close ends the loop.
	c.Close()
	g.Wait()
	// Output:
}

func ExampleConn_Noop() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.Noop(context.Background()))
	// Output: <nil>
}

func ExampleNotSent() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	err = c.Noop(context.Background())
	fmt.Println(client.NotSent(err), err)
	// Output: true netlink: noop: use of closed network connection
}

// The file opens in Wireshark.
func ExampleWithCapture() {
	f, err := os.CreateTemp("", "*.pcapng")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithCapture(f))
	if err != nil {
		log.Fatal(err)
	}

	_, err = c.Request(context.Background(), unix.RTM_GETLINK, linkNamed("lo"), 0)
	fmt.Println("request:", err)
	// Close writes the rest and reports whether everything was written.
	fmt.Println("capture:", errors.Join(c.Close(), f.Close()))
	// Output:
	// request: <nil>
	// capture: <nil>
}
