package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// part makes a message of a dump.
func (req request) part(text string, flags netlink.Flags) []byte {
	return req.answer(newAddr, netlink.NLM_F_MULTI|flags, []byte(text))
}

func TestDumpIsCollectedUpToItsDone(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		if want := netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_DUMP; req.Header.Flags != want {
			t.Fatalf("flags %v, want %v", req.Header.Flags, want)
		}
		req.send(append(req.part("1", 0), req.part("2", 0)...))
		req.send(req.part("3", 0))
		dump.wantWaiting("DONE is still to come")
		// The kernel puts DONE behind the last data where there is room for it.
		req.send(append(req.part("4", 0), req.end(netlink.NLMSG_DONE, 0)...))
		wantTexts(t, dump, "1", "2", "3", "4")
		wantStats(t, c, client.Stats{})
	})
}

// A socket runs one dump at a time: the kernel answers a second one with EBUSY
// (__netlink_dump_start). Other requests do not care.
func TestSecondDumpWaitsForTheFirst(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		first := k.dump(bg, c)
		one := k.want(getAddr)
		second := k.dump(bg, c)
		k.wantIdle("no second dump while one runs")
		one.send(one.part("1", 0))
		k.wantIdle("the first dump has begun, not ended")

		get := k.get(bg, c)
		req := k.want(getLink)
		req.reply("between")
		req.ack()
		wantTexts(t, get, "between")

		one.done()
		two := k.want(getAddr)
		wantTexts(t, first, "1")
		second.wantWaiting("it has just begun")
		two.send(two.part("2", 0))
		two.done()
		wantTexts(t, second, "2")
		wantStats(t, c, client.Stats{})
	})
}

// The kernel goes on with a dump whose caller is gone. It must be read to its
// end before the next one can start, and none of it may reach the next one.
func TestCancelledDumpKeepsItsSlotUntilDone(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		ctx, cancel := context.WithCancel(bg)
		first := k.dump(ctx, c)
		one := k.want(getAddr)
		one.send(one.part("1", 0))
		first.wantWaiting("the dump runs")
		cancel()
		wantError(t, first, context.Canceled, false)

		second := k.dump(bg, c)
		k.wantIdle("the first dump has not ended")
		one.send(append(one.part("2", 0), one.part("3", 0)...))
		k.wantIdle("the first dump still has not ended")
		wantStats(t, c, client.Stats{Pending: 1, Late: 2})
		one.done()
		two := k.want(getAddr)
		two.send(two.part("mine", 0))
		two.done()
		wantTexts(t, second, "mine")
		wantStats(t, c, client.Stats{Late: 3})
	})
}

// A dump that gives up waiting for its turn leaves the turn to the next.
func TestDumpMayGiveUpItsPlaceInTheQueue(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		first := k.dump(bg, c)
		one := k.want(getAddr)
		ctx, cancel := context.WithCancel(bg)
		second := k.dump(ctx, c)
		second.wantWaiting("the first dump runs")
		third := k.dump(bg, c)
		cancel()
		wantError(t, second, context.Canceled, true)
		third.wantWaiting("the first dump runs")
		one.done()
		wantTexts(t, first)
		k.want(getAddr).done()
		wantTexts(t, third)
		wantStats(t, c, client.Stats{})
	})
}

// A dump that has its slot and waits for room must give the slot back with its
// place in the queue.
func TestDumpMayGiveUpWaitingForRoom(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		get := k.get(bg, c)
		req := k.want(getLink)
		ctx, cancel := context.WithCancel(bg)
		first := k.dump(ctx, c)
		first.wantWaiting("there is room for one request")
		cancel()
		wantError(t, first, context.Canceled, true)
		second := k.dump(bg, c)
		k.wantIdle("there is room for one request")
		req.ack()
		wantTexts(t, get)
		k.want(getAddr).done()
		wantTexts(t, second)
	})
}

// A dump that waits for its turn takes no room from other requests.
func TestWaitingDumpTakesNoRoom(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(2))
		first := k.dump(bg, c)
		one := k.want(getAddr)
		second := k.dump(bg, c)
		second.wantWaiting("the first dump runs")
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)
		one.done()
		wantTexts(t, first)
		k.want(getAddr).done()
		wantTexts(t, second)
	})
}

// EBUSY although the Conn runs no dump: the remains of one whose end was lost.
// They do not last, so the dump is tried again, but not for ever.
func TestBusyDumpIsTriedAgain(t *testing.T) {
	for busy := range 5 {
		t.Run(fmt.Sprint(busy), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				dump := k.dump(bg, c)
				for range busy {
					k.want(getAddr).fail(syscall.EBUSY)
				}
				if busy == 4 {
					wantError(t, dump, syscall.EBUSY, false)
					return
				}
				req := k.want(getAddr)
				req.send(req.part("at last", 0))
				req.done()
				wantTexts(t, dump, "at last")
			})
		})
	}
}

// The remains of a dump go on when something is read, and not before the half of
// the buffer is free: in a storm of events it is not enough to read the refusal.
func TestBusyDumpIsTriedAgainAfterTheQueue(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.join(c, linkGroup)
		asked := 0
		k.during(func(req request) error {
			if n := req.from.Backlog(); n != 0 {
				t.Errorf("request %d: %d bytes are queued", asked, n)
			}
			if asked++; asked == 3 {
				req.done()
				return nil
			}
			req.fail(syscall.EBUSY)
			k.multicast(linkGroup, make([]string, 50)...)
			return nil
		})
		wantTexts(t, k.dump(bg, c))
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
	})
}

