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

// notify sends what req caused to a group, as the kernel does for addresses and
// routes: with the number and the port of the request (rtmsg_ifa).
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

// The bytes of an event belong to the consumer: neither the reader nor another
// event's consumer may change them.
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

// Events that nobody takes must not hold up the answers behind them.
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

// overflow sends the events 0 to n-1, each after the Conn has had the time to
// put away the one before, so that what is dropped does not depend on luck.
func (k *kernel) overflow(n int) {
	for i := range n {
		k.multicast(linkGroup, fmt.Sprint(i))
		synctest.Wait()
	}
}

// Every event of the kernel's either is received or stands in the count of a
// gap, where it would have stood.
func TestQueueOverflowIsCountedWhereItHappened(t *testing.T) {
	for _, room := range []int{1, 2, 3, 8, 100, 200} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(client.WithEventQueue(room))
				k.join(c, linkGroup)
				k.overflow(room + 10)

				next := uint64(0)
				take := func() {
					for {
						synctest.Wait()
						select {
						case e := <-c.Receive():
							if e.Header.Type == netlink.NLMSG_OVERRUN {
								if e.Lost == 0 || e.Group != 0 || e.NSID != -1 || e.Header.Length != wire.HeaderLen {
									t.Fatalf("gap %+v", e)
								}
								next += e.Lost
								continue
							}
							if string(e.Payload) != fmt.Sprint(next%uint64(room+10)) {
								t.Fatalf("event %s, want %d", e.Payload, next)
							}
							next++
							continue
						default:
						}
						return
					}
				}
				take()
				if next != uint64(room+10) {
					t.Fatalf("%d events and losses, want %d", next, room+10)
				}
				dropped := c.Stats().EventsDropped
				if most := uint64(10); dropped == 0 || dropped > most {
					t.Fatalf("%d events dropped, want 1 to %d", dropped, most)
				}

				// It works the second time, too.
				k.overflow(room + 10)
				take()
				if next != 2*uint64(room+10) {
					t.Fatalf("%d events and losses, want %d", next, 2*(room+10))
				}
				wantStats(t, c, client.Stats{Events: next, EventsDropped: 2 * dropped})
			})
		})
	}
}

// Room in the queue after a loss lets events in again, behind the gap.
func TestEventsGoOnBehindAGap(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(1))
		k.join(c, linkGroup)
		// The channel holds none, the queue one, and one is on its way.
		k.overflow(5)
		if e := <-c.Receive(); string(e.Payload) != "0" {
			t.Fatalf("event %+v", e)
		}
		synctest.Wait()
		k.multicast(linkGroup, "5", "6")
		wantEvents(t, c, "1", "gap 3", "5", "gap 1")
		wantStats(t, c, client.Stats{Events: 7, EventsDropped: 4})
	})
}

// One gap tells both of what the kernel lost and of what the Conn dropped next
// to it; the Conn's own count is exact all the same.
func TestNeighbouringGapsAreOne(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(1))
		k.join(c, linkGroup)
		k.overflow(4)
		k.socket(0).Overrun(syscall.ENOBUFS)
		synctest.Wait()
		k.overflow(1)
		wantEvents(t, c, "0", "1", "gap 3")
		wantStats(t, c, client.Stats{Events: 5, EventsDropped: 3, Overruns: 1})
	})
}

// An echo is the requester's copy of the notification that his request caused.
// The kernel sends the requester no other copy, so it is the event as well
// where the socket has joined, and no event where it has not (nlmsg_notify).
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
		// Number and port are those of the request, and it is an event still.
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

// The sequence numbers of some families' notifications count up from 1, and
// xfrm lets another process write our port: the group is what tells an event.
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

// A group that the kernel refuses is not joined afterwards: its echo would
// otherwise be taken for an event that everybody got.
func TestGroupThatDoesNotExistLeavesNothingBehind(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Groups = 4
		c := k.dial()
		err := c.AddMembership(addrGroup)
		var op *client.OpError
		if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Op != "join" {
			t.Fatal(err)
		}
		call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
		req := k.want(newAddr)
		req.notify(req.from, addrGroup, "new")
		req.ack()
		wantTexts(t, call, "new")
		wantEvents(t, c)
		if err := c.DropMembership(addrGroup); !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Op != "leave" {
			t.Fatal(err)
		}
	})
}
