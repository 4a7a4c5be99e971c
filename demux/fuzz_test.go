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

// firstSeq is the number of the first call of FuzzDeliver.
const firstSeq = 1001

// fuzzCalls returns calls of every kind, with and without NLM_F_ECHO. Eight have one
// number each, two batches have four.
func fuzzCalls() (calls []*Call) {
	for _, kind := range []Kind{Ack, First, Deferred, Silent, Batch} {
		for _, echo := range []bool{false, true} {
			c := NewCall()
			c.Kind, c.Type, c.Command, c.Echo = kind, auditGet, 'p', echo
			if kind == Deferred && echo {
				c.Type = auditListRules
			}
			if kind == Batch {
				c.Batch = &BatchState{N: 2}
				if echo {
					c.Batch.Echo = []bool{false, true}
				}
			}
			c.Credit = int64(len(calls) + 1)
			calls = append(calls, c)
		}
	}
	return calls
}

// FuzzDeliver passes any bytes to the table while calls of every kind are in flight.
// After any datagram the credit of a call that has left the table is free, each call has one
// result, and Conclude leaves only Deferred calls that were acknowledged.
func FuzzDeliver(f *testing.F) {
	ending := append([]byte(errnoBytes(syscall.EPERM)), make([]byte, wire.HeaderLen)...)
	message := func(typ netlink.MessageType, seq, port uint32, payload []byte) []byte {
		return wire.AppendMessage(nil, wire.Message{
			Header: wire.Header{Type: typ, Seq: seq, PortID: port}, Payload: payload,
		})
	}
	for i := range uint32(16) {
		reply := message(newAddr, firstSeq+i, port, []byte("payload"))
		ack := message(netlink.NLMSG_ERROR, firstSeq+i, port, make([]byte, 20))
		code := message(netlink.NLMSG_ERROR, firstSeq+i, port, []byte(codeBytes(7)))
		refusal := message(netlink.NLMSG_ERROR, firstSeq+i, port, ending)
		done := message(netlink.NLMSG_DONE, firstSeq+i, port, make([]byte, 4))
		full := message(netlink.NLMSG_ERROR, firstSeq+i, port, []byte(errnoBytes(syscall.ENOBUFS)))
		zero := message(auditGet, firstSeq+i, 0, []byte("payload"))
		all := bytes.Join([][]byte{reply, reply, full, ack, reply, done, refusal}, nil)
		for _, family := range []netlink.Family{
			netlink.NETLINK_ROUTE, netlink.NETLINK_USERSOCK, netlink.NETLINK_AUDIT, netlink.NETLINK_KOBJECT_UEVENT,
		} {
			f.Add(all, byte(family), uint32(0), uint32(0), NoNSID, false)
			f.Add(all, byte(family), uint32(0), uint32(5), NoNSID, false)
			f.Add(all[:len(all)-6], byte(family), uint32(other), uint32(0), int32(3), false)
			f.Add(all[:len(all)-6], byte(family), uint32(0), uint32(0), NoNSID, true)
			f.Add(append(done, "tail"...), byte(family), uint32(0), uint32(0), NoNSID, false)
			f.Add(ack, byte(family), uint32(0), uint32(0), NoNSID, false)
		}
		f.Add(bytes.Join([][]byte{zero, zero, code}, nil), byte(netlink.NETLINK_GENERIC), uint32(0), uint32(0), NoNSID, false)
	}
	f.Add(auditRecord("a record"), byte(netlink.NETLINK_AUDIT), uint32(0), uint32(0), NoNSID, false)

	f.Fuzz(func(t *testing.T, b []byte, family byte, sender, group uint32, nsid int32, truncated bool) {
		z := newFuzzed(t, netlink.Family(family))
		o := Origin{PortID: sender, Group: group, NSID: nsid, Truncated: truncated}
		lost := z.deliver(b, o)
		z.balanced("deliver")
		if lost {
			z.table.MarkLost()
		}
		for i, c := range z.calls {
			if i%2 == 0 && !z.table.Abandon(c) || i%2 == 1 && c.Ready() {
				z.ended[c] = true
			}
			if i%3 == 0 {
				z.table.MarkSent(c)
			}
		}
		// The second time every other call is abandoned.
		if z.deliver(b, o) {
			lost = true
			z.table.MarkLost()
		}
		z.balanced("deliver again")
		z.conclude(lost)
		z.balanced("conclude")
		z.fail()
		z.balanced("fail")
	})
}

