package client_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// members records the memberships that a Conn requests from its socket.
type members struct {
	mu sync.Mutex // guards following

	asked  []string
	refuse error
	joined func() // runs inside Join, when the kernel has joined
}

func (m *members) note(verb string, group uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, fmt.Sprint(verb, " ", group))
	return m.refuse
}

func (k *kernel) dialMembers(opts ...client.Option) (*client.Conn, *members) {
	k.t.Helper()
	c := k.dial(opts...)
	m := new(members)
	s := k.hooked(0)
	s.onJoin = func(group uint32) error {
		if err := m.note("join", group); err != nil {
			return err
		}
		err := s.Socket.Join(group)
		if m.joined != nil {
			m.joined()
		}
		return err
	}
	s.onLeave = func(group uint32) error {
		if err := m.note("leave", group); err != nil {
			return err
		}
		return s.Socket.Leave(group)
	}
	return c, m
}

func TestMembershipsComeAndGo(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		for _, step := range []func(uint32) error{
			c.DropMembership, // not joined: no effect
			c.AddMembership,
			c.AddMembership, // the kernel may have ended it, so it is asked
			c.DropMembership,
			c.AddMembership,
		} {
			if err := step(linkGroup); err != nil {
				t.Fatal(err)
			}
		}
		// Whether the first reaches the kernel does not matter.
		asked := m.asked
		if len(asked) != 0 && asked[0] == "leave 1" {
			asked = asked[1:]
		}
		if !slices.Equal(asked, []string{"join 1", "join 1", "leave 1", "join 1"}) {
			t.Fatalf("asked the kernel for %q", m.asked)
		}
		k.multicast(linkGroup, "here")
		wantEvents(t, c, "here")

		// Events that were queued before the leave are delivered; later ones are not.
		k.multicast(linkGroup, "before")
		synctest.Wait()
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.multicast(linkGroup, "after")
		wantEvents(t, c, "before")
	})
}

// A group that was joined twice is left once, and the reader may park again.
func TestJoinedTwiceIsLeftOnce(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.join(c, linkGroup)
		k.join(c, linkGroup)
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.busy(c)
		k.wantParked("the group was left")
	})
}

// When a generic netlink family is unloaded, the kernel ends the memberships of its
// groups. After a reload it mostly has the same ids.
func TestMembershipThatTheKernelEndedIsJoinedAgain(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		if err := k.socket(0).Leave(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.multicast(linkGroup, "unheard")
		k.join(c, linkGroup)
		k.multicast(linkGroup, "heard")
		wantEvents(t, c, "heard")
	})
}

func TestManyMayJoinAtOnce(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		var joins []*task[struct{}]
		for i := range 20 {
			joins = append(joins, runAsync(t, func() (struct{}, error) {
				return struct{}{}, c.AddMembership(uint32(1 + i%2))
			}))
		}
		for _, j := range joins {
			if _, err := j.result(); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(m.asked)
		if asked := slices.Compact(m.asked); !slices.Equal(asked, []string{"join 1", "join 2"}) {
			t.Fatalf("asked the kernel for %q", m.asked)
		}
	})
}

// Group 0 is no group: setsockopt refuses it, and an event of group 0 would look like a
// reply.
func TestGroupZeroIsRefused(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		for op, f := range map[string]func(uint32) error{"join": c.AddMembership, "leave": c.DropMembership} {
			err := f(0)
			var oe *client.OpError
			if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &oe) || oe.Op != op {
				t.Errorf("%s: %v", op, err)
			}
		}
		if len(m.asked) != 0 {
			t.Errorf("asked the kernel for %q", m.asked)
		}
	})
}

// A membership that the kernel refuses to end stays, and can be ended later.
func TestRefusedLeaveChangesNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		k.join(c, addrGroup)
		m.refuse = syscall.EPERM
		if err := c.DropMembership(addrGroup); !errors.Is(err, syscall.EPERM) {
			t.Fatal(err)
		}
		m.refuse = nil
		k.echo(c, []string{"new"}, []string{"new"})
		if err := c.DropMembership(addrGroup); err != nil {
			t.Fatal(err)
		}
		k.echo(c, []string{"new"}, nil)
	})
}

