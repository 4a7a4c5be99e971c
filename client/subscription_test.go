package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// subscribe returns a new Subscription of c.
func (k *kernel) subscribe(c *client.Conn, groups ...uint32) *client.Subscription {
	k.t.Helper()
	s, err := c.Subscribe(groups...)
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// sync calls Sync.
func (k *kernel) sync(s *client.Subscription) {
	k.t.Helper()
	if err := s.Sync(bg); err != nil {
		k.t.Fatal(err)
	}
}

// wantSubscribed is wantEvents for a Subscription.
func wantSubscribed(t *testing.T, s *client.Subscription, want ...string) {
	t.Helper()
	wantFrom(t, s.Events, want...)
}

// wantOver requires that a channel of events is closed and empty.
func wantOver(t *testing.T, events <-chan client.Event) {
	t.Helper()
	select {
	case e, ok := <-events:
		if ok {
			t.Errorf("event %+v, want a closed channel", e)
		}
	default:
		t.Error("the channel is open")
	}
}

// Each consumer gets the messages of its own groups, and Receive those of AddMembership
// and unicast ones.
func TestConsumersGetTheirOwnGroups(t *testing.T) {
	for _, opts := range [][]client.Option{nil, {client.WithEventSocket()}} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(opts...)
			links, addrs, both := k.subscribe(c, linkGroup), k.subscribe(c, addrGroup), k.subscribe(c, addrGroup, linkGroup, addrGroup)
			k.join(c, 40)
			k.multicast(linkGroup, "link")
			k.multicast(addrGroup, "addr")
			k.multicast(40, "other")
			k.socket(0).Queue(socktest.Datagram{Data: event("unicast")})
			wantSubscribed(t, links, "link")
			wantSubscribed(t, addrs, "addr")
			wantSubscribed(t, both, "link", "addr")
			if len(opts) == 0 {
				wantEvents(t, c, "other", "unicast")
			} else {
				wantTogether(t, c, "other", "unicast")
			}
			if events := links.Events(); events != links.Events() {
				t.Error("a Subscription has two channels")
			}
			wantStats(t, c, client.Stats{Events: 4})
		})
	}
}

// wantTogether is wantEvents for events of two sockets.
func wantTogether(t *testing.T, c *client.Conn, want ...string) {
	t.Helper()
	got := []string{string((<-c.Receive()).Payload), string((<-c.Receive()).Payload)}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	wantEvents(t, c)
}

// All consumers of a message have the same copy, which the reader does not touch.
func TestConsumersShareOneCopy(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(2))
		full, one, two := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup), k.subscribe(c, linkGroup)
		k.join(c, linkGroup)
		for i := range 9 {
			k.multicast(linkGroup, fmt.Sprint("event ", i))
			a, b, r := <-one.Events(), <-two.Events(), <-c.Receive()
			k.multicast(addrGroup, "overwrites the reader's buffer")
			if string(a.Payload) != fmt.Sprint("event ", i) || &a.Payload[0] != &b.Payload[0] || &a.Payload[0] != &r.Payload[0] {
				t.Fatalf("%q, %q, %q: want one copy of event %d", a.Payload, b.Payload, r.Payload, i)
			}
		}
		wantSubscribed(t, full, "event 0", "event 1", "gap 7")
	})
}

// The kernel hears of the first user of a group and of the last.
func TestGroupIsJoinedUntilItsLastUserCloses(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		first, second := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup, addrGroup)
		k.join(c, linkGroup)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // again does nothing
			if err := c.DropMembership(linkGroup); err != nil {
				t.Fatal(err)
			}
			k.multicast(linkGroup, "on")
			wantSubscribed(t, second, "on")
			wantEvents(t, c)
		}
		k.join(c, addrGroup)
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		if k.socket(0).Joined(linkGroup) || !k.socket(0).Joined(addrGroup) {
			t.Error("the last user of a group did not end it, or another one did")
		}
		k.multicast(addrGroup, "still")
		wantEvents(t, c, "still")
		if err := c.DropMembership(addrGroup); err != nil || k.socket(0).Joined(addrGroup) {
			t.Errorf("the group is joined without a user, %v", err)
		}
		left := slices.DeleteFunc(m.asked, func(s string) bool { return strings.HasPrefix(s, "join") })
		if !slices.Equal(left, []string{"leave 1", "leave 5"}) {
			t.Errorf("asked the kernel for %q", left)
		}
	})
}

