package client_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
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

// Each dump has a socket of its own. Dumps run in parallel, and a request does not wait
// for a dump that is blocked in the kernel.
func TestDumpsShareNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		first := k.dump(bg, c)
		one := k.want(getAddr)
		second := k.dump(bg, c)
		two := k.want(getAddr)
		if one.from == two.from || one.from == k.socket(0) || two.from == k.socket(0) {
			t.Error("a dump shares a socket")
		}
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)
		two.send(two.part("2", 0))
		two.done()
		wantTexts(t, second, "2")
		if h := second.value[0].Header; h.Seq != two.Header.Seq || h.PortID != two.from.PortID() {
			t.Errorf("message %+v, want number %d and port %d of its socket", h, two.Header.Seq, two.from.PortID())
		}
		wantStats(t, c, client.Stats{Pending: 1})
		one.send(one.part("1", 0))
		one.done()
		wantTexts(t, first, "1")
		wantStats(t, c, client.Stats{})
	})
}

// collected is maxCollected of pool.go.
const collected = 8

// openDumpSockets returns the number of dump sockets that are open.
func (k *kernel) openDumpSockets() (n int) {
	for _, s := range k.Sockets() {
		if s.IsDumpSocket() && !s.Closed() {
			n++
		}
	}
	return n
}

// Eight dumps are collected at once. Further ones wait, unsent, with their ctx, for a
// free socket. Loops do not wait, since a loop body can hold another loop.
func TestCollectedDumpsWaitForASocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dumps []*task[[]wire.Message]
		for range collected + 1 {
			dumps = append(dumps, k.dump(bg, c))
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(bg)
		left := k.dump(ctx, c)
		var reqs []request
		for range collected {
			reqs = append(reqs, k.want(getAddr))
		}
		k.wantIdle("there is no socket for more")
		cancel()
		wantError(t, left, context.Canceled, true)
		k.answersDumps(table("a"))
		for _, err := range c.Dump(bg, getAddr, nil) {
			if err != nil {
				t.Fatal(err)
			}
			wantLoop(t, c, "a")
		}
		k.during(nil)
		for _, req := range reqs {
			req.done()
		}
		k.want(getAddr).done()
		for _, dump := range dumps {
			wantTexts(t, dump)
		}
		wantStats(t, c, client.Stats{})
	})
}

// Many goroutines that collect dumps open few sockets and reuse them.
func TestManyCollectedDumpsOpenFewSockets(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.during(func(req request) error {
			time.Sleep(time.Millisecond) // so that all of them meet
			req.send(table("a", "b")(req)...)
			return nil
		})
		start := time.Now()
		var dumps []*task[[]wire.Message]
		for range 256 {
			dumps = append(dumps, k.dump(bg, c))
		}
		for _, dump := range dumps {
			<-dump.over
			wantTexts(t, dump, "a", "b")
		}
		if n := len(k.Sockets()) - 1; n != collected {
			t.Errorf("%d sockets for dumps, want %d", n, collected)
		}
		// The first send of a socket is the NOOP that makes its large read.
		if d := time.Since(start); d > (1+256/collected)*time.Millisecond {
			t.Errorf("took %v, so fewer than %d ran in parallel", d, collected)
		}
	})
}

// A request that waits for its dump's next datagram ends with its ctx when the system
// call returns, and its socket is closed.
func TestContextEndsACollectedDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		ctx, cancel := context.WithCancel(bg)
		dump := k.dump(ctx, c)
		req := k.want(getAddr)
		req.from.Queue(socktest.Datagram{Data: req.part("1", 0)})
		cancel()
		dump.wantWaiting("the kernel keeps its send")
		req.drop()
		wantError(t, dump, context.Canceled, false)
		if !req.from.Closed() {
			t.Error("the socket of the dump is open")
		}
		next := k.dump(bg, c)
		req = k.want(getAddr)
		req.send(req.part("mine", 0))
		req.done()
		wantTexts(t, next, "mine")
		wantStats(t, c, client.Stats{})
	})
}

