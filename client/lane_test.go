package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// heldSends are the sends of a socket. Each waits for the script, so that requests
// meet in the lanes.
type heldSends struct {
	t    *testing.T
	hold chan struct{}    // a send waits for one token
	sent [][]wire.Message // the messages of each datagram
	err  error            // of the next send
}

// hold has the sends of c wait for release. One goroutine at a time sends on a lane, as
// on a machine with one processor.
func (k *kernel) hold(c *client.Conn) *heldSends {
	client.SetLeaders(c, 1)
	h := &heldSends{t: k.t, hold: make(chan struct{})}
	s := k.hooked(0)
	s.onSend = func(b []byte) error {
		<-h.hold
		var msgs []wire.Message
		for m, err := range wire.Messages(slices.Clone(b)) {
			if err != nil {
				h.t.Error(err)
			}
			msgs = append(msgs, m)
		}
		h.sent = append(h.sent, msgs)
		if err := h.err; err != nil {
			h.err = nil
			return err
		}
		return s.Socket.Send(b)
	}
	return h
}

// release lets one send go, once all that can wait for it does.
func (h *heldSends) release() {
	synctest.Wait()
	h.hold <- struct{}{}
	synctest.Wait()
}

// wantShares requires that the datagrams so far held these numbers of requests.
func (h *heldSends) wantShares(want ...int) {
	h.t.Helper()
	synctest.Wait()
	var got []int
	for _, msgs := range h.sent {
		got = append(got, len(msgs))
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("datagrams of %d requests, want %d", got, want)
	}
}

// echoes answers each request inside its send with its own payload.
func echoes(req request) error {
	req.reply(string(req.Payload))
	req.ack()
	return nil
}

// Requests that come during a send share the next datagram, and each gets its own
// answer.
func TestCrowdSharesADatagram(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		var crowd []*task[[]wire.Message]
		for i := range 5 {
			crowd = append(crowd, k.request(bg, c, getLink, fmt.Sprint(i), 0))
			synctest.Wait() // in this order
		}
		h.wantShares()
		h.release()
		wantTexts(t, first, "first")
		h.release()
		for i, call := range crowd {
			wantTexts(t, call, fmt.Sprint(i))
		}
		h.wantShares(1, 5)
		// The goroutine that sends puts its own request last, so that it reads the
		// answers of the others on the way.
		if last := h.sent[1][4]; string(last.Payload) != "0" {
			t.Errorf("the last of the datagram is %q, want the one that waited longest", last.Payload)
		}
	})
}

// The refusal of one request does not concern the others.
func TestSharedDatagramSharesNoRefusal(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(func(req request) error {
			if string(req.Payload) == "bad" {
				req.fail(syscall.ENODEV)
				return nil
			}
			return echoes(req)
		})
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		a := k.request(bg, c, getLink, "a", 0)
		bad := k.request(bg, c, getLink, "bad", 0)
		b := k.request(bg, c, getLink, "b", 0)
		h.release()
		h.release()
		wantTexts(t, first, "first")
		wantTexts(t, a, "a")
		wantError(t, bad, syscall.ENODEV, false)
		wantTexts(t, b, "b")
		h.wantShares(1, 3)
	})
}

// A datagram that cannot be sent is the failure of all that are in it, and
// leaves nothing.
func TestSharedDatagramThatFailsFailsAll(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		a, b := k.get(bg, c), k.get(bg, c)
		h.release()
		h.err = syscall.ENOMEM
		h.release()
		wantTexts(t, first, "first")
		wantError(t, a, syscall.ENOMEM, true)
		wantError(t, b, syscall.ENOMEM, true)
		h.wantShares(1, 2)
		wantStats(t, c, client.Stats{})

		after := k.request(bg, c, getLink, "after", 0)
		h.release()
		wantTexts(t, after, "after")
	})
}

// A request that waits in a lane has not been sent, and leaves it when its ctx ends.
func TestContextEndsTheWaitInALane(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		gone := k.request(ctx, c, getLink, "gone", 0)
		synctest.Wait()
		stays := k.request(bg, c, getLink, "stays", 0)
		synctest.Wait()
		cancel()
		wantError(t, gone, context.Canceled, true)
		h.release()
		h.release()
		wantTexts(t, first, "first")
		wantTexts(t, stays, "stays")
		h.wantShares(1, 1)
		wantStats(t, c, client.Stats{})
	})
}

