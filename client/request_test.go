package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func TestConnIsPrintedWithFamilyAndPort(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		want := fmt.Sprintf("NETLINK_ROUTE port %d", c.PortID())
		if got := fmt.Sprint(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		c.Close()
		if got := c.String(); got != want {
			t.Errorf("after Close: %q, want %q", got, want)
		}
	})
}

// Answers interleave when several goroutines send on one socket. Only the sequence
// number shows which request a reply is for.
func TestRepliesReachTheirCallersInAnyOrder(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var calls [3]*task[[]wire.Message]
		var reqs [3]request
		for i := range calls {
			calls[i] = k.request(bg, c, newAddr, "", 0)
			reqs[i] = k.want(newAddr)
		}
		reqs[2].reply("two")
		reqs[0].reply("nil")
		reqs[2].ack()
		reqs[1].ack()
		reqs[0].reply("null")
		wantTexts(t, calls[2], "two")
		wantTexts(t, calls[1])
		calls[0].wantWaiting("its acknowledgement is still to come")
		reqs[0].ack()
		wantTexts(t, calls[0], "nil", "null")
		wantStats(t, c, client.Stats{})
	})
}

// One datagram may hold answers to several requests.
func TestDatagramOfManyAnswersIsSplit(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		first := k.request(bg, c, newAddr, "", 0)
		a := k.want(newAddr)
		second := k.request(bg, c, newAddr, "", 0)
		b := k.want(newAddr)
		ack := netlink.NLMSG_ERROR
		a.send(bytes.Join([][]byte{
			a.data("a1"), b.data("b1"), a.data("a2"), a.end(ack, 0), b.data("b2"), b.end(ack, 0),
		}, nil))
		b.drop()
		wantTexts(t, first, "a1", "a2")
		wantTexts(t, second, "b1", "b2")
	})
}

func TestRequestIsSentAsGiven(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.request(bg, c, newAddr, "odd", netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
		req := k.want(newAddr)
		want := wire.Header{
			Length: wire.HeaderLen + 3,
			Type:   newAddr,
			// Without NLM_F_REQUEST the kernel ignores a request and acknowledges it;
			// without NLM_F_ACK it may not answer.
			Flags:  netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE | netlink.NLM_F_EXCL,
			Seq:    req.Header.Seq,
			PortID: c.PortID(), // not 0: xfrm and FIB_LOOKUP copy it back
		}
		if req.Header != want || string(req.Payload) != "odd" || req.Header.Seq == 0 {
			t.Fatalf("request %+v, want %+v", req.Message, want)
		}
		req.ack()
		wantTexts(t, call)
	})
}

// The kernel answers inside the send, so another goroutine can read the answer
// before the send has returned.
func TestAnswerMayArriveBeforeTheSendReturns(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.during(func(req request) error {
			if n := c.Stats().Pending; n != 1 {
				t.Errorf("%d requests pending inside the send, want it registered", n)
			}
			req.reply("early")
			req.ack()
			synctest.Wait() // the reader has it, the send still runs
			if n := c.Stats().Pending; n != 0 {
				t.Errorf("%d requests pending after the answer", n)
			}
			return nil
		})
		msgs, err := c.Request(bg, getLink, nil, 0)
		if err != nil || len(msgs) != 1 || string(msgs[0].Payload) != "early" {
			t.Fatal(msgs, err)
		}
		wantStats(t, c, client.Stats{})
	})
}

func TestLargePayloadIsSentWhole(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		text := strings.Repeat("x", 200<<10)
		call := k.request(bg, c, getLink, text, 0)
		req := k.want(getLink)
		if string(req.Payload) != text {
			t.Fatalf("payload of %d bytes, want %d", len(req.Payload), len(text))
		}
		req.ack()
		wantTexts(t, call)
	})
}

func TestRefusalIsTheKernelsError(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		req := k.want(getLink)
		req.reply("half an answer")
		req.fail(syscall.ENOENT)
		msgs, err := call.result()
		var refusal *wire.KernelError
		if !errors.As(err, &refusal) {
			t.Fatalf("%T: %v", err, err)
		}
		if refusal.Errno != syscall.ENOENT || refusal.Request != getLink || refusal.Seq != req.Header.Seq {
			t.Errorf("%+v", refusal)
		}
		// The kernel has seen it, and no operation on this side failed.
		var op *client.OpError
		if msgs != nil || client.NotSent(err) || errors.As(err, &op) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(msgs, err)
		}
		// The Conn stays usable.
		call = k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
	})
}