// A plain request that is refused with EBUSY is not the client's to repeat.
func TestBusyRequestIsNotTriedAgain(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		k.want(getLink).fail(syscall.EBUSY)
		wantError(t, call, syscall.EBUSY, false)
	})
}

// What an earlier try may have caused, no later failure to send undoes.
func TestFailureToRepeatIsNotNotSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		k.during(func(request) error { return syscall.ENOMEM })
		req.fail(syscall.EBUSY)
		wantError(t, dump, syscall.ENOMEM, false)
		wantStats(t, c, client.Stats{})
	})
}

// The kernel marks a dump during which its table changed, on a part or on the
// DONE (nl_dump_check_consistent). Entries may be missing then, so the dump is
// made again, and at last returned with the error that says so.
func TestInterruptedDumpIsMadeAgain(t *testing.T) {
	const intr = netlink.NLM_F_DUMP_INTR
	onPart := func(req request) {
		req.send(req.part("a", intr), req.part("b", 0))
		req.done()
	}
	onDone := func(req request) {
		req.send(req.part("a", 0), req.part("b", 0), req.answer(netlink.NLMSG_DONE, netlink.NLM_F_MULTI|intr, make([]byte, 4)))
	}
	for _, tt := range []struct {
		name      string
		opts      []client.Option
		interrupt func(request)
		tries     int
	}{
		{"on a part", nil, onPart, 4},
		{"on the end", nil, onDone, 4},
		{"once more", []client.Option{client.WithDumpRetries(1)}, onPart, 2},
		{"never", []client.Option{client.WithDumpRetries(0)}, onDone, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(tt.opts...)
				dump := k.dump(bg, c)
				for range tt.tries {
					tt.interrupt(k.want(getAddr))
				}
				msgs, err := dump.result()
				var op *client.OpError
				if !errors.Is(err, client.ErrDumpInterrupted) || !errors.As(err, &op) || op.Op != "dump" || client.NotSent(err) {
					t.Fatal(err)
				}
				if got := fmt.Sprint(texts(msgs)); got != "[a b]" {
					t.Fatalf("entries %s, want those of the last try", got)
				}
				wantStats(t, c, client.Stats{})
				if tt.tries == 1 {
					return
				}

				// An interruption that does not come back leaves no trace.
				dump = k.dump(bg, c)
				tt.interrupt(k.want(getAddr))
				req := k.want(getAddr)
				req.send(req.part("whole", 0))
				req.done()
				wantTexts(t, dump, "whole")
			})
		})
	}
}

func TestDumpsErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(request)
	}{
		{"failed start", func(req request) { req.fail(syscall.EINVAL) }},
		{"failed callback", func(req request) { req.send(req.part("1", 0), req.end(netlink.NLMSG_DONE, syscall.EINVAL)) }},
		{"failed and interrupted", func(req request) {
			req.send(req.part("1", netlink.NLM_F_DUMP_INTR), req.end(netlink.NLMSG_DONE, syscall.EINVAL))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				dump := k.dump(bg, c)
				tt.end(k.want(getAddr))
				wantError(t, dump, syscall.EINVAL, false)
				var refusal *wire.KernelError
				if !errors.As(dump.err, &refusal) || refusal.Request != getAddr {
					t.Fatalf("%#v", dump.err)
				}
				wantStats(t, c, client.Stats{})

				// The slot is free again.
				dump = k.dump(bg, c)
				k.want(getAddr).done()
				wantTexts(t, dump)
			})
		})
	}
}

// A dump that begins on a full queue is refused with ENOBUFS and goes on all the
// same (__netlink_dump_start), so what follows decides.
func TestDumpRefusedForWantOfRoomMayStillCome(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		req.send(bytes.Join([][]byte{
			req.end(netlink.NLMSG_ERROR, syscall.ENOBUFS), req.part("1", 0), req.end(netlink.NLMSG_DONE, 0),
		}, nil))
		wantTexts(t, dump, "1")

		dump = k.dump(bg, c)
		k.want(getAddr).fail(syscall.ENOBUFS)
		wantError(t, dump, client.ErrReplyLost, false)
		dump = k.dump(bg, c)
		k.want(getAddr).done()
		wantTexts(t, dump)
		wantStats(t, c, client.Stats{RepliesLost: 1})
	})
}

// carefulSocket notes whether somebody reads while a dump is sent.
type carefulSocket struct {
	*socktest.Socket

	starting atomic.Bool
	met      atomic.Bool
}

func (s *carefulSocket) Send(b []byte) error {
	var m wire.Message
	if _, err := m.Decode(b); err != nil || m.Header.Type != getAddr {
		return s.Socket.Send(b)
	}
	s.starting.Store(true)
	s.Queue(socktest.Datagram{Data: event("wakes the reader")})
	for range 1000 {
		runtime.Gosched()
	}
	s.starting.Store(false)
	return s.Socket.Send(b)
}

func (s *carefulSocket) Recv(ds []sock.Datagram) (int, error) {
	s.met.Store(s.met.Load() || s.starting.Load())
	return s.Socket.Recv(ds)
}

// A read beside the send that starts a dump could queue the dump's second part
// before the first one, or its end (netlink_dump): the dump would seem to be
// empty.
func TestNobodyReadsWhileADumpIsSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		s := new(carefulSocket)
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		req.send(req.part("1", 0), req.end(netlink.NLMSG_DONE, 0))
		wantTexts(t, dump, "1")
		wantEvents(t, c, "wakes the reader")
		if s.met.Load() {
			t.Error("somebody reads while the dump is sent")
		}
	})
}
