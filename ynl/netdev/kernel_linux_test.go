//go:build linux

package netdev_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/netdev"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// open makes a namespace with a pair of devices, v0 and v1, or skips the test if the kernel
// has no family netdev.
func open(t *testing.T) (conn *client.Conn, c *netdev.Client, index uint32) {
	t.Helper()
	ns := nstest.New(t)
	ns.Run(t, "ip", strings.Fields("link add v0 numtxqueues 4 numrxqueues 3 type veth peer name v1")...)
	ns.Run(t, "ip", "link", "set", "v0", "up")
	conn = kerneltest.Dial(t, ns, netlink.NETLINK_GENERIC)
	c = netdev.New(conn)
	if _, err := c.DumpDev(kerneltest.Patient(t), nil).List(); errors.Is(err, fs.ErrNotExist) {
		nstest.Skip(t, "netdev", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	l, err := rtlink.New(kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE)).GetLink(kerneltest.Patient(t), rtlink.ByName("v0"))
	if err != nil {
		t.Fatal(err)
	}
	return conn, c, uint32(l.Index)
}

func TestDevices(t *testing.T) {
	_, c, index := open(t)
	ctx := kerneltest.Patient(t)
	d, err := c.DevGet(ctx, &netdev.Dev{Ifindex: ynl.U32(index)})
	if err != nil {
		t.Fatal(err)
	}
	// veth has programs that redirect.
	if d.Ifindex != ynl.U32(index) || d.XDPFeatures.Value&netdev.NETDEV_XDP_ACT_BASIC == 0 || d.XDPFeatures.Value&netdev.NETDEV_XDP_ACT_REDIRECT == 0 || len(d.Unknown) > 0 {
		t.Errorf("%+v", d)
	}
	list, err := c.DumpDev(ctx, nil).List()
	if err != nil || len(list) != 3 {
		t.Errorf("%d devices, %v, want lo, v0 and v1", len(list), err)
	}
	if _, err := c.DevGet(ctx, &netdev.Dev{Ifindex: ynl.U32(9999)}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("error is %v, want ENODEV", err)
	}
}

func TestQueues(t *testing.T) {
	_, c, index := open(t)
	list, err := c.DumpQueue(kerneltest.Patient(t), &netdev.Queue{Ifindex: ynl.U32(index)}).List()
	if errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "netdev queues", "%v", err) // since Linux 6.8
	}
	if err != nil {
		t.Fatal(err)
	}
	count := map[netdev.QueueType]int{}
	for _, q := range list {
		count[q.Type.Value]++
		if q.Ifindex != ynl.U32(index) || len(q.Unknown) > 0 {
			t.Errorf("%+v", q)
		}
	}
	if count[netdev.NETDEV_QUEUE_TYPE_RX] != 3 || count[netdev.NETDEV_QUEUE_TYPE_TX] != 4 {
		t.Errorf("queues %v, want 3 to receive and 4 to send", count)
	}
}

// A device that goes is an event.
func TestEvents(t *testing.T) {
	ns := nstest.New(t)
	conn := kerneltest.Dial(t, ns, netlink.NETLINK_GENERIC)
	if _, err := netdev.New(conn).DumpDev(kerneltest.Patient(t), nil).List(); err != nil {
		nstest.Skip(t, "netdev", "%v", err)
	}
	events := ynl.Events(kerneltest.Patient(t), conn, &netdev.Family)
	ns.Run(t, "ip", strings.Fields("link add v0 type veth peer name v1")...)
	ns.Run(t, "ip", "link", "del", "v0")
	made := map[uint32]bool{}
	for e := range events {
		d, ok := e.Value.(*netdev.Dev)
		if e.Err != nil || !ok {
			t.Fatalf("event %+v", e)
		}
		switch e.Type {
		case netdev.NETDEV_CMD_DEV_ADD_NTF:
			made[d.Ifindex.Value] = true
		case netdev.NETDEV_CMD_DEV_DEL_NTF:
			if !made[d.Ifindex.Value] {
				t.Errorf("device %v goes and never came", d.Ifindex)
			}
			return
		}
	}
	t.Error("no event")
}
