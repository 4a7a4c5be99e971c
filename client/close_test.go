package client_test

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// wantClosed requires that the call was ended by Close.
func wantClosed[T any](t *testing.T, a *task[T], notSent bool) {
	t.Helper()
	_, err := a.result()
	var op *client.OpError
	if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || client.NotSent(err) != notSent {
		t.Fatalf("%v (not sent: %v), want it closed (%v)", err, client.NotSent(err), notSent)
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventSocket())
		for range 3 {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Every call of Close returns when the reader is gone.
func TestEveryCloseWaitsForTheGoroutines(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		out := make(chan struct{})
		k.hook = func(h *hooked) {
			h.onWatch = func(ready func()) error {
				err := h.Socket.Watch(ready)
				<-out
				return err
			}
		}
		c := k.dial()
		first := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Close() })
		first.wantWaiting("the reader is in the kernel")
		second := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Close() })
		// The second may wait for a mutex that the first holds. The bubble does not
		// count that as blocked, so give it time instead of a Wait.
		for range 1000 {
			runtime.Gosched()
			select {
			case <-second.over:
				t.Error("the second Close returned before the reader was gone")
				close(out)
				return
			default:
			}
		}
		close(out)
		for _, a := range []*task[struct{}]{first, second} {
			if _, err := a.result(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Close ends every waiting call at once. A call in the kernel ends when its system call
// returns.
func TestCloseEndsEveryWaitingCall(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(2))
		answered := k.get(bg, c)
		req := k.want(getLink)
		dump := k.dump(bg, c)
		dumped := k.want(getAddr)
		dumped.reply("a part")
		other := k.request(bg, c, newAddr, "", 0)
		held := k.want(newAddr)
		windowed := k.get(bg, c)
		windowed.wantWaiting("two requests at a time")
		barrier := k.noop(c)
		barrier.wantWaiting("two requests at a time")
		req.reply("half an answer")

		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, windowed, true)
		wantClosed(t, barrier, true)
		k.wantIdle("the Conn is closed")
		for _, r := range []request{req, dumped, held} {
			r.drop()
		}
		wantClosed(t, answered, false)
		wantClosed(t, dump, false)
		wantClosed(t, other, false)
		wantStats(t, c, client.Stats{})
	})
}

// Close also ends the wait for a thread of the kernel.
func TestCloseEndsADeferredCall(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_AUDIT)
		call := k.request(bg, c, auditGet, "", 0)
		k.want(auditGet).ack()
		call.wantWaiting("the data is still to come")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, call, false)
	})
}

// Close ends a request that waits for an overrun to be drained.
func TestCloseOpensTheGate(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c, reader := k.dialSlow()
		reader.Overrun(syscall.ENOBUFS)
		synctest.Wait()
		gated := k.get(bg, c)
		gated.wantWaiting("the gate is shut")
		closing := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Close() })
		closing.wantWaiting("the reader does not read")
		reader.goOn()
		if _, err := closing.result(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, gated, true)
	})
}

// A request may be in its send when Close is called. The kernel has seen it, and its
// answer is not read.
func TestCloseDuringTheSend(t *testing.T) {
	for _, err := range []error{nil, net.ErrClosed} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			leave := make(chan struct{})
			k.during(func(req request) error {
				<-leave
				return err
			})
			call := k.get(bg, c)
			call.wantWaiting("its send runs")
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			close(leave)
			// After a send that fails, the kernel has not seen it.
			wantClosed(t, call, err != nil)
			wantStats(t, c, client.Stats{})
		})
	}
}

// A request without an answer when Close closes the socket ends with net.ErrClosed, not
// as unanswered: the answer can no longer be read.
func TestCloseIsNotTakenForSilenceOfTheKernel(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		out := make(chan struct{})
		letOut := sync.OnceFunc(func() { close(out) })
		defer letOut()
		k.hook = func(h *hooked) {
			h.onWatch = func(ready func()) error {
				err := h.Socket.Watch(ready)
				<-out
				return err
			}
		}
		c := k.dial()
		alone := k.request(bg, c, newAddr, "", 0)
		one := k.want(newAddr)
		client.SetMaxSenders(c, 1)
		first := k.get(bg, c)
		two := k.want(getLink)
		last := k.get(bg, c)
		synctest.Wait()
		other := k.get(bg, c)
		synctest.Wait()
		two.ack()
		wantTexts(t, first)
		shared := []request{k.want(getLink), k.want(getLink)} // in one datagram
		closing := runAsync(t, func() (struct{}, error) { return struct{}{}, c.Close() })
		closing.wantWaiting("the reader is in the kernel")
		for _, req := range append(shared, one) {
			req.drop()
		}
		calls := []*task[[]wire.Message]{alone, last, other}
		for _, call := range calls {
			call.wantWaiting("the reader ends it")
		}
		letOut()
		for _, call := range calls {
			wantClosed(t, call, false)
		}
		if _, err := closing.result(); err != nil {
			t.Fatal(err)
		}
	})
}

