//go:build linux

package kerneltest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file forge messages: another process can set any header, but not
// the sender and group that the socket reports.

// awaitForeign waits until n datagrams of other processes have been dropped.
func awaitForeign(t *testing.T, c *client.Conn, n uint64) {
	t.Helper()
	for end := time.Now().Add(Patience); c.Stats().Foreign < n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d foreign datagrams, want %d", c.Stats().Foreign, n)
		}
	}
}

// TestForgedAnswersAreRefused: another socket of this process sends to our port
// (netlink_sendmsg permits that with CAP_NET_ADMIN), with our port and the number of a
// request that waits in the kernel. The kernel refuses it, and answers the request.
func TestForgedAnswersAreRefused(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	// The number of an answered request shows which come next.
	answered := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
	release := ns.HoldRTNL(t)
	type answer struct {
		msgs []wire.Message
		err  error
	}
	result := make(chan answer, 1)
	go func() {
		msgs, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
		result <- answer{msgs, err}
	}()
	AwaitPending(t, c, 1)
	forger := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	for i := range uint32(20) {
		seq := answered[0].Header.Seq + i
		forger.Refused(t, c.PortID(), ForgedAck(c.PortID(), seq))
		forger.Refused(t, c.PortID(), wire.Message{
			Header:  wire.Header{Type: unix.RTM_NEWLINK, Seq: seq, PortID: c.PortID()},
			Payload: Pack(unix.IfInfomsg{Index: 666}),
		})
	}
	release()
	if a := <-result; a.err != nil || len(a.msgs) != 1 || LinkIndex(a.msgs[0]) != LoIndex {
		t.Errorf("%v, %v; want lo", a.msgs, a.err)
	}
	NoLosses(t, c)
}

// TestOnlyTheKernelSendsToAPort: every socket of a Conn refuses the messages of processes,
// whatever it is used for.
func TestOnlyTheKernelSendsToAPort(t *testing.T) {
	ns := nstest.New(t)
	forger := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	hello := wire.Message{Header: wire.Header{Type: unix.RTM_NEWLINK}, Payload: make([]byte, unix.SizeofIfInfomsg)}
	refused := func(what string, sockets int) {
		t.Helper()
		ports := routePorts(t, ns)
		if len(ports) != 1+sockets {
			t.Errorf("%s: ports %d, want %d and that of the forger", what, ports, sockets)
		}
		for _, port := range ports {
			if port != forger.Port {
				forger.Refused(t, port, hello)
			}
		}
	}
	for _, tt := range []struct {
		name    string
		opts    []client.Option
		sockets int
	}{
		{"defaults", nil, 1},
		{"own port", []client.Option{client.WithPortID(4711)}, 1},
		{"all namespaces", []client.Option{client.WithListenAllNSID()}, 1},
		{"event socket", []client.Option{client.WithEventSocket()}, 2},
		{"dump socket", []client.Option{client.WithDumpSocket()}, 2},
	} {
		c := Dial(t, ns, netlink.NETLINK_ROUTE, tt.opts...)
		refused(tt.name, tt.sockets)
		Join(t, c, unix.RTNLGRP_LINK)
		refused(tt.name+", with a membership", tt.sockets)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	for _, err := range c.Dump(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 0)) {
		if err != nil {
			t.Fatal(err)
		}
		refused("during a dump", 2)
	}
}

// routePorts returns the ports of the sockets of NETLINK_ROUTE in ns, but for the kernel's.
func routePorts(t *testing.T, ns *nstest.NS) (ports []uint32) {
	t.Helper()
	var text []byte
	err := ns.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/netlink")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var sk string
		var family netlink.Family
		var port uint32
		if _, err := fmt.Sscan(line, &sk, &family, &port); err == nil && family == netlink.NETLINK_ROUTE && port != 0 {
			ports = append(ports, port)
		}
	}
	return ports
}

// TestForgedEventsAreDropped: another process may also send to a group, but only the
// kernel's messages are events.
func TestForgedEventsAreDropped(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	forger := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	forger.SendToGroup(t, unix.RTNLGRP_IPV4_IFADDR, wire.Message{
		Header:  wire.Header{Type: unix.RTM_NEWADDR},
		Payload: LoAddress(t, "10.6.6.6/32"),
	})
	awaitForeign(t, c, 1)
	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	e := NextEvent(t, c)
	var h unix.IfAddrmsg
	if ip := net.IP(Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value); !ip.Equal(net.IPv4(10, 9, 9, 9)) {
		t.Errorf("event about %v, want the kernel's about 10.9.9.9", ip)
	}
	if s := c.Stats(); s.Events != 1 {
		t.Errorf("%d events, want 1", s.Events)
	}
}

// TestUsersockMessagesOfPeersAreEvents: in this family processes send each other
// messages, which are delivered.
func TestUsersockMessagesOfPeersAreEvents(t *testing.T) {
	ns := nstest.New(t)
	c := dialFamily(t, ns, netlink.NETLINK_USERSOCK)
	peer := OpenRaw(t, ns, netlink.NETLINK_USERSOCK)
	peer.Send(t, c.PortID(),
		wire.Message{Header: wire.Header{Type: 100, Seq: 1, PortID: peer.Port}, Payload: []byte("one")},
		wire.Message{Header: wire.Header{Type: netlink.NLMSG_DONE, Seq: 2, PortID: c.PortID()}, Payload: []byte("two")})
	for i, want := range []string{"one", "two"} {
		if e := NextEvent(t, c); string(e.Payload) != want || e.Group != 0 || e.Header.Seq != uint32(i+1) {
			t.Errorf("event %+v, want %q", e, want)
		}
	}
	NoLosses(t, c)
}

