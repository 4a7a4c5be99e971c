package client_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// answersDumps answers every dump inside its send with these datagrams, and
// acknowledges everything else.
func (k *kernel) answersDumps(answer func(req request) [][]byte) {
	k.during(func(req request) error {
		if req.Header.Flags&netlink.NLM_F_DUMP != netlink.NLM_F_DUMP {
			req.ack()
			return nil
		}
		req.send(answer(req)...)
		return nil
	})
}

// table answers a dump with these texts and DONE, one datagram each.
func table(texts ...string) func(req request) [][]byte {
	return func(req request) (ds [][]byte) {
		for _, s := range texts {
			ds = append(ds, req.data(s))
		}
		return append(ds, req.end(netlink.NLMSG_DONE, 0))
	}
}

// loop ranges over a dump until an error or n texts.
func loop(ctx context.Context, c *client.Conn, n int) (got []string, err error) {
	for m, err := range c.Dump(ctx, getAddr, []byte("dump")) {
		if err != nil {
			if m.Header != (wire.Header{}) || m.Payload != nil {
				return got, fmt.Errorf("%w, together with a message", err)
			}
			return got, err
		}
		if got = append(got, string(m.Payload)); len(got) == n {
			break
		}
	}
	return got, nil
}

// whole is an n larger than any dump of these tests.
const whole = math.MaxInt

func wantLoop(t *testing.T, c *client.Conn, want ...string) {
	t.Helper()
	if got, err := loop(bg, c, whole); err != nil || !slices.Equal(got, want) {
		t.Fatalf("loop: %q, %v; want %q", got, err, want)
	}
}

func wantLoopError(t *testing.T, c *client.Conn, target error, notSent bool, want ...string) error {
	t.Helper()
	got, err := loop(bg, c, whole)
	if !errors.Is(err, target) || client.NotSent(err) != notSent || !slices.Equal(got, want) {
		t.Fatalf("loop: %q, %v (not sent: %v); want %q, %v (%v)", got, err, client.NotSent(err), want, target, notSent)
	}
	return err
}

func TestLoopHasASocketOfItsOwnAndUsesItAgain(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a", "b"))
		for range 3 {
			wantLoop(t, c, "a", "b")
		}
		if n := len(k.Sockets()); n != 2 {
			t.Errorf("%d sockets, want the Conn's and one for the loops", n)
		}
		wantStats(t, c, client.Stats{})
	})
}

func TestSlowLoopDelaysNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a", "b"))
		for m, err := range c.Dump(bg, getAddr, nil) {
			if err != nil {
				t.Fatal(err)
			}
			// The loop waits here; everything else continues.
			if err := c.Noop(bg); err != nil {
				t.Fatal(err)
			}
			wantTexts(t, k.dump(bg, c), "a", "b")
			wantLoop(t, c, "a", "b")
			if n := c.Stats().Pending; n != 1 {
				t.Errorf("%d pending during the loop at %q, want 1", n, m.Payload)
			}
		}
	})
}

func TestBrokenOffLoopClosesItsSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a", "b", "c"))
		if got, err := loop(bg, c, 1); err != nil || !slices.Equal(got, []string{"a"}) {
			t.Fatalf("loop: %q, %v", got, err)
		}
		if !k.socket(1).Closed() {
			t.Error("the socket with the rest of the dump is open")
		}
		wantLoop(t, c, "a", "b", "c")
		wantStats(t, c, client.Stats{})
	})
}

func TestPanicInALoopLeavesNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		func() {
			defer func() { recover() }()
			for range c.Dump(bg, getAddr, nil) {
				panic("body")
			}
		}()
		if !k.socket(1).Closed() || c.Stats().Pending != 0 {
			t.Error("the loop's socket is open")
		}
	})
}

func TestIdleDumpSocketsAreBoundedAndClosed(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		const loops = 11
		barrier := make(chan struct{})
		var tasks []*task[struct{}]
		for range loops {
			tasks = append(tasks, runAsync(t, func() (struct{}, error) {
				for _, err := range c.Dump(bg, getAddr, nil) {
					if err != nil {
						return struct{}{}, err
					}
					<-barrier
				}
				return struct{}{}, nil
			}))
		}
		synctest.Wait()
		if n := c.Stats().Pending; n != loops {
			t.Fatalf("%d loops at once, want %d", n, loops)
		}
		close(barrier)
		for _, a := range tasks {
			if _, err := a.result(); err != nil {
				t.Fatal(err)
			}
		}
		open := func() (n int) {
			for _, s := range k.Sockets()[1:] {
				if !s.Closed() {
					n++
				}
			}
			return n
		}
		if n := open(); n != collected {
			t.Errorf("%d idle sockets, want %d", n, collected)
		}
		time.Sleep(6 * time.Second)
		wantLoop(t, c, "a") // this one stays idle for another 10 s
		time.Sleep(6 * time.Second)
		if n := open(); n != 1 {
			t.Errorf("%d idle sockets after 12 s, want the one that was used", n)
		}
		time.Sleep(6 * time.Second)
		if n := open(); n != 0 {
			t.Errorf("%d idle sockets after 18 s, want 0", n)
		}
		wantLoop(t, c, "a")
	})
}

