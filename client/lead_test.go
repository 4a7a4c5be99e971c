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

// Two goroutines send on a lane for each processor, and one if there is one processor.
func TestSendersOfALaneAreFew(t *testing.T) {
	for processors, want := range map[int]int{1: 1, 2: 4, 16: 32} {
		if n := client.LeadersFor(processors); n != want {
			t.Errorf("%d goroutines send on a lane with %d processors, want %d", n, processors, want)
		}
	}
	for _, leaders := range []int{1, 4} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			if n, want := client.Leaders(c), client.LeadersFor(runtime.GOMAXPROCS(0)); n != want {
				t.Errorf("%d goroutines send on a lane of the Conn, want %d", n, want)
			}
			h := k.hold(c)
			client.SetLeaders(c, leaders)
			k.during(func(req request) error { req.ack(); return nil })
			var calls []*task[[]wire.Message]
			for range leaders + 3 {
				calls = append(calls, k.get(bg, c))
				synctest.Wait()
			}
			var want []int
			for range leaders {
				h.release()
				want = append(want, 1)
			}
			h.release()
			for _, call := range calls {
				wantTexts(t, call)
			}
			h.wantShares(append(want, 3)...)
		})
	}
}

// A request that is woken to lead, and whose ctx has ended, has the next one lead. Its
// ctx ends inside the send before, so that both are there at once.
func TestCancelledInTheSendPassesTheLead(t *testing.T) {
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
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		next := k.request(ctx, c, getLink, "next", 0)
		synctest.Wait()
		last := k.request(bg, c, getLink, "last", 0)
		h.release()
		wantTexts(t, first, "first")
		wantError(t, next, context.Canceled, true)
		select {
		case h.hold <- struct{}{}:
		default:
			t.Fatal("no request leads")
		}
		wantTexts(t, last, "last")
		h.wantShares(1, 1)
	})
}

// While the reader is away, the goroutine that sends reads for all requests in the
// datagram.
func TestLeaderReadsForAll(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
		a := k.request(bg, c, getLink, "a", 0)
		synctest.Wait()
		b := k.request(bg, c, getLink, "b", 0)
		h.release()
		wantTexts(t, first, "first")
		h.release()
		wantTexts(t, a, "a")
		wantTexts(t, b, "b")
		h.wantShares(1, 2)
	})
}

// An overrun during the send of a shared datagram may cost the answers to some of its
// requests, while the last one has its answer. The goroutine that sends ends them all.
func TestLeaderEndsWhatAnOverrunCost(t *testing.T) {
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
		h.wantShares(1, 2)
	})
}

// Requests may leave a lane from any place. The others keep their order.
func TestRequestsThatLeaveALaneKeepTheOrderOfTheOthers(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		h := k.hold(c)
		k.during(echoes)
		first := k.request(bg, c, getLink, "first", 0)
		synctest.Wait()
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
		h.wantShares(1, 3)
		if got := texts(h.sent[1]); !slices.Equal(got, []string{"2", "3", "1"}) {
			t.Errorf("shared by %q", got)
		}
		for i, call := range stay {
			wantTexts(t, call, fmt.Sprint(i+1))
		}
	})
}
