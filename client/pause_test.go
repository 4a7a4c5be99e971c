package client_test

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/client"
)

// events multicasts n events to linkGroup, and returns their texts.
func (k *kernel) events(n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
	}
	k.multicast(linkGroup, texts...)
	return texts
}

// dialInStorm dials a Conn whose reader pauses.
func (k *kernel) dialInStorm() *client.Conn {
	k.t.Helper()
	k.CanSilence = true
	c := k.dial()
	k.join(c, linkGroup) // at the instant of the events
	wantEvents(k.t, c, k.events(client.StormEvents)...)
	if !k.socket(0).Silent() {
		k.t.Fatal("the reader does not pause")
	}
	return c
}

// In a storm the reader is not woken for each event: it pauses. The storm is over when few
// come in a pause.
func TestReaderPausesInAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialInStorm()
		const least = int(client.StormPause / client.StormPace)
		for _, n := range []int{least, 300, 1000} {
			texts := k.events(n)
			wantEvents(t, c)
			time.Sleep(client.StormPause)
			wantEvents(t, c, texts...)
			if !k.socket(0).Silent() {
				t.Fatalf("the reader is woken again after %d events", n)
			}
		}
		texts := k.events(least - 1)
		time.Sleep(client.StormPause)
		wantEvents(t, c, texts...)
		k.wantUnparked(0)
		wantEvents(t, c, k.events(1)...)
		wantStats(t, c, client.Stats{Events: c.Stats().Events})
	})
}

// Events at a longer interval are read at once, however many there are.
func TestReaderDoesNotPauseWithoutAStorm(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c := k.dial()
		k.join(c, linkGroup)
		for range 5 * client.StormEvents {
			time.Sleep(client.StormPace)
			wantEvents(t, c, k.events(1)...)
			k.wantNotParked("there is no storm")
		}
	})
}

// A pause could fill a small receive buffer.
func TestReaderDoesNotPauseWithASmallReceiveBuffer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence, k.Buffer = true, 64<<10
		c := k.dial()
		k.join(c, linkGroup)
		for range 5 {
			wantEvents(t, c, k.events(client.StormEvents)...)
			k.wantNotParked("the receive buffer is small")
		}
	})
}

// The system may lack the resource that a pause needs.
func TestReaderThatCannotPauseReadsOn(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c := k.dial()
		k.hooked(0).onPause = func(time.Duration) error { return syscall.EMFILE }
		k.join(c, linkGroup)
		for range 5 {
			wantEvents(t, c, k.events(client.StormEvents)...)
			k.wantNotParked("it cannot pause")
		}
	})
}

// Whoever waits for a message does not wait for the end of a pause.
func TestOthersDoNotWaitForAPause(t *testing.T) {
	for name, other := range map[string]func(t *testing.T, k *kernel, c *client.Conn){
		"a request": func(t *testing.T, k *kernel, c *client.Conn) {
			call := k.get(bg, c)
			req := k.want(getLink)
			req.reply("lo")
			req.ack()
			wantTexts(t, call, "lo")
		},
		"Sync": func(t *testing.T, k *kernel, c *client.Conn) {
			s, err := c.Subscribe(linkGroup)
			if err != nil {
				t.Fatal(err)
			}
			texts := k.events(3)
			if err := s.Sync(bg); err != nil {
				t.Fatal(err)
			}
			wantFrom(t, s.Events, append(texts, "marker")...)
			wantEvents(t, c, texts...)
		},
		"Close": func(t *testing.T, k *kernel, c *client.Conn) {
			events := c.Receive()
			time.AfterFunc(client.StormPause, func() {
				if _, open := <-events; open {
					t.Error("the channel of events is open")
				}
			})
			start := time.Now()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > client.StormPause {
				t.Errorf("Close took %v, longer than the reader's pause", d)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) { other(t, k, k.dialInStorm()) })
		})
	}
}

// What the kernel drops during a pause is reported, in its place.
func TestLossDuringAPauseIsReported(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialInStorm()
		texts := k.events(10)
		k.socket(0).Overrun(syscall.ENOBUFS)
		k.events(10) // dropped
		time.Sleep(client.StormPause)
		wantEvents(t, c, append(texts, "gap 0")...)
	})
}

// Without a group there is no storm, and the reader is parked only for requests.
func TestReaderEndsItsPausesWhenTheGroupIsLeft(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialInStorm()
		if err := c.DropMembership(linkGroup); err != nil {
			t.Fatal(err)
		}
		pauses := 0
		s := k.hooked(0)
		synctest.Wait()
		s.onPause = func(d time.Duration) error { pauses++; return s.Socket.Pause(d) }
		k.wantUnparked(client.StormPause + quietTime)
		if pauses > 0 {
			t.Errorf("%d pauses without a group", pauses)
		}
	})
}
