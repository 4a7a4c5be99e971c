//go:build linux

package kerneltest

import (
	"errors"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestWithPortID: the Conn gets the requested port, a second one does not, and in
// another namespace the number is free.
func TestWithPortID(t *testing.T) {
	ns := nstest.New(t)
	const port = 4_000_000_007
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithPortID(port))
	if c.PortID() != port {
		t.Errorf("port %d, want %d", c.PortID(), uint32(port))
	}
	if err := c.Noop(Patient(t)); err != nil {
		t.Error(err)
	}
	if d, err := client.Dial(netlink.NETLINK_ROUTE, client.WithPortID(port), client.WithNetNS(ns.FD())); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("second Conn with the port: %v, %v; want EADDRINUSE", d, err)
	}
	Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithPortID(port))
	// The event socket gets another port.
	Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithPortID(port), client.WithEventSocket())
}

// TestWithNetNS: each Conn reads the links of its own namespace.
func TestWithNetNS(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	inA, inB := Dial(t, a, netlink.NETLINK_ROUTE), Dial(t, b, netlink.NETLINK_ROUTE)
	AddVeth(t, inA, "only-in-a", "peer-in-a")
	byName := Build(t, unix.IfInfomsg{}, func(b *wire.Builder) { b.String(unix.IFLA_IFNAME, "only-in-a") })
	if msgs := Request(t, inA, unix.RTM_GETLINK, byName, 0); len(msgs) != 1 {
		t.Errorf("in its namespace: %v, want the link", msgs)
	}
	if _, err := inB.Request(Patient(t), unix.RTM_GETLINK, byName, 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("in another namespace: %v, want ENODEV", err)
	}
	if _, err := DialHere(t, netlink.NETLINK_ROUTE).Request(Patient(t), unix.RTM_GETLINK, byName, 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("in the process' namespace: %v, want ENODEV", err)
	}
}

// TestWithNetNSKeepsNoDescriptor: the caller may close the descriptor after Dial.
func TestWithNetNSKeepsNoDescriptor(t *testing.T) {
	ns := nstest.New(t)
	fd, err := unix.FcntlInt(uintptr(ns.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(fd))
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); len(msgs) != 1 {
		t.Errorf("%v, want lo", msgs)
	}
}

// TestWithNetNSLeavesTheThreadInItsNamespace: Dial enters the namespace on another
// thread.
func TestWithNetNSLeavesTheThreadInItsNamespace(t *testing.T) {
	ns := nstest.New(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	Dial(t, ns, netlink.NETLINK_ROUTE)
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("in %s after Dial (%v), was in %s", after, err, before)
	}
}

// bufferSize returns what the kernel says of SO_RCVBUF or SO_SNDBUF.
func (r *Raw) bufferSize(t *testing.T, option int) int {
	t.Helper()
	n, err := unix.GetsockoptInt(r.FD, unix.SOL_SOCKET, option)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBuffers: Stats returns the granted sizes, which are double the requested ones,
// and beyond the limit depend on the privilege.
func TestBuffers(t *testing.T) {
	ns := nstest.New(t)
	sizes := func(opts ...client.Option) (receive, send int) {
		t.Helper()
		s := Dial(t, ns, netlink.NETLINK_ROUTE, opts...).Stats()
		return s.ReceiveBuffer, s.SendBuffer
	}
	receive, send := sizes()
	plain := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	if r, s := plain.bufferSize(t, unix.SO_RCVBUF), plain.bufferSize(t, unix.SO_SNDBUF); receive != r || send != s {
		t.Errorf("default buffers of %d and %d, want %d and %d", receive, send, r, s)
	}
	receive, send = sizes(client.WithReceiveBuffer(50_000), client.WithSendBuffer(70_000))
	if receive != 100_000 || send != 140_000 {
		t.Errorf("buffers of %d and %d, want 100000 and 140000", receive, send)
	}
	// SO_RCVBUF grants twice net.core.rmem_max, whatever the privilege (sk_setsockopt).
	if err := unix.SetsockoptInt(plain.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, math.MaxInt32); err != nil {
		t.Fatal(err)
	}
	limit := plain.bufferSize(t, unix.SO_RCVBUF) / 2
	receive, _ = sizes(client.WithReceiveBuffer(limit + 100_000))
	if capped, whole := 2*limit, 2*(limit+100_000); receive != capped && receive != whole {
		t.Errorf("past the limit: %d, want %d or, with privilege, %d", receive, capped, whole)
	}
	// The socket option has 32 bits.
	if receive, _ = sizes(client.WithReceiveBuffer(math.MaxInt)); receive < 2*limit {
		t.Errorf("as much as there is: %d, want %d at least", receive, 2*limit)
	}
}

// TestWithSendBuffer: it limits the size of a request. A larger one is not sent.
func TestWithSendBuffer(t *testing.T) {
	ns := nstest.New(t)
	// Attributes of a type that the kernel does not know are ignored here.
	large := Build(t, unix.IfInfomsg{Index: LoIndex}, func(b *wire.Builder) { b.Bytes(1000, make([]byte, 20_000)) })
	small := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithSendBuffer(5_000))
	_, err := small.Request(Patient(t), unix.RTM_GETLINK, large, 0)
	if !errors.Is(err, unix.EMSGSIZE) || !client.NotSent(err) {
		t.Errorf("%v, NotSent %v; want EMSGSIZE, not sent", err, client.NotSent(err))
	}
	if msgs := Request(t, small, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); len(msgs) != 1 {
		t.Errorf("small request: %v, want lo", msgs)
	}
	if msgs := Request(t, Dial(t, ns, netlink.NETLINK_ROUTE), unix.RTM_GETLINK, large, 0); len(msgs) != 1 {
		t.Errorf("default buffer: %v, want lo", msgs)
	}
	NoLosses(t, small)
}

