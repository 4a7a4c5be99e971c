package client_test

import (
	"context"
	"errors"
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

// slowReader stops reading between the report of a loss and the next read, until the
// script calls goOn.
type slowReader struct {
	*hooked

	resume chan struct{}
}

func (s *slowReader) goOn() { s.resume <- struct{}{} }

// dialSlow opens a Conn whose reader stops after each loss.
func (k *kernel) dialSlow(opts ...client.Option) (*client.Conn, *slowReader) {
	k.t.Helper()
	return k.dialSlowFamily(netlink.NETLINK_ROUTE, opts...)
}

func (k *kernel) dialSlowFamily(family netlink.Family, opts ...client.Option) (*client.Conn, *slowReader) {
	k.t.Helper()
	c := k.dialFamily(family, opts...)
	s := &slowReader{hooked: k.hooked(0), resume: make(chan struct{})}
	lost := false // of the goroutine that reads
	s.onRecv = func(ds []sock.Datagram) (int, error) {
		if lost {
			<-s.resume
		}
		n, err := s.Socket.Recv(ds)
		lost = errors.Is(err, syscall.ENOBUFS)
		return n, err
	}
	return c, s
}

// wantLost requires that the call ended with ErrReplyLost.
func wantLost[T any](t *testing.T, a *task[T]) {
	t.Helper()
	_, err := a.result()
	if !errors.Is(err, client.ErrReplyLost) || !errors.Is(err, syscall.ENOBUFS) || client.NotSent(err) {
		t.Fatalf("%v (not sent: %v), want a lost reply", err, client.NotSent(err))
	}
}

// A full queue drops every message until it has been empty, and keeps what it holds
// (netlink_overrun). Only requests whose answers were dropped fail.
func TestOverrunFailsOnlyTheRequestsWithLostReplies(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 3
		c := k.dial()
		k.join(c, linkGroup)
		var calls []*task[[]wire.Message]
		var reqs []request
		for range 3 {
			calls = append(calls, k.request(bg, c, newAddr, "", 0))
			reqs = append(reqs, k.want(newAddr))
		}
		const ack = netlink.NLMSG_ERROR
		one, two, three := reqs[0], reqs[1], reqs[2]
		one.from.Queue(
			socktest.Datagram{Data: one.data("1")}, socktest.Datagram{Data: one.end(ack, 0)},
			socktest.Datagram{Data: two.data("2")}, // the queue is full now
			socktest.Datagram{Data: two.end(ack, 0)}, socktest.Datagram{Data: three.end(ack, 0)},
		)
		for _, req := range reqs {
			req.drop()
		}
		wantTexts(t, calls[0], "1")
		wantLost(t, calls[1])
		wantLost(t, calls[2])
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 2, Overruns: 1})

		// The Conn stays usable.
		call := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
	})
}

// Other errors report losses as well: ENOMEM where the kernel could not build
// an acknowledgement or a notification (netlink_ack, netlink_set_err).
func TestAnyErrorOfAReadIsALoss(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		call := k.change(bg, c)
		req := k.want(newAddr)
		req.from.Overrun(syscall.ENOMEM)
		req.drop()
		wantLost(t, call)
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// The kernel counts a drop before it reports it. A request without an answer is then
// lost, and not unanswered.
func TestLossThatIsNotReportedYet(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		ignored := k.change(bg, c)
		k.want(newAddr).drop()
		wantError(t, ignored, client.ErrUnanswered, false)
		lost := k.change(bg, c)
		req := k.want(newAddr)
		req.from.DropUnreported()
		req.drop()
		wantLost(t, lost)
		wantStats(t, c, client.Stats{RepliesLost: 1})
	})
}

// A request that the kernel ignores ends when its sender has read to the empty queue,
// frees its room, and leaves nothing pending.
func TestIgnoredRequestEnds(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		for _, typ := range []netlink.MessageType{getLink, newAddr} {
			for range 3 {
				call := k.request(bg, c, typ, "", 0)
				k.want(typ).drop()
				wantError(t, call, client.ErrUnanswered, false)
				if !errors.Is(call.err, syscall.EBADMSG) {
					t.Error(call.err)
				}
			}
		}
		wantStats(t, c, client.Stats{})
		call := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
	})
}

// Reads of other goroutines do not end a request: they may have begun before its send
// returned.
func TestOnlyTheSendersOwnReadEndsARequest(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.request(bg, c, newAddr, "", 0)
		req := k.want(newAddr)
		for range 10 { // the reader and other senders find the queue empty
			req.from.Queue(socktest.Datagram{Data: event("unasked")})
			wantEvents(t, c, "unasked")
			other := k.get(bg, c)
			k.want(getLink).ack()
			wantTexts(t, other)
		}
		call.wantWaiting("the kernel works on it")
		req.ack()
		wantTexts(t, call)
	})
}

