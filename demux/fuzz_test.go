package demux

import (
	"bytes"
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// FuzzDeliver has the table read anything while calls of every kind are in
// flight. Whatever comes, each is released once, and told once.
func FuzzDeliver(f *testing.F) {
	const first = 1001 // the number of the first call
	ending := append([]byte(errnoBytes(syscall.EPERM)), make([]byte, wire.HeaderLen)...)
	message := func(typ netlink.MessageType, seq, port uint32, payload []byte) []byte {
		return wire.AppendMessage(nil, wire.Message{
			Header: wire.Header{Type: typ, Seq: seq, PortID: port}, Payload: payload,
		})
	}
	// Ten calls with a number each, and two batches with five.
	for i := range uint32(20) {
		reply := message(newAddr, first+i, port, []byte("payload"))
		ack := message(netlink.NLMSG_ERROR, first+i, port, make([]byte, 20))
		refusal := message(netlink.NLMSG_ERROR, first+i, port, ending)
		done := message(netlink.NLMSG_DONE, first+i, port, make([]byte, 4))
		full := message(netlink.NLMSG_ERROR, first+i, port, []byte(errnoBytes(syscall.ENOBUFS)))
		all := bytes.Join([][]byte{reply, reply, full, ack, reply, done, refusal}, nil)
		for _, family := range []netlink.Family{
			netlink.NETLINK_ROUTE, netlink.NETLINK_USERSOCK, netlink.NETLINK_AUDIT, netlink.NETLINK_KOBJECT_UEVENT,
		} {
			f.Add(all, byte(family), uint32(0), uint32(0), NoNSID, false)
			f.Add(all, byte(family), uint32(0), uint32(5), NoNSID, false)
			f.Add(all[:len(all)-6], byte(family), uint32(other), uint32(0), int32(3), false)
			f.Add(all[:len(all)-6], byte(family), uint32(0), uint32(0), NoNSID, true)
			f.Add(append(done, "tail"...), byte(family), uint32(0), uint32(0), NoNSID, false)
		}
	}
	f.Add(auditRecord("a record"), byte(netlink.NETLINK_AUDIT), uint32(0), uint32(0), NoNSID, false)

	f.Fuzz(func(t *testing.T, b []byte, family byte, sender, group uint32, nsid int32, truncated bool) {
		released := make(map[Kind]int)
		table := New(netlink.Family(family), port, first-1, func(k Kind) { released[k]++ })
		table.Join(5)
		var calls []*Call
		for _, kind := range []Kind{Ack, Dump, First, Deferred, Silent, Batch} {
			for _, echo := range []bool{false, true} {
				c := NewCall()
				c.Kind, c.Type, c.Echo = kind, auditGet, echo
				if kind == Deferred && echo {
					c.Type = auditListRules
				}
				if kind == Batch {
					c.Parts = &Parts{N: 2}
					if echo {
						c.Parts.Echo = []bool{false, true}
					}
				}
				if err := table.Open(c); err != nil {
					t.Fatal(err)
				}
				calls = append(calls, c)
			}
		}
		balanced := func(when string) {
			n := 0
			for k, r := range released {
				if r > 2 {
					t.Fatalf("%s: %d calls of kind %d released", when, r, k)
				}
				n += r
			}
			if p := table.Stats().Pending; n+p != len(calls) {
				t.Fatalf("%s: %d released and %d pending of %d", when, n, p, len(calls))
			}
		}

		before := bytes.Clone(b)
		events := 0
		deliver := func() bool {
			events = 0
			return table.Deliver(b, Origin{PortID: sender, Group: group, NSID: nsid, Truncated: truncated}, func(m wire.Message) {
				events++
				if len(m.Payload) > 0 && !inside(b, m.Payload) {
					t.Fatal("an event is not part of the datagram")
				}
			})
		}
		if deliver() {
			table.Overrun()
		}
		balanced("deliver")
		if most := len(b)/wire.HeaderLen + 1; events > most {
			t.Fatalf("%d events in %d bytes", events, len(b))
		}
		var told []*Call
		for i, c := range calls {
			if i%2 == 0 && !table.Abandon(c) || i%2 == 1 && c.Ready() {
				told = append(told, c)
			}
			if c.Kind == Batch {
				table.Unfenced(c)
			}
			if i%3 == 0 {
				table.Sent(c)
			}
		}
		deliver()
		balanced("deliver again")
		for range 3 {
			table.Drained()
		}
		balanced("drained")
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram has changed")
		}
		for _, c := range told {
			msgs, _ := c.Result()
			for _, m := range msgs {
				if inside(b, m.Payload) {
					t.Fatal("a reply is part of the datagram")
				}
			}
		}

		down := errors.New("down")
		table.Fail(down)
		balanced("fail")
		if n := table.used + len(table.batches); n != 0 {
			t.Fatalf("%d calls are left", n)
		}
		for i, c := range calls {
			table.Withdraw(c)
			abandoned := i%2 == 0 && !slices.Contains(told, c)
			if c.Ready() == abandoned {
				t.Fatalf("call %d: abandoned = %t, result = %t", i, abandoned, c.Ready())
			}
			if abandoned {
				continue
			}
			<-c.Done()
			if _, err := c.Result(); slices.Contains(told, c) && errors.Is(err, down) {
				t.Fatalf("call %d had its result before: %v", i, err)
			}
		}
		balanced("withdraw")
	})
}

// inside reports whether p, which is not empty, is part of b.
func inside(b, p []byte) bool {
	for i := range b {
		if len(p) > 0 && &b[i] == &p[0] {
			return i+len(p) <= len(b)
		}
	}
	return false
}