// TestWithStrictChecking: the kernel refuses a dump with a field that has no meaning
// there, and ignores it without the option.
func TestWithStrictChecking(t *testing.T) {
	ns := nstest.New(t)
	odd := Build(t, unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 8})
	_, err := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithStrictChecking()).
		Request(Patient(t), unix.RTM_GETADDR, odd, netlink.NLM_F_DUMP)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Errno != unix.EINVAL || refusal.Ext.Message == "" {
		t.Errorf("strict: %v, want EINVAL with the kernel's text", err)
	}
	if msgs := Request(t, Dial(t, ns, netlink.NETLINK_ROUTE), unix.RTM_GETADDR, odd, netlink.NLM_F_DUMP); len(msgs) == 0 {
		t.Error("not strict: no addresses, want lo's")
	}
}

// TestWithStrictCheckingFilters: a strict dump is limited to the link it names.
func TestWithStrictCheckingFilters(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithStrictChecking())
	AddVeth(t, c, "left", "right")
	ofLeft := Build(t, unix.IfAddrmsg{Family: unix.AF_INET, Index: LoIndex + 1})
	if msgs := Request(t, c, unix.RTM_GETADDR, ofLeft, netlink.NLM_F_DUMP); len(msgs) != 0 {
		t.Errorf("strict: %v, want none of lo's addresses", msgs)
	}
	if msgs := Request(t, Dial(t, ns, netlink.NETLINK_ROUTE), unix.RTM_GETADDR, ofLeft, netlink.NLM_F_DUMP); len(msgs) == 0 {
		t.Error("not strict: no addresses, want lo's")
	}
}

// TestWithEventSocket: memberships are on a second socket, so the port of requests gets
// no multicast. Events are still received.
func TestWithEventSocket(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithEventSocket())
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	e := NextEvent(t, c)
	if e.Header.Type != unix.RTM_NEWADDR || e.Group != unix.RTNLGRP_IPV4_IFADDR || e.Header.PortID != c.PortID() {
		t.Errorf("event %+v, want RTM_NEWADDR of the group and from port %d", e, c.PortID())
	}
	if groups := memberships(t, c); len(groups) != 0 {
		t.Errorf("the socket of requests is in groups %v, want none", groups)
	}
	one := Dial(t, ns, netlink.NETLINK_ROUTE)
	Join(t, one, unix.RTNLGRP_IPV4_IFADDR)
	if groups := memberships(t, one); !slices.Equal(groups, []uint32{unix.RTNLGRP_IPV4_IFADDR}) {
		t.Errorf("without the option, the socket is in groups %v, want %d", groups, unix.RTNLGRP_IPV4_IFADDR)
	}
	NoLosses(t, c)
}

// TestWithListenAllNSID: events of another namespace have its id in the Conn's own one,
// events of the own namespace have none, and without the option only the latter are
// delivered.
func TestWithListenAllNSID(t *testing.T) {
	home, away := nstest.New(t), nstest.New(t)
	all := Dial(t, home, netlink.NETLINK_ROUTE, client.WithListenAllNSID())
	own := Dial(t, home, netlink.NETLINK_ROUTE)
	const id = 7
	nameNamespace(t, all, away, id)
	Join(t, all, unix.RTNLGRP_IPV4_IFADDR)
	Join(t, own, unix.RTNLGRP_IPV4_IFADDR)
	Request(t, Dial(t, away, netlink.NETLINK_ROUTE), unix.RTM_NEWADDR, LoAddress(t, "10.9.9.1/32"), netlink.NLM_F_CREATE)
	Request(t, Dial(t, home, netlink.NETLINK_ROUTE), unix.RTM_NEWADDR, LoAddress(t, "10.9.9.2/32"), netlink.NLM_F_CREATE)
	for _, want := range []struct {
		conn *client.Conn
		nsid int32
		ip   byte
	}{{all, id, 1}, {all, -1, 2}, {own, -1, 2}} {
		e := NextEvent(t, want.conn)
		var h unix.IfAddrmsg
		ip := Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value
		if e.NSID != want.nsid || e.Group != unix.RTNLGRP_IPV4_IFADDR || len(ip) != 4 || ip[3] != want.ip {
			t.Errorf("event %+v about %v; want namespace %d, 10.9.9.%d", e, net.IP(ip), want.nsid, want.ip)
		}
	}
}

// nameNamespace gives ns an id in the namespace of c.
func nameNamespace(t *testing.T, c *client.Conn, ns *nstest.NS, id int32) {
	t.Helper()
	Request(t, c, unix.RTM_NEWNSID, Build(t, unix.RtGenmsg{Family: unix.AF_UNSPEC}, func(b *wire.Builder) {
		b.Int32(unix.NETNSA_NSID, id)
		b.Int32(unix.NETNSA_FD, int32(ns.FD()))
	}), 0)
}

// memberships returns the groups that the socket of requests has joined.
func memberships(t *testing.T, c *client.Conn) (groups []uint32) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var mask int
	var optErr error
	// The option's value has as many words as there are groups; the first 32
	// are all that these tests join.
	err = raw.Control(func(fd uintptr) {
		mask, optErr = unix.GetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_LIST_MEMBERSHIPS)
	})
	if err := errors.Join(err, optErr); err != nil {
		t.Fatal(err)
	}
	for g := range uint32(32) {
		if mask&(1<<g) != 0 {
			groups = append(groups, g+1)
		}
	}
	return groups
}
