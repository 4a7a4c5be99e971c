package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// verdict is a message of nfqueue that is not acknowledged (NFQNL_MSG_VERDICT).
const verdict netlink.MessageType = 3<<8 | 1

func TestSendAsksForNoAnswer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		var got request
		k.during(func(req request) error { got = req; return nil })
		for range 300 {
			if err := c.Send(bg, verdict, []byte("accept"), netlink.NLM_F_CREATE); err != nil {
				t.Fatal(err)
			}
		}
		want := wire.Header{
			Length: wire.HeaderLen + 6, Type: verdict, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_CREATE, PortID: c.PortID(),
		}
		if got.Header != want || string(got.Payload) != "accept" || got.from != k.socket(0) {
			t.Errorf("sent %+v, want %+v", got.Message, want)
		}
		wantStats(t, c, client.Stats{})
	})
}

// The kernel also answers a message without NLM_F_ACK if it refuses it (netlink_rcv_skb).
func TestRefusalOfASentMessageIsAnEvent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		k.during(func(req request) error { req.fail(syscall.ENOENT); return nil })
		if err := c.Send(bg, verdict, nil, 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e := <-c.Receive()
		refusal, err := wire.ParseAck(e.Message)
		if err != nil || refusal == nil || refusal.Errno != syscall.ENOENT || e.Header.Seq != 0 || e.Group != 0 {
			t.Errorf("%+v, %v, %v; want the refusal, with number 0", e, refusal, err)
		}
	})
}

// Many refusals do not overrun the receive buffer, although no room is reserved for them.
func TestRefusalsOfSentMessagesAreReadInTime(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 256 // datagrams of 832 bytes in a buffer of 212,992
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		k.during(func(req request) error { req.fail(syscall.ENOENT); return nil })
		for range 2000 { // the reader does not run meanwhile
			if err := c.Send(bg, verdict, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if s := c.Stats(); s.Overruns != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBadSends(t *testing.T) {
	ended, cancel := context.WithCancel(bg)
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		typ   netlink.MessageType
		flags netlink.Flags
		is    error
		text  string
	}{
		{"no ctx", nil, verdict, 0, nil, "nil context"},
		{"ended ctx", ended, verdict, 0, context.Canceled, "context canceled"},
		{"control type", bg, netlink.NLMSG_NOOP, 0, syscall.EINVAL, "type NLMSG_NOOP"},
		{"acknowledgement", bg, verdict, netlink.NLM_F_ACK, syscall.EINVAL, "flags "},
		{"echo", bg, verdict, netlink.NLM_F_ECHO, syscall.EINVAL, "flags "},
		{"dump", bg, 10<<8 | 1, netlink.NLM_F_DUMP, syscall.EINVAL, "type "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_NETFILTER)
				err := c.Send(tt.ctx, tt.typ, nil, tt.flags)
				if err == nil || !strings.HasPrefix(err.Error(), "netlink: send: "+tt.text) || !client.NotSent(err) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%v (not sent: %v)", err, client.NotSent(err))
				}
				k.wantIdle("the message is invalid")
			})
		})
	}
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		k.during(func(request) error { return syscall.ENOMEM })
		if err := c.Send(bg, verdict, nil, 0); !errors.Is(err, syscall.ENOMEM) || !client.NotSent(err) {
			t.Error(err)
		}
		k.during(nil)
		c.Close()
		if err := c.Send(bg, verdict, nil, 0); !errors.Is(err, net.ErrClosed) || !client.NotSent(err) {
			t.Error(err)
		}
	})
}

// maxSlots is the one of slots.go.
const maxSlots = 64

// The kernel handles 64 system calls at once, so that no limit on threads is near,
// whatever the size of the receive buffer. Requests and messages that wait for a slot
// were not sent; ctx and Close end them.
func TestSendersAreBounded(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 64 << 20
		c := k.dial()
		var held []*task[[]wire.Message]
		var reqs []request
		for range maxSlots {
			held = append(held, k.request(bg, c, newAddr, "", 0))
			reqs = append(reqs, k.want(newAddr))
		}
		ctx, cancel := context.WithCancel(bg)
		left := k.request(ctx, c, newAddr, "", 0)
		leftSend := runAsync(t, func() ([]wire.Message, error) { return nil, c.Send(ctx, newAddr, nil, 0) })
		synctest.Wait() // in this order
		next := k.request(bg, c, newAddr, "", 0)
		synctest.Wait()
		noop := k.noop(c)
		k.wantIdle("no slot is free")
		cancel()
		wantError(t, left, context.Canceled, true)
		wantError(t, leftSend, context.Canceled, true)
		reqs[0].ack()
		wantTexts(t, held[0])
		reqs[0] = k.want(newAddr)
		k.wantIdle("one went, one came")
		reqs[1].ack()
		k.want(netlink.NLMSG_NOOP).ack()
		if _, err := noop.result(); err != nil {
			t.Error(err)
		}
		last := k.request(bg, c, newAddr, "", 0)
		reqs[1] = k.want(newAddr)
		overdue := k.request(bg, c, newAddr, "", 0)
		overdue.wantWaiting("no slot is free")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, overdue, true)
		for _, req := range reqs {
			req.drop()
		}
		wantClosed(t, next, false)
		wantClosed(t, last, false)
	})
}

