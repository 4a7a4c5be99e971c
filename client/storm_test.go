package client_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// stormySocket puts a new event on the queue whenever a read has emptied it, so
// that the next read finds one, and can have something happen in the middle of the
// storm.
type stormySocket struct {
	*socktest.Socket

	left   atomic.Int32 // events to come
	middle func()       // when stormSize/2 are left
}

func (s *stormySocket) Recv(ds []sock.Datagram) (int, error) {
	n, err := s.Socket.Recv(ds)
	if err == nil && s.Backlog() == 0 && s.left.Load() > 0 {
		if s.left.Add(-1) == stormSize/2 {
			s.middle()
		}
		s.Queue(socktest.Datagram{Data: event("new"), Group: linkGroup})
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
		s := &stormySocket{middle: cancel}
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
