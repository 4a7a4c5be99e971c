package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// RTM_NEWADDR goes to a group of its own (RTNLGRP_IPV4_IFADDR).
const addrGroup = 5

// notify announces req to a group, as the kernel does for addresses and routes: with
// the number and the port of the request (rtmsg_ifa).
func (req request) notify(s *socktest.Socket, group uint32, text string) {
	s.Queue(socktest.Datagram{Data: req.answer(newAddr, 0, []byte(text)), Group: group})
}

func TestEventsComeInOrderAndWhole(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		c.AddMembership(40) // beyond the 32 of nl_groups
		s := k.socket(0)
		s.Queue(
			socktest.Datagram{Data: append(event("one"), event("another")...), Group: linkGroup},
			socktest.Datagram{Data: event("far"), Group: 40, NSID: 7, HasNS: true},
			socktest.Datagram{Data: event("unicast")},
			socktest.Datagram{Data: event("nsid 0"), Group: linkGroup, HasNS: true},
		)
		synctest.Wait()
		head := func(text string) wire.Message {
			return wire.Message{
				Header:  wire.Header{Length: uint32(wire.HeaderLen + len(text)), Type: newLink},
				Payload: []byte(text),
			}
		}
		for _, want := range []client.Event{
			{Message: head("one"), Group: linkGroup, NSID: -1},
			{Message: head("another"), Group: linkGroup, NSID: -1},
			{Message: head("far"), Group: 40, NSID: 7},
			{Message: head("unicast"), NSID: -1},
			{Message: head("nsid 0"), Group: linkGroup},
		} {
			if got := <-c.Receive(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("event\n got %+v\nwant %+v", got, want)
			}
		}
		wantStats(t, c, client.Stats{Events: 5})
	})
}

// The bytes of an event belong to the consumer: neither the reader nor another event
// may change them.
func TestEventsBelongToTheConsumer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		k.socket(0).Queue(socktest.Datagram{Data: append(event("aaaa"), event("bbbb")...), Group: linkGroup})
		a, b := <-c.Receive(), <-c.Receive()
		k.multicast(linkGroup, "XXXX")
		wantEvents(t, c, "XXXX")
		_ = append(a.Payload, strings.Repeat("Y", 40)...)
		if string(a.Payload) != "aaaa" || string(b.Payload) != "bbbb" {
			t.Fatalf("events changed to %q and %q", a.Payload, b.Payload)
		}
	})
}

func TestReceiveIsOneChannel(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		events := c.Receive()
		k.join(c, linkGroup)
		if c.Receive() != events {
			t.Error("another channel after a join")
		}
		c.Close()
		if c.Receive() != events {
			t.Error("another channel after Close")
		}
		if e, ok := <-events; ok {
			t.Errorf("event %+v from the channel of a closed Conn", e)
		}
	})
}

// Events that are not taken do not delay the answers after them.
func TestReaderNeverWaitsForTheConsumer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(1))
		k.join(c, linkGroup)
		k.multicast(linkGroup, slices.Repeat([]string{"flood"}, 1000)...)
		call := k.get(bg, c)
		req := k.want(getLink)
		req.reply("through")
		req.ack()
		wantTexts(t, call, "through")
		if got := c.Stats().Events; got != 1000 {
			t.Fatalf("%d events came, want 1000", got)
		}
	})
}

// count sends events numbered from from to to-1, each after the Conn had the time to
// store the one before, so that the drops do not depend on scheduling.
func (k *kernel) count(from, to int) {
	for i := from; i < to; i++ {
		k.multicast(linkGroup, fmt.Sprint(i))
		synctest.Wait()
	}
}

// ledger is the account of events that count up from 0.
type ledger struct {
	next uint64   // the first number that was neither received nor counted by a gap
	got  []string // as wantEvents writes it
}

// take receives the events that are there. Every number has to be received, or counted
// by a gap in its place.
func (l *ledger) take(t *testing.T, c *client.Conn) {
	t.Helper()
	for {
		synctest.Wait()
		select {
		case e := <-c.Receive():
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				if e.Header.Length != wire.HeaderLen || e.Payload != nil || e.Group != 0 || e.NSID != -1 {
					t.Fatalf("gap %+v", e)
				}
				l.next += e.Lost
				l.got = append(l.got, "gap")
				continue
			}
			if string(e.Payload) != fmt.Sprint(l.next) || e.Lost != 0 {
				t.Fatalf("after %q came %+v, want event %d", l.got, e, l.next)
			}
			l.next++
			l.got = append(l.got, string(e.Payload))
			continue
		default:
		}
		return
	}
}

