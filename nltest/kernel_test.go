package nltest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

const (
	rtmGetAddr netlink.MessageType = 22
	auditGet   netlink.MessageType = 1000
)

var bg = context.Background()

// data makes a reply of that text.
func data(text string) wire.Message {
	return wire.Message{Header: wire.Header{Type: rtmNewLink}, Payload: []byte(text)}
}

func texts(msgs []wire.Message) (s []string) {
	for _, m := range msgs {
		s = append(s, string(m.Payload))
	}
	return s
}

// echo answers with the request's payload.
func echo(req wire.Message) []wire.Message { return []wire.Message{data(string(req.Payload))} }

// TestConcurrentRequests: each gets its own answer.
func TestConcurrentRequests(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, echo)
	defer c.Close()
	var g sync.WaitGroup
	for i := range 100 {
		g.Go(func() {
			for j := range 100 {
				want := fmt.Sprint(i, ".", j)
				msgs, err := c.Request(bg, rtmGetLink, []byte(want), 0)
				if err != nil || !slices.Equal(texts(msgs), []string{want}) {
					t.Errorf("%q, %v; want %q", texts(msgs), err, want)
				}
			}
		})
	}
	g.Wait()
}

// TestAnswersEndAsTheFamilyEndsThem: the handler returns data only.
func TestAnswersEndAsTheFamilyEndsThem(t *testing.T) {
	for _, f := range []struct {
		family netlink.Family
		typ    netlink.MessageType
		flags  netlink.Flags
		want   []string
	}{
		{netlink.NETLINK_ROUTE, rtmGetLink, 0, []string{"a", "b"}},
		{netlink.NETLINK_ROUTE, rtmGetLink, netlink.NLM_F_DUMP, []string{"a", "b"}},
		{netlink.NETLINK_AUDIT, auditGet, 0, []string{"a"}},
		{netlink.NETLINK_FIB_LOOKUP, rtmGetLink, 0, []string{"a"}},
		{netlink.NETLINK_CONNECTOR, netlink.NLMSG_DONE, 0, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := nltest.Dial(f.family, func(req wire.Message) []wire.Message {
				if f.want == nil {
					return nil
				}
				return []wire.Message{data("a"), data("b")}[:len(f.want)]
			})
			defer c.Close()
			msgs, err := c.Request(bg, f.typ, nil, f.flags)
			if err != nil || !slices.Equal(texts(msgs), f.want) {
				t.Errorf("%v: %q, %v; want %q", f.family, texts(msgs), err, f.want)
			}
			if n := c.Stats().Pending; n != 0 {
				t.Errorf("%v: %d pending", f.family, n)
			}
		})
	}
}

func TestNilHandlerAcknowledges(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, nil)
	defer c.Close()
	msgs, err := c.Request(bg, rtmNewLink, nil, 0)
	if err != nil || msgs != nil {
		t.Errorf("%v, %v", msgs, err)
	}
}

// TestNoopIsTheKernelsOwn: control messages do not reach the handler.
func TestNoopIsTheKernelsOwn(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
		t.Errorf("handler called with %v", req.Header.Type)
		return nil
	})
	defer c.Close()
	if err := c.Noop(bg); err != nil {
		t.Error(err)
	}
}

// TestDumpStreams: the messages of a dump are marked NLM_F_MULTI.
func TestDumpStreams(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		return []wire.Message{data("a"), data("b")}
	})
	defer c.Close()
	var got []string
	for m, err := range c.Dump(bg, rtmGetAddr, nil) {
		if err != nil || m.Header.Flags != netlink.NLM_F_MULTI {
			t.Fatal(m, err)
		}
		got = append(got, string(m.Payload))
	}
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

