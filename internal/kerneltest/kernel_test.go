//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file provoke messages that a client could misroute. Comments name
// the place in the kernel.

// TestOwnNotificationIsNoReply: rtnl_notify puts the request's number and the
// requester's port into the notification, which comes before the acknowledgement. Only
// its group shows that it is not the answer.
func TestOwnNotificationIsNoReply(t *testing.T) {
	const nexthopID, nexthopOIF, nexthopGroup = 1, 5, 32 // NHA_ID, NHA_OIF, RTNLGRP_NEXTHOP
	route := Build(t, unix.RtMsg{
		Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_MAIN,
		Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
	}, func(b *wire.Builder) {
		b.Bytes(unix.RTA_DST, []byte{192, 0, 2, 7})
		b.Uint32(unix.RTA_OIF, LoIndex)
	})
	rule := Build(t, unix.RtMsg{Family: unix.AF_INET, Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST}, func(b *wire.Builder) {
		b.Uint32(unix.FRA_PRIORITY, 77)
	})
	nexthop := Build(t, [8]byte{0: unix.AF_INET, 2: unix.RTPROT_STATIC}, func(b *wire.Builder) { // struct nhmsg
		b.Uint32(nexthopID, 9)
		b.Uint32(nexthopOIF, LoIndex)
	})
	for _, change := range []struct {
		name    string
		typ     netlink.MessageType
		group   uint32
		payload []byte
	}{
		{"address", unix.RTM_NEWADDR, unix.RTNLGRP_IPV4_IFADDR, LoAddress(t, "10.9.9.9/32")},
		{"route", unix.RTM_NEWROUTE, unix.RTNLGRP_IPV4_ROUTE, route},
		{"rule", unix.RTM_NEWRULE, unix.RTNLGRP_IPV4_RULE, rule},
		{"nexthop", unix.RTM_NEWNEXTHOP, nexthopGroup, nexthop},
	} {
		c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
		Join(t, c, change.group)
		if msgs := Request(t, c, change.typ, change.payload, netlink.NLM_F_CREATE); len(msgs) != 0 {
			t.Errorf("%s: replies %v, want none", change.name, msgs)
		}
		e := NextEvent(t, c)
		if e.Header.Type != change.typ || e.Group != change.group {
			t.Errorf("%s: event %+v, want type %d of group %d", change.name, e, change.typ, change.group)
		}
		if e.Header.PortID != c.PortID() || e.Header.Seq == 0 {
			t.Errorf("%s: event %+v does not look like a reply, so this tests nothing", change.name, e)
		}
		NoLosses(t, c)
	}
}

// TestConcurrentChangesAndRequests: a Conn has joined the group of its own changes, and
// many goroutines change and read. All events are delivered once, and none answers a
// request.
func TestConcurrentChangesAndRequests(t *testing.T) {
	const goroutines, each = 20, 50
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	ctx := Patient(t)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				addr := netip.AddrFrom4([4]byte{10, 1, byte(g), byte(i)}).String() + "/32"
				if msgs, err := c.Request(ctx, unix.RTM_NEWADDR, LoAddress(t, addr), netlink.NLM_F_CREATE); err != nil || len(msgs) != 0 {
					t.Errorf("adding %s: %v, %v; want no replies", addr, msgs, err)
				}
				if msgs, err := c.Request(ctx, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); err != nil || len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
					t.Errorf("asking for lo: %v, %v; want lo", msgs, err)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for range goroutines * each {
		e := NextEvent(t, c)
		var h unix.IfAddrmsg
		ip := net.IP(Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value).String()
		if e.Header.Type != unix.RTM_NEWADDR || seen[ip] {
			t.Fatalf("event %+v about %s, which is no new address or comes twice", e, ip)
		}
		seen[ip] = true
	}
	if s := c.Stats(); s.Events != goroutines*each {
		t.Errorf("%d events, want %d", s.Events, goroutines*each)
	}
	NoLosses(t, c)
}

// TestEchoCopyKeepsItsGroup: nlmsg_notify sends the requester the same skb as the
// group, so the reply to a request with NLM_F_ECHO has a group. It is still a reply:
// for a Conn without memberships, in another group, or with the membership on its event
// socket, which then gets the event as well.
func TestEchoCopyKeepsItsGroup(t *testing.T) {
	for _, test := range []struct {
		name   string
		opts   []client.Option
		groups []uint32
		events uint64
	}{
		{"no membership", nil, nil, 0},
		{"another group", nil, []uint32{unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH}, 0},
		{"the group", nil, []uint32{unix.RTNLGRP_IPV4_IFADDR}, 1},
		{"the group, on the event socket", []client.Option{client.WithEventSocket()}, []uint32{unix.RTNLGRP_IPV4_IFADDR}, 1},
	} {
		c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, test.opts...)
		for _, g := range test.groups {
			Join(t, c, g)
		}
		msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE|netlink.NLM_F_ECHO)
		if len(msgs) != 1 || msgs[0].Header.Type != unix.RTM_NEWADDR {
			t.Errorf("%s: replies %v, want one RTM_NEWADDR", test.name, msgs)
		}
		for range test.events {
			if e := NextEvent(t, c); e.Header.Type != unix.RTM_NEWADDR || e.Group != unix.RTNLGRP_IPV4_IFADDR {
				t.Errorf("%s: event %+v, want RTM_NEWADDR", test.name, e)
			}
		}
		if err := c.Noop(Patient(t)); err != nil {
			t.Error(err)
		}
		if n := c.Stats().Events; n != test.events {
			t.Errorf("%s: %d events, want %d", test.name, n, test.events)
		}
		NoLosses(t, c)
	}
}