// fuzzed is a table with the calls of fuzzCalls.
type fuzzed struct {
	*testing.T
	table *Table
	calls []*Call
	seqs  []uint32
	ended map[*Call]bool // had their result before half of the calls were abandoned
}

func newFuzzed(t *testing.T, family netlink.Family) *fuzzed {
	z := &fuzzed{T: t, calls: fuzzCalls(), ended: make(map[*Call]bool)}
	z.table = New(family, port, firstSeq-1, plenty, nothingDropped)
	z.table.Join(5)
	for _, c := range z.calls {
		if err := z.table.Open(c); err != nil {
			t.Fatal(err)
		}
		z.seqs = append(z.seqs, c.Seq)
	}
	return z
}

// balanced fails the test unless the credit of each call is free or the call is pending.
func (z *fuzzed) balanced(when string) {
	z.Helper()
	pending, free := 0, int64(plenty)
	for _, c := range z.calls {
		if c.registered {
			pending++
			free -= c.Credit
		}
	}
	if z.table.credit != free || z.table.Stats().Pending != pending {
		z.Fatalf("%s: free credit %d, want %d; %d pending, want %d", when, z.table.credit, free, z.table.Stats().Pending, pending)
	}
}

func (z *fuzzed) deliver(b []byte, o Origin) (lost bool) {
	z.Helper()
	before := bytes.Clone(b)
	events := 0
	lost = z.table.Deliver(b, o, func(m wire.Message) {
		events++
		if len(m.Payload) > 0 && !inside(b, m.Payload) {
			z.Fatal("an event is not part of the datagram")
		}
	})
	if most := len(b)/wire.HeaderLen + 1; events > most {
		z.Fatalf("%d events in %d bytes", events, len(b))
	}
	if !bytes.Equal(b, before) {
		z.Fatal("the datagram has changed")
	}
	for _, c := range z.calls {
		for _, m := range c.replies.List() {
			if inside(b, m.Payload) {
				z.Fatal("a reply is part of the datagram")
			}
		}
	}
	return lost
}

// conclude concludes all calls. lost: a loss was reported.
func (z *fuzzed) conclude(lost bool) {
	z.Helper()
	ready := make(map[*Call]bool)
	goesOn := make(map[*Call]bool)
	for _, c := range z.calls {
		ready[c] = c.Ready()
		goesOn[c] = c.registered && c.Kind == Deferred && c.acked
	}
	// A call is not concluded by the number of another one.
	z.table.Conclude(z.calls, append(slices.Clone(z.seqs[1:]), z.seqs[0]))
	z.balanced("conclude by wrong numbers")
	for i, c := range z.calls {
		if c.Ready() != ready[c] {
			z.Fatalf("call %d ended by the number of another one", i)
		}
	}

	counted := z.table.Stats().RepliesLost
	z.table.Conclude(z.calls, z.seqs)
	counted = z.table.Stats().RepliesLost - counted
	for i, c := range z.calls {
		if c.registered != goesOn[c] {
			z.Fatalf("call %d: registered = %t after Conclude, want %t", i, c.registered, goesOn[c])
		}
		if ready[c] || !c.Ready() {
			continue
		}
		_, err := c.Result()
		switch {
		case err == nil && c.Kind != Batch:
			z.Fatalf("call %d has a success without an acknowledgement", i)
		case err == ErrUnanswered && lost:
			z.Fatalf("call %d: %v after a loss", i, err)
		case err == ErrReplyLost && !lost && c.Kind != Batch: // of which an answer can be unreadable
			z.Fatalf("call %d: %v without a loss", i, err)
		case err == ErrReplyLost:
			counted--
		}
	}
	if counted != 0 {
		z.Fatalf("RepliesLost is wrong by %d", int64(counted))
	}
}

// fail ends the test: each call that was not abandoned has one result.
func (z *fuzzed) fail() {
	z.Helper()
	ready := make(map[*Call]bool)
	for _, c := range z.calls {
		ready[c] = c.Ready()
	}
	down := errors.New("down")
	z.table.Fail(down)
	if n := z.table.used + len(z.table.batches); n != 0 {
		z.Fatalf("%d calls are left", n)
	}
	for i, c := range z.calls {
		z.table.Withdraw(c)
		abandoned := i%2 == 0 && !z.ended[c]
		if c.Ready() == abandoned {
			z.Fatalf("call %d: abandoned = %t, result = %t", i, abandoned, c.Ready())
		}
		if abandoned {
			continue
		}
		if _, err := c.Result(); ready[c] == errors.Is(err, down) {
			z.Fatalf("call %d, with a result before = %t: %v", i, ready[c], err)
		}
	}
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