// TestRefusalsAreExplained sends every part of an extended acknowledgement there
// and back.
func TestRefusalsAreExplained(t *testing.T) {
	want := wire.ExtAck{
		Message: "no", Offset: 20, Cookie: []byte{1}, Policy: []byte{8, 0, 1, 0, 0, 0, 0, 0},
		MissingType: 3, MissingNest: 16, HasOffset: true, HasMissingType: true, HasMissingNest: true,
	}
	for name, last := range map[string]wire.Message{
		"Error": nltest.Error(syscall.EPERM, want),
		"Done":  nltest.Done(syscall.EPERM, want),
	} {
		c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message { return []wire.Message{data("a"), last} })
		_, err := c.Request(bg, rtmGetLink, nil, netlink.NLM_F_DUMP)
		var got *wire.KernelError
		if !errors.As(err, &got) {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Errno != syscall.EPERM || got.Request != rtmGetLink ||
			fmt.Sprint(got.Ext) != fmt.Sprint(want) {
			t.Errorf("%s: %+v", name, got)
		}
		c.Close()
	}
}

// TestEchoOfTheRequestInARefusal: the kernel repeats the request's header.
func TestEchoOfTheRequestInARefusal(t *testing.T) {
	var got wire.Ack
	k := nltest.New(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		refusal := nltest.Error(syscall.EPERM, wire.ExtAck{})
		refusal.Header.Seq = 1 // of no request: it becomes an event
		refusal.Header.PortID = 1
		return []wire.Message{refusal, nltest.Error(0, wire.ExtAck{})}
	})
	c := k.Dial()
	defer c.Close()
	if _, err := c.Request(bg, rtmNewLink, nil, 0); err != nil {
		t.Fatal(err)
	}
	e := <-c.Receive()
	got, err := wire.DecodeAck(e.Message)
	if err != nil || got.Request != rtmNewLink || got.Errno != syscall.EPERM {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPushReachesMembersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := nltest.New(netlink.NETLINK_ROUTE, nil)
		member, other := k.Dial(), k.Dial(client.WithEventSocket())
		defer member.Close()
		defer other.Close()
		if err := member.AddMembership(40); err != nil {
			t.Fatal(err)
		}
		k.Push(40, data("up"))
		k.PushFrom(7, 40, data("far"))
		k.Push(0, data("all"))
		synctest.Wait()
		for _, want := range []client.Event{
			{Message: data("up"), Group: 40, NSID: -1},
			{Message: data("far"), Group: 40, NSID: 7},
			{Message: data("all"), NSID: -1},
		} {
			e := <-member.Receive()
			if e.Group != want.Group || e.NSID != want.NSID || string(e.Payload) != string(want.Payload) {
				t.Errorf("%+v, want %+v", e, want)
			}
		}
		if e := <-other.Receive(); string(e.Payload) != "all" {
			t.Errorf("the Conn that has not joined got %q", e.Payload)
		}
	})
}

// TestPushReachesEverySubscription of the group, and so does an overrun. Sync shows that
// it has come.
func TestPushReachesEverySubscription(t *testing.T) {
	k := nltest.New(netlink.NETLINK_ROUTE, nil)
	c := k.Dial(client.WithEventSocket())
	defer c.Close()
	one, err := c.Subscribe(40)
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.Subscribe(40, 41)
	if err != nil {
		t.Fatal(err)
	}
	k.Push(40, data("up"))
	k.PushFrom(7, 41, data("far"))
	k.Overrun()
	for s, want := range map[*client.Subscription]string{one: "up gap", two: "up far gap"} {
		if err := s.Sync(bg); err != nil {
			t.Fatal(err)
		}
		var got []string
		for e := <-s.Events(); e.Header.Type != netlink.NLMSG_NOOP; e = <-s.Events() {
			text := string(e.Payload)
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				text = "gap"
			}
			got = append(got, text)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("events %q, want %q", got, want)
		}
	}
}

