package client_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// slowReader makes reading stop between a reported loss and the next read,
// until the script calls goOn.
type slowReader struct {
	*socktest.Socket

	resume chan struct{}
	lost   bool // owned by who reads
}

func (s *slowReader) Recv(ds []sock.Datagram) (int, error) {
	if s.lost {
		<-s.resume
	}
	n, err := s.Socket.Recv(ds)
	s.lost = errors.Is(err, syscall.ENOBUFS)
	return n, err
}

func (s *slowReader) goOn() { s.resume <- struct{}{} }

// dialSlow opens a Conn whose reader stops after each loss.
func (k *kernel) dialSlow(opts ...client.Option) (*client.Conn, *slowReader) {
	k.t.Helper()
	return k.dialSlowFamily(netlink.NETLINK_ROUTE, opts...)
}

func (k *kernel) dialSlowFamily(family netlink.Family, opts ...client.Option) (*client.Conn, *slowReader) {
	k.t.Helper()
	var slow *slowReader
	k.wrap = func(s *socktest.Socket) sock.Socket {
		slow = &slowReader{Socket: s, resume: make(chan struct{})}
		return slow
	}
	c := k.dialFamily(family, opts...)
	return c, slow
}

// wantLost requires that the call was told that its answer is lost.
func wantLost[T any](t *testing.T, a *task[T]) {
	t.Helper()
	_, err := a.result()
	if !errors.Is(err, client.ErrReplyLost) || !errors.Is(err, syscall.ENOBUFS) || client.NotSent(err) {
		t.Fatalf("%v (not sent: %v), want a lost reply", err, client.NotSent(err))
	}
}

// A full queue drops what comes until it has been read empty, and what it held
// stays good (netlink_overrun). So those whose answers were queued get them, and
// only the others are told of the loss.
func TestOverrunFailsOnlyTheRequestsThatItCost(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 3
		c := k.dial()
		whole := k.get(bg, c)
		one := k.want(getLink)
		half := k.get(bg, c)
		two := k.want(getLink)
		none := k.get(bg, c)
		three := k.want(getLink)
		const ack = netlink.NLMSG_ERROR
		one.send(
			one.data("1"), one.end(ack, 0), two.data("2"), // and now it is full
			two.end(ack, 0), three.end(ack, 0),
		)
		wantTexts(t, whole, "1")
		wantLost(t, half)
		wantLost(t, none)
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 2, Overruns: 1})

		// The Conn goes on.
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
		call := k.get(bg, c)
		k.want(getLink).from.Overrun(syscall.ENOMEM)
		wantLost(t, call)
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// The answer to a request that is sent while the queue is being read away after
// a loss would be dropped too, though there is room for it. So it is not sent
// before the queue is empty.
func TestRequestsWaitAtTheGateUntilALossIsReadAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		before := k.get(bg, c)
		k.want(getLink)
		reader.Overrun(syscall.ENOBUFS)
		before.wantWaiting("the queue is not known to be empty")

		during := k.get(bg, c)
		k.wantIdle("the kernel would drop the answer")
		during.wantWaiting("it has not been sent")
		wantStats(t, c, client.Stats{Pending: 1, Overruns: 1})

		reader.goOn()
		wantLost(t, before)
		k.want(getLink).ack()
		wantTexts(t, during)
		wantEvents(t, c, "gap 0")
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// At the gate nothing has been sent, and what was lent goes back.
func TestContextEndsTheWaitAtTheGate(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow(client.WithInFlight(1))
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		call := k.get(ctx, c)
		call.wantWaiting("the gate is shut")
		cancel()
		wantError(t, call, context.Canceled, true)
		reader.goOn()
		k.wantIdle("its caller has gone")
		call = k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// One loss may follow another before the queue is empty; the gate opens when the
// last of them has been read away, and consumers are told of both: there was an
// empty queue in between.
func TestLossDuringALoss(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
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

// While a send runs, an empty queue proves nothing about its answer: that may
// come later in the send, or have been dropped before.
func TestLossDuringTheSend(t *testing.T) {
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
				k.during(func(req request) error {
					req.from.Overrun(syscall.ENOBUFS)
					synctest.Wait() // the queue is read empty, and that was not all
					if n := c.Stats().Pending; n != 1 {
						t.Errorf("%d requests pending, want the one whose send still runs", n)
					}
					tt.answer(req)
					return nil
				})
				_, err := c.Request(bg, getLink, nil, 0)
				if tt.lost != errors.Is(err, client.ErrReplyLost) || !tt.lost && err != nil {
					t.Fatal(err)
				}
				k.during(nil)
				wantEvents(t, c, "gap 0")
			})
		})
	}
}

