//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file make invalid calls. Each has to be refused with a helpful
// error and to leave nothing.

// leavesNothing runs f many times and fails the test if that leaks descriptors or
// goroutines.
func leavesNothing(t *testing.T, f func()) {
	t.Helper()
	f() // what the runtime opens once and keeps is open now
	files, goroutines := OpenFiles(t), runtime.NumGoroutine()
	for range 20 {
		f()
	}
	if n := OpenFiles(t); n != files {
		t.Errorf("%d open files, %d before", n, files)
	}
	NoNewGoroutines(t, goroutines)
}

// wantRefused checks the error of a request that was not sent.
func wantRefused(t *testing.T, what string, err, cause error, text string) {
	t.Helper()
	var op *client.OpError
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case !errors.As(err, &op) || !client.NotSent(err):
		t.Errorf("%s: %v, NotSent %v; want an OpError, not sent", what, err, client.NotSent(err))
	case cause != nil && !errors.Is(err, cause):
		t.Errorf("%s: %v, want %v", what, err, cause)
	case !strings.Contains(err.Error(), text):
		t.Errorf("%s: %q does not say %q", what, err, text)
	}
}

// TestBadRequestsAreNotSent: each error has the reason, and the Conn stays usable.
func TestBadRequestsAreNotSent(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	small := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithSendBuffer(1))
	ctx := Patient(t)
	var none context.Context
	ask := func(c *client.Conn, ctx context.Context, typ netlink.MessageType, payload []byte) error {
		msgs, err := c.Request(ctx, typ, payload, 0)
		if len(msgs) != 0 {
			t.Errorf("replies %v and %v", msgs, err)
		}
		return err
	}
	lo := LinkRequest(t, LoIndex)
	leavesNothing(t, func() {
		wantRefused(t, "nil ctx", ask(c, none, unix.RTM_GETLINK, lo), nil, "nil context")
		wantRefused(t, "Noop with nil ctx", c.Noop(none), nil, "nil context")
		wantRefused(t, "payload over the default send buffer", ask(c, ctx, unix.RTM_GETLINK, make([]byte, 256<<10)), unix.EMSGSIZE, "")
		wantRefused(t, "payload over the send buffer", ask(small, ctx, unix.RTM_GETLINK, make([]byte, 60_000)), unix.EMSGSIZE, "")
		for typ := range netlink.NLMSG_MIN_TYPE {
			wantRefused(t, "control type", ask(c, ctx, typ, lo), nil, typ.String())
		}
		for _, conn := range []*client.Conn{c, small} {
			if n := conn.Stats().Pending; n != 0 {
				t.Errorf("%d requests pending, want 0", n)
			}
		}
	})
	for _, conn := range []*client.Conn{c, small} {
		if err := conn.Noop(ctx); err != nil {
			t.Error(err)
		}
		NoLosses(t, conn)
	}
}

// TestLargestPayload: the send buffer limits a payload. An attribute of the largest
// size fits after a header, and so do several.
func TestLargestPayload(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	const largestAttr = 65531
	payload := func(attrs int) []byte {
		// The kernel ignores an attribute of a type that it does not know.
		return Build(t, unix.IfInfomsg{Index: LoIndex}, func(b *wire.Builder) {
			for range attrs {
				b.Bytes(1000, make([]byte, largestAttr))
			}
		})
	}
	for attrs := range 4 {
		if msgs := Request(t, c, unix.RTM_GETLINK, payload(attrs), 0); len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
			t.Errorf("%d attributes: replies %v, want lo", attrs, msgs)
		}
	}
	// The refusal of a large request does not echo it.
	large := payload(3)
	large[4] = 99 // another index
	if _, err := c.Request(Patient(t), unix.RTM_GETLINK, large, 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("%v, want ENODEV", err)
	}
	_, err := c.Request(Patient(t), unix.RTM_GETLINK, payload(4), 0)
	if !errors.Is(err, unix.EMSGSIZE) || !client.NotSent(err) {
		t.Errorf("over the send buffer: %v, NotSent %v; want EMSGSIZE, not sent", err, client.NotSent(err))
	}
	NoLosses(t, c)
}

