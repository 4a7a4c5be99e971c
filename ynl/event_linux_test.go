package ynl_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// A kernel may be older than the groups of a family.
func TestGroupsThatTheKernelLacks(t *testing.T) {
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	link, missing := table.Group{Name: "link", Number: 1}, table.Group{Name: "missing", Number: 1 << 20}
	with := func(groups ...table.Group) *ynl.Family {
		return &ynl.Family{Rows: &table.Family{Name: "acme", Groups: groups}}
	}

	ctx, cancel := context.WithCancel(bg)
	loop := ynl.Events(ctx, c, with(link, missing))
	cancel()
	for e := range loop {
		if e.Err != nil {
			t.Errorf("one group of two: %v", e.Err)
		}
	}
	for e := range ynl.Events(bg, c, with(missing)) {
		if !errors.Is(e.Err, fs.ErrNotExist) {
			t.Errorf("no group: %+v", e)
		}
	}
}
