package nltest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// The code under test uses the Conn as it would use one to the kernel.
func ExampleDial() {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		if req.Header.Type != rtmGetLink {
			return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{Message: "links only"})}
		}
		return []wire.Message{{Header: wire.Header{Type: rtmNewLink}, Payload: []byte("a link")}}
	})
	defer c.Close()

	replies, err := c.Request(context.Background(), rtmGetLink, nil, 0)
	for _, m := range replies {
		fmt.Printf("%s\n", m.Payload)
	}
	fmt.Println(err)

	_, err = c.Request(context.Background(), rtmNewLink, nil, 0)
	var refusal *wire.KernelError
	fmt.Println(errors.As(err, &refusal) && refusal.Errno == syscall.EOPNOTSUPP, refusal.Ext.Message)
	// Output:
	// a link
	// <nil>
	// true links only
}

// A test of how a program handles losses.
func ExampleKernel_Overrun() {
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		k.Overrun() // drops the answer that follows
		return nil
	})
	c := k.Dial()
	defer c.Close()

	if err := c.AddMembership(1); err != nil {
		fmt.Println(err)
		return
	}
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

// A kernel with state, and two connections to it.
func ExampleNew() {
	var mu sync.Mutex // requests call the handler concurrently
	var links []wire.Message
	k := nltest.New(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		mu.Lock()
		defer mu.Unlock()
		switch req.Header.Type {
		case rtmNewLink:
			links = append(links, wire.Message{Header: wire.Header{Type: rtmNewLink}, Payload: req.Payload})
			return nil // an acknowledgement
		case rtmGetLink:
			return links
		}
		return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{})}
	})
	one, other := k.Dial(), k.Dial()
	defer one.Close()
	defer other.Close()

	ctx := context.Background()
	if _, err := one.Request(ctx, rtmNewLink, []byte("eth0"), netlink.NLM_F_CREATE); err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range other.Dump(ctx, rtmGetLink, nil) {
		fmt.Printf("%s %v\n", m.Payload, err)
	}
	// Output: eth0 <nil>
}

// A dump that fails in the kernel.
func ExampleDone() {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		return []wire.Message{
			{Header: wire.Header{Type: rtmNewLink}, Payload: []byte("eth0")},
			nltest.Done(syscall.ENOMEM, wire.ExtAck{Message: "no memory left"}),
		}
	})
	defer c.Close()

	for m, err := range c.Dump(context.Background(), rtmGetLink, nil) {
		var refusal *wire.KernelError
		if errors.As(err, &refusal) {
			fmt.Println(refusal.Errno == syscall.ENOMEM, refusal.Ext.Message)
			continue
		}
		fmt.Printf("%s\n", m.Payload)
	}
	// Output:
	// eth0
	// true no memory left
}

// A refusal with everything that the kernel can add to it.
func ExampleError() {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		return []wire.Message{nltest.Error(syscall.EINVAL, wire.ExtAck{
			Message: "what is this?",
			Offset:  wire.HeaderLen, HasOffset: true,
		})}
	})
	defer c.Close()

	_, err := c.Request(context.Background(), rtmNewLink, []byte("eth0"), 0)
	var refusal *wire.KernelError
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Ext.Message, refusal.Ext.Offset)
	}
	// Output: what is this? 16
}

// An event of another network namespace.
func ExampleKernel_PushFrom() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial(client.WithListenAllNSID())
	defer c.Close()
	const group = 1
	if err := c.AddMembership(group); err != nil {
		fmt.Println(err)
		return
	}
	k.PushFrom(3, group, wire.Message{Header: wire.Header{Type: rtmNewLink}})
	e := <-c.Receive()
	fmt.Println(e.NSID)
	// Output: 3
}

// A test of how a program handles a kernel that stops for a while.
func ExampleKernel_Stop() {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial()
	defer c.Close()

	k.Stop(syscall.ECONNREFUSED)
	err := c.Noop(context.Background())
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED), client.NotSent(err))
	k.Stop(nil)
	fmt.Println(c.Noop(context.Background()))
	// Output:
	// true true
	// <nil>
}
