package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// heldSends are the sends of a socket. Each waits for the script, so that requests are
// coalesced.
type heldSends struct {
	k    *kernel
	conn *client.Conn
	hold chan struct{}    // a send waits for one token
	sent [][]wire.Message // the messages of each datagram
	err  error            // of the next send
}

// hold makes the sends of c wait for release. One goroutine at a time sends on a
// coalescer, as on a machine with one processor.
func (k *kernel) hold(c *client.Conn) *heldSends {
	client.SetMaxSenders(c, 1)
	h := &heldSends{k: k, conn: c, hold: make(chan struct{})}
	s := k.hooked(0)
	s.onSend = func(b []byte) error {
		<-h.hold
		var msgs []wire.Message
		for m, err := range wire.Messages(slices.Clone(b)) {
			if err != nil {
				h.k.t.Error(err)
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

// request makes a request whose payload is text and returns once no goroutine runs: it is
// being sent, or it is queued after the ones before it.
func (h *heldSends) request(ctx context.Context, text string) *task[[]wire.Message] {
	call := h.k.request(ctx, h.conn, getLink, text, 0)
	synctest.Wait()
	return call
}

// release lets one send run, once every goroutine is blocked.
func (h *heldSends) release() {
	synctest.Wait()
	h.hold <- struct{}{}
	synctest.Wait()
}

// wantDatagrams requires that the datagrams so far held these numbers of requests.
func (h *heldSends) wantDatagrams(want ...int) {
	h.k.t.Helper()
	synctest.Wait()
	var got []int
	for _, msgs := range h.sent {
		got = append(got, len(msgs))
	}
	if !slices.Equal(got, want) {
		h.k.t.Fatalf("datagrams of %d requests, want %d", got, want)
	}
}

// echoes answers each request inside its send with its own payload.
func echoes(req request) error {
	req.reply(string(req.Payload))
	req.ack()
	return nil
}

// Requests that are made during a send share the next datagram, and each gets its own
// answer.
func TestRequestsAreCoalesced(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		var calls []*task[[]wire.Message]
		for i := range 5 {
			calls = append(calls, h.request(bg, fmt.Sprint(i)))
		}
		h.wantDatagrams()
		h.release()
		wantTexts(t, first, "first")
		h.release()
		for i, call := range calls {
			wantTexts(t, call, fmt.Sprint(i))
		}
		h.wantDatagrams(1, 5)
		// The goroutine that sends puts its own request last, so that it reads the
		// answers to the others first.
		if last := h.sent[1][4]; string(last.Payload) != "0" {
			t.Errorf("the last of the datagram is %q, want the one that waited longest", last.Payload)
		}
	})
}

// The refusal of one request does not affect the others.
func TestRefusalInASharedDatagram(t *testing.T) {
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
		first := h.request(bg, "first")
		a := k.request(bg, c, getLink, "a", 0)
		bad := k.request(bg, c, getLink, "bad", 0)
		b := k.request(bg, c, getLink, "b", 0)
		h.release()
		h.release()
		wantTexts(t, first, "first")
		wantTexts(t, a, "a")
		wantError(t, bad, syscall.ENODEV, false)
		wantTexts(t, b, "b")
		h.wantDatagrams(1, 3)
	})
}

// If a datagram cannot be sent, all its requests fail, and nothing is left.
func TestFailedSendOfASharedDatagramFailsAll(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		a, b := k.get(bg, c), k.get(bg, c)
		h.release()
		h.err = syscall.ENOMEM
		h.release()
		wantTexts(t, first, "first")
		wantError(t, a, syscall.ENOMEM, true)
		wantError(t, b, syscall.ENOMEM, true)
		h.wantDatagrams(1, 2)
		wantStats(t, c, client.Stats{})

		after := k.request(bg, c, getLink, "after", 0)
		h.release()
		wantTexts(t, after, "after")
	})
}

// A queued request has not been sent, and leaves the queue when its ctx ends.
func TestContextEndsTheWaitInTheQueue(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		ctx, cancel := context.WithCancel(bg)
		gone := h.request(ctx, "gone")
		stays := h.request(bg, "stays")
		cancel()
		wantError(t, gone, context.Canceled, true)
		h.release()
		h.release()
		wantTexts(t, first, "first")
		wantTexts(t, stays, "stays")
		h.wantDatagrams(1, 1)
		wantStats(t, c, client.Stats{})
	})
}