// echo plays a request whose notification is echoed, and requires these replies and
// events.
func (k *kernel) echo(c *client.Conn, replies, events []string) {
	k.t.Helper()
	call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
	req := k.want(newAddr)
	req.notify(req.from, addrGroup, "new")
	req.ack()
	wantTexts(k.t, call, replies...)
	wantEvents(k.t, c, events...)
}

// An echo is an event as soon as the kernel has joined, possibly before the system call
// returns.
func TestEventsCountFromTheJoinOn(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, m := k.dialMembers()
		call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
		req := k.want(newAddr)
		m.joined = func() {
			req.notify(req.from, addrGroup, "new")
			synctest.Wait()
		}
		k.join(c, addrGroup)
		req.ack()
		wantTexts(t, call, "new")
		wantEvents(t, c, "new")
	})
}

// With WithEventSocket, memberships are on a socket of their own, on which nothing is
// requested.
func TestEventSocketKeepsEventsFromRequests(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventSocket(), client.WithPortID(77))
		if n := len(k.Sockets()); n != 2 {
			t.Fatalf("%d sockets, want 2", n)
		}
		requests, events := k.socket(0), k.socket(1)
		if c.PortID() != 77 || requests.PortID() != 77 || events.PortID() == 77 {
			t.Fatalf("port %d, sockets' ports %d and %d", c.PortID(), requests.PortID(), events.PortID())
		}
		k.join(c, linkGroup)
		if requests.Joined(linkGroup) || !events.Joined(linkGroup) {
			t.Fatal("the membership is on the wrong socket")
		}
		k.multicast(linkGroup, "event")
		wantEvents(t, c, "event")

		get := k.get(bg, c)
		req := k.want(getLink)
		barrier := k.noop(c)
		noop := k.want(netlink.NLMSG_NOOP)
		if req.from != requests || noop.from != requests {
			t.Fatal("a request on the socket for events")
		}

		// An overrun of one socket does not affect the other.
		events.Overrun(syscall.ENOBUFS)
		wantEvents(t, c, "gap 0")
		get.wantWaiting("its answer was not lost")
		req.reply("safe")
		req.ack()
		noop.ack()
		wantTexts(t, get, "safe")
		if _, err := barrier.result(); err != nil {
			t.Fatal(err)
		}

		// Unsolicited messages to either socket are delivered.
		requests.Queue(socktest.Datagram{Data: event("unicast")})
		wantEvents(t, c, "unicast")
		requests.Overrun(syscall.ENOBUFS)
		wantEvents(t, c) // no gap: the family sends it no events
		wantStats(t, c, client.Stats{Events: 2, Overruns: 2})

		if err := c.DropMembership(linkGroup); err != nil || events.Joined(linkGroup) {
			t.Fatal("still joined", err)
		}
	})
}

// With two sockets the member gets its own copy, so the echo to the other socket is
// only a reply, and no event comes twice.
func TestEchoWithEventSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventSocket())
		k.join(c, addrGroup)
		call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
		req := k.want(newAddr)
		req.notify(k.socket(1), addrGroup, "new")
		wantEvents(t, c, "new")
		req.notify(req.from, addrGroup, "new")
		req.ack()
		wantTexts(t, call, "new")
		wantEvents(t, c)
		wantStats(t, c, client.Stats{Events: 1})
	})
}

// The namespace is checked before the port: with WithListenAllNSID a socket of another
// namespace may have our port and one of our numbers.
func TestEchoOfAnotherNamespaceIsNotOurs(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithListenAllNSID())
		k.join(c, addrGroup)
		call := k.request(bg, c, newAddr, "add", netlink.NLM_F_ECHO)
		req := k.want(newAddr)
		req.from.Queue(socktest.Datagram{Data: req.data("theirs"), Group: addrGroup, NSID: 3, HasNS: true})
		req.ack()
		wantTexts(t, call)
		wantEvents(t, c, "theirs")
	})
}