// A request in a datagram that another goroutine sends has probably been sent. Its
// answer is dropped when it comes.
func TestContextEndsInAnotherSend(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		leads := k.request(bg, c, getLink, "leads", 0)
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		gone := k.request(ctx, c, getLink, "gone", 0)
		h.release()
		wantTexts(t, first, "first")
		leads.wantWaiting("its send is held")
		cancel()
		wantError(t, gone, context.Canceled, false)
		h.release()
		wantTexts(t, leads, "leads")
		h.wantShares(1, 2)
		wantStats(t, c, client.Stats{Late: 2})
	})
}

// Requests of other types, which may wait for other locks in the kernel, and
// those that change something do not wait for a lane.
func TestLanesDoNotWaitForEachOther(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetLeaders(c, 1)
		stuck := make(chan struct{})
		k.during(func(req request) error {
			if string(req.Payload) == "stuck" {
				<-stuck
			}
			return echoes(req)
		})
		first := k.request(bg, c, getLink, "stuck", 0)
		synctest.Wait()
		after := k.request(bg, c, getLink, "after", 0)
		other := k.request(bg, c, getAddr, "other", 0)
		change := k.request(bg, c, newAddr, "change", 0)
		noop := runAsync(t, func() (bool, error) { return true, c.Noop(bg) })
		wantTexts(t, other, "other")
		wantTexts(t, change, "change")
		if _, err := noop.result(); err != nil {
			t.Fatal(err)
		}
		after.wantWaiting("the kernel works on one of its type")
		close(stuck)
		wantTexts(t, first, "stuck")
		wantTexts(t, after, "after")
	})
}

// A shared datagram holds no more requests than there is room for answers.
func TestSharedDatagramKeepsToTheWindow(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(3))
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		var calls []*task[[]wire.Message]
		for range 5 {
			calls = append(calls, k.request(bg, c, getLink, "", 0))
		}
		for range 3 {
			h.release()
		}
		wantTexts(t, first, "first")
		for _, call := range calls {
			wantTexts(t, call, "")
		}
		h.wantShares(1, 3, 2)
	})
}

// In a shared datagram the kernel may answer some requests and ignore others.
func TestIgnoredRequestsOfASharedDatagramEnd(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(func(req request) error {
			if string(req.Payload) != "ignored" {
				return echoes(req)
			}
			return nil
		})
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		var calls []*task[[]wire.Message]
		texts := []string{"ignored", "1", "ignored", "2", "ignored"}
		for _, text := range texts {
			calls = append(calls, k.request(bg, c, getLink, text, 0))
			synctest.Wait()
		}
		h.release()
		h.release()
		wantTexts(t, first, "first")
		for i, call := range calls {
			if texts[i] == "ignored" {
				wantError(t, call, client.ErrUnanswered, false)
			} else {
				wantTexts(t, call, texts[i])
			}
		}
		h.wantShares(1, 5)
		wantStats(t, c, client.Stats{})
	})
}

// Without CAP_NET_ADMIN nfnetlink_rcv answers the first message of a datagram only, and
// other families take only the first one out of it.
func TestNoopsThatDoNotShareADatagram(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_NETFILTER, netlink.NETLINK_AUDIT} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(family)
			client.SetLeaders(c, 1) // in a lane, those after the first would wait
			var calls []*task[struct{}]
			for range 20 {
				calls = append(calls, k.noop(c))
			}
			var reqs []request
			for range calls {
				reqs = append(reqs, k.want(netlink.NLMSG_NOOP))
			}
			for _, req := range reqs {
				req.ack() // each had a send of its own, or this would not end the others
			}
			for _, call := range calls {
				if _, err := call.result(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A datagram holds eight requests at most.
func TestSharedDatagramHoldsEightRequests(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(func(req request) error { req.ack(); return nil })
		var calls []*task[[]wire.Message]
		for range 1 + 8 + 2 {
			calls = append(calls, k.get(bg, c))
			synctest.Wait()
		}
		for range 3 {
			h.release()
		}
		for _, call := range calls {
			wantTexts(t, call)
		}
		h.wantShares(1, 8, 2)
	})
}

