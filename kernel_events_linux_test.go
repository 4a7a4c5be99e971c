package netlink_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// genericFamily resolves a generic netlink family and one of its groups.
func genericFamily(t *testing.T, c *client.Conn, name, group string) (id netlink.MessageType, groupID uint32) {
	t.Helper()
	msgs, err := c.Request(patient(t), unix.GENL_ID_CTRL, build(t, unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY}, func(b *wire.Builder) {
		b.String(unix.CTRL_ATTR_FAMILY_NAME, name)
	}), 0)
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, name, "no generic netlink family %s: %v", name, err)
	}
	if err != nil || len(msgs) != 1 {
		t.Fatalf("family %s: %v, %v", name, msgs, err)
	}
	var h unix.Genlmsghdr
	attrs := unpack(t, msgs[0], &h)
	n, err := attrs[unix.CTRL_ATTR_FAMILY_ID].Uint16()
	if err != nil {
		t.Fatal(err)
	}
	for entry := range attrs[unix.CTRL_ATTR_MCAST_GROUPS].Attrs() {
		var found bool
		var v uint32
		for a := range entry.Attrs() {
			switch a.Type {
			case unix.CTRL_ATTR_MCAST_GRP_NAME:
				found = a.String() == group
			case unix.CTRL_ATTR_MCAST_GRP_ID:
				if v, err = a.Uint32(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if found {
			groupID = v
		}
	}
	if groupID == 0 && group != "" {
		t.Fatalf("family %s has no group %s", name, group)
	}
	return netlink.MessageType(n), groupID
}

// TestEthtoolCountsItsNotifications: they carry the family's own counter, which
// starts at 1, and come between a request and its acknowledgement. They are
// events, and the request gets its reply.
func TestEthtoolCountsItsNotifications(t *testing.T) {
	ns := nstest.New(t)
	addVeth(t, dial(t, ns, netlink.NETLINK_ROUTE), "left", "right")
	c := dial(t, ns, netlink.NETLINK_GENERIC)
	family, group := genericFamily(t, c, "ethtool", unix.ETHTOOL_MCGRP_MONITOR_NAME)
	join(t, c, group)
	for i := range 10 {
		msgs := request(t, c, family, build(t, unix.Genlmsghdr{Cmd: unix.ETHTOOL_MSG_FEATURES_SET, Version: 1}, func(b *wire.Builder) {
			b.Nest(unix.ETHTOOL_A_FEATURES_HEADER, func(b *wire.Builder) {
				b.String(unix.ETHTOOL_A_HEADER_DEV_NAME, "left")
			})
			b.Nest(unix.ETHTOOL_A_FEATURES_WANTED, func(b *wire.Builder) {
				b.Nest(unix.ETHTOOL_A_BITSET_BITS, func(b *wire.Builder) {
					b.Nest(unix.ETHTOOL_A_BITSET_BITS_BIT, func(b *wire.Builder) {
						b.String(unix.ETHTOOL_A_BITSET_BIT_NAME, "tx-generic-segmentation")
						if i%2 == 1 { // off, on, off...
							b.Flag(unix.ETHTOOL_A_BITSET_BIT_VALUE)
						}
					})
				})
			})
		}), 0)
		command := func(m wire.Message) (cmd uint8) { return m.Payload[0] }
		if len(msgs) != 1 || msgs[0].Header.Type != family || command(msgs[0]) != unix.ETHTOOL_MSG_FEATURES_SET_REPLY {
			t.Fatalf("replies %v, want one ETHTOOL_MSG_FEATURES_SET_REPLY", msgs)
		}
		e := nextEvent(t, c)
		if e.Header.Type != family || e.Group != group || command(e.Message) != unix.ETHTOOL_MSG_FEATURES_NTF {
			t.Fatalf("event %+v, want ETHTOOL_MSG_FEATURES_NTF of group %d", e, group)
		}
		if e.Header.PortID != 0 || e.Header.Seq == 0 || e.Header.Seq == msgs[0].Header.Seq {
			t.Errorf("event %+v does not carry a counter of its own, so this tests nothing", e)
		}
	}
	noLosses(t, c)
}

// TestGroupsBeyond32: the sender's address shows the first 32 groups only; the
// others are known by NETLINK_PKTINFO alone.
func TestGroupsBeyond32(t *testing.T) {
	const (
		groupMulticast = 37 // RTNLGRP_IPV4_MCADDR
		newMulticast   = 56 // RTM_NEWMULTICAST
	)
	c := dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	if err := c.AddMembership(groupMulticast); errors.Is(err, unix.EINVAL) {
		nstest.Skip(t, "RTNLGRP_IPV4_MCADDR", "the kernel announces multicast addresses since Linux 6.14: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	addVeth(t, c, "left", "right")
	// A link that comes up listens to all hosts, 224.0.0.1.
	request(t, c, unix.RTM_NEWLINK, build(t, unix.IfInfomsg{Index: loIndex + 1, Flags: unix.IFF_UP, Change: unix.IFF_UP}), 0)
	e := nextEvent(t, c)
	if e.Header.Type != newMulticast || e.Group != groupMulticast {
		t.Errorf("event %+v, want RTM_NEWMULTICAST of group %d", e, groupMulticast)
	}
	noLosses(t, c)
}

var (
	_ = context.Canceled
	_ = binary.Size
	_ = netip.Addr{}
	_ = os.Getpid
	_ = exec.Command
	_ = strings.Cut
	_ atomic.Int32
)