// Close ends the consumer's loop, also if it is behind.
func TestCloseEndsTheLoopOverEvents(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithEventQueue(10))
		k.join(c, linkGroup)
		k.count(0, 30)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for range c.Receive() {
			n++
		}
		if n > 11 {
			t.Fatalf("%d events from a queue of 10", n)
		}
	})
}

// A goroutine that reads for its call may hold an event, or the report of a lost one,
// when Close closes the channel. The event is dropped.
func TestEventInDeliveryAtClose(t *testing.T) {
	for name, late := range map[string][]byte{"event": event("late"), "loss": []byte("garbage")} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				resume := make(chan struct{})
				s := k.hooked(0)
				// The first read that finds the queue empty returns a datagram instead.
				s.onRecv = func(ds []sock.Datagram) (int, error) {
					n, err := s.Socket.Recv(ds)
					if err == syscall.EAGAIN {
						<-resume
						ds[0] = sock.Datagram{Buf: ds[0].Buf, N: copy(ds[0].Buf, late), Group: linkGroup, NSID: -1}
						return 1, nil
					}
					return n, err
				}
				call := k.get(bg, c)
				k.want(getLink).drop()
				call.wantWaiting("it reads")
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				close(resume)
				wantClosed(t, call, false)
				if e, ok := <-c.Receive(); ok {
					t.Fatalf("event %+v", e)
				}
				if n := c.Stats().Events; n != 0 {
					t.Fatalf("%d events came, want none after Close", n)
				}
			})
		})
	}
}

// A loop over Receive ends with the Conn.
func TestCloseWakesTheConsumer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		consumer := runAsync(t, func() (n int, err error) {
			for range c.Receive() {
				n++
			}
			return n, nil
		})
		k.multicast(linkGroup, "1", "2")
		consumer.wantWaiting("the Conn is open")
		c.Close()
		if n, _ := consumer.result(); n != 2 {
			t.Fatalf("%d events, want 2", n)
		}
	})
}

func TestMethodsAfterClose(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		k.join(c, linkGroup)
		port := c.PortID()
		c.Close()
		for _, tt := range []struct {
			name string
			f    func() error
		}{
			{"Request", func() error { _, err := c.Request(bg, getLink, nil, 0); return err }},
			{"Request", func() error { _, err := c.Request(bg, getLink, nil, 0); return err }}, // room is left
			{"dump", func() error { _, err := c.Request(bg, getAddr, nil, netlink.NLM_F_DUMP); return err }},
			{"Noop", func() error { return c.Noop(bg) }},
			{"AddMembership", func() error { return c.AddMembership(2) }},
			{"DropMembership", func() error { return c.DropMembership(linkGroup) }},
		} {
			err := tt.f()
			var op *client.OpError
			if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || !client.NotSent(err) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if c.PortID() != port {
			t.Errorf("port %d, was %d", c.PortID(), port)
		}
		if _, ok := <-c.Receive(); ok {
			t.Error("an event from a closed Conn")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		k.wantIdle("the Conn is closed")
		wantStats(t, c, client.Stats{})
	})
}

// Every Close reports what went wrong, of both sockets.
func TestCloseReportsItsErrorToEveryCaller(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		errs := []error{syscall.EIO, syscall.EINTR}
		k.hook = func(h *hooked) {
			err := errs[len(k.Sockets())-1]
			h.onClose = func() error { h.Socket.Close(); return err }
		}
		c := k.dial(client.WithEventSocket())
		for range 2 {
			err := c.Close()
			var op *client.OpError
			if !errors.As(err, &op) || op.Op != "close" || !errors.Is(err, errs[0]) || !errors.Is(err, errs[1]) {
				t.Fatal(err)
			}
		}
	})
}

// An overrun shuts the gate. The goroutine that read the report may be slower than the
// reader, which has exited by then.
func TestGateIsOpenAfterClose(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.hooked(0)
		var closes atomic.Bool
		s.onRecv = func(ds []sock.Datagram) (int, error) {
			if closes.Swap(false) {
				c.Close()
				ds[0].Congested = true
				return 0, syscall.ENOBUFS
			}
			return s.Socket.Recv(ds)
		}
		k.during(func(request) error { closes.Store(true); return nil })
		if _, err := c.Request(bg, getLink, nil, 0); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		wantClosed(t, k.get(bg, c), true)
	})
}
