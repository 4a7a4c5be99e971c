package client_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// busy makes requests, one after the other at one instant, until the reader parks.
func (k *kernel) busy(c *client.Conn) {
	k.t.Helper()
	k.busyWith(c, getLink)
}

// busyWith is busy with requests of type typ.
func (k *kernel) busyWith(c *client.Conn, typ netlink.MessageType) {
	k.t.Helper()
	for range 200 {
		if _, err := c.Request(bg, typ, nil, 0); err != nil {
			k.t.Fatal(err)
		}
		synctest.Wait() // the reader looks
	}
}

// parked dials a Conn whose reader is parked.
func (k *kernel) parked() *client.Conn {
	k.t.Helper()
	return k.parkedIn(netlink.NETLINK_ROUTE, getLink)
}

// parkedIn is parked for another family, with requests of type typ.
func (k *kernel) parkedIn(family netlink.Family, typ netlink.MessageType) *client.Conn {
	k.t.Helper()
	k.CanSilence = true
	c := k.dialFamily(family)
	k.during(func(req request) error { req.ack(); return nil })
	k.busyWith(c, typ)
	k.wantParked("requests follow each other")
	return c
}

// wantUnparked requires that the reader is not parked after d of the bubble's time.
func (k *kernel) wantUnparked(d time.Duration) {
	k.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if k.socket(0).Silent() {
		k.t.Fatalf("the reader is still parked after %v", d)
	}
}

// quietTime is the time without requests after which a reader unparks, a look included.
const quietTime = 51 * time.Millisecond

// When requests stop the reader unparks, but not before the time that a busy process may
// keep their goroutines waiting.
func TestReaderUnparksWhenRequestsStop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		for range 3 {
			time.Sleep(quietTime - 5*time.Millisecond)
			k.wantParked("it is too early")
			k.busy(c)
		}
		k.wantUnparked(quietTime)
	})
}

// The reader also parks if the queue is never empty.
func TestReaderParksDuringOneLongRead(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c, reader := k.dialStepped()
		synctest.Wait()
		reader.Queue(socktest.Datagram{Data: event("wakes the reader"), PortID: 4711})
		synctest.Wait()
		var calls []*task[[]wire.Message]
		var reqs []request
		for range client.BusyRequests + 1 {
			calls = append(calls, k.request(bg, c, newAddr, "", 0))
			reqs = append(reqs, k.want(newAddr))
		}
		reader.stop()
		reader.Queue(slices.Repeat([]socktest.Datagram{{Data: reqs[0].data("more")}}, 2*client.LookMost)...)
		synctest.Wait()
		for _, req := range reqs {
			req.from.Queue(socktest.Datagram{Data: req.end(netlink.NLMSG_ERROR, 0)})
		}
		reader.goOn()
		k.wantParked("requests were frequent")
		for _, req := range reqs {
			req.drop()
		}
		for i, call := range calls {
			if msgs, err := call.result(); err != nil || i > 0 && len(msgs) != 0 {
				t.Errorf("call %d: %d replies, %v", i, len(msgs), err)
			}
		}
		k.wantUnparked(quietTime)
	})
}

// The system may lack the memory to turn the notification on again.
func TestReaderUnparksLaterIfItFailsNow(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.socket(0).FailSetNotify(syscall.ENOMEM)
		k.join(c, linkGroup)
		synctest.Wait()
		k.multicast(linkGroup, "up")
		wantEvents(t, c)
		k.wantParked("the notification could not be turned on")
		k.wantUnparked(2 * time.Millisecond)
		wantEvents(t, c, "up")
	})
}

// While requests follow each other the reader is parked and checks the socket
// periodically: an unsolicited message waits no longer than that. After one, the reader
// does not park until none has come for a while.
func TestUnsolicitedMessagesWaitBriefly(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.busy(c)
		k.socket(0).Queue(socktest.Datagram{Data: event("first")})
		wantEvents(t, c)
		time.Sleep(time.Millisecond)
		wantEvents(t, c, "first")
		for range 50 {
			k.socket(0).Queue(socktest.Datagram{Data: event("next")})
			wantEvents(t, c, "next")
			for range 10 {
				wantTexts(t, k.get(bg, c))
			}
			k.wantNotParked("unsolicited messages keep coming")
		}
		k.busy(c)
		k.wantParked("no unsolicited message comes any more")
		k.wantUnparked(quietTime)
	})
}

