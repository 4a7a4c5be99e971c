package client_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// A request whose reply does not fit the largest buffer fails. The acknowledgement
// after it ends the request.
func TestTruncatedReply(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		const room = 256<<10 - 16 // the buffer without a header
		c := k.dial(client.WithInFlight(1))
		for _, texts := range [][]string{
			{"small", strings.Repeat("x", room+1)},
			{strings.Repeat("x", room+1), "small"},
		} {
			call := k.get(bg, c)
			req := k.want(getLink)
			req.reply(texts...)
			req.ack()
			wantError(t, call, client.ErrTruncated, false)
			if !errors.Is(call.err, syscall.EMSGSIZE) {
				t.Error(call.err)
			}
		}
		wantStats(t, c, client.Stats{Truncated: 2})

		large := strings.Repeat("y", room)
		call := k.get(bg, c)
		req := k.want(getLink)
		req.reply(large)
		req.ack()
		wantTexts(t, call, large)
		wantEvents(t, c) // none: the truncated reply belongs to the request
	})
}

// Only the socket reports a cut between two messages.
func TestReplyCutBetweenMessages(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		req := k.want(getLink)
		const half = 128<<10 - 16
		req.send(slices.Concat(req.data(strings.Repeat("x", half)), req.data(strings.Repeat("x", half)), req.data("cut off")))
		req.ack()
		wantError(t, call, client.ErrTruncated, false)
		wantEvents(t, c)
	})
}

// A truncated event is replaced by a gap.
func TestTruncatedEvent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		k.multicast(linkGroup, "1", strings.Repeat("x", 256<<10), "3")
		wantEvents(t, c, "1", "gap 0", "3")
		if got := c.Stats().Truncated; got != 1 {
			t.Fatalf("%d truncated, want 1", got)
		}
	})
}

// After malformed bytes, the request whose datagram they are in fails, and others may
// have lost their answers.
func TestGarbageIsALoss(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		call := k.change(bg, c)
		req := k.want(newAddr)
		other := k.request(bg, c, newAddr, "", 0)
		ignored := k.want(newAddr)
		req.send(append(req.data("good"), "garbage"...))
		req.ack()
		wantLost(t, call)
		ignored.drop()
		wantLost(t, other)
		wantEvents(t, c, "gap 0")
		if got := c.Stats().Malformed; got != 1 {
			t.Fatalf("%d malformed, want 1", got)
		}
	})
}

// Any process with CAP_NET_ADMIN may send to our port with any header. Its message must
// neither answer a request nor fail one.
func TestMessagesOfProcessesAreDropped(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		req := k.want(getLink)
		forged := []socktest.Datagram{
			{Data: req.data("forged"), PortID: 4711},
			{Data: req.end(netlink.NLMSG_ERROR, syscall.EPERM), PortID: 4711},
			{Data: event("forged"), PortID: 4711, Group: linkGroup},
			{Data: []byte("garbage"), PortID: 4711},
		}
		req.from.Queue(forged...)
		call.wantWaiting("the kernel has not answered")
		req.reply("true")
		req.ack()
		wantTexts(t, call, "true")
		wantEvents(t, c)
		wantStats(t, c, client.Stats{Foreign: 4})
	})
}