// The reader parks again after the last user of the last group.
func TestClosedSubscriptionLetsTheReaderPark(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Groups = 40
		c := k.parked()
		one, two := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup, addrGroup)
		one.Close()
		two.Close()
		if _, err := c.Subscribe(41); err == nil {
			t.Fatal("a group that does not exist was joined")
		}
		k.busy(c)
		k.wantParked("the group was left")
	})
}

// A call that fails leaves nothing joined that it has joined itself.
func TestRefusedGroupLeavesNothingJoined(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Groups = 39
		c := k.dial()
		other := k.subscribe(c, 2)
		k.join(c, 3)
		s, err := c.Subscribe(1, 2, 3, 40, 4)
		var op *client.OpError
		if s != nil || !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Op != "subscribe" || !strings.Contains(err.Error(), "group 40") || !client.NotSent(err) {
			t.Fatalf("%v, %v", s, err)
		}
		for group, want := range map[uint32]bool{1: false, 2: true, 3: true, 40: false, 4: false} {
			if got := k.socket(0).Joined(group); got != want {
				t.Errorf("group %d joined: %v, want %v", group, got, want)
			}
			k.multicast(group, fmt.Sprint(group))
		}
		wantSubscribed(t, other, "2")
		wantEvents(t, c, "3")
		other.Close()
		if err := c.DropMembership(3); err != nil || k.socket(0).Joined(2) || k.socket(0).Joined(3) {
			t.Errorf("a group is still joined, %v", err)
		}
	})
}

// A group that is joined already can be refused, too.
func TestRefusalOfAJoinedGroupChangesNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		first := k.subscribe(c, addrGroup)
		m.refuse = syscall.EPERM
		if _, err := c.Subscribe(addrGroup); !errors.Is(err, syscall.EPERM) {
			t.Fatal(err)
		}
		if err := c.AddMembership(addrGroup); !errors.Is(err, syscall.EPERM) {
			t.Fatal(err)
		}
		m.refuse = nil
		k.echo(c, []string{"new"}, nil) // Receive does not get it
		wantSubscribed(t, first, "new")
		k.join(c, addrGroup)
		m.refuse = syscall.EPERM
		if err := c.AddMembership(addrGroup); !errors.Is(err, syscall.EPERM) {
			t.Fatal(err)
		}
		m.refuse = nil
		k.echo(c, []string{"new"}, []string{"new"}) // now it does
		first.Close()
		if err := c.DropMembership(addrGroup); err != nil || k.socket(0).Joined(addrGroup) {
			t.Error("the group has another user", err)
		}
	})
}

// The kernel may refuse to end a membership (netlink_setsockopt asks for the privilege
// again). The Subscription ends, its messages go to no other consumer, and the next user
// can end the membership.
func TestRefusedLeaveEndsTheSubscription(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		s := k.subscribe(c, linkGroup, addrGroup)
		m.refuse = syscall.EPERM
		for range 2 {
			err := s.Close()
			var op *client.OpError
			if !errors.Is(err, syscall.EPERM) || !errors.As(err, &op) || op.Op != "unsubscribe" ||
				!strings.Contains(err.Error(), "group 1") || !strings.Contains(err.Error(), "group 5") {
				t.Fatal(err)
			}
		}
		wantOver(t, s.Events())
		m.refuse = nil
		k.multicast(linkGroup, "for no consumer")
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantEvents(t, c)
		s = k.subscribe(c, linkGroup)
		k.multicast(linkGroup, "again")
		wantSubscribed(t, s, "again")
		if err := s.Close(); err != nil || k.socket(0).Joined(linkGroup) {
			t.Error("still joined", err)
		}
	})
}