// TestCapture: a test can be captured on any GOOS.
func TestCapture(t *testing.T) {
	var file bytes.Buffer
	c := nltest.Dial(netlink.NETLINK_ROUTE, echo, client.WithCapture(&file))
	if _, err := c.Request(bg, rtmGetLink, []byte("text"), 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	sections, err := capturetest.Read(file.Bytes())
	if err != nil || len(sections) != 1 || !sections[0].Whole {
		t.Fatalf("%+v, %v", sections, err)
	}
	var got []capturetest.Type
	for _, p := range sections[0].Packets {
		got = append(got, p.Type)
	}
	if want := []capturetest.Type{capturetest.Sent, capturetest.Unicast, capturetest.Unicast}; !slices.Equal(got, want) {
		t.Errorf("packets of types %v, want %v: request, answer, acknowledgement", got, want)
	}
}

func TestPushOfUevents(t *testing.T) {
	k := nltest.New(netlink.NETLINK_KOBJECT_UEVENT, nil)
	c := k.Dial()
	defer c.Close()
	if err := c.AddMembership(1); err != nil {
		t.Fatal(err)
	}
	k.Push(1, wire.Message{Payload: []byte("add@/devices/x\x00ACTION=add\x00")})
	if e := <-c.Receive(); !strings.HasPrefix(string(e.Payload), "add@") || e.Header != (wire.Header{}) {
		t.Errorf("%+v", e)
	}
}

// TestOverrunLosesTheCurrentAnswer, reports that, and affects no later request.
func TestOverrunLosesTheCurrentAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lose := true
		var k *nltest.Kernel
		k = nltest.New(netlink.NETLINK_ROUTE, func(req wire.Message) []wire.Message {
			if lose {
				k.Overrun()
			}
			return echo(req)
		})
		c := k.Dial()
		defer c.Close()
		if err := c.AddMembership(1); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Request(bg, rtmGetLink, nil, 0); !errors.Is(err, client.ErrReplyLost) {
			t.Errorf("%v, want a lost reply", err)
		}
		lose = false
		if msgs, err := c.Request(bg, rtmGetLink, []byte("x"), 0); err != nil || len(msgs) != 1 {
			t.Errorf("afterwards: %v, %v", msgs, err)
		}
		if e := <-c.Receive(); e.Header.Type != netlink.NLMSG_OVERRUN || e.Lost != 0 {
			t.Errorf("%+v, want a gap", e)
		}
	})
}

func TestStoppedKernel(t *testing.T) {
	k := nltest.New(netlink.NETLINK_GENERIC, echo)
	c := k.Dial()
	defer c.Close()
	k.Stop(syscall.ECONNREFUSED)
	if _, err := c.Request(bg, 16, nil, 0); !errors.Is(err, syscall.ECONNREFUSED) || !client.NotSent(err) {
		t.Errorf("%v", err)
	}
	k.Stop(nil)
	if _, err := c.Request(bg, 16, nil, 0); err != nil {
		t.Error(err)
	}
}

// TestWrongOptionsPanic: a mistake in a test should stop it.
func TestWrongOptionsPanic(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "WithEventQueue") {
			t.Errorf("recovered %v", v)
		}
	}()
	nltest.Dial(netlink.NETLINK_ROUTE, nil, client.WithEventQueue(0))
}

// TestExtAckThatCannotBeSent has a text that is too long for an attribute.
func TestExtAckThatCannotBeSent(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	nltest.Error(syscall.EPERM, wire.ExtAck{Message: strings.Repeat("x", math.MaxUint16)})
}

// A handler that ends its goroutine, as t.Fatal does, fails the request.
func TestHandlerThatDoesNotReturn(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		runtime.Goexit()
		return nil
	})
	defer c.Close()
	_, err := c.Request(bg, rtmNewLink, make([]byte, 16), 0)
	if err == nil || !strings.Contains(err.Error(), "the handler ended its goroutine") {
		t.Errorf("%v, want an error that names the handler", err)
	}
	if err := c.Noop(bg); err != nil {
		t.Error(err)
	}
}
