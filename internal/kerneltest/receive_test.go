//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
)

// TestAbandonedDumpLeavesNothing: ctx ends dumps early. Dumps that are not abandoned
// are whole, and other requests do not wait.
func TestAbandonedDumpLeavesNothing(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	ManyAddresses(t, c, 3000)
	whole := len(Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP))
	abandoned := 0
	for end := time.Now().Add(Patience); abandoned < 20 && time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), rand.N(time.Millisecond))
		msgs, err := c.Request(ctx, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
		cancel()
		if err == nil && len(msgs) != whole || err != nil && (!errors.Is(err, context.DeadlineExceeded) || len(msgs) != 0) {
			t.Fatalf("%d entries, %v; want %d, or none and %v", len(msgs), err, whole, context.DeadlineExceeded)
		}
		if err != nil && !client.NotSent(err) {
			abandoned++
		}
		if msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
			t.Fatalf("link after a dump: %v", msgs)
		}
	}
	if abandoned == 0 {
		t.Fatal("no dump was abandoned before its end")
	}
	if n := len(Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)); n != whole {
		t.Errorf("%d entries after an abandoned dump, want %d", n, whole)
	}
	if s := c.Stats(); s.Pending != 0 || s.Events != 0 || s.Late != 0 {
		t.Errorf("%+v; want nothing pending, no events, nothing late", s)
	}
}

// TestReceiveDeliversOwnChange: an event caused by the Conn's own request is received,
// with its group, and is not taken for the reply.
func TestReceiveDeliversOwnChange(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	if msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE); len(msgs) != 0 {
		t.Errorf("replies %v, want none", msgs)
	}
	e := NextEvent(t, c)
	if e.Header.Type != unix.RTM_NEWADDR || e.Group != unix.RTNLGRP_IPV4_IFADDR || e.NSID != -1 || e.Lost != 0 {
		t.Errorf("got %+v, want RTM_NEWADDR of the group", e)
	}
	var h unix.IfAddrmsg
	if ip := Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value; !net.IP(ip).Equal(net.IPv4(10, 9, 9, 9)) {
		t.Errorf("event about %v, want 10.9.9.9", net.IP(ip))
	}
	if s := c.Stats(); s.Events != 1 {
		t.Errorf("%d events counted, want 1", s.Events)
	}
	// After leaving, no event comes, which the Noop proves.
	if err := c.DropMembership(unix.RTNLGRP_IPV4_IFADDR); err != nil {
		t.Fatal(err)
	}
	Request(t, c, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0)
	if err := c.Noop(Patient(t)); err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s.Events != 1 {
		t.Errorf("%d events counted after leaving the group, want 1", s.Events)
	}
	NoLosses(t, c)
}

// TestEchoIsAReply: with NLM_F_ECHO the request's own notification is its reply. A
// member of the group also receives it as an event, once.
func TestEchoIsAReply(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	echo := func(addr string) {
		t.Helper()
		msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, addr), netlink.NLM_F_CREATE|netlink.NLM_F_ECHO)
		if len(msgs) != 1 || msgs[0].Header.Type != unix.RTM_NEWADDR || msgs[0].Header.PortID != c.PortID() {
			t.Fatalf("replies %v, want our own RTM_NEWADDR", msgs)
		}
	}
	echo("10.9.9.1/32")
	if s := c.Stats(); s.Events != 0 {
		t.Errorf("%d events without a membership, want 0", s.Events)
	}
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	echo("10.9.9.2/32")
	if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR || e.Group != unix.RTNLGRP_IPV4_IFADDR {
		t.Errorf("event %+v, want RTM_NEWADDR of the group", e)
	}
	if s := c.Stats(); s.Events != 1 {
		t.Errorf("%d events, want 1", s.Events)
	}
	NoLosses(t, c)
}

