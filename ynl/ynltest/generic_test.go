package ynltest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/devlink"
	"github.com/nlmux/netlink/ynl/ethtool"
	"github.com/nlmux/netlink/ynl/netdev"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/ynltest"
)

// devs answers with a device.
func devs(req *netdev.Dev, _ netlink.Flags) ([]*netdev.Dev, error) {
	return []*netdev.Dev{{Ifindex: ynl.Some(req.Ifindex.Or(1))}, {Ifindex: ynl.U32(9)}}, nil
}

// The kernel has the family that HandleGeneric is for and those of the handlers.
func TestHandleGeneric(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&ethtool.Family, ynltest.On(netdev.OpDevGet, devs)))
	defer c.Close()
	devices := netdev.New(c)
	if d, err := devices.DevGet(bg, &netdev.Dev{Ifindex: ynl.U32(3)}); err != nil || d.Ifindex != ynl.U32(3) {
		t.Errorf("%+v, %v", d, err)
	}
	if list, err := devices.DumpDev(bg, nil).List(); err != nil || len(list) != 2 || list[1].Ifindex != ynl.U32(9) {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := devices.QueueGet(bg, nil); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("no handler: %v", err)
	}

	families, err := genl.Families(bg, c)
	if err != nil || len(families) != 2 || families[0].Name != "ethtool" || families[1].Name != "netdev" {
		t.Errorf("%+v, %v", families, err)
	}
	if f, err := genl.Resolve(bg, c, "ethtool"); err != nil || f.Groups["monitor"] != ynltest.Group(&ethtool.Family, "monitor") {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := genl.Resolve(bg, c, "nl80211"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := (genl.Family{ID: 40}).Request(bg, c, 1, nil, 0); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("unknown id: %v", err)
	}
}

// An operation may have other numbers for its dump. Then it is two operations, with one
// request.
func TestHandleDumpApart(t *testing.T) {
	port := func(index uint32) func(*devlink.Devlink, netlink.Flags) ([]*devlink.Devlink, error) {
		return func(*devlink.Devlink, netlink.Flags) ([]*devlink.Devlink, error) {
			return []*devlink.Devlink{{PortIndex: ynl.Some(index)}}, nil
		}
	}
	c := nltest.Dial(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&devlink.Family,
		ynltest.On(devlink.OpDumpPort, port(1)),
		ynltest.On(devlink.OpPortGet, port(2)),
	))
	defer c.Close()
	ports := devlink.New(c)
	if p, err := ports.PortGet(bg, nil); err != nil || p.PortIndex != ynl.U32(2) {
		t.Errorf("%+v, %v", p, err)
	}
	if list, err := ports.DumpPort(bg, nil).List(); err != nil || len(list) != 1 || list[0].PortIndex != ynl.U32(1) {
		t.Errorf("%+v, %v", list, err)
	}
}

// An event of a generic family goes to the group that its name has.
func TestPushOfAGenericFamily(t *testing.T) {
	k := nltest.New(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&netdev.Family))
	c := k.Dial()
	defer c.Close()
	events := ynl.Events(bg, c, &netdev.Family)
	ynltest.Push(k, ynltest.Group(&netdev.Family, "mgmt"), netdev.OpDevAddNtf, &netdev.Dev{Ifindex: ynl.U32(3)})
	for e := range events {
		if d, ok := e.Value.(*netdev.Dev); !ok || d.Ifindex != ynl.U32(3) || e.Type != netdev.NETDEV_CMD_DEV_ADD_NTF {
			t.Errorf("%+v", e)
		}
		break
	}
	if id := ynltest.Group(&netdev.Family, "no such group"); id != 0 {
		t.Errorf("group %d", id)
	}
}

// What cannot be encoded is a mistake of the test.
func TestPushPanics(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), `ynltest: rt-link newlink: link: IFLA_IFNAME: NUL in string "\x00"`; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}()
	push()
}

// push pushes a link with a name that cannot be encoded.
func push() {
	ynltest.Push(nltest.New(netlink.NETLINK_ROUTE, nil), rtlink.RTNLGRP_LINK, rtlink.OpNewLink, link("\x00"))
}
