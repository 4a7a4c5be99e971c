package demux_test

import (
	"fmt"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/wire"
)

const (
	port = 4711 // that our socket is bound to

	rtmNewAddr    = 20
	groupIPv4Addr = 5 // RTNLGRP_IPV4_IFADDR
)

// fromKernel is a datagram of the kernel to our port alone.
var fromKernel = demux.Origin{NSID: demux.NoNSID}

func printEvent(m wire.Message) { fmt.Printf("event of type %d\n", m.Header.Type) }

// The kernel announces the change that a request makes with the request's own
// number and port. Only the group tells this event from the reply.
func Example() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, func(demux.Kind) {})
	t.Join(groupIPv4Addr)
	c := demux.NewCall()
	c.Type, c.Kind = rtmNewAddr, demux.KindOf(netlink.NETLINK_ROUTE, rtmNewAddr, netlink.NLM_F_CREATE)
	if err := t.Open(c); err != nil {
		fmt.Println(err)
		return
	}
	// Here the request is sent, with the number c.Seq.
	t.Sent(c)

	header := wire.Header{Type: rtmNewAddr, Seq: c.Seq, PortID: port}
	event := demux.Origin{Group: groupIPv4Addr, NSID: demux.NoNSID}
	t.Deliver(wire.AppendMessage(nil, wire.Message{Header: header}), event, printEvent)
	fmt.Println("answered:", c.Ready())

	header.Type = netlink.NLMSG_ERROR
	ack := wire.Message{Header: header, Payload: make([]byte, 4+wire.HeaderLen)}
	t.Deliver(wire.AppendMessage(nil, ack), fromKernel, printEvent)
	<-c.Done()
	replies, err := c.Result()
	fmt.Println("answered:", len(replies), err)
	// Output:
	// event of type 20
	// answered: false
	// answered: 0 <nil>
}

// After a loss, what has been sent and is not answered when the queue is empty
// never will be.
func ExampleTable_Drained() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, func(demux.Kind) {})
	c := demux.NewCall()
	c.Type = rtmNewAddr
	if err := t.Open(c); err != nil {
		fmt.Println(err)
		return
	}
	t.Sent(c)

	t.Overrun() // a read returned ENOBUFS
	for t.Drained() {
		// A read returned EAGAIN, and one more has to.
	}
	<-c.Done()
	_, err := c.Result()
	fmt.Println(err)
	// Output: reply lost in an overrun, the request may have been applied
}

// Nobody waits any more, but until the kernel has had its last word the number
// is taken, and what was lent to the request is not free.
func ExampleTable_Abandon() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, func(demux.Kind) { fmt.Println("released") })
	c := demux.NewCall()
	c.Type = rtmNewAddr
	if err := t.Open(c); err != nil {
		fmt.Println(err)
		return
	}
	t.Sent(c)

	fmt.Println("abandoned:", t.Abandon(c), "pending:", t.Stats().Pending)
	ack := wire.Message{
		Header:  wire.Header{Type: netlink.NLMSG_ERROR, Seq: c.Seq, PortID: port},
		Payload: make([]byte, 4+wire.HeaderLen),
	}
	t.Deliver(wire.AppendMessage(nil, ack), fromKernel, printEvent)
	fmt.Println("pending:", t.Stats().Pending, "late:", t.Stats().Late)
	// Output:
	// abandoned: true pending: 1
	// released
	// pending: 0 late: 1
}

// The same bits ask for a dump or forbid to replace: it depends on the type.
func ExampleKindOf() {
	const rtmGetAddr = 22
	for _, typ := range []netlink.MessageType{rtmGetAddr, rtmNewAddr} {
		kind := demux.KindOf(netlink.NETLINK_ROUTE, typ, netlink.NLM_F_DUMP)
		fmt.Println(kind == demux.Dump)
	}
	// Output:
	// true
	// false
}

// A socket with only one request needs no Table to know its answer.
func ExampleIsReply() {
	const seq = 7
	h := wire.Header{Type: rtmNewAddr, Seq: seq, PortID: port}
	fmt.Println(demux.IsReply(netlink.NETLINK_ROUTE, port, seq, h, 0))
	fmt.Println(demux.IsReply(netlink.NETLINK_ROUTE, port, seq, h, groupIPv4Addr))
	// Output:
	// true
	// false
}