func TestQueueOverflowIsCountedWhereItHappened(t *testing.T) {
	for _, room := range []int{1, 2, 3, 8, 100, 200} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(client.WithEventQueue(room))
				k.join(c, linkGroup)
				var l ledger
				var dropped uint64
				for round := range 3 { // it works more than once
					all := (round + 1) * (room + 10)
					k.count(all-room-10, all)
					l.take(t, c)
					if l.next != uint64(all) {
						t.Fatalf("%d events and losses, want %d", l.next, all)
					}
					// One event may be in delivery besides the queued ones.
					n := c.Stats().EventsDropped - dropped
					if n != 9 && n != 10 {
						t.Fatalf("%d of %d events dropped, want 9 or 10", n, room+10)
					}
					dropped += n
				}
				wantStats(t, c, client.Stats{Events: l.next, EventsDropped: dropped})
			})
		})
	}
}

// The queue is also bounded in bytes, 4 KiB for each event on average. An empty queue
// accepts any event, and received events free their room.
func TestQueueIsBoundedInBytes(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(8))
		k.join(c, linkGroup)
		large, small := strings.Repeat("x", 100<<10), strings.Repeat("y", 4<<10)
		for range 3 {
			k.multicast(linkGroup, large)
			synctest.Wait()
			k.multicast(linkGroup, large)
			wantEvents(t, c, large, "gap 1")
		}
		for range 20 {
			k.multicast(linkGroup, small)
			synctest.Wait()
			k.multicast(linkGroup, small)
			wantEvents(t, c, small, small)
		}
		wantStats(t, c, client.Stats{Events: 46, EventsDropped: 3})
	})
}

// A process may send a message of the gap's type. It is an event, and not a gap.
func TestMessageThatLooksLikeAGapIsNone(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		const room = 70 // more than wait in the channel itself
		c := k.dialFamily(netlink.NETLINK_USERSOCK, client.WithEventQueue(room))
		fake := wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: netlink.NLMSG_OVERRUN}, Payload: []byte("fake")})
		k.socket(0).Queue(slices.Repeat([]socktest.Datagram{{Data: fake, PortID: 4711}}, room+3)...)
		synctest.Wait()
		for i := range room {
			if e := <-c.Receive(); string(e.Payload) != "fake" || e.Lost != 0 {
				t.Fatalf("event %d: %+v", i, e)
			}
		}
		if e := <-c.Receive(); e.Payload != nil || e.Lost != 3 {
			t.Errorf("%+v, want a gap of 3", e)
		}
	})
}

// When there is room again after a loss, events follow the gap.
func TestEventsGoOnAfterAGap(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(1))
		k.join(c, linkGroup)
		k.count(0, 5)
		if e := <-c.Receive(); string(e.Payload) != "0" {
			t.Fatalf("event %+v", e)
		}
		synctest.Wait() // until the queue has moved up
		k.count(5, 7)
		l := ledger{next: 1}
		l.take(t, c)
		if n := len(l.got); l.next != 7 || n < 3 || !slices.Equal(l.got[n-3:], []string{"gap", "5", "gap"}) {
			t.Fatalf("%q up to %d, want a gap on both sides of 5", l.got, l.next)
		}
	})
}

// One gap reports both what the kernel dropped and what the Conn dropped next to it.
// The Conn's count is exact.
func TestNeighbouringGapsAreOne(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(1))
		k.join(c, linkGroup)
		k.count(0, 4)
		k.socket(0).Overrun(syscall.ENOBUFS)
		synctest.Wait()
		k.count(4, 5)
		var l ledger
		l.take(t, c)
		if n := len(l.got); l.next != 5 || slices.Index(l.got, "gap") != n-1 {
			t.Fatalf("%q up to %d, want one gap at the end", l.got, l.next)
		}
		if got := c.Stats().Overruns; got != 1 {
			t.Fatalf("%d overruns, want 1", got)
		}
	})
}

