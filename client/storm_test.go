package client_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
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

// When ctx ends, Request returns at once. Beside a dump a loss is settled by an
// empty queue only, and a storm may not leave one for a long time; that is no
// reason to keep a caller who wants to leave.
func TestContextEndsTheWaitInAStormBesideADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		ctx, cancel := context.WithCancel(bg)
		s := &stormySocket{at: map[int32]func(){stormSize / 2: cancel}}
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		c := k.dial()
		dump := k.dump(bg, c)
		k.want(getAddr)
		call := k.get(ctx, c)
		k.want(getLink)
		s.left.Store(stormSize)
		s.Queue(socktest.Datagram{Data: event("first")})
		s.Overrun(syscall.ENOBUFS)
		<-call.over
		if s.left.Load() == 0 {
			t.Errorf("the call (%v) has returned when the storm was over, ctx ended in the middle", call.err)
		}
		wantLost(t, dump)
	})
}

// A send that is under way when the kernel drops something, and that comes back
// while what was queued is read away, does not keep the others waiting for the
// end of a storm.
func TestOverlappedSendDoesNotShutTheGateForAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		s := new(stormySocket)
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		c := k.dial()
		k.join(c, linkGroup)
		held := make(chan struct{})
		var left int32 = -1 // when the next request was sent
		k.during(func(req request) error {
			if req.Header.Type == getAddr {
				<-held
				return nil
			}
			left = s.left.Load()
			req.ack()
			return nil
		})
		overlaps := k.request(bg, c, getAddr, "", 0)
		overlaps.wantWaiting("its send is held")
		started := make(chan *task[[]wire.Message], 1)
		s.at = map[int32]func(){
			stormSize / 2: func() { s.Overrun(syscall.ENOBUFS) },
			stormSize/2 - 1: func() {
				close(held)
				time.Sleep(time.Nanosecond) // in the bubble: the send has returned
				started <- k.get(bg, c)
				time.Sleep(time.Nanosecond) // the next one is at the gate
			},
		}
		s.left.Store(stormSize)
		s.Queue(socktest.Datagram{Data: event("first"), Group: linkGroup})
		next := <-started
		<-next.over
		wantTexts(t, next)
		if left <= 0 {
			t.Error("the next request was sent when the storm was over")
		}
		wantLost(t, overlaps)
	})
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

// A security module may forbid to read. Nobody tries for ever, and ctx ends the
// wait.
func TestReadsThatFailForGood(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		s := new(deafSocket)
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		c := k.dial()
		synctest.Wait()
		k.during(func(req request) error { s.deaf.Store(true); req.ack(); return nil })
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		call := k.get(ctx, c)
		<-call.over
		wantError(t, call, context.DeadlineExceeded, false)
		if n := s.reads.Load(); n > 1000 {
			t.Errorf("%d reads", n)
		}
		s.deaf.Store(false)
		s.Queue(socktest.Datagram{Data: event("wakes the reader")})
		synctest.Wait()
	})
}
