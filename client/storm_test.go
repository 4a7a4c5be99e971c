package client_test

import (
	"math"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// storm queues a new event whenever a read has emptied the queue of the first socket,
// so that the next read finds one. It returns the number of events to come.
func (k *kernel) storm() *atomic.Int32 {
	left := new(atomic.Int32)
	s := k.hooked(0)
	s.onRecv = func(ds []sock.Datagram) (int, error) {
		n, err := s.Socket.Recv(ds)
		if err == nil && s.Backlog() == 0 && left.Load() > 0 {
			s.Queue(socktest.Datagram{Data: event("new"), Group: linkGroup})
			left.Add(-1)
		}
		return n, err
	}
	return left
}

// In a storm the queue may never be empty. A goroutine that sends reads only what was
// queued when its send returned.
func TestSenderDoesNotWaitForTheEndOfAStorm(t *testing.T) {
	for _, overrun := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			left := k.storm()
			k.during(func(req request) error {
				left.Store(math.MaxInt32) // it ends after the call
				req.from.Queue(socktest.Datagram{Data: event("first")})
				if overrun {
					req.from.Overrun(syscall.ENOBUFS)
				}
				return nil
			})
			call := k.change(bg, c)
			<-call.over
			left.Store(0)
			if overrun {
				wantLost(t, call)
			} else {
				wantError(t, call, client.ErrUnanswered, false)
			}
		})
	}
}

// A goroutine that sends may read its last datagram while it drains an overrun, and empty the
// queue with it. The netpoller looks later, finds the queue empty and wakes nobody.
func TestSenderThatEmptiesTheQueueEndsTheOverrun(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 9 * sock.Charge // a sender reads 10 datagrams
		var asleep atomic.Bool
		k.hook = func(h *hooked) {
			h.onWatch = func(ready func()) error {
				return h.Socket.Watch(func() {
					if !asleep.Load() {
						ready()
					}
				})
			}
		}
		c := k.dial()
		k.join(c, linkGroup)
		s := k.hooked(0)
		// The kernel charges more than the lower bound that is subtracted for a datagram.
		s.onBacklog = func() int { return 2 * s.Socket.Backlog() }
		reads := 0
		s.onRecv = func(ds []sock.Datagram) (int, error) {
			n, err := s.Socket.Recv(ds[:1])
			if reads++; reads == 3 {
				s.Overrun(syscall.ENOBUFS)
			}
			return n, err
		}
		var texts []string
		k.during(func(request) error {
			asleep.Store(true)
			reads = 0
			texts = k.events(10)
			return nil
		})
		wantLost(t, k.change(bg, c))
		wantEvents(t, c, append(texts, "gap 0")...)
		s.onRecv = nil
		k.during(func(req request) error { req.ack(); return nil })
		wantTexts(t, k.get(bg, c)) // it is not stopped by the gate
	})
}

// A security module may forbid reads. No goroutine retries for ever, and the request
// ends without its answer.
func TestReadsThatAlwaysFail(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.hooked(0)
		var deaf atomic.Bool
		var reads atomic.Int32
		s.onRecv = func(ds []sock.Datagram) (int, error) {
			if !deaf.Load() {
				return s.Socket.Recv(ds)
			}
			reads.Add(1)
			ds[0].Congested = false
			return 0, syscall.EACCES
		}
		k.during(func(req request) error { deaf.Store(true); req.ack(); return nil })
		call := k.change(bg, c)
		<-call.over
		wantLost(t, call)
		if n := reads.Load(); n > 1000 {
			t.Errorf("%d reads", n)
		}
		deaf.Store(false)
		s.Queue(socktest.Datagram{Data: event("wakes the reader")})
		synctest.Wait()
	})
}