// Joins and leaves reach the kernel one after the other. A group that is dropped while
// another consumer joins it ends up joined.
func TestJoinAndLeaveDoNotOverlap(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		k.join(c, linkGroup)
		resume := make(chan struct{})
		m.joined = func() { <-resume }
		joins := runAsync(t, func() (*client.Subscription, error) { return c.Subscribe(linkGroup) })
		synctest.Wait()
		drops := runAsync(t, func() (struct{}, error) { return struct{}{}, c.DropMembership(linkGroup) })
		for range 100 {
			k.socket(0).Queue(socktest.Datagram{Data: event("unicast")})
			<-c.Receive() // the drop has time to go wrong
		}
		close(resume)
		<-drops.over
		s, err := joins.result()
		if err != nil || drops.err != nil {
			t.Fatal(err, drops.err)
		}
		k.multicast(linkGroup, "here")
		wantSubscribed(t, s, "here")
		wantEvents(t, c)
	})
}

// Bad input is refused before the kernel sees anything.
func TestBadSubscriptions(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		for _, tt := range []struct {
			name   string
			groups []uint32
			want   error
			text   string
		}{
			{"no groups", nil, syscall.EINVAL, "no groups"},
			{"group 0", []uint32{1, 0}, syscall.EINVAL, "group 0"},
			{"closed", []uint32{1}, net.ErrClosed, "group 1"},
		} {
			if tt.want == net.ErrClosed {
				c.Close()
			}
			s, err := c.Subscribe(tt.groups...)
			var op *client.OpError
			if s != nil || !errors.Is(err, tt.want) || !errors.As(err, &op) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v, %v", tt.name, s, err)
			}
		}
		if len(m.asked) != 0 {
			t.Errorf("asked the kernel for %q", m.asked)
		}
	})
}

// A Subscription gets what the kernel queues after the call: neither the events nor the
// gaps of before, although another consumer has the group already.
func TestSubscriptionBeginsAtTheCall(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 3
		c, reader := k.dialStepped()
		first := k.subscribe(c, linkGroup)
		reader.stop()
		k.multicast(linkGroup, "1", "2", "3", "lost")
		second := runAsync(t, func() (*client.Subscription, error) { return c.Subscribe(linkGroup) })
		for range 20 {
			select {
			case reader.steps <- struct{}{}:
			case <-second.over:
			}
		}
		s, err := second.result()
		if err != nil {
			t.Fatal(err)
		}
		reader.stopped.Store(false)
		select {
		case reader.steps <- struct{}{}:
		default:
		}
		k.multicast(linkGroup, "4")
		wantSubscribed(t, s, "4")
		wantSubscribed(t, first, "1", "2", "3", "gap 0", "4")
	})
}

// What was queued before a drop is delivered, and what is queued after it is not, although
// the socket stays a member.
func TestMembershipEndsAtTheCall(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, _ := k.dialMembers()
		s := k.subscribe(c, linkGroup)
		k.join(c, linkGroup)
		// The reader has no processor between the two.
		k.multicast(linkGroup, "before")
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.multicast(linkGroup, "after")
		wantEvents(t, c, "before")
		wantSubscribed(t, s, "before", "after")

		k.join(c, linkGroup)
		k.socket(0).Overrun(syscall.ENOBUFS)
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.multicast(linkGroup, "after")
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantEvents(t, c, "gap 0")
		wantSubscribed(t, s, "gap 0", "after", "gap 0")

		// Dropped by the kernel, and not reported yet.
		k.join(c, linkGroup)
		k.socket(0).DropUnreported()
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, c, "gap 0")
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, c) // it had not joined, and lost nothing
	})
}

// A consumer that takes nothing costs the others nothing, and has its own gap.
func TestAbsentConsumerLosesItsOwnEvents(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(2))
		absent, present := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup)
		k.join(c, linkGroup)
		for i := range 20 {
			k.multicast(linkGroup, fmt.Sprint(i))
			wantSubscribed(t, present, fmt.Sprint(i))
		}
		wantStats(t, c, client.Stats{Events: 20, EventsDropped: 36})
		wantSubscribed(t, absent, "0", "1", "gap 18")
		wantEvents(t, c, "0", "1", "gap 18")
	})
}

