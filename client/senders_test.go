package client_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// Two goroutines per processor send on a coalescer, and one on a single processor.
func TestSendersOfACoalescerAreBounded(t *testing.T) {
	for processors, want := range map[int]int{1: 1, 2: 4, 16: 32} {
		if n := client.MaxSendersFor(processors); n != want {
			t.Errorf("%d goroutines send with %d processors, want %d", n, processors, want)
		}
	}
	for _, senders := range []int{1, 4} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			if n, want := client.MaxSenders(c), client.MaxSendersFor(runtime.GOMAXPROCS(0)); n != want {
				t.Errorf("%d goroutines send on a coalescer of the Conn, want %d", n, want)
			}
			h := k.hold(c)
			client.SetMaxSenders(c, senders)
			k.during(func(req request) error { req.ack(); return nil })
			var calls []*task[[]wire.Message]
			for range senders + 3 {
				calls = append(calls, k.get(bg, c))
				synctest.Wait()
			}
			var want []int
			for range senders {
				h.release()
				want = append(want, 1)
			}
			h.release()
			for _, call := range calls {
				wantTexts(t, call)
			}
			h.wantDatagrams(append(want, 3)...)
		})
	}
}

// If the ctx of a request that was woken to send has ended, the next one is woken. The
// ctx ends inside the send before, so that both happen at once.
func TestRequestCancelledDuringASendWakesTheNext(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		ctx, cancel := context.WithCancel(bg)
		k.during(func(req request) error {
			if string(req.Payload) == "first" {
				cancel()
			}
			return echoes(req)
		})
		first := h.request(bg, "first")
		next := h.request(ctx, "next")
		last := k.request(bg, c, getLink, "last", 0)
		h.release()
		wantTexts(t, first, "first")
		wantError(t, next, context.Canceled, true)
		select {
		case h.hold <- struct{}{}:
		default:
			t.Fatal("no request is sent")
		}
		wantTexts(t, last, "last")
		h.wantDatagrams(1, 1)
	})
}

// While the reader is parked, the goroutine that sends reads for all requests in the
// datagram.
func TestSenderReadsForAll(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		a := h.request(bg, "a")
		b := k.request(bg, c, getLink, "b", 0)
		h.release()
		wantTexts(t, first, "first")
		h.release()
		wantTexts(t, a, "a")
		wantTexts(t, b, "b")
		h.wantDatagrams(1, 2)
	})
}

// An overrun during the send of a shared datagram may lose the answers to some of its
// requests, but not the last one. The goroutine that sends ends them all.
func TestSenderEndsRequestsWithLostAnswers(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(func(req request) error {
			if string(req.Payload) == "dropped" {
				req.from.Overrun(syscall.ENOBUFS)
				time.Sleep(time.Nanosecond) // until it has been drained
				return nil
			}
			req.ack()
			return nil
		})
		first := k.get(bg, c)
		synctest.Wait()
		last := k.get(bg, c)
		synctest.Wait()
		dropped := k.request(bg, c, getLink, "dropped", 0)
		h.release()
		wantTexts(t, first)
		h.release()
		time.Sleep(2 * time.Nanosecond)
		wantTexts(t, last)
		wantLost(t, dropped)
		h.wantDatagrams(1, 2)
	})
}

// Requests may leave the queue from any position. The others keep their order.
func TestQueueKeepsItsOrderWhenRequestsLeave(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := h.request(bg, "first")
		ctx, cancel := context.WithCancel(bg)
		var gone, stay []*task[[]wire.Message]
		for _, place := range []string{"front", "1", "middle", "2", "end"} {
			if len(place) > 1 {
				gone = append(gone, k.request(ctx, c, getLink, place, 0))
			} else {
				stay = append(stay, k.request(bg, c, getLink, place, 0))
			}
			synctest.Wait() // in this order
		}
		cancel()
		for _, call := range gone {
			wantError(t, call, context.Canceled, true)
		}
		stay = append(stay, k.request(bg, c, getLink, "3", 0))
		h.release()
		wantTexts(t, first, "first")
		h.release()
		h.wantDatagrams(1, 3)
		if got := texts(h.sent[1]); !slices.Equal(got, []string{"2", "3", "1"}) {
			t.Errorf("sent %q", got)
		}
		for i, call := range stay {
			wantTexts(t, call, fmt.Sprint(i+1))
		}
	})
}