// TestXfrmEventsWithOurPort: xfrm copies nlmsg_pid and nlmsg_seq of another process's
// request into the notification. It can look like the answer to ours in everything
// except its group.
func TestXfrmEventsWithOurPort(t *testing.T) {
	ns := nstest.New(t)
	c := dialFamily(t, ns, netlink.NETLINK_XFRM)
	forger := OpenRaw(t, ns, netlink.NETLINK_XFRM)
	Join(t, c, xfrmGroupPolicy)

	mine := xfrmPolicy(1)
	Request(t, c, xfrmMsgNewPolicy, Build(t, mine), 0)
	if e := NextEvent(t, c); e.Header.Type != xfrmMsgNewPolicy || e.Header.PortID != c.PortID() {
		t.Errorf("own event %+v, want the new policy", e)
	}
	// The request of xfrm_get_policy names the policy by selector and direction.
	ask := Build(t, struct {
		Selector  xfrmSelector
		Index     uint32
		Direction uint8
		_         [3]byte
	}{Selector: mine.Selector, Direction: mine.Direction})

	theirs := xfrmPolicy(2)
	theirs.Selector.Source[3] = 99
	forge := atTheSameTime(t, func(seq uint32) {
		theirs.Priority++
		forger.Send(t, 0, wire.Message{
			Header:  wire.Header{Type: xfrmMsgUpdatePolicy, Flags: netlink.NLM_F_REQUEST, Seq: seq, PortID: c.PortID()},
			Payload: Pack(theirs),
		})
	})
	const n = 2000
	var seq uint32
	for range n {
		forge(seq + 1)
		msgs := Request(t, c, xfrmMsgGetPolicy, ask, 0)
		var got xfrmUserpolicyInfo
		if len(msgs) != 1 {
			t.Fatalf("replies %v, want our policy", msgs)
		}
		if Unpack(t, msgs[0], &got); got.Priority != mine.Priority || msgs[0].Header.Type != xfrmMsgNewPolicy {
			t.Fatalf("policy %+v, want priority %d", got, mine.Priority)
		}
		seq = msgs[0].Header.Seq
		if e := NextEvent(t, c); e.Header.PortID != c.PortID() || e.Group != xfrmGroupPolicy {
			t.Fatalf("event %+v, want one of group %d with our port", e, xfrmGroupPolicy)
		}
	}
	NoLosses(t, c)
}

// atTheSameTime returns a function that passes a number to do, which runs concurrently.
// It first waits for the previous run.
func atTheSameTime(t *testing.T, do func(uint32)) func(uint32) {
	work := make(chan uint32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range work {
			do(n)
		}
	}()
	t.Cleanup(func() {
		close(work)
		<-done
	})
	return func(n uint32) { work <- n }
}

// TestSamePortInAnotherNamespace: ports repeat across namespaces. With
// NETLINK_LISTEN_ALL_NSID the event of another namespace's socket can have our port,
// and a number of ours. It is not our echo.
func TestSamePortInAnotherNamespace(t *testing.T) {
	home, away := nstest.New(t), nstest.New(t)
	forger := OpenRaw(t, away, netlink.NETLINK_ROUTE)
	c := Dial(t, home, netlink.NETLINK_ROUTE, client.WithListenAllNSID(), client.WithPortID(forger.Port))
	const id = 7
	nameNamespace(t, c, away, id)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	theirs := LoAddress(t, "10.6.6.6/32")
	there := false
	forge := atTheSameTime(t, func(seq uint32) {
		h := wire.Header{Type: unix.RTM_NEWADDR, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE, Seq: seq, PortID: forger.Port}
		if there {
			h.Type, h.Flags = unix.RTM_DELADDR, netlink.NLM_F_REQUEST
		}
		there = !there
		forger.Send(t, 0, wire.Message{Header: h, Payload: theirs})
	})
	var seq uint32
	for i := range 1000 {
		forge(seq + 1)
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, addr.String()+"/32"), netlink.NLM_F_CREATE|netlink.NLM_F_ECHO)
		if len(msgs) != 1 {
			t.Fatalf("%v: replies %v, want one echo", addr, msgs)
		}
		var h unix.IfAddrmsg
		if ip := Unpack(t, msgs[0], &h)[unix.IFA_LOCAL].Value; !net.IP(ip).Equal(net.IP(addr.AsSlice())) {
			t.Fatalf("echo about %v, want %v", net.IP(ip), addr)
		}
		seq = msgs[0].Header.Seq
		nsids := make(map[int32]int)
		for range 2 {
			e := NextEvent(t, c)
			if e.Header.PortID != c.PortID() || e.Group != unix.RTNLGRP_IPV4_IFADDR {
				t.Fatalf("event %+v, want one of the group with our port", e)
			}
			nsids[e.NSID]++
		}
		if nsids[id] != 1 || nsids[-1] != 1 {
			t.Fatalf("events of namespaces %v, want one of ours and one of %d", nsids, id)
		}
	}
	NoLosses(t, c)
}
