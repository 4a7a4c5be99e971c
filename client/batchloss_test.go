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

// A batch that was not sent leaves no call, room or turn.
func TestFailedSendOfABatchGivesEverythingBack(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
		k.during(func(request) error { return syscall.EMSGSIZE })
		for range 3 {
			_, err := c.Batch(bg, nfTables, tables("a"))
			if !errors.Is(err, syscall.EMSGSIZE) || !client.NotSent(err) || !strings.HasPrefix(err.Error(), "netlink: batch: ") {
				t.Fatalf("%v (not sent: %v)", err, client.NotSent(err))
			}
			wantStats(t, c, client.Stats{})
		}
	})
}

// The kernel's answers are queued when the send returns, so the sender's own read shows
// the result of the batch.
func TestEndsOfABatch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(req request)
		want   func(t *testing.T, call *task[[]wire.Message])
	}{
		{"applied", func(req request) { req.message(1).ack() }, func(t *testing.T, call *task[[]wire.Message]) { wantTexts(t, call) }},
		{"refused", func(req request) { req.message(1).fail(syscall.EPERM) }, func(t *testing.T, call *task[[]wire.Message]) {
			wantRefused(t, call, at(1, syscall.EPERM))
		}},
		{"refused as a whole", func(req request) { req.fail(syscall.EPERM) }, func(t *testing.T, call *task[[]wire.Message]) {
			wantRefused(t, call, at(-1, syscall.EPERM))
		}},
		{"lost", func(req request) { req.from.Overrun(syscall.ENOBUFS) }, func(t *testing.T, call *task[[]wire.Message]) { wantLost(t, call) }},
		{"ignored", func(request) {}, func(t *testing.T, call *task[[]wire.Message]) {
			wantError(t, call, client.ErrUnanswered, false)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
				call := k.batch(bg, c, tables("a", "b"))
				req := k.wantBatch(2)
				tt.answer(req)
				req.drop()
				tt.want(t, call)
				if n := c.Stats().Pending; n != 0 {
					t.Errorf("%d pending", n)
				}
				next := k.batch(bg, c, tables("c"))
				k.apply(1)
				wantTexts(t, next)
			})
		})
	}
}

// The refusal may have been dropped, even if the last acknowledgement arrived.
func TestBatchDuringAnOverrunMayBeLost(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		overrunIn := func(answers func(req request)) *task[[]wire.Message] {
			k.during(func(req request) error {
				req.from.Overrun(syscall.ENOBUFS)
				synctest.Wait() // until it has been drained
				answers(req)
				return nil
			})
			return run(t, func() ([]wire.Message, error) { return c.Batch(bg, nfTables, tables("a", "b")) })
		}
		wantLost(t, overrunIn(func(req request) { req.message(1).ack() }))
		// Since Linux 6.10 the closing message is acknowledged after the commit.
		wantTexts(t, overrunIn(func(req request) { req.message(2).ack() }))
		// A refusal is certain as well.
		refused := overrunIn(func(req request) { req.message(1).fail(syscall.EPERM) })
		if e := wantRefused(t, refused, at(1, syscall.EPERM)); !e.Incomplete {
			t.Errorf("%+v claims to be complete", e)
		}
		k.during(nil)
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 3})
	})
}

// A batch waits at the gate, since its answer would be dropped.
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

// The kernel applies the batch in the send, and its answer beats a ctx that ended
// meanwhile.
func TestResultOfABatchBeatsContext(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		ctx, cancel := context.WithCancel(bg)
		k.during(func(req request) error {
			req.message(0).ack()
			cancel()
			return nil
		})
		if _, err := c.Batch(ctx, nfTables, tables("a")); err != nil {
			t.Fatal(err)
		}
	})
}

// Close does not wait for a batch that is in the kernel, and ends one that waits for
// its turn.
func TestCloseEndsABatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		first := k.batch(bg, c, tables("a"))
		req := k.wantBatch(1)
		second := k.batch(bg, c, tables("b"))
		second.wantWaiting("it is not its turn")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, second, net.ErrClosed, true)
		first.wantWaiting("the kernel keeps it")
		req.drop()
		wantError(t, first, net.ErrClosed, false)
		_, err := c.Batch(bg, nfTables, tables("c"))
		if !errors.Is(err, net.ErrClosed) || !client.NotSent(err) {
			t.Errorf("%v (not sent: %v)", err, client.NotSent(err))
		}
	})
}