// The queues are bounded in bytes one by one.
func TestBytesAreCountedForEachQueue(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(8))
		large := strings.Repeat("x", 100<<10)
		absent, present := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup)
		for range 3 {
			k.multicast(linkGroup, large)
			wantSubscribed(t, present, large)
		}
		wantSubscribed(t, absent, large, "gap 1", "gap 1")
	})
}

// An overrun of the socket is a gap for each consumer with a group, at its place.
func TestOverrunIsAGapInEverySubscription(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 3
		c := k.dial(client.WithEventSocket())
		s := k.socket(1)
		one, two := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup, addrGroup)
		var ds []socktest.Datagram
		for i := range 5 {
			ds = append(ds, socktest.Datagram{Data: event(fmt.Sprint(i)), Group: linkGroup})
		}
		s.Queue(ds...)
		synctest.Wait()
		k.multicast(addrGroup, "after")
		wantSubscribed(t, one, "0", "1", "2", "gap 0")
		wantSubscribed(t, two, "0", "1", "2", "gap 0", "after")
		wantEvents(t, c) // nothing of Receive's can be lost

		k.socket(0).Overrun(syscall.ENOBUFS) // of the other socket
		wantSubscribed(t, one)
		k.join(c, 40)
		s.Overrun(syscall.ENOBUFS)
		for _, events := range []func() <-chan client.Event{one.Events, two.Events, c.Receive} {
			wantFrom(t, events, "gap 0")
		}
	})
}

// An echo is an event for the subscriptions of its group.
func TestEchoIsAnEventOfASubscription(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.subscribe(c, addrGroup)
		k.echo(c, []string{"new"}, nil)
		wantSubscribed(t, s, "new")
		s.Close()
		k.echo(c, []string{"new"}, nil) // a reply only
	})
}

// No event comes after Close, and the channel is closed. A consumer may call it.
func TestClosedSubscriptionHasNoEvents(t *testing.T) {
	for _, n := range []int{0, 1, 200} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			s, other := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup)
			k.multicast(linkGroup, slices.Repeat([]string{"event"}, n)...)
			synctest.Wait()
			if n > 0 {
				<-s.Events()
			}
			for range 2 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				wantOver(t, s.Events())
			}
			k.multicast(linkGroup, "more")
			wantOver(t, s.Events())
			wantSubscribed(t, other, append(slices.Repeat([]string{"event"}, n), "more")...)
			if err := s.Sync(bg); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// Close of the Conn closes every channel. What comes later does nothing.
func TestCloseOfTheConnClosesSubscriptions(t *testing.T) {
	for _, opts := range [][]client.Option{nil, {client.WithEventSocket()}} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(opts...)
			var consumers []*task[int]
			var subs []*client.Subscription
			for range 3 {
				s := k.subscribe(c, linkGroup)
				subs = append(subs, s)
				consumers = append(consumers, runAsync(t, func() (n int, err error) {
					for range s.Events() {
						n++
					}
					return n, nil
				}))
			}
			absent := k.subscribe(c, linkGroup)
			k.multicast(linkGroup, "1", "2")
			synctest.Wait()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			for _, consumer := range consumers {
				if n, _ := consumer.result(); n != 2 {
					t.Errorf("%d events, want 2", n)
				}
			}
			for _, s := range append(subs, absent) {
				err := s.Sync(bg)
				var op *client.OpError
				if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "sync" {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				wantOver(t, s.Events())
			}
		})
	}
}

// While the Conn closes, its socket may be closed and the Subscription not yet. Nothing can
// be read then, so nothing can be promised.
func TestSyncAndDropWhileTheConnCloses(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.subscribe(c, linkGroup)
		k.join(c, linkGroup)
		h := k.hooked(0)
		h.onClose = func() error {
			err := h.Socket.Close()
			if err := s.Sync(bg); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Sync: %v", err)
			}
			if err := c.DropMembership(linkGroup); !errors.Is(err, net.ErrClosed) {
				t.Errorf("DropMembership: %v", err)
			}
			if _, err := c.Subscribe(linkGroup); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Subscribe: %v", err)
			}
			return err
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Subscribe(linkGroup); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		wantOver(t, s.Events())
	})
}

