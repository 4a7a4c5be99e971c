//go:build linux

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// The error of Dial names the family.
func ExampleDial() {
	_, err := client.Dial(netlink.NETLINK_UNUSED)
	var failed *client.OpError
	if errors.As(err, &failed) {
		fmt.Println(failed.Op)
	}
	fmt.Println(errors.Is(err, unix.EPROTONOSUPPORT))
	// Output:
	// dial NETLINK_UNUSED
	// true
}

// If ctx ends early, the request is not sent. Later it ends the wait, and an answer
// that has arrived is still returned.
func ExampleConn_Request_cancellation() {
	ctx, cancel := context.WithCancel(context.Background())
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		cancel() // while the kernel works on the request
		return []wire.Message{{Header: wire.Header{Type: unix.RTM_NEWLINK}}}
	})
	defer c.Close()

	replies, err := c.Request(ctx, unix.RTM_GETLINK, nil, 0)
	fmt.Println(len(replies), err)

	_, err = c.Request(ctx, unix.RTM_GETLINK, nil, 0)
	fmt.Println(client.NotSent(err), errors.Is(err, context.Canceled))
	// Output:
	// 1 <nil>
	// true true
}

func ExampleConn_AddMembership() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	fmt.Println(c.AddMembership(unix.RTNLGRP_LINK))
	fmt.Println(errors.Is(c.AddMembership(1<<20), unix.EINVAL)) // there is no such group
	fmt.Println(c.DropMembership(unix.RTNLGRP_LINK))
	// Output:
	// <nil>
	// true
	// <nil>
}

// A program that reports the events that it missed.
func ExampleConn_Stats() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial(client.WithEventQueue(1))
	defer c.Close()
	if err := c.AddMembership(unix.RTNLGRP_LINK); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		k.Push(unix.RTNLGRP_LINK, wire.Message{Header: wire.Header{Type: unix.RTM_NEWLINK}})
	}
	if err := c.Noop(context.Background()); err != nil { // after the events
		log.Fatal(err)
	}
	s := c.Stats()
	fmt.Println(s.EventsDropped, "of", s.Events)
	<-c.Receive()
	gap := <-c.Receive()
	fmt.Println(gap.Header.Type, gap.Lost)
	// Output:
	// 2 of 3
	// NLMSG_OVERRUN 2
}

// An option of the socket for which there is no method.
func ExampleConn_SyscallConn() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	var protocol int
	var sockErr error
	err = raw.Control(func(fd uintptr) {
		protocol, sockErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	})
	if err := errors.Join(err, sockErr); err != nil {
		log.Fatal(err)
	}
	fmt.Println(netlink.Family(protocol))
	// Output: NETLINK_ROUTE
}

// Close may be called at any time, by any goroutine, and again.
func ExampleConn_Close() {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Close(), c.Close())
	err = c.Noop(context.Background())
	fmt.Println(errors.Is(err, net.ErrClosed))
	_, open := <-c.Receive()
	fmt.Println("open:", open)
	// Output:
	// <nil> <nil>
	// true
	// open: false
}
