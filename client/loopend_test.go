package client_test

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

func TestLoopIgnoresForeignSenders(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(func(req request) [][]byte {
			req.from.Queue(socktest.Datagram{Data: req.data("forged"), PortID: 77})
			return table("a")(req)
		})
		wantLoop(t, c, "a")
		wantStats(t, c, client.Stats{Foreign: 1})
	})
}

// TestStalledDumpIsPoked: the kernel had no memory for the next datagram, and continues
// the dump at the next read.
func TestStalledDumpIsPoked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dump request
		k.during(func(req request) error {
			switch {
			case req.Header.Flags&netlink.NLM_F_DUMP != 0:
				dump = req
				req.reply("a")
				req.from.Overrun(syscall.ENOBUFS)
			default: // the poke
				req.ack()
				dump.reply("b")
				dump.done()
			}
			return nil
		})
		wantLoop(t, c, "a", "b")
		if !k.socket(1).Closed() {
			t.Error("a socket with a queue that may not be empty was kept")
		}
	})
}

func TestDumpThatDoesNotContinueIsLost(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.during(func(req request) error {
			if req.Header.Flags&netlink.NLM_F_DUMP != 0 {
				req.reply("a")
			}
			return nil // nothing else is answered
		})
		err := wantLoopError(t, c, client.ErrReplyLost, false, "a")
		if !errors.Is(err, syscall.ENOBUFS) {
			t.Errorf("%v is no ENOBUFS", err)
		}
		wantStats(t, c, client.Stats{RepliesLost: 1})
	})
}

func TestBadInputOpensNoDumpSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		for name, call := range map[string]struct {
			ctx     context.Context
			typ     netlink.MessageType
			payload []byte
			want    error
		}{
			"nil ctx":            {nil, getAddr, nil, nil},
			"control type":       {bg, netlink.NLMSG_DONE, nil, syscall.EINVAL},
			"type that creates":  {bg, newAddr, nil, syscall.EINVAL},
			"ctx that has ended": {canceled(), getAddr, nil, context.Canceled},
		} {
			steps := 0
			for _, err := range c.Dump(call.ctx, call.typ, call.payload) {
				steps++
				if err == nil || !client.NotSent(err) || call.want != nil && !errors.Is(err, call.want) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if steps != 1 {
				t.Errorf("%s: %d steps", name, steps)
			}
		}
		if n := len(k.Sockets()); n != 1 {
			t.Errorf("%d sockets, want the Conn's only", n)
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

func TestLoopWhoseSendFailsIsNotSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.during(func(request) error { return syscall.ECONNREFUSED })
		wantLoopError(t, c, syscall.ECONNREFUSED, true)
		wantStats(t, c, client.Stats{})
	})
}

// TestLoopSendsWhatItWasAsked checks the request.
func TestLoopSendsWhatItWasAsked(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var seqs []uint32
		k.answersDumps(func(req request) [][]byte {
			h := req.Header
			if h.Type != getAddr || h.Flags != netlink.NLM_F_REQUEST|netlink.NLM_F_ACK|netlink.NLM_F_DUMP ||
				h.PortID != req.from.PortID() || string(req.Payload) != "dump" {
				t.Errorf("request %+v", req)
			}
			seqs = append(seqs, h.Seq)
			return table()(req)
		})
		entries := c.Dump(bg, getAddr, []byte("dump"))
		for range 2 { // each range over it sends the request
			for m, err := range entries {
				t.Errorf("%+v, %v; want an empty table", m, err)
			}
		}
		if len(seqs) != 2 || seqs[0] == seqs[1] || slices.Contains(seqs, 0) {
			t.Errorf("sequence numbers %d", seqs)
		}
	})
}

// TestPayloadsOfALoopAreItsBuffer: the next step may overwrite what the last one
// yielded; a Clone is not overwritten.
func TestPayloadsOfALoopAreItsBuffer(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("aaaa", "bbbb"))
		var first, kept []byte
		for m, err := range c.Dump(bg, getAddr, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first, kept = m.Payload, m.Clone().Payload
			}
		}
		if string(kept) != "aaaa" {
			t.Errorf("the clone reads %q", kept)
		}
		if binary.NativeEndian.Uint32(first) == binary.NativeEndian.Uint32(kept) {
			t.Error("each step has its own memory: change the documentation")
		}
	})
}

// A dump is poked three times in a row, and three times again after it has continued.
func TestOnlyConsecutiveStallsAreCounted(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dump request
		pokes := 0
		k.during(func(req request) error {
			switch {
			case req.Header.Flags&netlink.NLM_F_DUMP != 0:
				dump, pokes = req, 0
			case dump.from != nil:
				if pokes++; pokes%3 == 0 && pokes < 12 {
					dump.reply("part")
				}
			}
			return nil
		})
		wantLoopError(t, c, client.ErrReplyLost, false, "part", "part", "part")
		if pokes != 9+3 {
			t.Errorf("poked %d times", pokes)
		}
	})
}

// The kernel may have refused a dump that runs all the same (__netlink_dump_start).
func TestSocketOfARefusedDumpIsNotKept(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(func(req request) [][]byte { return [][]byte{req.end(netlink.NLMSG_ERROR, syscall.ENOBUFS)} })
		wantLoopError(t, c, syscall.ENOBUFS, false)
		if !k.socket(1).Closed() {
			t.Error("a socket whose dump may continue was kept")
		}
	})
}

// The end of ctx is also noticed before a read, since a loop may yield nothing for a
// long time.
func TestContextEndsALoopThatYieldsNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		ctx, cancel := context.WithCancel(bg)
		reads := 0
		k.hook = func(h *hooked) {
			h.onRecv = func(ds []sock.Datagram) (int, error) {
				n, err := h.Socket.Recv(ds)
				if err == syscall.EAGAIN && h.IsDumpSocket() {
					if reads++; reads == 100 {
						cancel()
					}
					// A loop skips a message of a process.
					ds[0] = sock.Datagram{Buf: ds[0].Buf, N: copy(ds[0].Buf, event("skipped")), PortID: 77, NSID: -1}
					return 1, nil
				}
				return n, err
			}
		}
		c := k.dial()
		k.answersDumps(func(request) [][]byte { return nil })
		if got, err := loop(ctx, c, whole); len(got) > 0 || !errors.Is(err, context.Canceled) || client.NotSent(err) {
			t.Errorf("loop: %q, %v", got, err)
		}
	})
}

// Only the socket reports a cut between two messages; neither a message nor the end of
// the dump shows it.
func TestDumpReportsACutBetweenMessages(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(func(req request) [][]byte {
			fills := req.data(strings.Repeat("x", 256<<10-wire.HeaderLen))
			return [][]byte{append(fills, req.data("cut off")...), req.end(netlink.NLMSG_DONE, 0)}
		})
		if got, err := loop(bg, c, whole); len(got) != 1 || !errors.Is(err, client.ErrTruncated) {
			t.Errorf("loop: %d messages, %v", len(got), err)
		}
		wantError(t, k.dump(bg, c), client.ErrTruncated, false)
		wantStats(t, c, client.Stats{Truncated: 2})
	})
}
