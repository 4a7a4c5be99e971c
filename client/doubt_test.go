package client_test

import (
	"context"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// dialAwayStepped is away with reads that the script can stop.
func (k *kernel) dialAwayStepped() (*client.Conn, *steppedReader) {
	k.t.Helper()
	k.Mutes = true
	c, reader := k.dialStepped()
	k.during(func(req request) error { req.ack(); return nil })
	k.crowd(c)
	if !reader.Muted() {
		k.t.Fatal("the reader is there")
	}
	return c, reader
}

// In a storm a loss counts as over when what was queued before it has been read.
// Should the kernel drop on, it says so no more (netlink_overrun), so a request
// that is sent then is in doubt until the queue has been found empty.
func TestRequestSentIntoAStormIsInDoubt(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 2
		c, reader := k.dialStepped()
		k.join(c, linkGroup)
		reader.stop()
		k.multicast(linkGroup, "old 1", "old 2", "dropped")
		synctest.Wait()
		reader.step(3) // the overrun, and all that is older
		k.multicast(linkGroup, "new")
		call := k.get(bg, c)
		k.want(getLink) // whose answer is dropped
		call.wantWaiting("the queue is not empty")
		reader.goOn()
		wantLost(t, call)
		wantEvents(t, c, "old 1", "old 2", "gap 0", "new")
		wantStats(t, c, client.Stats{Events: 3, RepliesLost: 1, Overruns: 1})
	})
}

// A send may return in doubt while another caller reads, for whom his own answer
// is the end of it. He reads on for those who found the read side taken.
func TestWhoReadsSettlesTheDoubtOfOthers(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialAwayStepped()
		sent := make(chan struct{})
		k.during(func(req request) error {
			switch string(req.Payload) {
			case "dropped":
				<-sent
			case "overrun":
				req.ack()
				req.from.Overrun(syscall.ENOBUFS)
			default:
				req.ack()
			}
			return nil
		})
		dropped := k.request(bg, c, newAddr, "dropped", 0)
		dropped.wantWaiting("its send still runs")
		wantTexts(t, k.request(bg, c, getLink, "overrun", 0))
		reader.stop()
		reads := k.request(bg, c, getLink, "reads", 0)
		reads.wantWaiting("its answer is about to be read")
		close(sent)
		dropped.wantWaiting("somebody reads")
		reader.goOn()
		wantTexts(t, reads)
		wantLost(t, dropped)
		wantStats(t, c, client.Stats{RepliesLost: 1, Overruns: 1})
	})
}

// To read the next part of a dump may take the kernel long. That is left to the
// reader, so the end of ctx is the end of the call.
func TestContextEndsADumpWhosePartsTakeLong(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialStepped()
		synctest.Wait()
		reader.stop()
		ctx, cancel := context.WithCancel(bg)
		dump := k.dump(ctx, c)
		req := k.want(getAddr)
		dump.wantWaiting("nothing has come")
		cancel()
		wantError(t, dump, context.Canceled, false)
		req.done()
		synctest.Wait()
		reader.goOn()
		wantStats(t, c, client.Stats{Late: 1})
	})
}

// The same goes for the calls beside it.
func TestContextEndsACallBesideADumpWhosePartsTakeLong(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialStepped()
		synctest.Wait()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		reader.stop()
		req.send(req.part("1", 0))
		synctest.Wait()
		ctx, cancel := context.WithCancel(bg)
		call := k.get(ctx, c)
		late := k.want(getLink)
		cancel()
		wantError(t, call, context.Canceled, false)
		late.ack()
		req.done()
		reader.goOn()
		wantTexts(t, dump, "1")
		wantStats(t, c, client.Stats{Late: 1})
	})
}

// Who is to leave looks for its result among what can be queued, and no further:
// in a storm there might be no end.
func TestEndOfContextReadsNoMoreThanWasQueued(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(nil)
		ctx, cancel := context.WithCancel(bg)
		call := k.get(ctx, c)
		req := k.want(getLink)
		unasked := socktest.Datagram{Data: event("unasked")}
		req.from.Queue(slices.Repeat([]socktest.Datagram{unasked}, 1000)...)
		req.ack()
		call.wantWaiting("nobody reads")
		cancel()
		wantError(t, call, context.Canceled, false)
		k.wantBack(2 * time.Millisecond)
		k.wantIdle("the reader has read the rest")
	})
}

// Who finds the read side taken while the reader is away reads for itself as soon
// as it can: the other one reads no further than to its own answer.
func TestSenderReadsForItselfBehindAnother(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialAwayStepped()
		reader.stop()
		first := k.request(bg, c, getLink, "first", 0)
		first.wantWaiting("its answer is about to be read")
		sent := make(chan struct{})
		k.during(func(req request) error {
			req.ack()
			close(sent)
			return nil
		})
		second := k.request(bg, c, newAddr, "second", 0)
		<-sent
		for range 1000 {
			runtime.Gosched() // it stops giving way, most likely
		}
		reader.stopped.Store(false)
		reader.steps <- struct{}{}
		wantTexts(t, first)
		wantTexts(t, second)
	})
}
