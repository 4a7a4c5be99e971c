package demux

import (
	"errors"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about requests that another goroutine sends, in
// one datagram with its own.

// A request can be answered, and its call be in use for the next, before the
// sender has noted that it was sent. That is not noted for the next then, whose
// answer would be taken for lost although its send still runs.
func TestSentAllSparesCallsInUseAgain(t *testing.T) {
	tab := New(netlink.NETLINK_ROUTE, port, 0, func(Kind) {})
	a, b := NewCall(), NewCall()
	var seqs []uint32
	for _, c := range []*Call{a, b} {
		if err := tab.Open(c); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, c.Seq)
	}
	tab.Withdraw(a)
	a.Reset()
	if err := tab.Open(a); err != nil {
		t.Fatal(err)
	}
	tab.Overrun()
	if !tab.SentAll([]*Call{a, b}, seqs) {
		t.Error("b was in doubt, so the queue has to be read until it is empty")
	}
	tab.Drained()
	tab.Drained()
	if a.Ready() {
		t.Error("a has ended, whose send has not returned")
	}
	if !b.Ready() {
		t.Fatal("b has not ended, whose answer was dropped")
	}
	<-b.Done()
	if _, err := b.Result(); err != ErrReplyLost {
		t.Error(err)
	}
	// Without a loss nothing has to be read.
	if tab.Withdraw(a); tab.SentAll([]*Call{a}, []uint32{a.Seq}) {
		t.Error("a is not in the table")
	}
}

// A request that could not be sent ends for its waiter, once, and not what its
// call is in use for since.
func TestRejectEndsWhatWasOpenedThen(t *testing.T) {
	refused := errors.New("refused")
	var released []Kind
	tab := New(netlink.NETLINK_ROUTE, port, 0, func(k Kind) { released = append(released, k) })
	c := NewCall()
	if err := tab.Open(c); err != nil {
		t.Fatal(err)
	}
	old := c.Seq
	tab.Reject(c, old, refused)
	if !c.Ready() || len(released) != 1 {
		t.Fatalf("ready: %t, released %v", c.Ready(), released)
	}
	<-c.Done()
	if _, err := c.Result(); err != refused {
		t.Fatal(err)
	}
	c.Reset()
	if err := tab.Open(c); err != nil {
		t.Fatal(err)
	}
	tab.Reject(c, old, refused)
	if c.Ready() || len(released) != 1 || tab.Stats().Pending != 1 {
		t.Error("the call's next request has ended")
	}
	// Nobody waits: it is free all the same.
	tab.Abandon(c)
	tab.Reject(c, c.Seq, refused)
	if c.Ready() || len(released) != 2 || tab.Stats().Pending != 0 {
		t.Errorf("ready: %t, released %v", c.Ready(), released)
	}
	if n := tab.Opened(); n != 2 {
		t.Errorf("%d calls opened, want 2", n)
	}
}

// Only what cannot hold others up shares a datagram.
func TestShares(t *testing.T) {
	for _, tt := range []struct {
		family netlink.Family
		typ    netlink.MessageType
		flags  netlink.Flags
		want   bool
	}{
		{netlink.NETLINK_ROUTE, netlink.NLMSG_NOOP, 0, true},
		{netlink.NETLINK_GENERIC, netlink.NLMSG_NOOP, 0, true},
		{netlink.NETLINK_NETFILTER, netlink.NLMSG_NOOP, 0, true},
		{netlink.NETLINK_ROUTE, 18, 0, true},                      // RTM_GETLINK
		{netlink.NETLINK_ROUTE, 22, netlink.NLM_F_ECHO, true},     // RTM_GETADDR
		{netlink.NETLINK_ROUTE, 18, netlink.NLM_F_ROOT, false},    // dumps
		{netlink.NETLINK_ROUTE, 16, 0, false},                     // RTM_NEWLINK
		{netlink.NETLINK_ROUTE, 17, 0, false},                     // RTM_DELLINK
		{netlink.NETLINK_ROUTE, 19, 0, false},                     // RTM_SETLINK
		{netlink.NETLINK_GENERIC, 18, 0, false},                   // who knows
		{netlink.NETLINK_NETFILTER, 10<<8 | 1, 0, false},          // NFT_MSG_GETTABLE
		{netlink.NETLINK_FIB_LOOKUP, 0, 0, false},                 // First
		{netlink.NETLINK_CONNECTOR, netlink.NLMSG_DONE, 0, false}, // Silent
		{netlink.NETLINK_AUDIT, auditGet, 0, false},               // Deferred
	} {
		if got := Shares(tt.family, tt.typ, KindOf(tt.family, tt.typ, tt.flags)); got != tt.want {
			t.Errorf("%v type %d flags %v: %t, want %t", tt.family, uint16(tt.typ), tt.flags, got, tt.want)
		}
	}
}
