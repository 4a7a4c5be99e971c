//go:build linux

package netns_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/netns"
)

// A namespace gets an identifier in another one, is found by it, listed as the tool lists
// it, and the identifier goes with the namespace.
func TestIdentifiers(t *testing.T) {
	here, there := nstest.New(t), nstest.New(t)
	c := netns.New(kerneltest.Dial(t, here, netlink.NETLINK_ROUTE))
	ctx := kerneltest.Patient(t)
	other := &netns.NSID{FD: ynl.U32(uint32(there.FD()))}

	got, err := c.GetNSID(ctx, other)
	if err != nil || got.NSID != ynl.S32(netns.NETNSA_NSID_NOT_ASSIGNED) {
		t.Fatalf("%+v, %v, want no identifier", got, err)
	}
	if err := c.NewNSID(ctx, &netns.NSID{FD: other.FD, NSID: ynl.S32(7)}); err != nil {
		t.Fatal(err)
	}
	if got, err = c.GetNSID(ctx, other); err != nil || got.NSID != ynl.S32(7) {
		t.Errorf("%+v, %v, want 7", got, err)
	}
	list, err := c.DumpNSID(ctx, nil).List()
	if err != nil || len(list) != 1 || list[0].NSID != ynl.S32(7) || len(list[0].Unknown) > 0 {
		t.Errorf("list %+v, %v", list, err)
	}
	if text := here.Run(t, "ip", "netns", "list-id"); text != fmt.Sprintf("nsid %d \n", 7) && text != "nsid 7\n" {
		t.Errorf("the tool shows %q", text)
	}
	err = c.NewNSID(ctx, &netns.NSID{FD: other.FD, NSID: ynl.S32(8)})
	if !errors.Is(err, unix.EEXIST) {
		t.Errorf("a second identifier: %v, want EEXIST", err)
	}
}

func TestEvents(t *testing.T) {
	here, there := nstest.New(t), nstest.New(t)
	conn := kerneltest.Dial(t, here, netlink.NETLINK_ROUTE)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, conn, &netns.Family)
	if err := netns.New(conn).NewNSID(ctx, &netns.NSID{FD: ynl.U32(uint32(there.FD())), NSID: ynl.S32(7)}); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if m, ok := e.Value.(*netns.NSID); !ok || e.Err != nil || e.Type != netns.RTM_NEWNSID || m.NSID != ynl.S32(7) {
			t.Errorf("event %+v", e)
		}
		return
	}
	t.Error("no event")
}
