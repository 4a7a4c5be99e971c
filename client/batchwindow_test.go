package client_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// The kernel applies one batch at a time, so a second one would only wait in its send.
func TestBatchesOfAConnTakeTurns(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		first := k.batch(bg, c, tables("a"))
		req := k.wantBatch(1)
		second := k.batch(bg, c, tables("b"))
		ctx, cancel := context.WithCancel(bg)
		third := k.batch(ctx, c, tables("c"))
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)
		second.wantWaiting("the first has not ended")
		k.wantIdle("it is not their turn")
		cancel()
		wantError(t, third, context.Canceled, true)
		req.message(0).ack()
		req.drop()
		wantTexts(t, first)
		k.apply(1)
		wantTexts(t, second)
	})
}

// A refusal of every message needs room in the receive buffer, so other requests
// wait, and a batch of any size fits alone.
func TestBatchTakesRoomForItsRefusals(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 60 << 10 // of ten requests
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		batch := k.batch(bg, c, tables(make([]string, 32)...)) // five
		req := k.wantBatch(32)
		var gets []*task[[]wire.Message]
		for range 6 {
			gets = append(gets, k.get(bg, c))
		}
		var reqs []request
		for range 5 {
			reqs = append(reqs, k.want(getLink))
		}
		k.wantIdle("there is room for the batch and five requests")
		req.message(31).ack()
		req.drop()
		wantTexts(t, batch)
		reqs = append(reqs, k.want(getLink))
		huge := k.batch(bg, c, tables(make([]string, 5000)...))
		k.wantIdle("it waits for all others")
		for _, r := range reqs {
			r.ack()
		}
		for _, get := range gets {
			wantTexts(t, get)
		}
		k.apply(5000)
		wantTexts(t, huge)
	})
}

// A batch whose wait for room ends also gives its turn back.
func TestContextEndsTheWaitForRoomOfABatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(1))
		get := k.get(bg, c)
		req := k.want(getLink)
		ctx, cancel := context.WithCancel(bg)
		left := k.batch(ctx, c, tables("a"))
		left.wantWaiting("there is no room")
		cancel()
		wantError(t, left, context.Canceled, true)
		req.ack()
		wantTexts(t, get)
		call := k.batch(bg, c, tables("b"))
		k.apply(1)
		wantTexts(t, call)
	})
}

func TestBatchCountsAsOneRequestInFlight(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER, client.WithInFlight(2))
		batch := k.batch(bg, c, tables(make([]string, 100)...))
		req := k.wantBatch(100)
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)
		req.message(99).ack()
		req.drop()
		wantTexts(t, batch)
	})
}

// Echoes come in addition to refusals and acknowledgements.
func TestBatchTakesRoomForItsEchoes(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 60 << 10 // of ten requests
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		msgs := tables(make([]string, 33)...)
		for i := range msgs {
			msgs[i].Flags = netlink.NLM_F_ECHO
		}
		batch := k.batch(bg, c, msgs) // ten
		req := k.wantBatch(33)
		get := k.get(bg, c)
		k.wantIdle("the batch has all the room")
		req.message(32).ack()
		req.drop()
		wantTexts(t, batch)
		k.want(getLink).ack()
		wantTexts(t, get)
	})
}

// Close also ends a batch that waits for another one.
func TestCloseEndsTheWaitForABatchsTurn(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlowFamily(netlink.NETLINK_NETFILTER)
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		var calls []*task[[]wire.Message]
		for range 3 {
			call := k.batch(bg, c, tables("a"))
			call.wantWaiting("the gate is shut")
			calls = append(calls, call)
		}
		closed := runAsync(t, func() (bool, error) { return true, c.Close() })
		closed.wantWaiting("the reader reads")
		reader.goOn()
		if _, err := closed.result(); err != nil {
			t.Fatal(err)
		}
		for _, call := range calls {
			wantError(t, call, net.ErrClosed, true)
		}
	})
}
