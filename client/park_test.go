package client_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// wantNotParked requires that the reader is not parked.
func (k *kernel) wantNotParked(why string) {
	k.t.Helper()
	synctest.Wait()
	if k.socket(0).Silent() {
		k.t.Fatalf("the reader is parked: %s", why)
	}
}

// wantParked requires that the reader is parked.
func (k *kernel) wantParked(why string) {
	k.t.Helper()
	synctest.Wait()
	if !k.socket(0).Silent() {
		k.t.Fatalf("the reader is not parked: %s", why)
	}
}

// The reader does not park for requests at long intervals, whatever their number.
func TestReaderDoesNotParkForFewRequests(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c := k.dial()
		k.during(func(req request) error { req.ack(); return nil })
		for range 200 {
			wantTexts(t, k.get(bg, c))
			k.wantNotParked("the next request comes much later")
			time.Sleep(time.Millisecond)
		}
	})
}

// Nor does it for a request after it has unparked, however many there were before.
func TestReaderThatUnparkedDoesNotParkForOneRequest(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked()
		for range 5 {
			k.busy(c)
		}
		k.wantUnparked(quietTime)
		wantTexts(t, k.get(bg, c))
		k.wantNotParked("there was one request")
	})
}

// The reader does not park for unsolicited messages: no goroutine that sends reads them.
func TestReaderDoesNotParkForUnsolicitedMessages(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c := k.dial()
		for range 200 {
			k.socket(0).Queue(socktest.Datagram{Data: event("unasked")})
			wantEvents(t, c, "unasked")
			k.wantNotParked("there are no requests")
		}
	})
}

// Processes can wake the reader at any rate, and no goroutine that sends reads their
// messages.
func TestReaderDoesNotParkWithoutRequests(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		k.dial()
		for range 200 {
			k.socket(0).Queue(socktest.Datagram{Data: event("forged"), PortID: 4711})
			k.wantNotParked("there are no requests")
		}
	})
}

// A socket whose notification stays on keeps waking the reader, which has to read.
func TestReaderDoesNotParkIfItCannotBeSilenced(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.during(func(req request) error { req.ack(); return nil })
		k.busy(c)
		k.socket(0).Queue(socktest.Datagram{Data: event("unasked")})
		wantEvents(t, c, "unasked")
	})
}

// silencing counts calls of SetNotify(false), and runs a function before each.
type silencing struct {
	*hooked

	count  int
	before func() // runs before the notification is turned off
}

func (k *kernel) dialSilencing() (*client.Conn, *silencing) {
	k.t.Helper()
	k.CanSilence = true
	c := k.dial()
	k.during(func(req request) error { req.ack(); return nil })
	s := &silencing{hooked: k.hooked(0)}
	s.onSetNotify = func(on bool) error {
		if !on {
			s.count++
			if s.before != nil {
				s.before()
			}
		}
		return s.Socket.SetNotify(on)
	}
	return c, s
}

// A join while the reader is about to park does not find it parked and does not unpark
// it. The reader sees the membership.
func TestReaderUnparksForAConcurrentJoin(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, s := k.dialSilencing()
		s.before = func() { k.join(c, linkGroup) }
		k.busy(c) // which is there all the time
		k.wantUnparked(time.Millisecond)
	})
}

// A membership that was refused, or left without having been joined, is not counted.
func TestReaderCountsMemberships(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Groups = linkGroup
		c, _ := k.dialSilencing()
		if err := c.AddMembership(linkGroup + 1); err == nil {
			t.Fatal("an unknown group was joined")
		}
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		k.busy(c)
		k.wantParked("nothing is expected")
		k.wantUnparked(quietTime)
	})
}

// A reader that is not parked gets no token to unpark: it would end the next time that
// it parks.
func TestReaderThatIsNotParkedIsNotUnparked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, s := k.dialSilencing()
		k.busy(c)
		k.wantUnparked(quietTime)
		k.join(c, linkGroup)
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		s.count = 0
		k.busy(c)
		if s.count != 1 {
			t.Errorf("notification turned off %d times, want 1", s.count)
		}
	})
}
