package nltest_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

const (
	rtmNewLink netlink.MessageType = 16
	rtmGetLink netlink.MessageType = 18
)

// The code under test talks to the Conn as it would to the kernel's.
func ExampleDial() {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		if req.Header.Type != rtmGetLink {
			return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{Message: "links only"})}
		}
		return []wire.Message{{Header: wire.Header{Type: rtmNewLink}, Payload: []byte("a link")}}
	})
	defer c.Close()

	replies, err := c.Request(context.Background(), rtmGetLink, nil, 0)
	fmt.Printf("%s %v\n", replies[0].Payload, err)

	_, err = c.Request(context.Background(), rtmNewLink, nil, 0)
	var refusal *wire.KernelError
	fmt.Println(errors.As(err, &refusal) && refusal.Errno == syscall.EOPNOTSUPP, refusal.Ext.Message)
	// Output:
	// a link <nil>
	// true links only
}

// A test of how a program copes with losses.
func ExampleKernel_Overrun() {
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		k.Overrun() // drops the answer that follows
		return nil
	})
	c := k.Dial()
	defer c.Close()

	_, err := c.Request(context.Background(), rtmNewLink, nil, 0)
	fmt.Println(errors.Is(err, client.ErrReplyLost))
	e := <-c.Receive()
	fmt.Println(e.Header.Type)
	// Output:
	// true
	// NLMSG_OVERRUN
}

func ExampleKernel_Push() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial()
	defer c.Close()
	const group = 1
	if err := c.AddMembership(group); err != nil {
		fmt.Println(err)
		return
	}
	k.Push(group, wire.Message{Header: wire.Header{Type: rtmNewLink}, Payload: []byte("up")})
	e := <-c.Receive()
	fmt.Printf("%d %s\n", e.Group, e.Payload)
	// Output: 1 up
}