// The kernel would drop the answer to a request that is sent while the queue is drained
// after an overrun. So requests are sent after the queue has been empty.
func TestRequestsWaitAtTheGateDuringAnOverrun(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		k.join(c, linkGroup)
		before := k.change(bg, c)
		req := k.want(newAddr)
		reader.Overrun(syscall.ENOBUFS)
		before.wantWaiting("the kernel works on it")

		during := k.request(bg, c, newAddr, "", 0)
		k.wantIdle("the kernel would drop the answer")
		during.wantWaiting("it has not been sent")
		wantStats(t, c, client.Stats{Pending: 1, Overruns: 1})

		reader.goOn()
		after := k.want(newAddr)
		after.ack()
		wantTexts(t, during)
		req.drop()
		wantLost(t, before)
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// A request at the gate has not been sent, and frees its room and slot.
func TestContextEndsTheWaitAtTheGate(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow(client.WithInFlight(1))
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		for range maxSlots + 1 { // each frees its room and its slot
			ctx, cancel := context.WithCancel(bg)
			call := k.get(ctx, c)
			call.wantWaiting("the gate is shut")
			cancel()
			wantError(t, call, context.Canceled, true)
		}
		reader.goOn()
		k.wantIdle("their ctx has ended")
		call := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// One overrun may follow another before a read finds the queue empty. The gate opens
// when the last one has been drained, and each has a gap: the queue was empty in
// between.
func TestOverrunAfterAnOverrun(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		k.join(c, linkGroup)
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		call := k.get(bg, c)
		call.wantWaiting("the gate is shut")
		reader.Overrun(syscall.ENOBUFS)
		reader.goOn()
		call.wantWaiting("the gate is still shut")
		reader.goOn()
		k.want(getLink).ack()
		wantTexts(t, call)
		wantEvents(t, c, "gap 0", "gap 0")
		wantStats(t, c, client.Stats{Overruns: 2})
	})
}

// While a send runs, an empty queue proves nothing about its answer: it may be queued
// later in the send, or have been dropped before.
func TestOverrunDuringTheSend(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(request)
		lost   bool
	}{
		{"dropped", func(request) {}, true},
		{"answered afterwards", func(req request) { req.ack() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				k.join(c, linkGroup)
				k.during(func(req request) error {
					req.from.Overrun(syscall.ENOBUFS)
					synctest.Wait() // the queue is empty, and the send still runs
					if n := c.Stats().Pending; n != 1 {
						t.Errorf("%d requests pending, want the one whose send still runs", n)
					}
					tt.answer(req)
					return nil
				})
				_, err := c.Request(bg, newAddr, nil, 0)
				if tt.lost != errors.Is(err, client.ErrReplyLost) || !tt.lost && err != nil {
					t.Fatal(err)
				}
				k.during(nil)
				wantEvents(t, c, "gap 0")
			})
		})
	}
}

// Echoes may be missing if the overrun came during the send, but not if it came
// afterwards.
func TestEchoesDuringAnOverrun(t *testing.T) {
	for _, during := range []bool{true, false} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			k.during(func(req request) error {
				if during {
					req.from.Overrun(syscall.ENOBUFS)
					synctest.Wait()
				}
				queue(req.from, addrGroup, req.data("one"))
				req.ack()
				return nil
			})
			call := run(t, func() ([]wire.Message, error) { return c.Request(bg, newAddr, nil, netlink.NLM_F_ECHO) })
			if during {
				wantLost(t, call)
			} else {
				wantTexts(t, call, "one")
			}
		})
	}
}

// An acknowledgement that was queued before the report of the overrun follows all echoes.
func TestOverrunAfterTheSendLosesNoEcho(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked() // so that the goroutine that sends reads the report
		k.during(func(req request) error {
			queue(req.from, addrGroup, req.data("one"))
			req.ack()
			req.from.Overrun(syscall.ENOBUFS)
			return nil
		})
		wantTexts(t, k.request(bg, c, newAddr, "", netlink.NLM_F_ECHO), "one")
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// A gap means that an event may be missing. NETLINK_ROUTE sends none to a socket
// without memberships; other families do.
func TestOverrunWithoutALostEventMakesNoGap(t *testing.T) {
	for _, tt := range []struct {
		family netlink.Family
		gaps   []string
	}{
		{netlink.NETLINK_ROUTE, nil},
		{netlink.NETLINK_SOCK_DIAG, nil},
		{netlink.NETLINK_NETFILTER, []string{"gap 0"}},
		{netlink.NETLINK_AUDIT, []string{"gap 0"}},
	} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(tt.family)
			k.socket(0).Overrun(syscall.ENOBUFS)
			wantEvents(t, c, tt.gaps...)
			k.join(c, linkGroup)
			k.socket(0).Overrun(syscall.ENOBUFS)
			wantEvents(t, c, "gap 0")
			wantStats(t, c, client.Stats{Overruns: 2})
		})
	}
}

