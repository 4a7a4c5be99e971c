package client_test

import (
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// crowd makes so many requests, one after the other and in no time, that the
// reader sees no use in being woken for each.
func (k *kernel) crowd(c *client.Conn) {
	k.t.Helper()
	for range 200 {
		if _, err := c.Request(bg, getLink, nil, 0); err != nil {
			k.t.Fatal(err)
		}
		synctest.Wait() // the reader looks
	}
}

// away dials a Conn whose reader stays away from a crowd.
func (k *kernel) away() *client.Conn {
	k.t.Helper()
	k.Mutes = true
	c := k.dial()
	k.during(func(req request) error { req.ack(); return nil })
	k.crowd(c)
	if !k.socket(0).Muted() {
		k.t.Fatal("the reader is there")
	}
	return c
}

// wantBack requires that the reader is back after d of the bubble's time.
func (k *kernel) wantBack(d time.Duration) {
	k.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if k.socket(0).Muted() {
		k.t.Fatalf("the reader is still away after %v", d)
	}
}

// When the crowd is gone the reader comes back.
func TestReaderComesBackFromACrowd(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.away()
		k.wantBack(2 * time.Millisecond)
	})
}

// It also sees a crowd that leaves it no empty queue to stop at.
func TestReaderSeesACrowdInOneLongRead(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Mutes = true
		c, reader := k.dialStepped()
		synctest.Wait()
		for range 31 { // with the first look as many wakes as are counted at a time
			reader.Queue(socktest.Datagram{Data: event("wakes the reader")})
			synctest.Wait()
		}
		reader.stop()
		reader.Queue(socktest.Datagram{Data: event("wakes the reader")})
		synctest.Wait()
		var calls []*task[[]wire.Message]
		for range 33 {
			calls = append(calls, k.get(bg, c))
			k.want(getLink).ack()
		}
		var unasked []socktest.Datagram
		for range 32 * 64 {
			unasked = append(unasked, socktest.Datagram{Data: event("unasked")})
		}
		reader.Queue(unasked...)
		reader.goOn()
		for _, call := range calls {
			wantTexts(t, call)
		}
		if !reader.Muted() {
			t.Error("the reader is there")
		}
		k.wantBack(2 * time.Millisecond)
	})
}

// lingeringReader has the read that finds the queue empty, once armed, wait
// before it says so.
type lingeringReader struct {
	*socktest.Socket

	armed  bool // set while nobody reads
	resume chan struct{}
}

func (s *lingeringReader) Recv(ds []sock.Datagram) (int, error) {
	n, err := s.Socket.Recv(ds)
	if s.armed && err == syscall.EAGAIN {
		<-s.resume
		s.armed = false
	}
	return n, err
}

// A caller who leaves his answer to the reader, because that one is reading, is
// served even if the reader has just read for the last time before he goes away.
func TestReaderLeavesNoAnswerWhenHeGoesAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Mutes = true
		reader := &lingeringReader{resume: make(chan struct{})}
		k.wrap = func(s *socktest.Socket) sock.Socket { reader.Socket = s; return reader }
		c := k.dial()
		synctest.Wait()
		wake := func() {
			reader.Queue(socktest.Datagram{Data: event("wakes the reader")})
			synctest.Wait()
		}
		for range 31 { // with the first look as many as are counted at a time
			wake()
		}
		k.during(func(req request) error { req.ack(); return nil })
		for range 31 {
			wantTexts(t, k.get(bg, c))
		}
		if reader.Muted() {
			t.Fatal("the reader is away already")
		}
		reader.armed = true
		wake()
		start := time.Now()
		call := k.get(bg, c)
		call.wantWaiting("the reader reads")
		close(reader.resume)
		wantTexts(t, call)
		if d := time.Since(start); d != 0 {
			t.Errorf("the answer lay about for %v", d)
		}
		if !reader.Muted() {
			t.Error("the reader is there")
		}
		k.wantBack(2 * time.Millisecond)
	})
}

// The system may have no memory to have the reader woken again.
func TestReaderComesBackLaterIfItCannotNow(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.socket(0).FailMute(syscall.ENOMEM)
		k.join(c, linkGroup)
		synctest.Wait()
		k.multicast(linkGroup, "up")
		wantEvents(t, c)
		if !k.socket(0).Muted() {
			t.Fatal("the reader is there")
		}
		k.wantBack(2 * time.Millisecond)
		wantEvents(t, c, "up")
	})
}