// A request in a datagram of another goroutine has probably been sent. Its answer is
// dropped.
func TestContextEndsDuringTheSendOfAnotherGoroutine(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		sender := h.request(bg, "sender")
		ctx, cancel := context.WithCancel(bg)
		gone := k.request(ctx, c, getLink, "gone", 0)
		h.release()
		wantTexts(t, first, "first")
		sender.wantWaiting("its send is held")
		cancel()
		wantError(t, gone, context.Canceled, false)
		h.release()
		wantTexts(t, sender, "sender")
		h.wantDatagrams(1, 2)
		wantStats(t, c, client.Stats{Late: 2})
	})
}

// Requests of other types, which may need other locks in the kernel, and requests that
// change something are not queued.
func TestOnlyRequestsOfOneTypeAreCoalesced(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetMaxSenders(c, 1)
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

// A shared datagram holds no more requests than the window has room for answers.
func TestSharedDatagramKeepsToTheWindow(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(3))
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
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
		h.wantDatagrams(1, 3, 2)
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
		first := h.request(bg, "first")
		var calls []*task[[]wire.Message]
		texts := []string{"ignored", "1", "ignored", "2", "ignored"}
		for _, text := range texts {
			calls = append(calls, h.request(bg, text))
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
		h.wantDatagrams(1, 5)
		wantStats(t, c, client.Stats{})
	})
}

// Without CAP_NET_ADMIN nfnetlink_rcv answers only the first message of a datagram, and
// some families read only the first one.
func TestNoopsThatDoNotShareADatagram(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_NETFILTER, netlink.NETLINK_AUDIT} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(family)
			client.SetMaxSenders(c, 1) // if coalesced, those after the first would wait
			var calls []*task[struct{}]
			for range 20 {
				calls = append(calls, k.noop(c))
			}
			var reqs []request
			for range calls {
				reqs = append(reqs, k.want(netlink.NLMSG_NOOP))
			}
			for _, req := range reqs {
				req.ack() // each had its own send, or this would not end the others
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
		h.wantDatagrams(1, 8, 2)
	})
}

// Its size is limited to half of the send buffer, and to 16 KiB, including the request
// of the goroutine that sends.
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
				h.wantDatagrams(1, 2)
				shares(half + 4)
				h.wantDatagrams(1, 2, 1, 1, 1)
			})
		})
	}
}

// Close also ends queued requests.
func TestCloseEndsTheWaitInTheQueue(t *testing.T) {
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
		// The first is in the kernel, possibly for a long time. The others were not
		// sent, and later ones do not wait for it.
		for _, call := range calls[1:] {
			wantClosed(t, call, true)
		}
		wantClosed(t, k.get(bg, c), true)
		calls[0].wantWaiting("its send is held")
		close(h.hold)
		if _, err := calls[0].result(); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		h.wantDatagrams(1)
	})
}

// If the ctx of a request ends when it is woken to send, the next one is woken.
func TestCancelledRequestWakesTheNext(t *testing.T) {
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

// A goroutine that runs does not wait for one that was woken and does not run yet. That
// one is queued again, first, and every request has its answer. No more goroutines send at
// once than may.
func TestManyGoroutinesOnOneCoalescer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetMaxSenders(c, 1)
		var sends, most atomic.Int32
		s := k.hooked(0)
		s.onSend = func(b []byte) error {
			if n := sends.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer sends.Add(-1)
			runtime.Gosched() // others are queued meanwhile
			return s.Socket.Send(b)
		}
		k.during(echoes)
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
		if n := most.Load(); n != 1 {
			t.Errorf("%d goroutines sent at once, want 1", n)
		}
		wantStats(t, c, client.Stats{})
	})
}

// The handler of a scripted kernel may end its goroutine, as t.Fatal does. The request
// fails, and the others continue.
func TestHandlerThatDoesNotReturnFailsTheRequest(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		client.SetMaxSenders(c, 1)
		k.during(func(req request) error {
			if string(req.Payload) == "fatal" {
				req.ack()
				runtime.Goexit()
			}
			return echoes(req)
		})
		for range maxSlots + 1 {
			_, err := c.Request(bg, getLink, []byte("fatal"), 0)
			if err == nil || !strings.Contains(err.Error(), "ended its goroutine") {
				t.Fatal(err)
			}
		}
		wantTexts(t, k.request(bg, c, getLink, "next", 0), "next")
	})
}
