package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// queue queues a datagram of the kernel to a group.
func queue(s *socktest.Socket, group uint32, b []byte) {
	s.Queue(socktest.Datagram{Data: b, Group: group})
}

// A batch that did not leave must leave nothing behind.
func TestFailedSendOfABatchGivesEverythingBack(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
		k.during(func(req request) error {
			if req.batch == nil {
				t.Error("a barrier behind nothing")
			}
			return syscall.EMSGSIZE
		})
		for range 3 {
			_, err := c.Batch(bg, nfTables, tables("a"))
			if !errors.Is(err, syscall.EMSGSIZE) || !client.NotSent(err) || !strings.HasPrefix(err.Error(), "netlink: batch: ") {
				t.Fatalf("%v (not sent: %v)", err, client.NotSent(err))
			}
			wantStats(t, c, client.Stats{})
		}
	})
}

// The batch has been seen by then, so it is not "not sent", and the empty queue
// tells what became of it.
func TestFailedSendOfTheBarrier(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(req request)
		want   func(t *testing.T, call *task[[]wire.Message])
	}{
		{"applied", func(req request) { req.message(1).ack() }, func(t *testing.T, call *task[[]wire.Message]) { wantTexts(t, call) }},
		{"refused", func(req request) { req.message(1).fail(syscall.EPERM) }, func(t *testing.T, call *task[[]wire.Message]) {
			wantRefused(t, call, at(1, syscall.EPERM))
		}},
		{"lost", func(req request) { req.from.Overrun(syscall.ENOBUFS) }, func(t *testing.T, call *task[[]wire.Message]) { wantLost(t, call) }},
		{"ignored", func(request) {}, func(t *testing.T, call *task[[]wire.Message]) { wantError(t, call, syscall.EBADMSG, false) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
				k.during(func(req request) error {
					if req.batch == nil {
						return syscall.ENOMEM
					}
					tt.answer(req)
					return nil
				})
				call := k.batch(bg, c, tables("a", "b"))
				tt.want(t, call)
				if n := c.Stats().Pending; n != 0 {
					t.Errorf("%d pending", n)
				}
				k.during(nil)
				next := k.batch(bg, c, tables("c"))
				k.apply(1)
				wantTexts(t, next)
			})
		})
	}
}

// The refusal may be what was dropped, even if the last word came through.
func TestBatchBesideALossIsInDoubt(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		overrunIn := func(answers func(req request)) *task[[]wire.Message] {
			k.during(func(req request) error {
				if req.batch == nil {
					req.ack()
					return nil
				}
				req.from.Overrun(syscall.ENOBUFS)
				synctest.Wait() // until it has been read away
				answers(req)
				return nil
			})
			return run(t, func() ([]wire.Message, error) { return c.Batch(bg, nfTables, tables("a", "b")) })
		}
		wantLost(t, overrunIn(func(req request) { req.message(1).ack() }))
		// Since Linux 6.10 the closing message's acknowledgement leaves no doubt.
		wantTexts(t, overrunIn(func(req request) { req.message(2).ack() }))
		// Nor does a refusal.
		refused := overrunIn(func(req request) { req.message(1).fail(syscall.EPERM) })
		if e := wantRefused(t, refused, at(1, syscall.EPERM)); !e.Incomplete {
			t.Errorf("%+v claims to be complete", e)
		}
		k.during(nil)
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 3})
	})
}

// The barrier's acknowledgement can be dropped with the rest.
func TestLostBatchIsTold(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		call := k.batch(bg, c, tables("a", "b"))
		req, _ := k.wantBatch(2)
		req.from.Overrun(syscall.ENOBUFS)
		wantLost(t, call)
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// A batch waits at the gate like any request: its answer would be dropped.
func TestBatchWaitsAtTheGate(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlowFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		left := k.batch(ctx, c, tables("a"))
		left.wantWaiting("the gate is shut")
		cancel()
		wantError(t, left, context.Canceled, true)
		call := k.batch(bg, c, tables("a"))
		k.wantIdle("the gate is shut")
		reader.goOn()
		k.apply(1)
		wantTexts(t, call)
	})
}

// What was given up keeps its numbers and its room until the barrier.
func TestContextEndsTheWaitForABatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		ctx, cancel := context.WithCancel(bg)
		call := k.batch(ctx, c, tables("a", "b"))
		req, barrier := k.wantBatch(2)
		cancel()
		wantError(t, call, context.Canceled, false)
		wantStats(t, c, client.Stats{Pending: 1})
		next := k.batch(bg, c, tables("c"))
		k.wantIdle("the other has not been answered")
		req.message(1).fail(syscall.EPERM)
		barrier.ack()
		k.apply(1)
		wantTexts(t, next)
		wantStats(t, c, client.Stats{Late: 2})
	})
}

func TestResultOfABatchBeatsContext(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		ctx, cancel := context.WithCancel(bg)
		k.during(func(req request) error {
			if req.batch != nil {
				req.message(0).ack()
				cancel()
				return nil
			}
			req.ack()
			return nil
		})
		if _, err := c.Batch(ctx, nfTables, tables("a")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseEndsABatch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		close func(k *kernel, c *client.Conn) *task[[]wire.Message]
	}{
		{"waiting", func(k *kernel, c *client.Conn) *task[[]wire.Message] {
			call := k.batch(bg, c, tables("a"))
			k.wantBatch(1)
			c.Close()
			return call
		}},
		{"between its sends", func(k *kernel, c *client.Conn) *task[[]wire.Message] {
			k.during(func(req request) error {
				if req.batch != nil {
					go c.Close()
					synctest.Wait()
				}
				return nil
			})
			return run(k.t, func() ([]wire.Message, error) { return c.Batch(bg, nfTables, tables("a")) })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_NETFILTER)
				wantError(t, tt.close(k, c), net.ErrClosed, false)
				_, err := c.Batch(bg, nfTables, tables("b"))
				if !errors.Is(err, net.ErrClosed) || !client.NotSent(err) {
					t.Errorf("%v (not sent: %v)", err, client.NotSent(err))
				}
			})
		})
	}
}

// Beside a dump the reader reads, but none comes for a loss that has been read
// away: a batch in doubt has to have it settled.
func TestLossDuringTheSendOfABatchBesideADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		sent := make(chan struct{})
		k.during(func(req request) error {
			if req.batch != nil {
				<-sent
			}
			return nil
		})
		dump, batch := k.dump(bg, c), k.batch(bg, c, tables("a"))
		synctest.Wait()
		k.socket(0).Overrun(syscall.ENOBUFS)
		wantLost(t, dump)
		batch.wantWaiting("its send still runs")
		close(sent)
		wantLost(t, batch)
	})
}