// TestDumpsRunInParallel: the kernel runs one dump on a socket at a time, and refuses a
// second one with EBUSY (__netlink_dump_start). Each dump here has a socket of its own,
// for either of the two bits (rtnetlink_rcv_msg).
func TestDumpsRunInParallel(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	const n = 2000
	ManyAddresses(t, c, n)
	ctx := Patient(t)
	var wg sync.WaitGroup
	for _, flags := range []netlink.Flags{netlink.NLM_F_DUMP, netlink.NLM_F_ROOT, netlink.NLM_F_MATCH} {
		for range 5 {
			wg.Go(func() {
				for range 5 {
					msgs, err := c.Request(ctx, unix.RTM_GETADDR, AddressDump(t), flags)
					if err != nil || len(msgs) != n+1 {
						t.Errorf("dump with %v: %d addresses, %v; want %d", flags, len(msgs), err, n+1)
					}
				}
			})
			wg.Go(func() {
				for range 50 {
					msgs, err := c.Request(ctx, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
					if err != nil || len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
						t.Errorf("link: %v, %v; want lo", msgs, err)
					}
				}
			})
		}
	}
	wg.Wait()
	NoLosses(t, c)
}

// TestAbandonedDumpsDoNotBlock: the kernel cannot end a dump early, so its socket is
// closed. Some goroutines abandon their dumps; those of the others are whole.
func TestAbandonedDumpsDoNotBlock(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	const n = 2000
	ManyAddresses(t, c, n)
	ctx := Patient(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(ctx, rand.N(5*time.Millisecond))
				msgs, err := c.Request(ctx, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) && (err != nil || len(msgs) != n+1) {
					t.Errorf("impatient: %d addresses, %v; want %d or none and %v", len(msgs), err, n+1, context.DeadlineExceeded)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				msgs, err := c.Request(ctx, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
				if err != nil || len(msgs) != n+1 {
					t.Errorf("patient: %d addresses, %v; want %d", len(msgs), err, n+1)
				}
			}
		})
	}
	wg.Wait()
	if msgs := Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP); len(msgs) != n+1 {
		t.Errorf("in the end: %d addresses, want %d", len(msgs), n+1)
	}
	if s := c.Stats(); s.Pending != 0 || s.Events != 0 || s.RepliesLost != 0 {
		t.Errorf("%+v; want nothing pending, no events, no replies lost", s)
	}
}

// TestChangeDuringADumpIsReported: a dump during which the table changes has
// NLM_F_DUMP_INTR. Without retries the entries come with ErrDumpInterrupted; with
// enough retries the dump is repeated until it is consistent.
func TestChangeDuringADumpIsReported(t *testing.T) {
	ns := nstest.New(t)
	const n = 2000
	other := Dial(t, ns, netlink.NETLINK_ROUTE)
	ManyAddresses(t, other, n)
	yielding := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithDumpRetries(0))
	stubborn := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithDumpRetries(1<<20))
	ctx := Patient(t)
	dump := func(c *client.Conn) (int, error) {
		msgs, err := c.Request(ctx, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
		return len(msgs), err
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	beside := func(f func() error) {
		wg.Go(func() {
			for {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	beside(func() error {
		_, err := other.Request(ctx, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
		if err == nil {
			_, err = other.Request(ctx, unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0)
		}
		return err
	})
	beside(func() error {
		// With 127.0.0.1, and perhaps with the address that comes and goes.
		if got, err := dump(stubborn); err != nil || got != n+1 && got != n+2 {
			return fmt.Errorf("dump with retries: %d addresses, %v; want %d or %d", got, err, n+1, n+2)
		}
		return nil
	})
	interrupted := 0
	for interrupted < 10 {
		got, err := dump(yielding)
		if errors.Is(err, client.ErrDumpInterrupted) {
			interrupted++
			if got < n/2 || client.NotSent(err) {
				t.Errorf("%v with %d addresses, NotSent %v; want most of %d, sent", err, got, client.NotSent(err), n)
			}
		} else if err != nil {
			t.Errorf("%d dumps were interrupted: %v", interrupted, err)
			break
		}
	}
	close(stop)
	wg.Wait()
}