func TestCloseEndsARunningLoop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(func(req request) [][]byte {
			// Two in one datagram: the second is read, but not yielded.
			return [][]byte{append(req.data("a"), req.data("b")...)}
		})
		var got []string
		var last error
		for m, err := range c.Dump(bg, getAddr, nil) {
			if last = err; err != nil {
				break
			}
			got = append(got, string(m.Payload))
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, []string{"a"}) || !errors.Is(last, net.ErrClosed) || client.NotSent(last) {
			t.Errorf("loop: %q, %v", got, last)
		}
		wantLoopError(t, c, net.ErrClosed, true)
	})
}

func TestContextEndsALoop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a", "b"))
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		var last error
		steps := 0
		for _, err := range c.Dump(ctx, getAddr, nil) {
			last = err
			steps++
			cancel()
		}
		if !k.socket(1).Closed() {
			t.Error("the socket with the rest of the dump is open")
		}
		if steps != 2 || !errors.Is(last, context.Canceled) || client.NotSent(last) {
			t.Errorf("%d steps, %v", steps, last)
		}
		if _, err := loop(ctx, c, whole); !errors.Is(err, context.Canceled) || !client.NotSent(err) {
			t.Errorf("with a ctx that has ended: %v", err)
		}
		wantLoop(t, c, "a", "b")
	})
}

func TestEndsOfALoop(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(req request) [][]byte
		want   error
		texts  []string
		stats  client.Stats
	}{
		{"refused at once", func(req request) [][]byte {
			return [][]byte{req.end(netlink.NLMSG_ERROR, syscall.EPERM)}
		}, syscall.EPERM, nil, client.Stats{}},
		{"failed in the kernel", func(req request) [][]byte {
			return [][]byte{req.data("a"), req.end(netlink.NLMSG_DONE, syscall.EINVAL)}
		}, syscall.EINVAL, []string{"a"}, client.Stats{}},
		{"failed for lack of memory", func(req request) [][]byte {
			return [][]byte{req.data("a"), req.end(netlink.NLMSG_DONE, syscall.ENOBUFS)}
		}, syscall.ENOBUFS, []string{"a"}, client.Stats{}},
		{"acknowledged only", func(req request) [][]byte {
			return [][]byte{req.data("a"), req.end(netlink.NLMSG_ERROR, 0)}
		}, nil, []string{"a"}, client.Stats{}},
		{"interrupted", func(req request) [][]byte {
			return [][]byte{
				req.answer(newAddr, netlink.NLM_F_MULTI|netlink.NLM_F_DUMP_INTR, []byte("a")),
				append(req.data("b"), req.end(netlink.NLMSG_DONE, 0)...),
			}
		}, client.ErrDumpInterrupted, []string{"a", "b"}, client.Stats{}},
		{"malformed", func(req request) [][]byte {
			return [][]byte{append(req.data("a"), 1, 2, 3, 4)}
		}, wire.ErrMalformed, []string{"a"}, client.Stats{Malformed: 1}},
		{"end without an errno", func(req request) [][]byte {
			return [][]byte{req.answer(netlink.NLMSG_DONE, 0, []byte{1})}
		}, wire.ErrMalformed, nil, client.Stats{}},
		{"larger than the buffer", func(req request) [][]byte {
			return [][]byte{append(req.data("a"), req.data(strings.Repeat("x", 300<<10))...)}
		}, client.ErrTruncated, []string{"a"}, client.Stats{Truncated: 1}},
		{"messages with other numbers", func(req request) [][]byte {
			stranger := req
			stranger.Header.Seq++
			noSeq := req
			noSeq.Header.Seq = 0
			return [][]byte{
				stranger.data("x"), noSeq.data("y"), stranger.end(netlink.NLMSG_DONE, 0),
				req.data("a"), req.end(netlink.NLMSG_DONE, 0),
			}
		}, nil, []string{"x", "y", "a"}, client.Stats{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				conn := k.dial()
				k.answersDumps(c.answer)
				err := wantLoopError(t, conn, c.want, false, c.texts...)
				var refusal *wire.KernelError
				if errno, ok := c.want.(syscall.Errno); ok && (!errors.As(err, &refusal) || refusal.Errno != errno || refusal.Request != getAddr) {
					t.Errorf("%#v, want a KernelError of the request", err)
				}
				wantStats(t, conn, c.stats)
				// The next loop is not affected.
				k.answersDumps(table("next"))
				wantLoop(t, conn, "next")
			})
		})
	}
}