// Beside a dump callers leave the reading to the reader, but none comes for a
// loss that has been read away: who was in doubt has to have it settled.
func TestLossDuringTheSendBesideADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		sent := make(chan struct{})
		k.during(func(req request) error {
			if req.Header.Type == getLink {
				<-sent
			}
			return nil
		})
		dump, get := k.dump(bg, c), k.get(bg, c)
		synctest.Wait()
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantLost(t, dump)
		get.wantWaiting("its send still runs")
		close(sent)
		wantLost(t, get)
		wantStats(t, c, client.Stats{RepliesLost: 2, Overruns: 1})
	})
}

// A send may also return while somebody else is still reading the loss away.
// Then it is up to the reader to find out about it.
func TestSendThatReturnsWhileALossIsReadAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		sent := make(chan struct{})
		k.during(func(req request) error {
			<-sent
			return nil
		})
		call := k.get(bg, c)
		call.wantWaiting("its send still runs")
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		close(sent)
		call.wantWaiting("the reader is half way through")
		reader.goOn()
		wantLost(t, call)
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// Nobody waits for a request that was given up, so its loss is nobody's; but
// its number and its room are free again.
func TestLossEndsWhatWasGivenUp(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		ctx, cancel := context.WithCancel(bg)
		dump := k.dump(ctx, c)
		req := k.want(getAddr)
		cancel()
		wantError(t, dump, context.Canceled, false)
		dump = k.dump(bg, c)
		dump.wantWaiting("the first one still runs")
		req.from.Overrun(syscall.ENOBUFS)
		k.want(getAddr).done()
		wantTexts(t, dump)
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// The parts of a dump are made as the queue is read, so that a dump outlives a
// loss, while the answer to a request is lost (netlink_dump).
func TestDumpOutlivesALoss(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		get := k.get(bg, c)
		k.want(getLink)
		reader.Overrun(syscall.ENOBUFS)
		get.wantWaiting("the reader stands still")
		req.send(req.part("1", 0), req.part("2", 0))
		req.done()
		reader.goOn()
		wantTexts(t, dump, "1", "2")
		wantLost(t, get)
	})
}

// The gap stands where the events are missing: behind what was queued when the
// queue overflowed, before what came after it had been read.
func TestGapStandsWhereEventsAreMissing(t *testing.T) {
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

// In a storm no read may find the queue empty for a long time. The place of the
// loss is told all the same: behind what was queued before it, in front of what
// came later; and requests do not wait for the storm to end.
func TestGapStandsInItsPlaceDuringAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		storm := new(stormySocket)
		storm.left.Store(20)
		k.wrap = func(s *socktest.Socket) sock.Socket {
			storm.Socket = s
			return storm
		}
		k.Limit = 3
		c := k.dial()
		k.join(c, linkGroup)
		lost := k.get(bg, c)
		req := k.want(getLink)
		req.from.Queue(
			socktest.Datagram{Data: event("old 1"), Group: linkGroup},
			socktest.Datagram{Data: event("old 2"), Group: linkGroup},
			socktest.Datagram{Data: event("old 3"), Group: linkGroup},
			socktest.Datagram{Data: req.end(netlink.NLMSG_ERROR, 0)}, // finds it full
		)
		wantLost(t, lost)
		want := []string{"old 1", "old 2", "old 3", "gap 0"}
		for range 20 {
			want = append(want, "new")
		}
		wantEvents(t, c, want...)
	})
}
