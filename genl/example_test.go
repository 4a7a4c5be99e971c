package genl_test

import (
	"fmt"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// A test of a program that listens to a family, with a scripted kernel.
func ExampleParseMessage() {
	const (
		familyID = 30
		group    = 7
	)
	k := nltest.New(netlink.NETLINK_GENERIC, nil)
	c := k.Dial()
	defer c.Close()
	if err := c.AddMembership(group); err != nil {
		fmt.Println(err)
		return
	}
	// Command 5, version 1, and no attributes.
	k.Push(group, wire.Message{Header: wire.Header{Type: familyID}, Payload: []byte{5, 1, 0, 0}})

	e := <-c.Receive()
	m, err := genl.ParseMessage(e.Message)
	fmt.Println(m.Command, m.Version, len(m.Payload), err)
	// Output: 5 1 0 <nil>
}