// A thread of the kernel answers, and no goroutine that sends reads that answer.
func TestReaderUnparksForADeferredAnswer(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.parkedIn(netlink.NETLINK_AUDIT, 1001)
		k.during(nil)
		call := k.request(bg, c, auditGet, "status", 0)
		req := k.want(auditGet)
		req.ack()
		synctest.Wait()
		k.wantUnparked(0)
		other := k.request(bg, c, 1001, "", 0)
		k.want(1001).ack()
		wantTexts(t, other)
		k.wantNotParked("one other request was made")
		req.send(req.answer(auditGet, 0, []byte("later")))
		wantTexts(t, call, "later")
	})
}

// Events come at any time.
func TestReaderUnparksForAMembership(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.join(c, linkGroup)
		k.wantUnparked(0)
		k.multicast(linkGroup, "up")
		wantEvents(t, c, "up")

		// It does not park while there is one.
		k.join(c, addrGroup)
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.busy(c)
		k.wantNotParked("there is a membership")
		if err := c.DropMembership(addrGroup); err != nil {
			t.Fatal(err)
		}
		k.busy(c)
		k.wantParked("nothing is expected")
	})
}

// The parked reader does not wait for a goroutine that reads and is not scheduled.
func TestParkedReaderDoesNotWaitForTheReadLock(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c, reads := k.dialStepped()
		k.during(func(req request) error { req.ack(); return nil })
		k.busy(c)
		k.wantParked("requests follow each other")
		reads.stop()
		call := k.get(bg, c)
		call.wantWaiting("it is in a read, with the lock")
		// If the reader waited for the lock, the bubble's time would stand still.
		time.Sleep(5 * time.Millisecond)
		reads.goOn()
		wantTexts(t, call)
	})
}

// A loss is drained and reported to its request while the reader is parked.
func TestLossIsReportedWhileTheReaderIsParked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.during(func(req request) error {
			k.socket(0).Overrun(syscall.ENOBUFS)
			return nil
		})
		call := k.change(bg, c)
		wantError(t, call, client.ErrReplyLost, false)
	})
}

// The goroutine that read the report of a loss drains the queue, even after its own
// result: no other goroutine may, and requests wait.
func TestSenderDrainsAnOverrunWhileTheReaderIsParked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		k.during(func(req request) error {
			req.ack()
			req.from.Overrun(syscall.ENOMEM)
			return nil
		})
		wantTexts(t, k.get(bg, c))
		k.during(func(req request) error { req.ack(); return nil })
		wantTexts(t, k.get(bg, c))
		wantStats(t, c, client.Stats{Overruns: 1})
	})
}

// A queued answer beats the end of ctx, even before it is read.
func TestQueuedResultBeatsContextWhileTheReaderIsParked(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.parkedIn(netlink.NETLINK_AUDIT, 1001)
		k.during(nil)
		ctx, cancel := context.WithCancel(bg)
		call := k.request(ctx, c, auditGet, "", 0)
		req := k.want(auditGet)
		req.ack()
		call.wantWaiting("a thread of the kernel answers")
		req.from.Queue(socktest.Datagram{Data: req.answer(auditGet, 0, []byte("queued"))})
		cancel() // before the reader has run
		wantTexts(t, call, "queued")
		wantStats(t, c, client.Stats{})
	})
}

// Close does not wait for a parked reader.
func TestCloseWhileTheReaderIsParked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

// The reader of a socket whose notification cannot be turned off does not park, and
// must not leave datagrams queued for later. The number of wakes before it tries does
// not matter.
func TestReaderThatCannotParkReadsOn(t *testing.T) {
	for short := range 130 {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			for range short {
				call := k.get(bg, c)
				k.want(getLink).ack()
				wantTexts(t, call)
			}
			call := k.get(bg, c)
			req := k.want(getLink) // the sender has not read yet, so the reader reads
			texts := make([]string, 100)
			var all [][]byte
			for _, text := range texts {
				all = append(all, req.data(text))
			}
			req.send(append(all, req.end(netlink.NLMSG_ERROR, 0))...)
			wantTexts(t, call, texts...)
		})
	}
}