// Requests that wait for room hold no slot: others can send.
func TestRequestsThatWaitForRoomHoldNoSlot(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		calls := []*task[[]wire.Message]{k.request(bg, c, newAddr, "", 0)}
		first := k.want(newAddr)
		for range 2 * maxSlots {
			calls = append(calls, k.request(bg, c, newAddr, "", 0))
		}
		synctest.Wait()
		sent := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Send(bg, verdict, nil, 0) })
		k.want(verdict).drop()
		if _, err := sent.result(); err != nil {
			t.Error(err)
		}
		first.ack()
		for range 2 * maxSlots {
			k.want(newAddr).ack()
		}
		for _, call := range calls {
			wantTexts(t, call)
		}
	})
}

// The system calls of loops are bounded as well. Their bodies are not.
func TestSystemCallsOfLoopsAreBounded(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var loops []*task[[]string]
		for range maxSlots + 3 {
			loops = append(loops, runAsync(t, func() ([]string, error) { return loop(bg, c, whole) }))
			synctest.Wait()
		}
		var reqs []request
		for range maxSlots {
			reqs = append(reqs, k.want(getAddr))
		}
		k.wantIdle("no slot is free")
		for _, req := range reqs {
			req.done()
		}
		for range 3 {
			k.want(getAddr).done()
		}
		for _, l := range loops {
			if _, err := l.result(); err != nil {
				t.Error(err)
			}
		}
	})
}

// The kernel may also wait for a lock in the read of a dump. While such reads hold all
// slots, other dumps wait for one, unsent; ctx and Close end the wait.
func TestReadsOfLoopsAreBounded(t *testing.T) {
	for _, closes := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			resume := k.slowReads()
			c := k.dial()
			k.answersDumps(table("a"))
			var loops []*task[[]wire.Message]
			for range maxSlots {
				loops = append(loops, k.dumpOrLoop(bg, c, true))
				synctest.Wait()
			}
			k.during(nil)
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			waiting := []*task[[]wire.Message]{k.dumpOrLoop(ctx, c, true), k.dumpOrLoop(ctx, c, false)}
			k.wantIdle("no slot is free")
			noop := k.noop(c) // requests have slots of their own
			k.want(netlink.NLMSG_NOOP).ack()
			if _, err := noop.result(); err != nil {
				t.Error(err)
			}
			if closes {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				cancel()
			}
			for _, call := range waiting {
				if closes {
					wantClosed(t, call, true)
				} else {
					wantError(t, call, context.Canceled, true)
				}
			}
			close(resume)
			for _, call := range loops {
				if closes {
					wantClosed(t, call, false)
				} else {
					wantTexts(t, call)
				}
			}
		})
	}
}

// A loop holds a slot during a system call, not during its body. Its next read waits
// for one again; ctx and Close end the wait.
func TestContextAndCloseEndTheWaitForASlotToRead(t *testing.T) {
	for _, closes := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			resume := k.slowReads()
			c := k.dial()
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			body := make(chan struct{})
			k.answersDumps(table("a", "b"))
			last := runAsync(t, func() (got []string, err error) {
				for m, err := range c.Dump(ctx, getAddr, nil) {
					if err != nil {
						return got, err
					}
					got = append(got, string(m.Payload))
					<-body
				}
				return got, nil
			})
			last.wantWaiting("the kernel keeps its read")
			resume <- struct{}{}
			last.wantWaiting("it is in its body")
			var loops []*task[[]wire.Message]
			for range maxSlots {
				loops = append(loops, k.dumpOrLoop(bg, c, true))
				synctest.Wait()
			}
			close(body)
			last.wantWaiting("no slot is free")
			want := context.Canceled
			if closes {
				want = net.ErrClosed
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			if got, err := last.result(); len(got) != 1 || !errors.Is(err, want) || client.NotSent(err) {
				t.Errorf("%q, %v; want one message, %v", got, err, want)
			}
			close(resume)
			for _, l := range loops {
				if closes {
					wantClosed(t, l, false)
				} else {
					wantTexts(t, l)
				}
			}
		})
	}
}

// udev sends to group 2 of NETLINK_KOBJECT_UEVENT, and processes send each other
// messages on NETLINK_USERSOCK. The event has the sender's port.
func TestEventsHaveTheirSender(t *testing.T) {
	for _, tt := range []struct {
		family netlink.Family
		group  uint32
		heard  bool
	}{
		{netlink.NETLINK_KOBJECT_UEVENT, 2, true},
		{netlink.NETLINK_KOBJECT_UEVENT, 1, false},
		{netlink.NETLINK_USERSOCK, 0, true},
		{netlink.NETLINK_ROUTE, 2, false},
	} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(tt.family)
			if tt.group != 0 {
				if err := c.AddMembership(tt.group); err != nil {
					t.Fatal(err)
				}
			}
			data := event("add@/devices")
			k.socket(0).Queue(socktest.Datagram{Group: tt.group, PortID: 4711, Data: data})
			synctest.Wait()
			select {
			case e := <-c.Receive():
				if !tt.heard || e.Sender != 4711 || e.Group != tt.group {
					t.Errorf("%v: event %+v", tt, e)
				}
			default:
				if tt.heard {
					t.Errorf("%v: no event", tt)
				}
			}
		})
	}
}
