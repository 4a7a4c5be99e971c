package client_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// events multicasts n events to linkGroup, and returns their texts.
func (k *kernel) events(n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
	}
	k.multicast(linkGroup, texts...)
	return texts
}

// dialMember dials a Conn that has joined linkGroup, and whose reader may park.
func (k *kernel) dialMember() *client.Conn {
	k.t.Helper()
	k.CanSilence = true
	c := k.dial()
	k.join(c, linkGroup)
	return c
}

// dialInStorm dials a Conn whose reader pauses.
func (k *kernel) dialInStorm() *client.Conn {
	k.t.Helper()
	c := k.dialMember() // at the instant of the events
	wantEvents(k.t, c, k.events(client.StormEvents)...)
	k.wantParked("it pauses")
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
			k.wantParked(fmt.Sprintf("%d events came", n))
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
		c := k.dialMember()
		for range 5 * client.StormEvents {
			time.Sleep(client.StormPace)
			wantEvents(t, c, k.events(1)...)
			k.wantNotParked("there is no storm")
		}
	})
}

// Fewer events are no storm, however fast they come.
func TestReaderDoesNotPauseForFewEvents(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialMember()
		wantEvents(t, c, k.events(client.StormEvents-1)...)
		k.wantNotParked("a storm has more events")
	})
}

// A pause could fill a small receive buffer.
func TestReaderDoesNotPauseWithASmallReceiveBuffer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Buffer = 64 << 10
		c := k.dialMember()
		for range 5 {
			wantEvents(t, c, k.events(client.StormEvents)...)
			k.wantNotParked("the receive buffer is small")
		}
	})
}

// The system may lack the resource that a pause needs.
func TestReaderThatCannotPauseReadsOn(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialMember()
		k.hooked(0).onPause = func(time.Duration) error { return syscall.EMFILE }
		for range 5 {
			wantEvents(t, c, k.events(client.StormEvents)...)
			k.wantNotParked("it cannot pause")
		}
	})
}

// A goroutine that waits for a message does not wait for the end of a pause.
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
			start := time.Now()
			if err := s.Sync(bg); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("Sync took %v", d)
			}
			wantFrom(t, s.Events, append(texts, "marker")...)
			wantEvents(t, c, texts...)
		},
		"Close": func(t *testing.T, k *kernel, c *client.Conn) {
			start := time.Now()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > client.StormPause {
				t.Errorf("Close took %v, longer than the reader's pause", d)
			}
			select {
			case _, open := <-c.Receive():
				if open {
					t.Error("an event came")
				}
			default:
				t.Error("the channel of events is open")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) { other(t, k, k.dialInStorm()) })
		})
	}
}

// The reader pauses only when the queue is empty.
func TestReaderReadsAllBeforeAPause(t *testing.T) {
	for name, overrun := range map[string]bool{"whole": false, "with a loss": true} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialMember()
				texts := k.events(3 * client.LookMost)
				if overrun {
					k.socket(0).Overrun(syscall.ENOBUFS)
					texts = append(texts, "gap 0")
				}
				wantEvents(t, c, texts...)
				k.wantParked("it pauses")
			})
		})
	}
}

// It does not matter to a storm which goroutine reads its events.
func TestStormGoesOnWhenOthersRead(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialInStorm()
		for range 5 {
			texts := k.events(10)
			call := k.get(bg, c)
			k.want(getLink).ack()
			wantTexts(t, call)
			wantEvents(t, c, texts...)
			time.Sleep(client.StormPause)
			k.wantParked("the storm goes on")
		}
	})
}

// Messages to the socket alone, such as the packets of nfqueue, are read at once: the
// process that sends them may wait for an answer.
func TestReaderDoesNotPauseForUnicastMessages(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialMember()
		for range 5 * client.StormEvents {
			k.socket(0).Queue(socktest.Datagram{Data: event("packet")})
			wantEvents(t, c, "packet")
			k.wantNotParked("no multicast message came")
		}
	})
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
		// Events that another namespace, say, sent before.
		var late []socktest.Datagram
		for range client.StormEvents {
			late = append(late, socktest.Datagram{Data: event("late"), Group: linkGroup})
		}
		k.socket(0).Queue(late...)
		k.wantUnparked(client.StormPause)
	})
}

// A join during a pause is no reason to unpark the next time that the reader parks.
func TestJoinInAStormDoesNotUnparkLater(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialInStorm()
		k.during(func(req request) error { req.ack(); return nil })
		k.join(c, addrGroup)
		k.wantUnparked(client.StormPause)
		for _, group := range []uint32{linkGroup, addrGroup} {
			if err := c.DropMembership(group); err != nil {
				t.Fatal(err)
			}
		}
		parked := 0
		s := k.hooked(0)
		s.onSetNotify = func(on bool) error {
			if !on {
				parked++
			}
			return s.Socket.SetNotify(on)
		}
		k.busy(c)
		if parked != 1 {
			t.Errorf("the reader parked %d times, want 1", parked)
		}
	})
}