// As long as it lasts the reader stays away, and looks in once in a while: what
// nobody has asked for waits no longer than that.
func TestUnaskedMessagesWaitLittleBehindACrowd(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		for range 20 {
			k.crowd(c)
			k.socket(0).Queue(socktest.Datagram{Data: event("unasked")})
			wantEvents(t, c)
			time.Sleep(time.Millisecond)
			wantEvents(t, c, "unasked")
			if !k.socket(0).Muted() {
				t.Fatal("the reader came back to the crowd")
			}
		}
		k.wantBack(2 * time.Millisecond)
	})
}

// Answers that no sender can wait for by reading are worth the reader's coming
// back at once.
func TestReaderComesBackForADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(nil)
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		k.wantBack(0)
		req.reply("a", "b")
		req.done()
		wantTexts(t, dump, "a", "b")
	})
}

func TestReaderComesBackForADeferredAnswer(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		k.Mutes = true
		c := k.dialFamily(netlink.NETLINK_AUDIT)
		k.during(func(req request) error { req.ack(); return nil })
		for range 200 {
			if _, err := c.Request(bg, 1001, nil, 0); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if !k.socket(0).Muted() {
			t.Fatal("the reader is there")
		}
		k.during(nil)
		call := k.request(bg, c, auditGet, "status", 0)
		req := k.want(auditGet)
		req.ack()
		synctest.Wait()
		k.wantBack(0)
		req.send(req.answer(auditGet, 0, []byte("later")))
		wantTexts(t, call, "later")
	})
}

// Events come at any time.
func TestReaderComesBackForAMembership(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.join(c, linkGroup)
		k.wantBack(0)
		k.multicast(linkGroup, "up")
		wantEvents(t, c, "up")

		// It stays as long as there is one.
		k.join(c, addrGroup)
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.crowd(c)
		if k.socket(0).Muted() {
			t.Fatal("the reader is away from a member")
		}
		if err := c.DropMembership(addrGroup); err != nil {
			t.Fatal(err)
		}
		k.crowd(c)
		if !k.socket(0).Muted() {
			t.Fatal("the reader is there, and nothing can be expected")
		}
	})
}

// A loss is read away, and told to who lost by it, while the reader is away.
func TestLossIsToldWhileTheReaderIsAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(func(req request) error {
			k.socket(0).Overrun(syscall.ENOBUFS)
			return nil
		})
		call := k.get(bg, c)
		wantError(t, call, client.ErrReplyLost, false)
	})
}

// An answer that comes late, against what the kernel does, is found within a
// moment, and its ctx still ends a wait.
func TestLateAnswerIsFoundWhileTheReaderIsAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(nil)
		call := k.get(bg, c)
		req := k.want(getLink)
		ctx, cancel := context.WithCancel(bg)
		cancelled := k.request(ctx, c, newAddr, "", 0)
		other := k.want(newAddr)
		cancel()
		wantError(t, cancelled, context.Canceled, false)
		req.ack()
		time.Sleep(time.Millisecond)
		wantTexts(t, call)
		other.ack()
		time.Sleep(time.Millisecond)
	})
}

// Beside a dump nobody but the reader reads.
func TestReaderComesBackForARequestBesideADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(nil)
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		k.during(func(req request) error { req.ack(); return nil })
		wantTexts(t, k.get(bg, c))
		req.done()
		wantTexts(t, dump)
	})
}

// Who has read of a loss reads it away, even behind its own result: nobody else
// might, and requests wait.
func TestCallerReadsALossAwayWhileTheReaderIsAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
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

// An answer that is queued beats the end of ctx even if nobody has read it yet.
func TestQueuedResultBeatsContextWhileTheReaderIsAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		k.during(nil)
		ctx, cancel := context.WithCancel(bg)
		call := k.get(ctx, c)
		req := k.want(getLink)
		req.reply("queued")
		req.ack()
		call.wantWaiting("nobody reads")
		cancel()
		wantTexts(t, call, "queued")
		wantStats(t, c, client.Stats{})
	})
}

// Close does not wait for a reader who is away.
func TestCloseWhileTheReaderIsAway(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.away()
		start := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

// A socket that cannot be muted keeps its reader, who must not leave what is
// queued for the time that it will not be away. How many wakes it takes to find a
// crowd is its own affair.
func TestReaderThatCannotGoReadsOn(t *testing.T) {
	for short := range 130 {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			for range short {
				call := k.get(bg, c)
				k.want(getLink).ack()
				wantTexts(t, call)
			}
			call := k.get(bg, c)
			req := k.want(getLink) // who asks has looked in, so the reader reads
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