// The kernel acknowledges a request of NETLINK_AUDIT and answers it later, from a thread.
// ctx ends the wait for that.
func TestContextEndsTheWaitAtOnce(t *testing.T) {
	const auditList, auditGet netlink.MessageType = 1013, 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_AUDIT)
		ctx, cancel := context.WithCancel(bg)
		call := k.request(ctx, c, auditList, "", 0)
		req := k.want(auditList)
		req.ack()
		req.reply("early")
		call.wantWaiting("its ctx has not ended, and an empty queue proves nothing here")
		cancel()
		wantError(t, call, context.Canceled, false)
		// The kernel is not done with it, so the number stays in use.
		wantStats(t, c, client.Stats{Pending: 1})

		// Later messages must not reach the next caller, even if the two share objects.
		next := k.request(bg, c, auditGet, "", 0)
		other := k.want(auditGet)
		if other.Header.Seq == req.Header.Seq {
			t.Fatal("the number of a request in flight was reused")
		}
		other.ack()
		req.reply("late")
		req.done()
		other.send(other.answer(auditGet, 0, []byte("mine")))
		wantTexts(t, next, "mine")
		wantStats(t, c, client.Stats{Late: 2})

		// A second end for the same number is late as well.
		req.done()
		wantStats(t, c, client.Stats{Late: 3})
	})
}

func TestDeadlineIsReportedAsSuch(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_AUDIT)
		k.during(func(req request) error { req.ack(); return nil })
		ctx, cancel := context.WithTimeout(bg, 1)
		defer cancel()
		_, err := c.Request(ctx, auditGet, nil, 0) // the bubble's clock jumps to the deadline
		if !errors.Is(err, context.DeadlineExceeded) || client.NotSent(err) {
			t.Fatal(err)
		}
		c.Close()
	})
}

// If both ctx has ended and the result is there, the result is returned.
func TestResultBeatsContext(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  syscall.Errno
		want string
	}{
		{"ack", 0, "[there]"},
		{"refusal", syscall.EPERM, "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				ctx, cancel := context.WithCancel(bg)
				k.during(func(req request) error {
					req.reply("there")
					req.fail(tt.end)
					synctest.Wait() // until the reader has read it
					cancel()
					return nil
				})
				msgs, err := c.Request(ctx, getLink, nil, 0)
				if fmt.Sprint(texts(msgs)) != tt.want || tt.end == 0 && err != nil || tt.end != 0 && !errors.Is(err, tt.end) {
					t.Fatalf("%v, %v; want %s, %v", texts(msgs), err, tt.want, tt.end)
				}
				wantStats(t, c, client.Stats{})
			})
		})
	}
}

// The reader's buffer is reused for the next datagram. Replies must not change with it,
// and a write to one reply must not reach the next.
func TestRepliesBelongToTheCaller(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		req := k.want(getLink)
		req.send(append(req.data("aaaa"), req.data("bbbb")...))
		req.ack()
		msgs, err := call.result()
		if err != nil || len(msgs) != 2 {
			t.Fatal(msgs, err)
		}

		// The same Conn reads other bytes into the same buffer.
		other := k.get(bg, c)
		req = k.want(getLink)
		req.send(append(req.data("XXXX"), req.data("YYYY")...))
		req.ack()
		wantTexts(t, other, "XXXX", "YYYY")
		if got := fmt.Sprint(texts(msgs)); got != "[aaaa bbbb]" {
			t.Fatalf("replies changed to %s", got)
		}

		_ = append(msgs[0].Payload, "overwritten"...)
		if got := fmt.Sprint(texts(msgs)); got != "[aaaa bbbb]" {
			t.Fatalf("appending to one reply changed another: %s", got)
		}
	})
}

// A payload may be part of a larger buffer. Padding it in place, or appending the next
// header, would overwrite the rest.
func TestPayloadIsNotWrittenTo(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		whole := []byte("odd and the rest of it")
		call := runAsync(t, func() ([]wire.Message, error) { return c.Request(bg, getLink, whole[:3], 0) })
		req := k.want(getLink)
		if string(req.Payload) != "odd" {
			t.Fatalf("payload %q", req.Payload)
		}
		req.ack()
		wantTexts(t, call)
		if string(whole) != "odd and the rest of it" {
			t.Fatalf("changed to %q", whole)
		}
	})
}
