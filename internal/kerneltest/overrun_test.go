//go:build linux

package kerneltest

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file make the kernel drop messages because a socket's receive
// buffer is full (netlink_overrun in net/netlink/af_netlink.c).

// tiny is the smallest receive buffer; two small messages fill it.
var tiny = client.WithReceiveBuffer(1)

// storm returns a function that makes the kernel announce hundreds of addresses inside
// one system call, faster than any reader reads.
func storm(t *testing.T, ns *nstest.NS) func() {
	t.Helper()
	const n = 500
	var add, remove []wire.Message
	for i := range n {
		payload := LoAddress(t, fmt.Sprintf("10.7.%d.%d/32", i>>8, i&255))
		add = append(add, wire.Message{
			Header:  wire.Header{Type: unix.RTM_NEWADDR, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE},
			Payload: payload,
		})
		remove = append(remove, wire.Message{
			Header:  wire.Header{Type: unix.RTM_DELADDR, Flags: netlink.NLM_F_REQUEST},
			Payload: payload,
		})
	}
	r := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	return func() {
		r.Send(t, 0, add...)
		r.Send(t, 0, remove...)
	}
}

// TestOverrunIsReportedAsAGap: dropped events leave a gap, and afterwards the Conn
// works as before: when the queue has been drained, the kernel, which drops everything
// until then, queues messages again.
func TestOverrunIsReportedAsAGap(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, tiny)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	more := storm(t, ns)
	for end := time.Now().Add(Patience); c.Stats().Overruns == 0; more() {
		if time.Now().After(end) {
			t.Fatal("no overrun")
		}
	}
	gap := AwaitEvent(t, c, "the gap", OfType(netlink.NLMSG_OVERRUN))
	if gap.Lost != 0 && c.Stats().EventsDropped == 0 || gap.Group != 0 || gap.NSID != -1 || len(gap.Payload) != 0 {
		t.Errorf("gap %+v; want nothing in it, the kernel does not count", gap)
	}
	// A change after the storm is announced, once the queue has been drained.
	other := Dial(t, ns, netlink.NETLINK_ROUTE)
	err := c.Noop(Patient(t))
	if errors.Is(err, client.ErrReplyLost) {
		// It was sent before the Conn read the last report. Now the report has been
		// read and the queue has been drained.
		err = c.Noop(Patient(t))
	}
	if err != nil {
		t.Errorf("request after the storm: %v", err)
	}
	Request(t, other, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	AwaitEvent(t, c, "an event after the storm", func(e client.Event) bool {
		if e.Header.Type != unix.RTM_NEWADDR {
			return false
		}
		var h unix.IfAddrmsg
		ip := Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value
		return string(ip) == "\x0a\x09\x09\x09"
	})
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d requests pending, want 0", n)
	}
}

// TestReplyTooLargeForTheBufferIsLost: the link's description fills the buffer, so the
// kernel drops the acknowledgement after it. The call ends, and the next one succeeds.
func TestReplyTooLargeForTheBufferIsLost(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, tiny)
	// Linux 5.10 drops a message if the buffer is over-full already, not if the message
	// makes it so (netlink_attachskb). With these names the description alone does that.
	Request(t, Dial(t, ns, netlink.NETLINK_ROUTE), unix.RTM_NEWLINKPROP, Build(t, unix.IfInfomsg{Index: LoIndex}, func(b *wire.Builder) {
		b.Nest(unix.IFLA_PROP_LIST, func(b *wire.Builder) {
			for i := range 20 {
				b.String(unix.IFLA_ALT_IFNAME, fmt.Sprintf("%0100d", i))
			}
		})
	}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL|netlink.NLM_F_APPEND)
	var err error
	for end := time.Now().Add(Patience); err == nil; {
		if time.Now().After(end) {
			t.Fatal("no reply was lost")
		}
		// A fast reader may receive the acknowledgement.
		var msgs []wire.Message
		msgs, err = c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
		if err == nil && (len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex) {
			t.Fatalf("replies %v, want lo", msgs)
		}
	}
	if !errors.Is(err, client.ErrReplyLost) || !errors.Is(err, unix.ENOBUFS) || client.NotSent(err) {
		t.Errorf("%v, NotSent %v; want ErrReplyLost, ENOBUFS, sent", err, client.NotSent(err))
	}
	if err := c.Noop(Patient(t)); err != nil {
		t.Errorf("next request: %v", err)
	}
	if s := c.Stats(); s.RepliesLost != 1 || s.Overruns == 0 || s.Pending != 0 {
		t.Errorf("%+v; want 1 reply lost, an overrun, nothing pending", s)
	}
}

