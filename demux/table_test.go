package demux

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// seq checks the number of a call.
func seq(name string, want uint32) step {
	return check(name, func(t *testing.T, c *Call) {
		t.Helper()
		if c.Seq != want {
			t.Fatalf("%s has number %d, want %d", name, c.Seq, want)
		}
	})
}

// Unsolicited messages of the kernel have number 0.
func TestNumbersSkipZero(t *testing.T) {
	playFrom(t, netlink.NETLINK_ROUTE, 1<<32-3,
		ask("a", Ack), seq("a", 1<<32-2),
		ask("b", Ack), seq("b", 1<<32-1),
		ask("c", Ack), seq("c", 1),
		kernel(ack("c")), got("c", nil),
		kernel(ack("b")), got("b", nil),
		kernel(ack("a")), got("a", nil),
	)
}

// setSeq makes the next number that the table tries the one after last.
func setSeq(last uint32) step { return act(func(s *script) { s.table.seq = last }) }

// When numbers wrap, those of calls in the table are skipped, also of abandoned ones.
func TestNumbersSkipThoseInFlight(t *testing.T) {
	playFrom(t, netlink.NETLINK_ROUTE, 1<<32-2,
		ask("before 0", Ack), seq("before 0", 1<<32-1),
		ask("left", Ack), seq("left", 1),
		abandon("left"),
		ask("waits", Ack), seq("waits", 2),
		setSeq(1<<32-2),
		ask("new", Ack), seq("new", 3),
		kernel(data("left", "tail"), done("left", 0)),
		gone("left"), late(2),
		kernel(data("before 0", "1"), done("before 0", 0)),
		got("before 0", nil, "1"),
		kernel(ack("new")), got("new", nil),
		kernel(ack("waits")), got("waits", nil),
		// The call has ended, so its number is free.
		setSeq(0),
		ask("again", Ack), seq("again", 1),
		kernel(ack("again")), got("again", nil),
	)
}

// An answer finds its call among any number of calls, in any order.
func TestTableGrows(t *testing.T) {
	const n = 10*minSlots + 1
	table := New(netlink.NETLINK_ROUTE, port, 1<<32-n/2, n, nothingDropped)
	calls := make([]*Call, n)
	seen := make(map[uint32]bool)
	for i := range calls {
		calls[i] = NewCall()
		calls[i].Credit = 1
		if err := table.Open(calls[i]); err != nil {
			t.Fatal(err)
		}
		if s := calls[i].Seq; s == 0 || seen[s] {
			t.Fatalf("call %d has number %d", i, s)
		}
		seen[calls[i].Seq] = true
	}
	if got := table.Stats().Pending; got != n {
		t.Fatalf("%d calls are pending, want %d", got, n)
	}
	// Calls are looked up by the low bits of their numbers, so test another order; 7
	// has no factor in common with n.
	for i := range calls {
		c := calls[i*7%n]
		b := wire.AppendMessage(nil, answer(c, newAddr, "x"))
		b = wire.AppendMessage(b, answer(c, netlink.NLMSG_ERROR, errnoBytes(0)))
		table.Deliver(b, Origin{NSID: NoNSID}, noEvent(t))
		if !c.Ready() {
			t.Fatalf("call %d has no result", i*7%n)
		}
		if msgs, err := c.Result(); err != nil || len(msgs) != 1 {
			t.Fatalf("call %d: %v, %v", i*7%n, msgs, err)
		}
	}
	if table.credit != n || table.Stats() != (Stats{}) {
		t.Errorf("free credit %d of %d, counts %+v", table.credit, n, table.Stats())
	}
}

// answer is a message to c.
func answer(c *Call, typ netlink.MessageType, payload string) wire.Message {
	return wire.Message{
		Header:  wire.Header{Type: typ, Seq: c.Seq, PortID: port},
		Payload: []byte(payload),
	}
}

// noEvent is an event consumer that expects none.
func noEvent(t *testing.T) func(wire.Message) {
	return func(m wire.Message) { t.Errorf("event %+v", m) }
}