// A table may be endless. ctx and Close end its dump.
func TestEndlessDumpIsAbandoned(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(c *client.Conn, cancel context.CancelFunc)
		want error
	}{
		"context": {func(_ *client.Conn, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"Close":   {func(c *client.Conn, _ context.CancelFunc) { c.Close() }, net.ErrClosed},
	} {
		for _, loops := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", loop: ", loops), func(t *testing.T) {
				play(t, func(t *testing.T, k *kernel) {
					ctx, cancel := context.WithCancel(bg)
					defer cancel()
					var c *client.Conn
					k.hook = func(h *hooked) {
						if h.IsDumpSocket() {
							h.endless(100, func() { tt.end(c, cancel) })
						}
					}
					c = k.dial()
					k.during(func(request) error { return nil })
					dump := run(t, func() ([]wire.Message, error) {
						if loops {
							_, err := loop(ctx, c, whole)
							return nil, err
						}
						return c.Request(ctx, getAddr, nil, netlink.NLM_F_DUMP)
					})
					wantError(t, dump, tt.want, false)
					if k.openDumpSockets() != 0 {
						t.Error("the socket of the dump is open")
					}
				})
			})
		}
	}
}

// endless makes every read of the socket return a datagram of a dump, and calls then
// with the n-th.
func (h *hooked) endless(n int, then func()) {
	reads := 0
	h.onRecv = func(ds []sock.Datagram) (int, error) {
		if reads++; reads == n {
			then()
		}
		m := wire.Message{Header: wire.Header{Type: newAddr, Flags: netlink.NLM_F_MULTI}, Payload: []byte("more")}
		ds[0] = sock.Datagram{Buf: ds[0].Buf, N: copy(ds[0].Buf, wire.AppendMessage(nil, m)), NSID: -1}
		return 1, nil
	}
}

// slowReads blocks the reads of dump sockets, from the first one after a dump was sent.
// Each read takes a token from the returned channel; closing it unblocks all.
func (k *kernel) slowReads() (resume chan struct{}) {
	resume = make(chan struct{})
	k.hook = func(h *hooked) {
		if !h.IsDumpSocket() {
			return
		}
		sent := false
		h.onSend = func(b []byte) error {
			err := h.Socket.Send(b)
			sent = sent || netlink.MessageType(binary.NativeEndian.Uint16(b[4:])) != netlink.NLMSG_NOOP
			return err
		}
		h.onRecv = func(ds []sock.Datagram) (int, error) {
			if sent {
				<-resume
			}
			return h.Socket.Recv(ds)
		}
	}
	return resume
}

// The kernel makes the next datagram of a dump inside a read, and may wait for a lock
// there. Nothing interrupts that system call. ctx ends the dump when it returns, and no
// other request waits.
func TestContextEndsADumpThatTheKernelReads(t *testing.T) {
	for _, loops := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			resume := k.slowReads()
			c := k.dial()
			k.answersDumps(func(req request) [][]byte { return [][]byte{req.data("a")} })
			ctx, cancel := context.WithCancel(bg)
			dump := k.dumpOrLoop(ctx, c, loops)
			dump.wantWaiting("the kernel keeps its read")
			cancel()
			dump.wantWaiting("the kernel keeps its read")
			if _, err := k.noop(c).result(); err != nil {
				t.Error(err)
			}
			close(resume)
			wantError(t, dump, context.Canceled, false)
			if k.openDumpSockets() != 0 {
				t.Error("the socket of the dump is open")
			}
			wantStats(t, c, client.Stats{})
		})
	}
}

// Close does not wait for such a read. The dump ends when the read returns.
func TestCloseDoesNotWaitForTheReadOfADump(t *testing.T) {
	for _, loops := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			resume := k.slowReads()
			c := k.dial()
			k.answersDumps(func(req request) [][]byte { return [][]byte{req.data("a")} })
			dump := k.dumpOrLoop(bg, c, loops)
			dump.wantWaiting("the kernel keeps its read")
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			dump.wantWaiting("the kernel keeps its read")
			if k.openDumpSockets() != 0 {
				t.Error("the socket of the dump is open")
			}
			close(resume)
			wantClosed(t, dump, false)
		})
	}
}

// dumpOrLoop collects a dump, or loops over it and returns no messages.
func (k *kernel) dumpOrLoop(ctx context.Context, c *client.Conn, loops bool) *task[[]wire.Message] {
	if !loops {
		return k.dump(ctx, c)
	}
	return runAsync(k.t, func() ([]wire.Message, error) {
		_, err := loop(ctx, c, whole)
		return nil, err
	})
}