// An echo is the requester's copy of a notification. The kernel sends the requester no
// other copy, so a member of the group gets it as the event as well, and others do not
// (nlmsg_notify).
func TestEcho(t *testing.T) {
	for _, tt := range []struct {
		name   string
		joined bool
		flags  netlink.Flags
		reply  []string
		events []string
	}{
		{"without membership", false, netlink.NLM_F_ECHO, []string{"new"}, nil},
		{"with membership", true, netlink.NLM_F_ECHO, []string{"new"}, []string{"new"}},
		// It has the number and port of the request, but is an event.
		{"not asked for", true, 0, nil, []string{"new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				if tt.joined {
					k.join(c, addrGroup)
				}
				call := k.request(bg, c, newAddr, "add", netlink.NLM_F_CREATE|tt.flags)
				req := k.want(newAddr)
				req.notify(req.from, addrGroup, "new")
				call.wantWaiting("a notification ends no request")
				req.ack()
				wantTexts(t, call, tt.reply...)
				wantEvents(t, c, tt.events...)
				wantStats(t, c, client.Stats{Events: uint64(len(tt.events))})
			})
		})
	}
}

// The sequence numbers of some families' notifications count up from 1, and xfrm lets
// another process write our port. The group shows that these are events.
func TestEventThatLooksLikeAReplyIsAnEvent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, addrGroup)
		call := k.get(bg, c)
		req := k.want(getLink)
		req.from.Queue(
			socktest.Datagram{Data: req.data("looks like data"), Group: addrGroup},
			socktest.Datagram{Data: req.end(netlink.NLMSG_ERROR, syscall.EPERM), Group: addrGroup},
			socktest.Datagram{Data: req.answer(netlink.NLMSG_DONE, 0, []byte("looks done")), Group: addrGroup},
		)
		call.wantWaiting("the kernel has not answered")
		req.ack()
		wantTexts(t, call)
		wantEvents(t, c, "looks like data", string(req.end(netlink.NLMSG_ERROR, syscall.EPERM)[wire.HeaderLen:]), "looks done")
	})
}

// A socket that cannot report groups does not join one, and makes no request for an echo,
// which has a group.
func TestSocketThatCannotReportGroups(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		fails := true
		k.hook = func(h *hooked) {
			h.onGroups = func() error {
				if fails {
					return syscall.ENOMEM
				}
				return h.Socket.ReportGroups()
			}
		}
		c := k.dial()
		if err := c.AddMembership(addrGroup); !errors.Is(err, syscall.ENOMEM) || k.socket(0).Joined(addrGroup) {
			t.Errorf("%v, joined: %t", err, k.socket(0).Joined(addrGroup))
		}
		wantError(t, k.request(bg, c, newAddr, "", netlink.NLM_F_ECHO), syscall.ENOMEM, true)
		fails = false
		k.wantEchoAsReply(c)
	})
}

// wantEchoAsReply makes a request for an echo, which is a reply and no event.
func (k *kernel) wantEchoAsReply(c *client.Conn) {
	k.t.Helper()
	call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
	req := k.want(newAddr)
	req.notify(req.from, addrGroup, "new")
	req.ack()
	wantTexts(k.t, call, "new")
	wantEvents(k.t, c)
}

// An echo of conntrack has no number. So it is an event, with its group, although the
// socket has joined none.
func TestEchoWithoutANumberHasItsGroup(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		call := k.request(bg, c, newAddr, "xxxx", netlink.NLM_F_ECHO)
		req := k.want(newAddr)
		queue(req.from, 1, event("new"))
		req.done()
		if _, err := call.result(); err != nil {
			t.Error(err)
		}
		if e := <-c.Receive(); string(e.Payload) != "new" || e.Group != 1 {
			t.Errorf("event %+v, want group 1", e)
		}
	})
}

// A group that the kernel refuses is not joined afterwards: its echo would otherwise be
// taken for the event of a member.
func TestGroupThatDoesNotExistLeavesNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Groups = 4
		c := k.dial()
		err := c.AddMembership(addrGroup)
		var op *client.OpError
		if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Op != "join" || !strings.Contains(err.Error(), "group 5") {
			t.Fatal(err)
		}
		k.wantEchoAsReply(c)
		if err := c.DropMembership(addrGroup); !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Op != "leave" || !strings.Contains(err.Error(), "group 5") {
			t.Fatal(err)
		}
	})
}
