//go:build linux

package kerneltest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
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
	msgs, err := c.Request(Patient(t), unix.GENL_ID_CTRL, Build(t, unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY}, func(b *wire.Builder) {
		b.String(unix.CTRL_ATTR_FAMILY_NAME, name)
	}), 0)
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, name, "no generic netlink family %s: %v", name, err)
	}
	if err != nil || len(msgs) != 1 {
		t.Fatalf("family %s: %v, %v", name, msgs, err)
	}
	var h unix.Genlmsghdr
	attrs := Unpack(t, msgs[0], &h)
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

// TestEthtoolCountsItsNotifications: they have the family's own counter, which starts
// at 1, and come between a request and its acknowledgement. They are events, and the
// request gets its reply.
func TestEthtoolCountsItsNotifications(t *testing.T) {
	ns := nstest.New(t)
	AddVeth(t, Dial(t, ns, netlink.NETLINK_ROUTE), "left", "right")
	c := Dial(t, ns, netlink.NETLINK_GENERIC)
	family, group := genericFamily(t, c, "ethtool", unix.ETHTOOL_MCGRP_MONITOR_NAME)
	Join(t, c, group)
	for i := range 10 {
		msgs := Request(t, c, family, Build(t, unix.Genlmsghdr{Cmd: unix.ETHTOOL_MSG_FEATURES_SET, Version: 1}, func(b *wire.Builder) {
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
		command := func(m wire.Message) uint8 { return m.Payload[0] } // of struct genlmsghdr
		if len(msgs) != 1 || msgs[0].Header.Type != family || command(msgs[0]) != unix.ETHTOOL_MSG_FEATURES_SET_REPLY {
			t.Fatalf("replies %v, want one ETHTOOL_MSG_FEATURES_SET_REPLY", msgs)
		}
		e := NextEvent(t, c)
		if e.Header.Type != family || e.Group != group || command(e.Message) != unix.ETHTOOL_MSG_FEATURES_NTF {
			t.Fatalf("event %+v, want ETHTOOL_MSG_FEATURES_NTF of group %d", e, group)
		}
		if e.Header.PortID != 0 || e.Header.Seq == 0 || e.Header.Seq == msgs[0].Header.Seq {
			t.Errorf("event %+v does not carry a counter of its own, so this tests nothing", e)
		}
	}
	NoLosses(t, c)
}

// TestGroupsBeyond32: the sender's address has only the first 32 groups;
// NETLINK_PKTINFO has the others.
func TestGroupsBeyond32(t *testing.T) {
	const (
		groupMulticast = 37 // RTNLGRP_IPV4_MCADDR
		newMulticast   = 56 // RTM_NEWMULTICAST
	)
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	if err := c.AddMembership(groupMulticast); errors.Is(err, unix.EINVAL) {
		nstest.Skip(t, "RTNLGRP_IPV4_MCADDR", "the kernel announces multicast addresses since Linux 6.14: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	AddVeth(t, c, "left", "right")
	// A link that is set up joins 224.0.0.1, all hosts.
	Request(t, c, unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{Index: LoIndex + 1, Flags: unix.IFF_UP, Change: unix.IFF_UP}), 0)
	e := NextEvent(t, c)
	if e.Header.Type != newMulticast || e.Group != groupMulticast {
		t.Errorf("event %+v, want RTM_NEWMULTICAST of group %d", e, groupMulticast)
	}
	NoLosses(t, c)
}

// TestConntrackAnswersWithoutDone: ctnetlink marks a single connection with NLM_F_MULTI
// and sends no NLMSG_DONE. The acknowledgement ends the answer.
func TestConntrackAnswersWithoutDone(t *testing.T) {
	c := dialNetfilter(t, nstest.New(t), "conntrack", ctGet)
	addConntrack(t, c, 1234)
	one := Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) { conntrackTuple(b, ctaTupleOrig, 1234) })
	for range 10 {
		msgs := Request(t, c, ctGet, one, 0)
		if len(msgs) != 1 || conntrackPort(t, msgs[0]) != 1234 {
			t.Fatalf("replies %v, want the connection from port 1234", msgs)
		}
		if msgs[0].Header.Flags&netlink.NLM_F_MULTI == 0 {
			t.Errorf("flags %v without NLM_F_MULTI, so this tests nothing", msgs[0].Header.Flags)
		}
	}
	NoLosses(t, c)
}

// TestNfTablesEventsOfOneDatagram: nf_tables announces a transaction with many messages
// in a datagram, with the numbers of the other socket's requests. All are delivered, in
// order, the generation last.
func TestNfTablesEventsOfOneDatagram(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	Join(t, c, unix.NFNLGRP_NFTABLES)
	other := OpenRaw(t, ns, netlink.NETLINK_NETFILTER)
	addNftTables(t, other, 1, "first", "second", "third")
	for i, name := range []string{"first", "second", "third"} {
		e := NextEvent(t, c)
		var h unix.Nfgenmsg
		if got := Unpack(t, e.Message, &h)[unix.NFTA_TABLE_NAME].String(); e.Header.Type != nftNewTable || got != name {
			t.Errorf("event %d: %+v about %q, want a new table %q", i, e, got, name)
		}
		if e.Group != unix.NFNLGRP_NFTABLES || e.Header.PortID != other.Port || e.Header.Seq != uint32(2+i) {
			t.Errorf("event %d: %+v; want group %d, port %d, number %d", i, e, unix.NFNLGRP_NFTABLES, other.Port, 2+i)
		}
	}
	if e := NextEvent(t, c); e.Header.Type != nftNewGen {
		t.Errorf("last event %+v, want the new generation", e)
	}
	NoLosses(t, c)
}

// TestTaskstatsRecordsAreEvents: they are unicast to the port that requested them, with
// a counter in nlmsg_seq and no group. They answer nothing.
func TestTaskstatsRecordsAreEvents(t *testing.T) {
	// linux/taskstats.h
	const (
		cmdGet      = 1 // TASKSTATS_CMD_GET
		register    = 3 // TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
		deregister  = 4 // TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK
		typeAggrPID = 4 // TASKSTATS_TYPE_AGGR_PID
		typePID     = 1 // TASKSTATS_TYPE_PID
	)
	// send_cpu_listeners in kernel/taskstats.c sends them to the initial network
	// namespace only, which alone has the settings of the whole machine.
	if _, err := os.Stat("/proc/sys/net/core/netdev_budget"); err != nil {
		nstest.Skip(t, "taskstats", "only the initial network namespace gets records: %v", err)
	}
	c := DialHere(t, netlink.NETLINK_GENERIC)
	family, _ := genericFamily(t, c, "TASKSTATS", "")
	cpus, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		nstest.Skip(t, "taskstats", "%v", err)
	}
	command := func(attr uint16) error {
		_, err := c.Request(Patient(t), family, Build(t, unix.Genlmsghdr{Cmd: cmdGet, Version: 1}, func(b *wire.Builder) {
			b.String(attr, strings.TrimSpace(string(cpus)))
		}), 0)
		return err
	}
	if err := command(register); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) && !initialUserNamespace(t) {
		// taskstats_user_cmd in kernel/taskstats.c
		nstest.Skip(t, "taskstats", "only the initial user namespace's root gets records: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := command(deregister); err != nil {
			t.Errorf("deregister: %v", err)
		}
	}()
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	e := AwaitEvent(t, c, "the program's record", func(e client.Event) bool {
		var h unix.Genlmsghdr
		if e.Header.Type != family {
			return false
		}
		for a := range Unpack(t, e.Message, &h)[typeAggrPID].Attrs() {
			if pid, err := a.Uint32(); a.Type == typePID && err == nil && int(pid) == child.Process.Pid {
				return true
			}
		}
		return false
	})
	if e.Group != 0 || e.Header.PortID != 0 {
		t.Errorf("event %+v, want group and port 0", e)
	}
	if s := c.Stats(); s.Pending != 0 || s.Late != 0 {
		t.Errorf("%+v; want nothing pending and nothing late", s)
	}
}
