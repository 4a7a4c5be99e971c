package client_test

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// The tests of this file are about a new Conn, whose reader starts parked.

// dialCounting opens a new Conn and counts the readers of its sockets.
func (k *kernel) dialCounting(family netlink.Family, opts ...client.Option) (c *client.Conn, readers *atomic.Int32) {
	k.t.Helper()
	readers = new(atomic.Int32)
	k.hook = func(h *hooked) {
		h.onWatch = func(ready func()) error {
			readers.Add(1)
			return h.Socket.Watch(ready)
		}
	}
	return k.dialNew(family, opts...), readers
}

// A request needs no reader: the goroutine that sends reads the answer.
func TestNewConnAnswersWithoutAReader(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, readers := k.dialCounting(netlink.NETLINK_ROUTE)
		k.during(func(req request) error { req.reply("lo"); req.ack(); return nil })
		wantTexts(t, k.get(bg, c), "lo")
		if n := readers.Load(); n != 0 {
			t.Error("the reader has started")
		}
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
		if _, err := c.Request(bg, getLink, nil, 0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, open := <-c.Receive(); open {
			t.Error("the channel of events is open after Close")
		}
	})
}

// The first message to an idle Conn is read after a millisecond, later ones at once.
func TestReaderOfAnIdleConnStarts(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, readers := k.dialCounting(netlink.NETLINK_ROUTE)
		k.socket(0).Queue(
			socktest.Datagram{Data: event("forged"), PortID: 4711},
			socktest.Datagram{Data: event("unasked")})
		synctest.Wait()
		wantStats(t, c, client.Stats{})
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantStats(t, c, client.Stats{Foreign: 1, Events: 1})
		k.wantUnparked(time.Millisecond)
		k.socket(0).Queue(socktest.Datagram{Data: event("forged"), PortID: 4711})
		synctest.Wait()
		wantStats(t, c, client.Stats{Foreign: 2, Events: 1})
		if n := readers.Load(); n != 1 {
			t.Errorf("%d readers", n)
		}
	})
}

// The reader starts at once if a message is expected that no goroutine reads.
func TestReaderOfANewConnStartsWhenItIsNeeded(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	for _, tt := range []struct {
		name   string
		family netlink.Family
		need   func(t *testing.T, k *kernel, c *client.Conn)
	}{
		{"a membership", netlink.NETLINK_ROUTE, func(t *testing.T, k *kernel, c *client.Conn) {
			k.join(c, linkGroup)
		}},
		{"a consumer of events", netlink.NETLINK_ROUTE, func(t *testing.T, k *kernel, c *client.Conn) {
			c.Receive()
		}},
		{"an answer by an event", netlink.NETLINK_CONNECTOR, func(t *testing.T, k *kernel, c *client.Conn) {
			k.during(func(request) error { return nil })
			if _, err := c.Request(bg, netlink.NLMSG_DONE, nil, 0); err != nil {
				t.Fatal(err)
			}
		}},
		{"an answer by a thread of the kernel", netlink.NETLINK_AUDIT, func(t *testing.T, k *kernel, c *client.Conn) {
			call := k.request(bg, c, auditGet, "", 0)
			req := k.want(auditGet)
			req.ack()
			synctest.Wait()
			req.send(req.answer(auditGet, 0, []byte("later")))
			wantTexts(t, call, "later")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				k.CanSilence = true
				c, readers := k.dialCounting(tt.family)
				tt.need(t, k, c)
				k.wantNotParked("it is needed")
				k.wantUnparked(5 * time.Millisecond)
				if n := readers.Load(); n != 1 {
					t.Errorf("%d readers", n)
				}
			})
		})
	}
}

// Unicast messages come to the socket of the requests, others to that of the events.
func TestReceiveStartsTheReadersOfBothSockets(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, readers := k.dialCounting(netlink.NETLINK_ROUTE, client.WithEventSocket())
		c.Receive()
		c.Receive()
		synctest.Wait()
		if n := readers.Load(); n != 2 {
			t.Errorf("%d readers, want 2", n)
		}
		for i := range 2 {
			k.socket(i).Queue(socktest.Datagram{Data: event("unasked")})
		}
		wantEvents(t, c, "unasked", "unasked")
	})
}

// A program that calls Receive for each event does not wake a reader that is parked.
func TestReceiveDoesNotUnpark(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		for range 10 {
			c.Receive()
		}
		synctest.Wait()
		k.wantParked("it was before, and no message is expected")
	})
}

// The system may lack the resources to watch the socket. Until then the reader checks it
// every millisecond.
func TestNewConnThatCannotBeWatchedYet(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		var full atomic.Bool
		full.Store(true)
		k.hook = func(h *hooked) {
			h.onSetNotify = func(on bool) error {
				if full.Load() {
					return syscall.ENOSPC
				}
				return h.Socket.SetNotify(on)
			}
		}
		c := k.dialNew(netlink.NETLINK_ROUTE)
		k.join(c, linkGroup)
		for range 10 {
			synctest.Wait()
			k.multicast(linkGroup, "up")
			wantEvents(t, c)
			time.Sleep(time.Millisecond)
			wantEvents(t, c, "up")
		}
		full.Store(false)
		k.wantUnparked(time.Millisecond)
	})
}

// A Close during the start of the reader waits for it.
func TestCloseWhenTheReaderStarts(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, readers := k.dialCounting(netlink.NETLINK_ROUTE)
		c.Receive()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if n := readers.Load(); n != 1 {
			t.Errorf("%d readers", n)
		}
		time.Sleep(5 * time.Millisecond) // no other starts
		if n := readers.Load(); n != 1 {
			t.Errorf("%d readers after Close", n)
		}
	})
}
