//go:build linux

package kerneltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// subscribe returns a new Subscription of c or ends the test.
func subscribe(t testing.TB, c *client.Conn, groups ...uint32) *client.Subscription {
	t.Helper()
	s, err := c.Subscribe(groups...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// untilMarker calls Sync and returns what comes up to its marker.
func untilMarker(t testing.TB, s *client.Subscription) (events []client.Event) {
	t.Helper()
	ctx := Patient(t)
	if err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case e, ok := <-s.Events():
			switch {
			case !ok:
				t.Fatal("the channel is closed")
			case e.Header.Type == netlink.NLMSG_NOOP:
				return events
			}
			events = append(events, e)
		case <-ctx.Done():
			t.Fatal("no marker came")
		}
	}
}

// TestSubscriptionsShareTheMembership: the kernel has one membership for all users of a
// group, from the first to the last, and each consumer gets its own groups.
func TestSubscriptionsShareTheMembership(t *testing.T) {
	const link, addr, route = unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	wantJoined := func(want ...uint32) {
		t.Helper()
		if got := memberships(t, c); !slices.Equal(got, want) {
			t.Errorf("the socket is a member of %v, want %v", got, want)
		}
	}
	one, two := subscribe(t, c, addr), subscribe(t, c, link, addr)
	Join(t, c, addr)
	wantJoined(link, addr)
	if _, err := c.Subscribe(route, link, 1<<20); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a group that does not exist: %v, want EINVAL", err)
	}
	wantJoined(link, addr)

	Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
	for _, s := range []*client.Subscription{one, two} {
		events := untilMarker(t, s)
		if len(events) != 1 || events[0].Header.Type != unix.RTM_NEWADDR || events[0].Group != addr {
			t.Errorf("events %+v, want one RTM_NEWADDR", events)
		}
	}
	if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR {
		t.Errorf("event %+v", e)
	}
	// A later consumer does not get it.
	if events := untilMarker(t, subscribe(t, c, addr, route)); len(events) != 0 {
		t.Errorf("events %+v of before", events)
	}
	wantJoined(link, addr, route)

	if err := errors.Join(one.Close(), c.DropMembership(addr)); err != nil {
		t.Fatal(err)
	}
	wantJoined(link, addr, route)
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	wantJoined(addr, route)
	if n := c.Stats().Events; n != 1 {
		t.Errorf("%d events came, want 1", n)
	}
}

// numbered returns the messages that add and remove the address with number n.
func numbered(t testing.TB, prefix byte, n uint32) []wire.Message {
	t.Helper()
	payload := LoAddress(t, fmt.Sprintf("%d.%d.%d.%d/32", prefix, n>>16&255, n>>8&255, n&255))
	return []wire.Message{
		{Header: wire.Header{Type: unix.RTM_NEWADDR, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE}, Payload: payload},
		{Header: wire.Header{Type: unix.RTM_DELADDR, Flags: netlink.NLM_F_REQUEST}, Payload: payload},
	}
}

// TestSyncIsExact: events carry a counter. After a request has ended, each of its events
// comes before the marker of Sync, or a gap for it does. No event of it comes after the
// marker. Another process, as far as the kernel can tell, sends storms meanwhile.
func TestSyncIsExact(t *testing.T) {
	rounds := 200
	if RaceDetector() {
		rounds = 40
	}
	for _, tt := range []struct {
		name string
		opts []client.Option
		most int // events of a request
	}{
		{"one socket", nil, 20},
		{"event socket", []client.Option{client.WithEventSocket()}, 20},
		{"overruns", []client.Option{client.WithReceiveBuffer(8 << 10)}, 60},
		{"overruns of the event socket", []client.Option{client.WithReceiveBuffer(8 << 10), client.WithEventSocket()}, 60},
		{"short queue", []client.Option{client.WithEventQueue(3)}, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := nstest.New(t)
			c := Dial(t, ns, netlink.NETLINK_ROUTE, tt.opts...)
			s := subscribe(t, c, unix.RTNLGRP_IPV4_IFADDR)
			asks := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
			noise := OpenRaw(t, ns, netlink.NETLINK_ROUTE)
			var storms sync.WaitGroup
			defer storms.Wait()
			var account counted
			for round := range rounds {
				storms.Go(func() {
					for n := range uint32(tt.most) {
						noise.Send(t, 0, numbered(t, 20, n)...)
					}
				})
				var msgs []wire.Message
				for range 1 + rand.IntN(tt.most) {
					msgs = append(msgs, numbered(t, 10, account.sent)...)
					account.sent++
				}
				asks.Send(t, 0, msgs...)
				account.take(t, untilMarker(t, s))
				if round%4 == 0 {
					storms.Wait()
				}
			}
			t.Logf("%d events counted, %d gaps, %+v", account.sent, account.gaps, c.Stats())
		})
	}
}

// counted is the account of numbered addresses.
type counted struct {
	sent uint32 // the next number to be sent
	next uint32 // the next number that has to come
	gaps int
}

// take checks the events up to a marker. A gap may come later than its place, so it has
// to come after the last number before the hole.
func (a *counted) take(t *testing.T, events []client.Event) {
	t.Helper()
	owed, gap := false, false
	for _, e := range events {
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			a.gaps++
			owed, gap = false, true
			continue
		}
		var h unix.IfAddrmsg
		ip := Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value
		if e.Header.Type != unix.RTM_NEWADDR || ip[0] != 10 {
			continue
		}
		n := binary.BigEndian.Uint32(ip) & 0xffffff
		if n < a.next || n >= a.sent {
			t.Fatalf("event %d after a marker, want %d to %d", n, a.next, a.sent)
		}
		owed = owed || n != a.next && !gap
		a.next, gap = n+1, false
	}
	if owed || a.next != a.sent && !gap {
		t.Fatalf("no gap before the marker, where the last event is %d of %d", a.next, a.sent)
	}
	a.next = a.sent
}

// TestSubscriptionKeepsItsConn: a program may keep the channel and nothing else.
func TestSubscriptionKeepsItsConn(t *testing.T) {
	ns := nstest.New(t)
	events := func() <-chan client.Event {
		c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
		if err != nil {
			t.Fatal(err)
		}
		return subscribe(t, c, unix.RTNLGRP_IPV4_IFADDR).Events()
	}()
	wantEventAfterGC(t, ns, events)
}

// TestDroppedSubscriptionDoesNotKeepItsConn: what was closed, or never gave away its
// channel, keeps nothing.
func TestDroppedSubscriptionDoesNotKeepItsConn(t *testing.T) {
	ns := nstest.New(t)
	files, goroutines := OpenFiles(t), runtime.NumGoroutine()
	for range 10 {
		c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
		if err != nil {
			t.Fatal(err)
		}
		subscribe(t, c, unix.RTNLGRP_LINK)
		s := subscribe(t, c, unix.RTNLGRP_LINK)
		s.Events()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	awaitCollected(t, files, goroutines)
}
