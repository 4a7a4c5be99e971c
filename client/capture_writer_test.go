package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
)

// Nothing waits for the writer. Packets without room are dropped, and both the next
// packet and the statistics count them.
func TestSlowWriterLosesPacketsOnly(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		w := &captured{t: t}
		w.stop()
		c := k.dial(client.WithCapture(w))
		synctest.Wait() // the header is on its way
		k.join(c, linkGroup)
		big := strings.Repeat("x", 100<<10)
		const events = 60
		for range events {
			k.multicast(linkGroup, big)
			wantEvents(t, c, big) // each at once
		}
		call := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)

		w.goOn()
		synctest.Wait()
		k.multicast(linkGroup, "room again")
		wantEvents(t, c, "room again")
		w.stop()
		k.multicast(linkGroup, "written at the end") // and no packet follows
		synctest.Wait()
		for range events {
			k.multicast(linkGroup, big)
		}
		synctest.Wait()
		w.goOn()
		s := w.close(c)

		// 4 MiB of them, and small ones in the remaining space.
		const fit = 4 << 20 / (100<<10 + 100)
		var kept []string
		var reported uint64
		for _, p := range s.Packets {
			reported += p.Dropped
			if len(p.Data) < 1000 {
				kept = append(kept, fmt.Sprint(packetText(t, p), " after ", p.Dropped))
			}
		}
		want := []string{
			fmt.Sprint("> 18 get after ", events-fit), "< 2 after 0",
			"* 16 room again (group 1, to port 1001) after 0",
			"* 16 written at the end (group 1, to port 1001) after 0",
		}
		if !slices.Equal(kept, want) {
			t.Errorf("small packets %q, want %q", kept, want)
		}
		if n := uint64(len(s.Packets)); reported != events-fit || s.Dropped != 2*(events-fit) || s.Seen != n+s.Dropped || s.Seen != 2*events+4 {
			t.Errorf("%d packets; dropped %d by packets, %d of %d by the statistics", n, reported, s.Dropped, s.Seen)
		}
		wantStats(t, c, client.Stats{Events: 2*events + 2})
	})
}

// The first error of the writer ends the capture only, and Close reports it.
func TestFailingWriterEndsTheCaptureOnly(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		k.join(c, linkGroup)
		k.multicast(linkGroup, "1")
		wantEvents(t, c, "1")
		w.mu.Lock()
		w.err = syscall.ENOSPC
		w.mu.Unlock()
		// Write fails the test if it is called again.
		for _, text := range []string{"2", "3"} {
			k.multicast(linkGroup, text)
			wantEvents(t, c, text)
		}
		call := k.get(bg, c)
		req := k.want(getLink)
		req.reply("still there")
		call.wantWaiting("it is not acknowledged")
		k.wantIdle("it is sent")
		for range 2 {
			err := c.Close()
			var op *client.OpError
			if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &op) || op.Op != "close" || !strings.Contains(err.Error(), "capture") {
				t.Fatal(err)
			}
		}
		req.drop()
		wantClosed(t, call, false)
		if _, ok := <-c.Receive(); ok {
			t.Error("an event from a closed Conn")
		}
		// The file can be read up to there, without an end.
		s := w.sections()
		if len(s) != 1 || s[0].Whole {
			t.Fatalf("%+v", s)
		}
		wantPackets(t, s[0], "* 16 1 (group 1, to port 1001)")
	})
}

// shortWriter breaks the contract of io.Writer.
type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestShortWriteIsAnError(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithCapture(shortWriter{}))
		if err := c.Close(); !errors.Is(err, io.ErrShortWrite) {
			t.Fatal(err)
		}
	})
}

// Close waits for the writer after it has ended everything else.
func TestCloseWaitsForTheWriter(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, w := k.dialCaptured()
		synctest.Wait()
		w.stop()
		call := k.get(bg, c)
		req := k.want(getLink)
		closing := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Close() })
		closing.wantWaiting("the writer is slow")
		req.drop()
		wantClosed(t, call, false)
		if _, ok := <-c.Receive(); ok {
			t.Error("an event from a closed Conn")
		}
		w.goOn()
		if _, err := closing.result(); err != nil {
			t.Fatal(err)
		}
		wantPackets(t, w.close(c), "> 18 get")
	})
}

// A send may still run when Close returns. It writes nothing.
func TestNothingIsCapturedAfterClose(t *testing.T) {
	for _, err := range []error{nil, net.ErrClosed} {
		play(t, func(t *testing.T, k *kernel) {
			c, w := k.dialCaptured()
			leave := make(chan struct{})
			k.during(func(req request) error {
				<-leave
				return err
			})
			call := k.get(bg, c)
			call.wantWaiting("its send runs")
			s := w.close(c)
			close(leave)
			wantClosed(t, call, err != nil)
			if _, err := c.Request(bg, getLink, nil, 0); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			wantPackets(t, s, "> 18 get")
		})
	}
}

// A Dial that fails writes nothing and leaves no goroutine, which the bubble
// would report.
func TestFailedDialCapturesNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		w := &captured{t: t, closed: true}
		_, err := client.Dial(netlink.NETLINK_ROUTE, client.WithEventSocket(), client.WithCapture(w),
			client.WithSocket(func(cfg sock.Config) (sock.Socket, error) {
				if len(k.Sockets()) == 1 {
					return nil, syscall.EPROTONOSUPPORT
				}
				return k.Open(cfg)
			}))
		if !errors.Is(err, syscall.EPROTONOSUPPORT) {
			t.Fatal(err)
		}
		synctest.Wait()
	})
}