// Close returns although the send of a dump is blocked in the kernel, and ends the
// dumps that wait for a socket.
func TestCloseDoesNotWaitForADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dumps []*task[[]wire.Message]
		for range collected + 1 {
			dumps = append(dumps, k.dump(bg, c))
			synctest.Wait()
		}
		loop := k.dumpOrLoop(bg, c, true)
		var reqs []request
		for range collected + 1 {
			reqs = append(reqs, k.want(getAddr))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, dumps[collected], true)
		for _, req := range reqs {
			if !req.from.Closed() {
				t.Error("the socket of a dump is open")
			}
			req.drop()
		}
		for _, dump := range dumps[:collected] {
			wantClosed(t, dump, false)
		}
		wantClosed(t, loop, false)
		wantStats(t, c, client.Stats{})
	})
}

// With WithDumpSocket one socket is open from Dial on. The next dump reads the rest of
// one that was abandoned.
func TestKeptDumpSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithDumpSocket())
		if n := k.openDumpSockets(); n != 1 {
			t.Fatalf("%d dump sockets after Dial, want 1", n)
		}
		k.answersDumps(table("a", "b", "c"))
		for range 3 {
			if got, err := loop(bg, c, 1); err != nil || fmt.Sprint(got) != "[a]" {
				t.Fatalf("loop: %q, %v", got, err)
			}
			wantTexts(t, k.dump(bg, c), "a", "b", "c")
			time.Sleep(time.Minute)
		}
		if n := len(k.Sockets()); n != 2 || k.socket(1).Closed() {
			t.Errorf("%d sockets, the dump's is closed: %t", n, k.socket(1).Closed())
		}
		// A second dump at the same time opens one, which is closed as usual.
		for range c.Dump(bg, getAddr, nil) {
			wantTexts(t, k.dump(bg, c), "a", "b", "c")
		}
		time.Sleep(9 * time.Second)
		if n := k.openDumpSockets(); n != 2 {
			t.Errorf("%d dump sockets are open after 9 s, want 2", n)
		}
		time.Sleep(2 * time.Second)
		if n := k.openDumpSockets(); n != 1 {
			t.Errorf("%d dump sockets are open after 11 s, want 1", n)
		}
	})
}

// The rest of an abandoned dump may be endless. ctx and Close end the reading, and the
// dump that waits for it was not sent.
func TestContextAndCloseEndTheReadingOfWhatIsLeft(t *testing.T) {
	for _, closes := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial(client.WithDumpSocket())
			k.answersDumps(table("a", "b", "c"))
			if _, err := loop(bg, c, 1); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(bg)
			defer cancel()
			s := k.hooked(1)
			s.endless(100, func() {
				s.onRecv = nil
				if closes {
					c.Close()
				} else {
					cancel()
				}
			})
			call := run(t, func() ([]wire.Message, error) { return c.Request(ctx, getAddr, nil, netlink.NLM_F_DUMP) })
			if closes {
				wantClosed(t, call, true)
				return
			}
			wantError(t, call, context.Canceled, true)
			wantTexts(t, k.dump(bg, c), "a", "b", "c")
			wantStats(t, c, client.Stats{})
		})
	}
}

// The handler of a scripted kernel may end its goroutine, as t.Fatal does. The dump frees
// its socket and slot.
func TestDumpWhoseHandlerDoesNotReturnLeavesNothing(t *testing.T) {
	for _, loops := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			k.during(func(request) error { runtime.Goexit(); return nil })
			for range maxSlots + 1 {
				var err error
				if loops {
					_, err = loop(bg, c, whole)
				} else {
					_, err = c.Request(bg, getAddr, nil, netlink.NLM_F_DUMP)
				}
				if err == nil {
					t.Error("no error")
				}
			}
			if k.openDumpSockets() != 0 {
				t.Error("the socket of a dump is open")
			}
			k.answersDumps(table("a"))
			wantTexts(t, k.dump(bg, c), "a")
			wantLoop(t, c, "a")
			wantStats(t, c, client.Stats{})
		})
	}
}