// Close of a Subscription, twice at once, Close of the Conn, Sync, and events, all at the
// same time.
func TestSubscriptionsCloseAmidEvents(t *testing.T) {
	for range 50 {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(client.WithEventQueue(3))
			var tasks []*task[struct{}]
			run := func(f func()) {
				tasks = append(tasks, runAsync(t, func() (struct{}, error) { f(); return struct{}{}, nil }))
			}
			for i := range 8 {
				s := k.subscribe(c, linkGroup, uint32(2+i%3))
				run(func() {
					for range s.Events() {
						if i%2 == 0 {
							s.Close()
							wantOver(t, s.Events())
						}
					}
				})
				run(func() {
					for s.Sync(bg) == nil {
					}
				})
				if i%3 == 0 {
					run(func() { s.Close() })
				}
			}
			run(func() {
				for {
					s, err := c.Subscribe(linkGroup)
					if err != nil {
						return
					}
					s.Close()
				}
			})
			for i := range 200 {
				k.socket(0).Queue(socktest.Datagram{Data: event("event"), Group: linkGroup})
				if i == 100 {
					run(func() { c.Close() })
				}
			}
			c.Close()
			for _, a := range tasks {
				<-a.over
			}
		})
	}
}

// A join that the kernel keeps delays neither Close of the Conn nor the end of a
// Subscription's channel.
func TestJoinInTheKernelDelaysNoConsumer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		s := k.subscribe(c, linkGroup)
		resume := make(chan struct{})
		m.joined = func() { <-resume }
		joins := runAsync(t, func() (*client.Subscription, error) { return c.Subscribe(addrGroup) })
		synctest.Wait()
		closes := runAsync(t, func() (struct{}, error) { return struct{}{}, s.Close() })
		if e, ok := <-s.Events(); ok {
			t.Errorf("event %+v", e)
		}
		k.multicast(linkGroup, "late")
		// A goroutine waits for a mutex, so the bubble does not settle.
		for c.Stats().Events == 0 {
			runtime.Gosched()
		}
		if n := c.Stats().EventsDropped; n != 0 {
			t.Errorf("%d events dropped, want none: the consumer has left", n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		close(resume)
		<-closes.over
		late, err := joins.result()
		if err == nil {
			wantOver(t, late.Events())
		} else if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// A marker comes after every event that was queued before Sync, whether the reader has
// read it or not.
func TestSyncMarksThePlace(t *testing.T) {
	for _, opts := range [][]client.Option{nil, {client.WithEventSocket()}} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(opts...)
			s, other := k.subscribe(c, linkGroup), k.subscribe(c, linkGroup)
			k.join(c, linkGroup)
			for i := range 200 {
				k.multicast(linkGroup, fmt.Sprint(i))
				k.sync(s)
				k.multicast(linkGroup, "after")
				wantSubscribed(t, s, fmt.Sprint(i), "marker", "after")
				wantSubscribed(t, other, fmt.Sprint(i), "after")
				wantEvents(t, c, fmt.Sprint(i), "after")
			}
			k.wantIdle("Sync sends nothing")
		})
	}
}

// The marker has nothing of a message.
func TestMarkerIsANoop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.subscribe(c, linkGroup)
		k.sync(s)
		want := client.Event{Message: wire.Message{Header: wire.Header{Length: wire.HeaderLen, Type: netlink.NLMSG_NOOP}}, NSID: -1}
		if e := <-s.Events(); fmt.Sprint(e) != fmt.Sprint(want) || e.Payload != nil {
			t.Errorf("%+v, want %+v", e, want)
		}
	})
}

// In a family without an acknowledgement of NLMSG_NOOP too.
func TestSyncWorksInEveryFamily(t *testing.T) {
	for family := netlink.NETLINK_ROUTE; family <= netlink.NETLINK_SMC; family++ {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(family)
			s := k.subscribe(c, linkGroup)
			k.multicast(linkGroup, "before")
			k.sync(s)
			if e := <-s.Events(); !strings.Contains(string(e.Payload), "before") {
				t.Errorf("%v: %+v", family, e)
			}
			wantSubscribed(t, s, "marker")
		})
	}
}

