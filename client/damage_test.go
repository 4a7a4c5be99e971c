package client_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// A message that does not fit the largest buffer is gone, and its request is
// told so at once; the acknowledgement behind it still ends the request.
func TestTruncatedReply(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		const room = 256<<10 - 16 // the buffer without a header
		c := k.dial(client.WithInFlight(1))
		call := k.get(bg, c)
		req := k.want(getLink)
		req.reply("small", strings.Repeat("x", room+1))
		_, err := call.result()
		if !errors.Is(err, client.ErrTruncated) || !errors.Is(err, syscall.EMSGSIZE) || client.NotSent(err) {
			t.Fatal(err)
		}
		wantStats(t, c, client.Stats{Pending: 1, Truncated: 1})
		req.reply("late")
		req.ack()
		wantStats(t, c, client.Stats{Truncated: 1, Late: 2})

		large := strings.Repeat("y", room)
		call = k.get(bg, c)
		req = k.want(getLink)
		req.reply(large)
		req.ack()
		wantTexts(t, call, large)
		wantEvents(t, c) // none: whose reply it was is known
	})
}

// Of an event that did not fit nothing is left but the gap.
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

// Bytes that are no message may have been anything, an answer as well. No call
// may wait for it for ever.
func TestGarbageIsALoss(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		req := k.want(getLink)
		req.send(append(req.data("good"), "garbage"...))
		wantLost(t, call)
		wantEvents(t, c, "gap 0")
		if got := c.Stats().Malformed; got != 1 {
			t.Fatalf("%d malformed, want 1", got)
		}
	})
}

// Any process with CAP_NET_ADMIN may send to our port and write into the header
// what it likes. It must neither answer a request nor fail one.
func TestProcessesAreNotBelieved(t *testing.T) {
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