// A dump without a socket was not sent and leaves nothing. Dial fails if it is to keep
// a dump socket and cannot open one.
func TestDumpWithoutASocketIsNotSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.hook = func(h *hooked) {
			h.onOpenLike = func() (sock.Socket, error) { return nil, syscall.EMFILE }
		}
		c := k.dial()
		for range collected + 1 { // each frees its slot
			call := k.dump(bg, c)
			wantError(t, call, syscall.EMFILE, true)
			if want := "netlink: request: open a socket for the dump: " + syscall.EMFILE.Error(); call.err.Error() != want {
				t.Errorf("%v, want %s", call.err, want)
			}
		}
		err := wantLoopError(t, c, syscall.EMFILE, true)
		if want := "netlink: dump: open a socket for the dump: " + syscall.EMFILE.Error(); err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		k.wantIdle("there is no socket to send it")
		wantStats(t, c, client.Stats{})
		// Other requests work.
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)

		_, err = client.Dial(netlink.NETLINK_ROUTE, client.WithSocket(k.open), client.WithDumpSocket(), client.WithEventSocket())
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "open a socket for the dump") {
			t.Errorf("Dial: %v, want %v", err, syscall.EMFILE)
		}
		for i, s := range k.Sockets()[1:] {
			if !s.Closed() {
				t.Errorf("socket %d is open after a Dial that failed", i+1)
			}
		}
	})
}

// The number of a dump is never 0, which is that of unsolicited messages.
func TestNumberOfADumpIsNotZero(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithDumpSocket())
		client.SetDumpNumber(c, math.MaxUint32-1)
		for _, want := range []uint32{math.MaxUint32, 1, 2} {
			dump := k.dump(bg, c)
			req := k.want(getAddr)
			if req.Header.Seq != want {
				t.Errorf("number %d, want %d", req.Header.Seq, want)
			}
			req.done()
			wantTexts(t, dump)
		}
	})
}

// The socket that was used last is lent first, so that unneeded ones are closed.
func TestDumpSocketsThatAreNotNeededAreClosed(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		for range c.Dump(bg, getAddr, nil) {
			wantLoop(t, c, "a")
		}
		for range 3 {
			time.Sleep(4 * time.Second)
			wantLoop(t, c, "a")
		}
		if n, open := len(k.Sockets())-1, k.openDumpSockets(); n != 2 || open != 1 {
			t.Errorf("%d of %d dump sockets are open, want one of 2", open, n)
		}
	})
}

// Close does not wait for the end of a loop body.
func TestCloseClosesTheSocketUnderALoop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		for range c.Dump(bg, getAddr, nil) {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if !k.socket(1).Closed() {
				t.Error("the dump's socket is open after Close")
			}
			break
		}
	})
}

// A dump that was opening its socket sends nothing if the Conn is closed meanwhile.
func TestCloseWhileADumpOpensItsSocket(t *testing.T) {
	for _, loops := range []bool{false, true} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			k.answersDumps(table("a"))
			s := k.hooked(0)
			s.onOpenLike = func() (sock.Socket, error) {
				like, err := s.openLike()
				c.Close()
				return like, err
			}
			wantClosed(t, k.dumpOrLoop(bg, c, loops), true)
			if k.openDumpSockets() != 0 {
				t.Error("the socket of the dump is open")
			}
		})
	}
}

// The kernel may make close wait, as for a batch of another process in NETLINK_NETFILTER
// (nft_rcv_nl_event). Other dumps do not wait for that, nor does Stats.
func TestDumpsDoNotWaitForTheCloseOfASocket(t *testing.T) {
	for name, ends := range map[string]func(t *testing.T, c *client.Conn){
		"broken off": func(t *testing.T, c *client.Conn) {
			_, _ = loop(bg, c, 1)
		},
		"idle": func(t *testing.T, c *client.Conn) { wantLoop(t, c, "a", "b") },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				closing, held := make(chan struct{}), make(chan struct{})
				k.hook = func(h *hooked) {
					h.onClose = func() error {
						if h.IsDumpSocket() && len(k.Sockets()) == 2 {
							close(closing)
							<-held
						}
						return h.Socket.Close()
					}
				}
				c := k.dial()
				k.answersDumps(table("a", "b"))
				go ends(t, c)
				<-closing // an idle one after a time
				wantLoop(t, c, "a", "b")
				wantStats(t, c, client.Stats{})
				close(held)
			})
		})
	}
}