func TestFailEndsEverything(t *testing.T) {
	down, again := errors.New("down"), errors.New("again")
	play(t, netlink.NETLINK_ROUTE,
		ask("ack", Ack),
		ask("half", Ack),
		kernel(data("half", "1")),
		open("sending", First),
		ask("left", Deferred),
		abandon("left"),
		overrun(),
		fail(down),
		got("ack", down),
		got("half", down, "1"),
		got("sending", down),
		gone("left"),
		// Later calls of Open return the first reason.
		fail(again),
		func(s *script) {
			if err := s.table.Open(NewCall()); err != down {
				s.failf("got %v", err)
			}
		},
		// Later operations on the calls have no effect.
		sent("sending"),
		overrun(),
		empty(),
		markLost(),
		conclude("ack", "half", "sending", "left"),
		reject("ack", again),
		func(s *script) {
			s.table.Withdraw(s.call("sending"))
			if s.table.Abandon(s.call("half")) || s.table.Abandon(s.call("left")) {
				s.failf("abandoned after the end")
			}
		},
	)
}

// The reader may have one more datagram.
func TestDeliverAfterFail(t *testing.T) {
	down := errors.New("down")
	play(t, netlink.NETLINK_ROUTE,
		join(5),
		ask("a", Ack),
		fail(down),
		got("a", down),
		kernel(data("a", "1"), ack("a")),
		late(2),
		multicast(5, data("a", "event")),
		event("event"),
	)
}

// The kernel never saw the request, so its number and its credit are free.
func TestWithdrawRemovesTheCall(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		withdraw("a"),
		setSeq(1000),
		ask("b", Ack), seq("b", 1001),
		func(s *script) {
			s.table.Withdraw(s.call("a")) // a second time it is not in the table
		},
		kernel(ack("b")), got("b", nil),
		overrun(),
		open("c", Ack),
		withdraw("c"),
		conclude("c"),
	)
}

// The send can fail for a request that was answered.
func TestWithdrawAfterAnswer(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		kernel(ack("a")),
		got("a", nil),
		func(s *script) { s.table.Withdraw(s.call("a")) },
	)
}

// A call that is used again starts anew.
func TestResetCallStartsAnew(t *testing.T) {
	table := New(netlink.NETLINK_GENERIC, port, 1000, plenty, nothingDropped)
	c := NewCall()
	woken := c.Woken()
	c.Type, c.Command, c.Kind, c.Echo, c.Credit = getAddr, 3, Deferred, true, 7
	if err := table.Open(c); err != nil {
		t.Fatal(err)
	}
	table.MarkOverrun()
	table.MarkSent(c)
	deliver := func(m wire.Message, cut int) {
		b := wire.AppendMessage(nil, m)
		table.Deliver(b[:len(b)-cut], Origin{NSID: NoNSID, Truncated: cut > 0}, noEvent(t))
	}
	deliver(answer(c, newAddr, "old"), 0)
	deliver(answer(c, newAddr, "cut."), 4)
	deliver(answer(c, netlink.NLMSG_ERROR, errnoBytes(0)), 0)
	deliver(answer(c, netlink.NLMSG_ERROR, errnoBytes(5)), 0)
	c.Wait()
	if msgs, err := c.Result(); len(msgs) != 1 || err != ErrTruncated {
		t.Fatalf("got %v, %v", msgs, err)
	}

	table.MarkEmpty()
	c.Reset()
	if !reflect.DeepEqual(c, &Call{wake: c.wake, replies: Replies{runs: []run{}}}) || c.Woken() != woken {
		t.Fatalf("got %+v", c)
	}
	if err := table.Open(c); err != nil {
		t.Fatal(err)
	}
	// The mark of the old send does not count for the new one.
	if c.sent.Load() {
		t.Error("sent before its send")
	}
	deliver(answer(c, netlink.NLMSG_ERROR, errnoBytes(0)), 0)
	if !c.Ready() {
		t.Fatal("no result")
	}
	<-woken
	if msgs, err := c.Result(); len(msgs) != 0 || err != nil {
		t.Errorf("got %v, %v", msgs, err)
	}
}