// TestEventQueueCountsDroppedEvents: events are not received, requests are still
// answered, and afterwards each gap is where events are missing, with their number.
func TestEventQueueCountsDroppedEvents(t *testing.T) {
	const changes = 100
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithEventQueue(10))
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	ManyAddresses(t, c, changes)
	var events, lost int
	for events+lost < changes {
		e := NextEvent(t, c)
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			if e.Lost == 0 || e.Group != 0 || e.NSID != -1 || len(e.Payload) != 0 {
				t.Errorf("gap %+v; want a count and nothing else", e)
			}
			lost += int(e.Lost)
			continue
		}
		var h unix.IfAddrmsg
		ip := net.IP(Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value)
		if want := net.IPv4(10, 0, 0, byte(events+lost)); !ip.Equal(want) || e.Lost != 0 {
			t.Fatalf("after %d events and %d lost: %v, Lost %d; want %v, 0", events, lost, ip, e.Lost, want)
		}
		events++
	}
	if events == 0 || lost == 0 {
		t.Errorf("%d events and %d lost; want some of both", events, lost)
	}
	// The queue has room again.
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR {
		t.Errorf("after the gap: %+v, want RTM_NEWADDR", e)
	}
	if s := c.Stats(); s.EventsDropped != uint64(lost) || s.Events != changes+1 || s.Overruns != 0 {
		t.Errorf("%+v; want %d events, %d dropped, no overrun of the kernel's", s, changes+1, lost)
	}
}

// TestCloseEndsWaitingCalls: two requests and a dump wait for a lock in the kernel.
// Close returns and ends a request that waits for room. The others end when their
// system calls return.
func TestCloseEndsWaitingCalls(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithInFlight(2))
	release := ns.HoldRTNL(t)
	ask := func(flags netlink.Flags) <-chan error {
		pending := c.Stats().Pending
		result := StartRequest(c, context.Background(), flags)
		AwaitPending(t, c, pending+1)
		return result
	}
	// With NLM_F_ECHO no request waits for another one to share its datagram.
	kept := []<-chan error{ask(netlink.NLM_F_ECHO), ask(netlink.NLM_F_ECHO), ask(netlink.NLM_F_DUMP)}
	waiting := StartRequest(c, context.Background(), 0)
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) || !client.NotSent(err) {
		t.Errorf("waiting for room: %v, NotSent %v; want net.ErrClosed, not sent", err, client.NotSent(err))
	}
	if e, ok := <-c.Receive(); ok {
		t.Errorf("Receive: %+v, want a closed channel", e)
	}
	release()
	for i, result := range kept {
		// Close may have come before the send, so NotSent can be true or false.
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("call %d in the kernel: %v, want net.ErrClosed", i, err)
		}
	}
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d requests pending, want 0", n)
	}
}

// TestCloseIsIdempotent: concurrent calls all return when the Conn is closed.
func TestCloseIsIdempotent(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, ok := <-c.Receive(); ok {
				t.Error("Receive: an event, want a closed channel")
			}
		})
	}
	wg.Wait()
}