// It stays within half of the send buffer, and within 16 KiB. That bounds all
// that is in it, the request of the goroutine that sends as well.
func TestSharedDatagramHasABoundInBytes(t *testing.T) {
	for _, tt := range []struct {
		name          string
		buffer, bound int
	}{
		{"send buffer", 24 << 10, 12 << 10},
		{"16 KiB", 0, 16 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				k.Buffer = tt.buffer
				c := k.dial()
				h := k.hold(c)
				k.during(func(req request) error { req.ack(); return nil })
				shares := func(payload int) {
					text := string(make([]byte, payload))
					first := k.get(bg, c)
					synctest.Wait()
					a := k.request(bg, c, getLink, text, 0)
					b := k.request(bg, c, getLink, text, 0)
					synctest.Wait()
					for range 3 {
						select {
						case h.hold <- struct{}{}:
						default: // no send waits any more
						}
						synctest.Wait()
					}
					wantTexts(t, first)
					wantTexts(t, a)
					wantTexts(t, b)
				}
				half := tt.bound/2 - wire.HeaderLen
				shares(half)
				h.wantShares(1, 2)
				shares(half + 4)
				h.wantShares(1, 2, 1, 1, 1)
			})
		})
	}
}

// Close ends the requests that wait in a lane as well.
func TestCloseEndsTheWaitInALane(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		var calls []*task[[]wire.Message]
		for range 4 {
			calls = append(calls, k.get(bg, c))
			synctest.Wait()
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		// The first is in the kernel, which may keep it for long. The others were
		// not sent, and later ones do not wait for it.
		for _, call := range calls[1:] {
			wantClosed(t, call, true)
		}
		wantClosed(t, k.get(bg, c), true)
		calls[0].wantWaiting("its send is held")
		close(h.hold)
		if _, err := calls[0].result(); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		h.wantShares(1)
	})
}

// A request whose ctx ends in the moment in which it is to lead has the next one lead.
func TestCancelledLeaderPassesTheLead(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		for range 100 {
			first := k.request(bg, c, getLink, "first", 0)
			synctest.Wait()
			ctx, cancel := context.WithCancel(bg)
			next := k.request(ctx, c, getLink, "next", 0)
			synctest.Wait()
			last := k.request(bg, c, getLink, "last", 0)
			synctest.Wait()
			// Both at once.
			go cancel()
			h.hold <- struct{}{}
			synctest.Wait()
			select {
			case h.hold <- struct{}{}:
			default:
			}
			synctest.Wait()
			wantTexts(t, first, "first")
			wantTexts(t, last, "last")
			if msgs, err := next.result(); err != nil && (!errors.Is(err, context.Canceled) || len(msgs) > 0) {
				t.Fatalf("%q, %v", texts(msgs), err)
			}
		}
	})
}

// A goroutine that runs does not wait for one that was woken to lead and does not run yet.
// That one waits again, before the others, and every request has its answer.
func TestManyGoroutinesOnOneLane(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetLeaders(c, 1)
		k.during(func(req request) error {
			runtime.Gosched() // others come meanwhile, and wait in the lane
			return echoes(req)
		})
		var all []*task[struct{}]
		for i := range 16 {
			all = append(all, runAsync(t, func() (struct{}, error) {
				for n := range 200 {
					want := fmt.Sprint(i, " ", n)
					msgs, err := c.Request(bg, getLink, []byte(want), 0)
					if err != nil || len(msgs) != 1 || string(msgs[0].Payload) != want {
						return struct{}{}, fmt.Errorf("%q, %w; want %s", texts(msgs), err, want)
					}
				}
				return struct{}{}, nil
			}))
		}
		for _, a := range all {
			<-a.over
			if a.err != nil {
				t.Error(a.err)
			}
		}
		wantStats(t, c, client.Stats{})
	})
}

// The handler of a scripted kernel may end the goroutine that asks, as t.Fatal
// does. The others go on.
func TestLeaderThatDoesNotReturnPassesTheLead(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetLeaders(c, 1)
		k.during(func(req request) error {
			if string(req.Payload) == "fatal" {
				req.ack()
				runtime.Goexit()
			}
			return echoes(req)
		})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = c.Request(bg, getLink, []byte("fatal"), 0)
		}()
		<-ended
		wantTexts(t, k.request(bg, c, getLink, "next", 0), "next")
	})
}
