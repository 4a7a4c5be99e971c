package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// Two packages of a program share a Conn, and each has its own events.
func ExampleConn_Subscribe() {
	const linkGroup, addrGroup = 1, 5 // RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial()
	defer c.Close()

	links, err := c.Subscribe(linkGroup)
	if err != nil {
		log.Fatal(err)
	}
	all, err := c.Subscribe(linkGroup, addrGroup)
	if err != nil {
		log.Fatal(err)
	}
	k.Push(linkGroup, wire.Message{Header: wire.Header{Type: 16}, Payload: []byte("eth0")})
	k.Push(addrGroup, wire.Message{Header: wire.Header{Type: 20}, Payload: []byte("192.0.2.1")})

	fmt.Printf("%s\n", (<-links.Events()).Payload)
	if err := links.Close(); err != nil { // all still has the group
		log.Fatal(err)
	}
	for range 2 {
		e := <-all.Events()
		fmt.Printf("%s of group %d\n", e.Payload, e.Group)
	}
	// Output:
	// eth0
	// eth0 of group 1
	// 192.0.2.1 of group 5
}

// After a change, a program takes the events that the change has caused, and no more.
func ExampleSubscription_Sync() {
	const newLink, linkGroup = 16, 1
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		k.Push(linkGroup, req)
		return nil
	})
	c := k.Dial()
	defer c.Close()
	s, err := c.Subscribe(linkGroup)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	for _, name := range []string{"eth0", "eth1"} {
		if _, err := c.Request(ctx, newLink, []byte(name), 0); err != nil {
			log.Fatal(err)
		}
	}
	if err := s.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	for e := range s.Events() {
		if e.Header.Type == netlink.NLMSG_NOOP {
			break // the marker: everything before it has come
		}
		fmt.Printf("%s\n", e.Payload)
	}
	// Output:
	// eth0
	// eth1
}