// TestCloseJoins: after Close neither a descriptor nor a goroutine is left, with
// one socket or two, with events that were not received, calls that wait and an
// abandoned dump.
func TestCloseJoins(t *testing.T) {
	ns := nstest.New(t)
	ManyAddresses(t, Dial(t, ns, netlink.NETLINK_ROUTE), 3000)
	busy := func(opts ...client.Option) {
		route, err := client.Dial(netlink.NETLINK_ROUTE, append(opts, client.WithNetNS(ns.FD()))...)
		if err != nil {
			t.Fatal(err)
		}
		Join(t, route, unix.RTNLGRP_IPV4_IFADDR)
		Request(t, route, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
		Request(t, route, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, _ = route.Request(ctx, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
		cancel()
		release := ns.HoldRTNL(t)
		var results []<-chan error
		// With NLM_F_ECHO no request waits for another one to share its datagram.
		for _, flags := range []netlink.Flags{netlink.NLM_F_ECHO, netlink.NLM_F_ECHO, netlink.NLM_F_DUMP} {
			results = append(results, StartRequest(route, context.Background(), flags))
		}
		AwaitPending(t, route, len(results))
		if err := route.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		release()
		for _, result := range results {
			if err := <-result; !errors.Is(err, net.ErrClosed) {
				t.Errorf("waiting call: %v, want net.ErrClosed", err)
			}
		}
	}
	busy() // what the runtime opens once and keeps is open now
	files, goroutines := OpenFiles(t), runtime.NumGoroutine()
	for range 10 {
		busy()
		busy(client.WithEventSocket())
	}
	if n := OpenFiles(t); n != files {
		t.Errorf("%d open files, %d before", n, files)
	}
	NoNewGoroutines(t, goroutines)
}

// TestSyscallConnReachesTheSocket: Control gets the descriptor of the socket for
// requests; Read and Write are refused.
func TestSyscallConnReachesTheSocket(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_GENERIC)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var family int
	var name unix.Sockaddr
	var familyErr, nameErr error
	if err := raw.Control(func(fd uintptr) {
		family, familyErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		name, nameErr = unix.Getsockname(int(fd))
	}); err != nil || familyErr != nil || nameErr != nil {
		t.Fatal(err, familyErr, nameErr)
	}
	if nl, ok := name.(*unix.SockaddrNetlink); !ok || nl.Pid != c.PortID() || family != unix.NETLINK_GENERIC {
		t.Errorf("descriptor of family %d, address %+v; want %d, port %d", family, name, unix.NETLINK_GENERIC, c.PortID())
	}
	never := func(uintptr) bool { t.Error("called"); return true }
	if err := raw.Read(never); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Read: %v, want errors.ErrUnsupported", err)
	}
	if err := raw.Write(never); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Write: %v, want errors.ErrUnsupported", err)
	}
	c.Close()
	if err := raw.Control(func(uintptr) { t.Error("called after Close") }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Control after Close: %v, want net.ErrClosed", err)
	}
}

// setOption sets an option of the socket of requests by SyscallConn.
func setOption(t *testing.T, c *client.Conn, level, opt, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var optErr error
	err = raw.Control(func(fd uintptr) { optErr = unix.SetsockoptInt(int(fd), level, opt, value) })
	if err := errors.Join(err, optErr); err != nil {
		t.Fatal(err)
	}
}

// TestGroupThatOnlySyscallConnJoined: its messages are Receive's, with their group, and the
// announcement of a Conn's own change is no reply to it.
func TestGroupThatOnlySyscallConnJoined(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	setOption(t, c, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, unix.RTNLGRP_IPV4_IFADDR)
	for range 10 {
		if msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE); len(msgs) > 0 {
			t.Fatalf("replies %v, want none", msgs)
		}
		if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR || e.Group != unix.RTNLGRP_IPV4_IFADDR {
			t.Fatalf("event %+v, want an address in group %d", e, unix.RTNLGRP_IPV4_IFADDR)
		}
		Request(t, c, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0)
		if e := NextEvent(t, c); e.Header.Type != unix.RTM_DELADDR {
			t.Fatalf("event %+v, want the deletion", e)
		}
	}
}

// TestSocketWithCredentials: a caller of SyscallConn may have the kernel add the sender's
// credentials to each message.
func TestSocketWithCredentials(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	setOption(t, c, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 20 {
				if err := c.Noop(Patient(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	NoLosses(t, c)
}

// TestPortIDIsTheSocketsOwn: every Conn has a port, unique in its namespace, which the
// kernel puts into its answers and which PortID returns after Close.
func TestPortIDIsTheSocketsOwn(t *testing.T) {
	ns := nstest.New(t)
	conns := make(map[uint32]*client.Conn)
	for range 10 {
		c := Dial(t, ns, netlink.NETLINK_ROUTE)
		if conns[c.PortID()] != nil || c.PortID() == 0 {
			t.Errorf("port %d, want one that is new", c.PortID())
		}
		conns[c.PortID()] = c
	}
	for port, c := range conns {
		if msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); msgs[0].Header.PortID != port {
			t.Errorf("reply to port %d, PortID says %d", msgs[0].Header.PortID, port)
		}
		c.Close()
		if c.PortID() != port {
			t.Errorf("port %d after Close, was %d", c.PortID(), port)
		}
	}
}