// Every field is added, including those that are added to Stats later.
func TestStatsAdd(t *testing.T) {
	var a, b, want Stats
	for i := range reflect.TypeFor[Stats]().NumField() {
		set := func(s *Stats, n int) {
			f := reflect.ValueOf(s).Elem().Field(i)
			f.Set(reflect.ValueOf(n).Convert(f.Type()))
		}
		set(&a, i+1)
		set(&b, 100*(i+1))
		set(&want, 101*(i+1))
	}
	if got := a.Add(b); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A call that is used again keeps memory for the next answer, and no reply.
func TestResetCallHoldsNoReplies(t *testing.T) {
	for _, tt := range []struct{ runs, room int }{{1, 1}, {keepRuns, keepRuns}, {2 * keepRuns, 0}} {
		c := NewCall()
		r := &c.replies
		r.runs = make([]run, 0, tt.runs)
		for range tt.runs {
			r.Keep([]byte("run"), 1)
		}
		c.Reset()
		if r.count != 0 || len(r.runs) != 0 || cap(r.runs) != tt.room {
			t.Errorf("%d messages, %d runs, room for %d; want none, %d", r.count, len(r.runs), cap(r.runs), tt.room)
		}
		for _, run := range r.runs[:cap(r.runs)] {
			if run.bytes != nil {
				t.Errorf("still holds %q", run.bytes)
			}
		}
	}
}

// A call owns its replies: they share memory neither with the reader's buffer nor with
// each other.
func TestRepliesOwnTheirBytes(t *testing.T) {
	table := New(netlink.NETLINK_ROUTE, port, 1000, plenty, nothingDropped)
	c := NewCall()
	if err := table.Open(c); err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, payload := range []string{"one", "", "three", "four"} {
		b = wire.AppendMessage(b, answer(c, newAddr, payload))
	}
	table.Deliver(b, Origin{NSID: NoNSID}, noEvent(t))
	clear(b)
	table.Fail(errors.New("down"))
	c.Wait()
	msgs, _ := c.Result()
	for _, m := range msgs {
		_ = append(m.Payload, strings.Repeat("!", 8)...)
	}
	var got []string
	for _, m := range msgs {
		got = append(got, string(m.Payload))
		if want := uint32(wire.HeaderLen + len(m.Payload)); m.Header.Length != want || m.Header.Seq != c.Seq {
			t.Errorf("%q has header %+v", m.Payload, m.Header)
		}
	}
	if want := []string{"one", "", "three", "four"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The messages of a datagram are copied at once: they are small, and an answer can
// have hundreds.
func TestDatagramTakesOneAllocation(t *testing.T) {
	table := New(netlink.NETLINK_ROUTE, port, 1000, plenty, nothingDropped)
	c := NewCall()
	if err := table.Open(c); err != nil {
		t.Fatal(err)
	}
	const n = 100
	var b []byte
	for range n {
		b = wire.AppendMessage(b, answer(c, newAddr, "some 30 bytes of an address ..."))
	}
	event := noEvent(t)
	got := testing.AllocsPerRun(100, func() {
		c.replies.Reset()
		table.Deliver(b, Origin{NSID: NoNSID}, event)
	})
	if msgs, _ := c.Result(); len(msgs) != n {
		t.Fatalf("%d messages", len(msgs))
	}
	// One, and one to spare for the runtime.
	if got > 2 {
		t.Errorf("%v allocations for %d messages", got, n)
	}
}

// A loop over the calls can end early, at a batch as at any other call.
func TestLoopOverCallsCanEndEarly(t *testing.T) {
	table := New(netlink.NETLINK_NETFILTER, port, 1000, plenty, nothingDropped)
	for _, kind := range []Kind{Ack, Ack, Batch, Batch} {
		c := NewCall()
		c.Kind = kind
		if kind == Batch {
			c.Batch = &BatchState{N: 1}
		}
		if err := table.Open(c); err != nil {
			t.Fatal(err)
		}
	}
	for most := 1; most <= 4; most++ {
		n := 0
		for range table.callsLocked() {
			if n++; n == most {
				break
			}
		}
		if n != most {
			t.Errorf("%d calls, want %d", n, most)
		}
	}
}
