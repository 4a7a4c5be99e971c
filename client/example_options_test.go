//go:build linux

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// A Conn for bursts of events: they have their own socket with a larger buffer, and a
// longer queue for the consumer.
func ExampleWithEventSocket() {
	c, err := client.Dial(netlink.NETLINK_ROUTE,
		client.WithEventSocket(),
		client.WithReceiveBuffer(1<<20),
		client.WithEventQueue(1<<16),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Without CAP_NET_ADMIN net.core.rmem_max limits the buffer.
	fmt.Println(c.Stats().ReceiveBuffer > 0)
	// Output: true
}

// Large requests, at most 8 of them in flight.
func ExampleWithInFlight() {
	c, err := client.Dial(netlink.NETLINK_NETFILTER, client.WithInFlight(8), client.WithSendBuffer(256<<10))
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return // a kernel without netfilter
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Output:
}

// Neither the goroutine nor its thread enters the namespace.
func ExampleWithNetNS() {
	ns, err := os.Open("/proc/self/ns/net") // or such as /run/netns/blue
	if err != nil {
		log.Fatal(err)
	}
	defer ns.Close()
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(int(ns.Fd())))
	if errors.Is(err, unix.EPERM) {
		return // without CAP_SYS_ADMIN
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Output:
}

// A fixed port is needed if another process has to know it.
func ExampleWithPortID() {
	port := uint32(os.Getpid()) | 1<<30
	c, err := client.Dial(netlink.NETLINK_USERSOCK, client.WithPortID(port))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.PortID() == port)

	_, err = client.Dial(netlink.NETLINK_USERSOCK, client.WithPortID(port))
	fmt.Println(errors.Is(err, unix.EADDRINUSE))
	// Output:
	// true
	// true
}

// The kernel refuses fields that it would otherwise ignore.
func ExampleWithStrictChecking() {
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithStrictChecking())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Prefixlen: 24}) // the kernel does not filter by it
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Request(context.Background(), unix.RTM_GETADDR, payload, netlink.NLM_F_DUMP)
	fmt.Println(errors.Is(err, unix.EINVAL))
	// Output: true
}

// If the table keeps changing, the entries are returned with the error.
func ExampleWithDumpRetries() {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		return []wire.Message{{
			Header:  wire.Header{Type: unix.RTM_NEWLINK, Flags: netlink.NLM_F_DUMP_INTR},
			Payload: []byte("a link"),
		}}
	}, client.WithDumpRetries(10))
	defer c.Close()

	replies, err := c.Request(context.Background(), unix.RTM_GETLINK, nil, netlink.NLM_F_DUMP)
	fmt.Println(len(replies), errors.Is(err, client.ErrDumpInterrupted))
	// Output: 1 true
}

// One Conn for all namespaces that have an id in its own.
func ExampleWithListenAllNSID() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial(client.WithListenAllNSID())
	defer c.Close()
	if err := c.AddMembership(unix.RTNLGRP_LINK); err != nil {
		log.Fatal(err)
	}

	link := wire.Message{Header: wire.Header{Type: unix.RTM_NEWLINK}}
	k.PushFrom(7, unix.RTNLGRP_LINK, link)
	k.Push(unix.RTNLGRP_LINK, link)
	for range 2 {
		e := <-c.Receive()
		fmt.Println(e.Group, e.NSID)
	}
	// Output:
	// 1 7
	// 1 -1
}