// TestDumpThroughATinyBuffer: the kernel makes a dump's next datagram when there is
// room for it (netlink_dump), so no buffer is too small for a dump.
func TestDumpThroughATinyBuffer(t *testing.T) {
	ns := nstest.New(t)
	const n = 2000
	ManyAddresses(t, Dial(t, ns, netlink.NETLINK_ROUTE), n)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, tiny)
	for range 5 {
		if msgs := Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP); len(msgs) != n+1 {
			t.Fatalf("%d addresses, want %d", len(msgs), n+1)
		}
	}
	NoLosses(t, c)
}

// askInTheStorm makes goroutines send requests of all kinds until enough returns true
// or time is up, and returns the number of lost replies. Every other request has its
// own reply. more is called all the time.
func askInTheStorm(t *testing.T, c *client.Conn, more func(), enough func() bool) (lost uint64) {
	t.Helper()
	ctx := Patient(t)
	stop := make(chan struct{})
	var count atomic.Uint64
	var wg sync.WaitGroup
	ask := func(question func() error) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch err := question(); {
				case errors.Is(err, client.ErrReplyLost):
					if !errors.Is(err, unix.ENOBUFS) || client.NotSent(err) {
						t.Errorf("%v, NotSent %v; want ENOBUFS, sent", err, client.NotSent(err))
					}
					count.Add(1)
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	for range 5 {
		ask(func() error { return c.Noop(ctx) })
		ask(func() error {
			msgs, err := c.Request(ctx, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
			if err == nil && (len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex) {
				err = fmt.Errorf("replies %v, want lo", msgs)
			}
			return err
		})
		ask(func() error {
			msgs, err := c.Request(ctx, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)
			if err == nil && (len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex) {
				err = fmt.Errorf("dump %v, want lo", msgs)
			}
			return err
		})
	}
	for !enough() && ctx.Err() == nil {
		more()
	}
	close(stop)
	wg.Wait()
	return count.Load()
}

// TestStormOfEventsEndsEveryCall: on a shared socket requests lose their replies in a
// storm, and each of them reports it. None waits for ever, none gets another's reply.
func TestStormOfEventsEndsEveryCall(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithReceiveBuffer(8<<10), client.WithInFlight(8))
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	lost := askInTheStorm(t, c, storm(t, ns), func() bool { return c.Stats().RepliesLost >= 10 })
	if s := c.Stats(); s.RepliesLost < 10 || s.RepliesLost != lost || s.Overruns == 0 || s.Pending != 0 {
		t.Errorf("%+v; want %d replies lost, at least 10, and nothing pending", s, lost)
	}
	if err := c.Noop(Patient(t)); err != nil {
		t.Errorf("after the storm: %v", err)
	}
}

// TestEventSocketKeepsTheStormFromReplies: with the memberships on a second socket, a
// storm loses events and no replies.
func TestEventSocketKeepsTheStormFromReplies(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithReceiveBuffer(32<<10), client.WithEventSocket())
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	lost := askInTheStorm(t, c, storm(t, ns), func() bool { return c.Stats().Overruns >= 3 })
	if s := c.Stats(); lost != 0 || s.RepliesLost != 0 || s.Overruns < 3 || s.Pending != 0 {
		t.Errorf("%d replies lost, %+v; want none, at least 3 overruns, nothing pending", lost, s)
	}
	AwaitEvent(t, c, "the gap", OfType(netlink.NLMSG_OVERRUN))
}

// TestCloseDuringOverruns: more requests are in flight than the receive buffer has room
// for, so it overruns, and then the Conn is closed. No request is left at the gate.
func TestCloseDuringOverruns(t *testing.T) {
	const conns, goroutines, before = 100, 8, 50
	ns := nstest.New(t)
	payload := LinkRequest(t, LoIndex)
	for range conns {
		ctx := Patient(t) // of its own, or a slow machine needs more for all of them
		c := Dial(t, ns, netlink.NETLINK_ROUTE, tiny, client.WithInFlight(64))
		var asked atomic.Int64
		enough := make(chan struct{})
		var g sync.WaitGroup
		for range goroutines {
			g.Go(func() {
				for {
					_, err := c.Request(ctx, unix.RTM_GETLINK, payload, 0)
					switch {
					case errors.Is(err, net.ErrClosed):
						return
					case err != nil && !errors.Is(err, client.ErrReplyLost):
						t.Errorf("%v, want ErrReplyLost or net.ErrClosed", err)
						c.Close()
						return
					}
					if asked.Add(1) == before {
						close(enough)
					}
				}
			})
		}
		select {
		case <-enough:
		case <-ctx.Done():
			t.Error(ctx.Err())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		g.Wait()
		if n := c.Stats().Pending; n != 0 {
			t.Errorf("%d requests pending", n)
		}
	}
}
