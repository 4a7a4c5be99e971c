package client_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// stormySocket puts a new event on the queue whenever a read has emptied it, so
// that the next read finds one, and can have something happen in the middle of the
// storm.
type stormySocket struct {
	*socktest.Socket

	left atomic.Int32     // events to come
	at   map[int32]func() // what else happens when so many are left
}

func (s *stormySocket) Recv(ds []sock.Datagram) (int, error) {
	n, err := s.Socket.Recv(ds)
	if err == nil && s.Backlog() == 0 && s.left.Load() > 0 {
		s.Queue(socktest.Datagram{Data: event("new"), Group: linkGroup})
		if happens := s.at[s.left.Add(-1)]; happens != nil {
			happens()
		}
	}
	return n, err
}

const stormSize = 100_000

// A storm may leave no empty queue for a long time. A goroutine that sends reads no
// further than what was queued when its send returned.
func TestSenderDoesNotWaitForTheEndOfAStorm(t *testing.T) {
	for _, overrun := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			s := new(stormySocket)
			k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
			c := k.dial()
			synctest.Wait()
			k.during(func(req request) error {
				s.left.Store(stormSize)
				s.Queue(socktest.Datagram{Data: event("first")})
				if overrun {
					s.Overrun(syscall.ENOBUFS)
				}
				return nil
			})
			call := k.change(bg, c)
			<-call.over
			if s.left.Load() == 0 {
				t.Errorf("the call (%v) has returned when the storm was over", call.err)
			}
			if overrun {
				wantLost(t, call)
			} else {
				wantError(t, call, client.ErrUnanswered, false)
			}
		})
	}
}

// deafSocket fails every read, for good.
type deafSocket struct {
	*socktest.Socket

	deaf  atomic.Bool
	reads atomic.Int32
}

func (s *deafSocket) Recv(ds []sock.Datagram) (int, error) {
	if !s.deaf.Load() || s.Closed() {
		return s.Socket.Recv(ds)
	}
	s.reads.Add(1)
	ds[0].Congested = false
	return 0, syscall.EACCES
}

// A security module may forbid to read. No goroutine tries for ever, and the request
// ends: its answer is not to be had.
func TestReadsThatFailForGood(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		s := new(deafSocket)
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		c := k.dial()
		synctest.Wait()
		k.during(func(req request) error { s.deaf.Store(true); req.ack(); return nil })
		call := k.change(bg, c)
		<-call.over
		wantLost(t, call)
		if n := s.reads.Load(); n > 1000 {
			t.Errorf("%d reads", n)
		}
		s.deaf.Store(false)
		s.Queue(socktest.Datagram{Data: event("wakes the reader")})
		synctest.Wait()
	})
}