// TestGarbagePayloadEnds: the kernel refuses a malformed payload, or acknowledges one
// without the family's header (rtnetlink_rcv_msg). Both end the call.
func TestGarbagePayloadEnds(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	for _, payload := range [][]byte{nil, {0xff}, []byte("garbage, and more of it, with no attributes")} {
		for _, flags := range []netlink.Flags{0, netlink.NLM_F_DUMP} {
			for _, typ := range []netlink.MessageType{unix.RTM_GETLINK, unix.RTM_NEWADDR, unix.RTM_DELROUTE, 9999, 65535} {
				_, err := c.Request(Patient(t), typ, payload, flags)
				var refusal *wire.KernelError
				if err != nil && !errors.As(err, &refusal) {
					t.Errorf("type %d with %q, flags %v: %v, want the kernel's answer", typ, payload, flags, err)
				}
			}
		}
	}
	NoLosses(t, c)
}

// TestEveryCombinationOfFlagsEnds: the bits that make a request a dump depend on family
// and type. A client that is wrong about them waits for an end that does not come.
func TestEveryCombinationOfFlagsEnds(t *testing.T) {
	ns := nstest.New(t)
	inet := Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET})
	for _, test := range []struct {
		family  netlink.Family
		typ     netlink.MessageType
		payload []byte
	}{
		{netlink.NETLINK_ROUTE, unix.RTM_GETLINK, LinkRequest(t, LoIndex)},
		{netlink.NETLINK_ROUTE, unix.RTM_GETADDR, AddressDump(t)},
		{netlink.NETLINK_ROUTE, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32")},
		{netlink.NETLINK_ROUTE, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32")},
		{netlink.NETLINK_SOCK_DIAG, unix.SOCK_DIAG_BY_FAMILY, Build(t, inetDiagRequest{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP})},
		{netlink.NETLINK_XFRM, xfrmMsgGetPolicy, Build(t, [64]byte{})},
		{netlink.NETLINK_NETFILTER, ctGet, inet},
		{netlink.NETLINK_NETFILTER, nftGetTable, inet},
		{netlink.NETLINK_NETFILTER, nftNewTable, inet},
		{netlink.NETLINK_GENERIC, unix.GENL_ID_CTRL, Build(t, unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY})},
	} {
		c, err := client.Dial(test.family, client.WithNetNS(ns.FD()))
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		ctx := Patient(t)
		for bits := range netlink.Flags(1 << 6) {
			// MULTI and ECHO, which are 2 and 8, and the four from 0x100 up, whose
			// names depend on the type.
			flags := bits&1<<1 | bits&2<<2 | bits>>2<<8
			_, err := c.Request(ctx, test.typ, test.payload, flags)
			var refusal *wire.KernelError
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%v type %d flags %v: %v, want the kernel's answer", test.family, test.typ, flags, err)
				break
			}
		}
		NoLosses(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClosedConnRefusesEverything with net.ErrClosed.
func TestClosedConnRefusesEverything(t *testing.T) {
	ns := nstest.New(t)
	for _, opts := range [][]client.Option{nil, {client.WithEventSocket()}} {
		c := Dial(t, ns, netlink.NETLINK_ROUTE, opts...)
		Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		leavesNothing(t, func() {
			_, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
			wantRefused(t, "Request", err, net.ErrClosed, "request")
			_, err = c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)
			wantRefused(t, "Request for a dump", err, net.ErrClosed, "request")
			wantRefused(t, "Noop", c.Noop(Patient(t)), net.ErrClosed, "")
			wantRefused(t, "AddMembership", c.AddMembership(unix.RTNLGRP_LINK), net.ErrClosed, "join")
			wantRefused(t, "DropMembership", c.DropMembership(unix.RTNLGRP_IPV4_IFADDR), net.ErrClosed, "leave")
			raw, err := c.SyscallConn()
			if err != nil {
				t.Errorf("SyscallConn: %v", err)
			} else {
				wantRefused(t, "Control", raw.Control(func(uintptr) { t.Error("called") }), net.ErrClosed, "control")
			}
			if _, ok := <-c.Receive(); ok {
				t.Error("Receive: an event, want a closed channel")
			}
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if s := c.Stats(); s.Pending != 0 || s.ReceiveBuffer != 0 || s.SendBuffer != 0 {
				t.Errorf("%+v, want nothing pending and no buffers", s)
			}
		})
	}
}

// TestBadGroups: group 0 and those that the family does not have.
func TestBadGroups(t *testing.T) {
	ns := nstest.New(t)
	for _, opts := range [][]client.Option{nil, {client.WithEventSocket()}} {
		c := Dial(t, ns, netlink.NETLINK_ROUTE, opts...)
		leavesNothing(t, func() {
			wantRefused(t, "joining group 0", c.AddMembership(0), unix.EINVAL, "group 0")
			wantRefused(t, "leaving group 0", c.DropMembership(0), unix.EINVAL, "group 0")
			wantRefused(t, "joining group 1<<20", c.AddMembership(1<<20), unix.EINVAL, "join")
			wantRefused(t, "joining group 1<<32-1", c.AddMembership(1<<32-1), unix.EINVAL, "join")
			wantRefused(t, "leaving group 1<<20", c.DropMembership(1<<20), unix.EINVAL, "leave")
			// Leaving an existing group that was not joined succeeds.
			if err := c.DropMembership(unix.RTNLGRP_LINK); err != nil {
				t.Errorf("leaving a group that was not joined: %v", err)
			}
		})
		// A group that was joined twice is left once.
		Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
		Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
		if err := c.DropMembership(unix.RTNLGRP_IPV4_IFADDR); err != nil {
			t.Error(err)
		}
		Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
		Request(t, c, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0)
		NoLosses(t, c)
		if n := c.Stats().Events; n != 0 {
			t.Errorf("%d events, want 0", n)
		}
	}
}

// TestBadNamespaces: a descriptor that is no network namespace.
func TestBadNamespaces(t *testing.T) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	other, err := os.Open("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	nstest.New(t) // skips without the privilege, where the error is EPERM
	leavesNothing(t, func() {
		for _, test := range []struct {
			name string
			fd   int
			want error
		}{
			{"-1", -1, unix.EBADF},
			{"a number without a descriptor", 1 << 20, unix.EBADF},
			{"a file", int(file.Fd()), unix.EINVAL},
			{"another kind of namespace", int(other.Fd()), unix.EINVAL},
		} {
			c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(test.fd))
			wantRefused(t, test.name, err, test.want, "dial NETLINK_ROUTE: setns")
			if c != nil {
				t.Errorf("%s: a Conn and an error", test.name)
			}
		}
	})
}

