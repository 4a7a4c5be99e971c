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

	credit = 4096 // for the answers, in bytes
)

// fromKernel is a datagram of the kernel to our port alone.
var fromKernel = demux.Origin{NSID: demux.NoNSID}

// nothingDropped is for a socket whose reads report every drop at once.
func nothingDropped() bool { return false }

func printEvent(m wire.Message) { fmt.Printf("event of type %d\n", m.Header.Type) }

// The kernel announces a request's change with the request's own number and port. Only
// the group distinguishes this event from the reply.
func Example() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, credit, nothingDropped)
	t.Join(groupIPv4Addr)
	c := demux.NewCall()
	c.Type, c.Kind = rtmNewAddr, demux.KindOf(netlink.NETLINK_ROUTE, rtmNewAddr)
	if err := t.Open(c); err != nil {
		fmt.Println(err)
		return
	}
	// Here the request is sent, with the number c.Seq.
	t.MarkSent(c)

	header := wire.Header{Type: rtmNewAddr, Seq: c.Seq, PortID: port}
	event := demux.Origin{Group: groupIPv4Addr, NSID: demux.NoNSID}
	t.Deliver(wire.AppendMessage(nil, wire.Message{Header: header}), event, printEvent)
	fmt.Println("answered:", c.Ready())

	header.Type = netlink.NLMSG_ERROR
	ack := wire.Message{Header: header, Payload: make([]byte, 4+wire.HeaderLen)}
	t.Deliver(wire.AppendMessage(nil, ack), fromKernel, printEvent)
	c.Wait()
	replies, err := c.Result()
	fmt.Println("answered:", len(replies), err)
	// Output:
	// event of type 20
	// answered: false
	// answered: 0 <nil>
}

// A request is concluded when the goroutine that sent it has read up to the empty
// queue. The error shows whether the kernel may have dropped the answer.
func ExampleTable_Conclude() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, credit, nothingDropped)
	ignored, lost := demux.NewCall(), demux.NewCall()
	for _, c := range []*demux.Call{ignored, lost} {
		if err := t.Open(c); err != nil {
			fmt.Println(err)
			return
		}
		// Here the request is sent.
		t.MarkSent(c)
		if c == lost {
			t.MarkOverrun() // a read returned ENOBUFS
		}
		t.MarkEmpty() // and the next one EAGAIN
		t.Conclude([]*demux.Call{c}, []uint32{c.Seq})
		c.Wait()
		_, err := c.Result()
		fmt.Println(err)
	}
	// Output:
	// kernel did not answer, the request may have been applied
	// reply lost in an overrun, the request may have been applied
}

// After Abandon, the sequence number and the credit of the request stay in use until the
// kernel's final message.
func ExampleTable_Abandon() {
	t := demux.New(netlink.NETLINK_ROUTE, port, 0, credit, nothingDropped)
	c := demux.NewCall()
	c.Type, c.Credit = rtmNewAddr, credit
	if err := t.Open(c); err != nil {
		fmt.Println(err)
		return
	}
	t.MarkSent(c)

	fmt.Println("abandoned:", t.Abandon(c), "pending:", t.Stats().Pending)
	next := demux.NewCall()
	next.Type, next.Credit = rtmNewAddr, 1
	fmt.Println(t.Open(next))
	ack := wire.Message{
		Header:  wire.Header{Type: netlink.NLMSG_ERROR, Seq: c.Seq, PortID: port},
		Payload: make([]byte, 4+wire.HeaderLen),
	}
	t.Deliver(wire.AppendMessage(nil, ack), fromKernel, printEvent)
	fmt.Println("pending:", t.Stats().Pending, "late:", t.Stats().Late)
	fmt.Println(t.Open(next))
	// Output:
	// abandoned: true pending: 1
	// no credit for the answer
	// pending: 0 late: 1
	// <nil>
}

// The same bits mean a dump for a GET and NLM_F_EXCL or NLM_F_REPLACE for a NEW.
func ExampleMayDump() {
	const rtmGetAddr = 22
	for _, typ := range []netlink.MessageType{rtmGetAddr, rtmNewAddr} {
		fmt.Println(demux.MayDump(netlink.NETLINK_ROUTE, typ, netlink.NLM_F_DUMP))
	}
	// Output:
	// true
	// false
}