// The gap is where the events are missing: after the events that were queued before the
// overrun, before those that were queued after it.
func TestGapIsWhereEventsAreMissing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 2
		c := k.dial()
		k.join(c, linkGroup)
		k.multicast(linkGroup, "1", "2", "dropped", "dropped too")
		synctest.Wait()
		k.multicast(linkGroup, "5", "6")
		wantEvents(t, c, "1", "2", "gap 0", "5", "6")
		wantStats(t, c, client.Stats{Events: 4, Overruns: 1})
	})
}

// In a storm no read may find the queue empty for a long time. The gap still comes
// after what was queued before the loss and before what was queued later, and requests
// do not wait for the end of the storm.
func TestGapIsWhereEventsAreMissingInAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 3
		c := k.dial()
		k.storm().Store(20)
		k.join(c, linkGroup)
		lost := k.change(bg, c)
		req := k.want(newAddr)
		req.from.Queue(
			socktest.Datagram{Data: event("old 1"), Group: linkGroup},
			socktest.Datagram{Data: event("old 2"), Group: linkGroup},
			socktest.Datagram{Data: event("old 3"), Group: linkGroup},
			socktest.Datagram{Data: req.end(netlink.NLMSG_ERROR, 0)}, // finds the queue full
		)
		req.drop()
		wantLost(t, lost)
		want := []string{"old 1", "old 2", "old 3", "gap 0"}
		for range 20 {
			want = append(want, "new")
		}
		wantEvents(t, c, want...)
	})
}

// A request that only reads is sent once more, on a socket of its own, if its answer
// was lost. If it is lost there too, the answer is larger than the buffer.
func TestLostReadIsRepeatedAlone(t *testing.T) {
	for _, again := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			var from []*socktest.Socket
			k.during(func(req request) error {
				if req.Header.Type == netlink.NLMSG_NOOP {
					req.ack()
					return nil
				}
				from = append(from, req.from)
				if len(from) == 1 || again {
					req.from.Overrun(syscall.ENOBUFS)
					return nil
				}
				return echoes(req)
			})
			call := k.get(bg, c)
			if again {
				wantLost(t, call)
				if !strings.Contains(call.err.Error(), "WithReceiveBuffer") {
					t.Errorf("%v does not name WithReceiveBuffer", call.err)
				}
			} else {
				wantTexts(t, call, "get")
			}
			if len(from) != 2 || from[1] == k.socket(0) {
				t.Errorf("sent %d times, by %v", len(from), from)
			}
			if n := c.Stats().RepliesLost; (n == 1) != again || n > 1 {
				t.Errorf("%d replies lost; the request ended with %v", n, call.err)
			}
		})
	}
}

// The kernel has seen a request whose answer was lost, even if no socket can be opened
// to send it again.
func TestLostReadThatCannotBeRepeatedMayHaveBeenSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.hooked(0).onOpenLike = func() (sock.Socket, error) { return nil, syscall.EMFILE }
		call := k.get(bg, c)
		req := k.want(getLink)
		req.from.Overrun(syscall.ENOBUFS)
		req.drop()
		wantError(t, call, syscall.EMFILE, false)
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// After large answers, fewer requests of their type are in flight at once; after a
// loss, even fewer; after small ones, more again.
func TestEstimateOfAnswersIsLearnt(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		size := 0
		k.during(func(req request) error {
			req.reply(strings.Repeat("x", size))
			req.ack()
			return nil
		})
		inFlight := func() (n int) {
			k.during(nil)
			var calls []*task[[]wire.Message]
			for range 60 {
				calls = append(calls, k.change(bg, c))
			}
			synctest.Wait()
			n = c.Stats().Pending
			for range calls {
				req := k.want(newAddr)
				req.ack()
			}
			for _, call := range calls {
				wantTexts(t, call)
			}
			k.during(func(req request) error {
				req.reply(strings.Repeat("x", size))
				req.ack()
				return nil
			})
			return n
		}
		if n := inFlight(); n != 34 {
			t.Fatalf("%d in flight at first, want 34", n)
		}
		size = 14 << 10
		if _, err := k.change(bg, c).result(); err != nil {
			t.Fatal(err)
		}
		large := inFlight()
		if large < 2 || large > 8 {
			t.Errorf("%d in flight after an answer of 14 KiB", large)
		}
		size = 10
		for range 200 {
			if _, err := k.change(bg, c).result(); err != nil {
				t.Fatal(err)
			}
		}
		if n := inFlight(); n != 34 {
			t.Errorf("%d in flight after small answers, want 34", n)
		}
		k.during(func(req request) error { req.from.Overrun(syscall.ENOBUFS); return nil })
		wantLost(t, k.change(bg, c))
		if n := inFlight(); n > 9 {
			t.Errorf("%d in flight after a loss", n)
		}
	})
}