// Sync does not wait for the consumer: a full queue takes markers. Each call has one.
func TestFullQueueTakesMarkers(t *testing.T) {
	for _, room := range []int{1, 2, 100} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(client.WithEventQueue(room))
			s := k.subscribe(c, linkGroup)
			var want []string
			for i := range room {
				k.multicast(linkGroup, fmt.Sprint(i))
				synctest.Wait()
				want = append(want, fmt.Sprint(i))
			}
			k.multicast(linkGroup, "dropped", "dropped")
			k.sync(s)
			k.sync(s)
			k.multicast(linkGroup, "dropped", "dropped", "dropped")
			k.sync(s)
			wantSubscribed(t, s, append(want, "gap 2", "marker", "marker", "gap 3", "marker")...)
			// The markers took no room of the events.
			want = want[:room]
			for i := range room {
				k.multicast(linkGroup, fmt.Sprint(i))
				synctest.Wait()
			}
			k.multicast(linkGroup, "dropped")
			wantSubscribed(t, s, append(want, "gap 1")...)
			wantStats(t, c, client.Stats{Events: 2*uint64(room) + 6, EventsDropped: 6})
		})
	}
}

// Whatever the kernel has lost before Sync has its gap before the marker, reported by the
// kernel or not. A loss after Sync has its gap after it.
func TestSyncAcrossOverruns(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 2
		c := k.dial()
		s := k.subscribe(c, linkGroup)
		k.socket(0).Queue(slices.Repeat([]socktest.Datagram{{Data: event("event"), Group: linkGroup}}, 5)...)
		k.sync(s)
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantSubscribed(t, s, "event", "event", "gap 0", "marker", "gap 0")
		// The request that begins an overrun marks the socket and reports later.
		k.socket(0).DropUnreported()
		k.sync(s)
		wantSubscribed(t, s, "gap 0", "marker")
	})
}

// In a storm the queue is never found empty. Sync reads what was queued before, and an
// overrun that is not over has a gap before the marker, too.
func TestSyncInAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 2 * sock.Charge // three datagrams at most
		c := k.dial()
		s := k.subscribe(c, linkGroup)
		h := k.hooked(0)
		reads := 0
		h.onRecv = func(ds []sock.Datagram) (int, error) {
			switch reads++; reads {
			case 1:
				for i := range 8 {
					h.Queue(socktest.Datagram{Data: event(fmt.Sprint(i)), Group: linkGroup})
				}
			case 2:
				h.Overrun(syscall.ENOBUFS)
			}
			return h.Socket.Recv(ds[:1])
		}
		k.sync(s)
		wantSubscribed(t, s, "0", "1", "2", "gap 0", "marker", "3", "4", "5", "6", "7", "gap 0")
	})
}

// A ctx that has ended, or none, fails Sync and queues nothing.
func TestSyncWithoutAContext(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.subscribe(c, linkGroup)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		if err := s.Sync(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		var none context.Context
		if err := s.Sync(none); err == nil {
			t.Error("no error for a nil ctx")
		}
		wantSubscribed(t, s)
	})
}

// A process may send a message of the type that a marker has. It is an event.
func TestMessageThatLooksLikeAMarkerIsNone(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_USERSOCK, client.WithEventQueue(70))
		s := k.subscribe(c, 1)
		fake := wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: netlink.NLMSG_NOOP}})
		k.socket(0).Queue(slices.Repeat([]socktest.Datagram{{Data: fake, PortID: 4711, Group: 1}}, 73)...)
		synctest.Wait()
		for i := range 70 {
			if e := <-s.Events(); e.Header.Type != netlink.NLMSG_NOOP || e.Group != 1 || e.Payload == nil {
				t.Fatalf("event %d: %+v", i, e)
			}
		}
		wantSubscribed(t, s, "gap 3")
	})
}