// TestBadOptions: the error names the option, its minimum and the value.
func TestBadOptions(t *testing.T) {
	leavesNothing(t, func() {
		for text, opt := range map[string]client.Option{
			"nil option": nil,
			"WithReceiveBuffer: bytes must be at least 1, got 0":  client.WithReceiveBuffer(0),
			"WithReceiveBuffer: bytes must be at least 1, got -1": client.WithReceiveBuffer(-1),
			"WithSendBuffer: bytes must be at least 1, got 0":     client.WithSendBuffer(0),
			"WithEventQueue: n must be at least 1, got 0":         client.WithEventQueue(0),
			"WithDumpRetries: n must be at least 0, got -1":       client.WithDumpRetries(-1),
			"WithInFlight: n must be at least 1, got 0":           client.WithInFlight(0),
			"WithInFlight: n must be at least 1, got -5":          client.WithInFlight(-5),
		} {
			// A later valid option does not hide an earlier error.
			c, err := client.Dial(netlink.NETLINK_ROUTE, opt, client.WithInFlight(1))
			wantRefused(t, text, err, nil, text)
			if c != nil {
				t.Errorf("%s: a Conn and an error", text)
			}
		}
	})
}

// TestPortInUseLeavesNothing: Dial fails after it has opened the socket.
func TestPortInUseLeavesNothing(t *testing.T) {
	ns := nstest.New(t)
	const port = 4_000_000_008
	Dial(t, ns, netlink.NETLINK_ROUTE, client.WithPortID(port))
	leavesNothing(t, func() {
		for _, opts := range [][]client.Option{{}, {client.WithEventSocket()}} {
			opts = append(opts, client.WithPortID(port), client.WithNetNS(ns.FD()))
			_, err := client.Dial(netlink.NETLINK_ROUTE, opts...)
			wantRefused(t, "port in use", err, unix.EADDRINUSE, "dial NETLINK_ROUTE")
		}
	})
}
