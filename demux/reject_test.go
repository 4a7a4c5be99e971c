package demux

import (
	"errors"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about requests that another goroutine sends, in
// one datagram with its own.

// Reject ends the request for its waiter, once. If the call is in use again, the later
// request is not affected.
func TestRejectEndsTheCallWithThatNumber(t *testing.T) {
	refused := errors.New("refused")
	tab := New(netlink.NETLINK_ROUTE, port, 0, plenty, nothingDropped)
	c := NewCall()
	c.Credit = 7
	if err := tab.Open(c); err != nil {
		t.Fatal(err)
	}
	old := c.Seq
	tab.Reject(c, old, refused)
	if !c.Ready() || tab.credit != plenty {
		t.Fatalf("ready: %t, credit of %d", c.Ready(), plenty-tab.credit)
	}
	if _, err := c.Result(); err != refused {
		t.Fatal(err)
	}
	c.Reset()
	c.Credit = 7
	if err := tab.Open(c); err != nil {
		t.Fatal(err)
	}
	tab.Reject(c, old, refused)
	if c.Ready() || tab.credit != plenty-7 || tab.Stats().Pending != 1 {
		t.Error("the call's next request has ended")
	}
	// Without a waiter the credit is still freed.
	tab.Abandon(c)
	tab.Reject(c, c.Seq, refused)
	if c.Ready() || tab.credit != plenty || tab.Stats().Pending != 0 {
		t.Errorf("ready: %t, credit of %d", c.Ready(), plenty-tab.credit)
	}
	if n := tab.Opened(); n != 2 {
		t.Errorf("%d calls opened, want 2", n)
	}
}
