//go:build linux

package netlink_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// This file has one test for each promise of README.md. The tests in
// internal/kerneltest go into the details.

func TestMain(m *testing.M) { nstest.Main(m) }

// addAddress and deleteAddress change the addresses of lo.
func addAddress(ctx context.Context, t *testing.T, c *client.Conn, addr netip.Addr) error {
	_, err := c.Request(ctx, unix.RTM_NEWADDR, kerneltest.LoAddress(t, addr.String()+"/32"), netlink.NLM_F_CREATE)
	return err
}

func deleteAddress(ctx context.Context, t *testing.T, c *client.Conn, addr netip.Addr) error {
	_, err := c.Request(ctx, unix.RTM_DELADDR, kerneltest.LoAddress(t, addr.String()+"/32"), 0)
	return err
}

// "Every method may be called by any number of goroutines at once."
func TestMethodsMayBeCalledAtOnce(t *testing.T) {
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	ctx := kerneltest.Patient(t)
	lo := kerneltest.LinkRequest(t, kerneltest.LoIndex)
	wantLo := func(msgs []wire.Message, err error) {
		if err != nil || len(msgs) != 1 || kerneltest.LinkIndex(msgs[0]) != kerneltest.LoIndex {
			t.Errorf("%v, %v; want lo", msgs, err)
		}
	}
	var g sync.WaitGroup
	for i := range 32 {
		addr := netip.AddrFrom4([4]byte{10, 9, 9, byte(i)})
		for _, call := range []func() error{
			func() error { wantLo(c.Request(ctx, unix.RTM_GETLINK, lo, 0)); return nil },
			func() error {
				r, err := c.Exchange(ctx, unix.RTM_GETLINK, lo, 0)
				wantLo(r.Messages, err)
				return nil
			},
			func() error {
				for m, err := range c.Dump(ctx, unix.RTM_GETLINK, kerneltest.LinkRequest(t, 0)) {
					if err != nil || kerneltest.LinkIndex(m) != kerneltest.LoIndex {
						return errors.Join(err, errors.New("a dump of something else than lo"))
					}
				}
				return nil
			},
			func() error { return errors.Join(addAddress(ctx, t, c, addr), deleteAddress(ctx, t, c, addr)) },
			func() error { return c.Send(ctx, unix.RTM_NEWLINK, lo, 0) },
			func() error { return c.Noop(ctx) },
			func() error { return c.AddMembership(unix.RTNLGRP_IPV6_IFADDR) },
			func() error { return c.DropMembership(unix.RTNLGRP_IPV6_IFADDR) },
			func() error { _, err := c.SyscallConn(); return err },
			func() error { c.Receive(); c.Stats(); c.PortID(); return nil },
		} {
			g.Go(func() {
				for range 20 {
					if err := call(); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
						t.Error(err)
					}
				}
			})
		}
	}
	g.Wait()
	kerneltest.NoLosses(t, c)
}

// "A reply goes to the request that it answers and to no other, whatever numbers other
// processes or the kernel's own notifications carry."
func TestReplyGoesToItsRequest(t *testing.T) {
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE, client.WithEventQueue(16))
	kerneltest.AddVeth(t, c, "left", "right")
	kerneltest.Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	var indices []int
	for _, m := range kerneltest.Request(t, c, unix.RTM_GETLINK, kerneltest.LinkRequest(t, 0), netlink.NLM_F_DUMP) {
		indices = append(indices, kerneltest.LinkIndex(m))
	}
	// The numbers of the requests go up from that of the first.
	first := kerneltest.Request(t, c, unix.RTM_GETLINK, kerneltest.LinkRequest(t, kerneltest.LoIndex), 0)[0].Header.Seq
	ctx := kerneltest.Patient(t)
	liar := kerneltest.OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	const goroutines, each = 16, 300
	var asked atomic.Uint32
	var g sync.WaitGroup
	for i := range goroutines {
		g.Go(func() {
			addr := netip.AddrFrom4([4]byte{10, 9, 9, byte(i)})
			want := indices[i%len(indices)]
			for range each {
				liar.Refused(t, c.PortID(), kerneltest.ForgedAck(c.PortID(), first+3*asked.Add(1)))
				msgs, err := c.Request(ctx, unix.RTM_GETLINK, kerneltest.LinkRequest(t, want), 0)
				if err != nil || len(msgs) != 1 || kerneltest.LinkIndex(msgs[0]) != want {
					t.Errorf("asked for link %d: %v, %v", want, msgs, err)
					return
				}
				// Their events have the numbers and the port of these requests.
				if err := errors.Join(addAddress(ctx, t, c, addr), deleteAddress(ctx, t, c, addr)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	g.Wait()
	if s := c.Stats(); s.Foreign != 0 || s.Pending != 0 || s.RepliesLost != 0 {
		t.Errorf("%+v; want no forged message, nothing pending and no reply lost", s)
	}
}

// "A request that was sent ends: with an answer, a refusal, ErrReplyLost, ErrUnanswered,
// its ctx or Close. No timeout is involved."
func TestRequestEnds(t *testing.T) {
	ns := nstest.New(t)
	ctx := kerneltest.Patient(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE)
	kerneltest.Request(t, c, unix.RTM_GETLINK, kerneltest.LinkRequest(t, kerneltest.LoIndex), 0)
	if _, err := c.Request(ctx, unix.RTM_GETLINK, kerneltest.LinkRequest(t, 1<<20), 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("no such link: %v, want ENODEV", err)
	}
	// The kernel drops what is shorter than struct fib_result_nl.
	fib := kerneltest.Dial(t, ns, netlink.NETLINK_FIB_LOOKUP)
	if _, err := fib.Request(ctx, 20, make([]byte, 4), 0); !errors.Is(err, client.ErrUnanswered) {
		t.Errorf("a request that the kernel ignores: %v, want ErrUnanswered", err)
	}
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message { k.Overrun(); return nil })
	lossy := k.Dial()
	defer lossy.Close()
	if _, err := lossy.Request(ctx, unix.RTM_NEWADDR, nil, 0); !errors.Is(err, client.ErrReplyLost) {
		t.Errorf("an answer that the kernel drops: %v, want ErrReplyLost", err)
	}

	release := ns.HoldRTNL(t)
	inKernel := kerneltest.StartRequest(c, ctx, 0)
	kerneltest.AwaitPending(t, c, 1)
	canceled, cancel := context.WithCancel(ctx)
	waiting := kerneltest.StartRequest(kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE), canceled, netlink.NLM_F_DUMP)
	cancel()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	release()
	if err := <-inKernel; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want net.ErrClosed", err)
	}
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of ctx: %v, want %v", err, context.Canceled)
	}
}

// "Nothing waits for the consumer of Receive, for the body of a Dump loop, or for a dump."
func TestNothingWaitsForAConsumer(t *testing.T) {
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE, client.WithEventQueue(1))
	kerneltest.Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	kerneltest.ManyAddresses(t, c, 3000) // and no goroutine receives the events
	ask := func(where string) {
		if err := c.Noop(kerneltest.Patient(t)); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		kerneltest.Request(t, c, unix.RTM_GETLINK, kerneltest.LinkRequest(t, kerneltest.LoIndex), 0)
	}
	outer := 0
	for _, err := range c.Dump(kerneltest.Patient(t), unix.RTM_GETADDR, kerneltest.AddressDump(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if outer++; outer > 1 {
			continue
		}
		ask("in the body of a loop")
		inner := 0
		for _, err := range c.Dump(kerneltest.Patient(t), unix.RTM_GETADDR, kerneltest.AddressDump(t)) {
			if err != nil {
				t.Fatal(err)
			}
			inner++
		}
		if inner < 3000 {
			t.Errorf("%d addresses in a loop inside a loop, want 3000", inner)
		}
	}
	if outer < 3000 {
		t.Errorf("%d addresses, want 3000", outer)
	}
	release := ns.HoldRTNL(t)
	dump := kerneltest.StartRequest(c, kerneltest.Patient(t), netlink.NLM_F_DUMP)
	kerneltest.AwaitPending(t, c, 1)
	if err := c.Noop(kerneltest.Patient(t)); err != nil {
		t.Errorf("beside a dump that waits for a lock: %v", err)
	}
	release()
	if err := <-dump; err != nil {
		t.Error(err)
	}
}

// "A consumer that takes nothing loses its own events and no other's."
func TestAbsentConsumerLosesItsOwnEventsOnly(t *testing.T) {
	const changes = 100
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithEventQueue(10))
	subscribe := func() *client.Subscription {
		s, err := c.Subscribe(unix.RTNLGRP_IPV4_IFADDR)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	absent, present := subscribe(), subscribe()
	ctx := kerneltest.Patient(t)
	for i := range changes {
		want := netip.AddrFrom4([4]byte{10, 9, 9, byte(i)})
		if err := addAddress(ctx, t, c, want); err != nil {
			t.Fatal(err)
		}
		var h unix.IfAddrmsg
		e := <-present.Events()
		if got, _ := netip.AddrFromSlice(kerneltest.Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value); got != want {
			t.Fatalf("event %+v, want %v", e, want)
		}
	}
	if err := absent.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	events, lost := 0, 0
	for e := <-absent.Events(); e.Header.Type != netlink.NLMSG_NOOP; e = <-absent.Events() {
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			lost += int(e.Lost)
		} else {
			events++
		}
	}
	if events == 0 || lost == 0 || events+lost != changes {
		t.Errorf("%d events and %d lost; want some of both, %d in all", events, lost, changes)
	}
}

// "Losses are reported, in order."
func TestLossesAreReportedInOrder(t *testing.T) {
	const changes = 500
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithEventQueue(10))
	kerneltest.Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
	kerneltest.ManyAddresses(t, c, changes)
	events, lost := 0, 0
	for events+lost < changes {
		e := kerneltest.NextEvent(t, c)
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			lost += int(e.Lost)
			continue
		}
		var h unix.IfAddrmsg
		ip := net.IP(kerneltest.Unpack(t, e.Message, &h)[unix.IFA_LOCAL].Value)
		if n := events + lost; !ip.Equal(net.IPv4(10, 0, byte(n>>8), byte(n))) {
			t.Fatalf("after %d events and %d lost: %v", events, lost, ip)
		}
		events++
	}
	if events == 0 || lost == 0 {
		t.Errorf("%d events and %d lost; want some of both", events, lost)
	}
}

// "Close returns when the goroutines are gone."
func TestCloseReturnsWhenTheGoroutinesAreGone(t *testing.T) {
	ns := nstest.New(t)
	use := func(opts ...client.Option) {
		c, err := client.Dial(netlink.NETLINK_ROUTE, append(opts, client.WithNetNS(ns.FD()))...)
		if err != nil {
			t.Fatal(err)
		}
		kerneltest.Join(t, c, unix.RTNLGRP_IPV4_IFADDR)
		addr := netip.MustParseAddr("10.9.9.9")
		if err := errors.Join(addAddress(kerneltest.Patient(t), t, c, addr), deleteAddress(kerneltest.Patient(t), t, c, addr)); err != nil {
			t.Error(err)
		}
		kerneltest.NextEvent(t, c)
		kerneltest.Request(t, c, unix.RTM_GETADDR, kerneltest.AddressDump(t), netlink.NLM_F_DUMP)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	use() // the runtime has opened its descriptors now
	files, goroutines := kerneltest.OpenFiles(t), runtime.NumGoroutine()
	for range 5 {
		use()
		use(client.WithEventSocket(), client.WithCapture(new(bytes.Buffer)))
	}
	if n := kerneltest.OpenFiles(t); n != files {
		t.Errorf("%d open files, %d before", n, files)
	}
	kerneltest.NoNewGoroutines(t, goroutines)
}

// "NotSent is true only for errors after which the kernel has certainly not seen the
// request."
func TestNotSentMeansThatTheKernelHasNotSeenIt(t *testing.T) {
	ns := nstest.New(t)
	c := kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE, client.WithInFlight(1))
	sent, unsent := netip.MustParseAddr("10.9.9.1"), netip.MustParseAddr("10.9.9.2")
	ctx, cancel := context.WithCancel(context.Background())
	release := ns.HoldRTNL(t)
	first := make(chan error, 1)
	go func() { first <- addAddress(ctx, t, c, sent) }() // waits in the kernel
	kerneltest.AwaitPending(t, c, 1)
	second := make(chan error, 1)
	go func() { second <- addAddress(ctx, t, c, unsent) }() // waits for room
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) || !client.NotSent(err) {
		t.Errorf("%v, NotSent %v; want %v, not sent", err, client.NotSent(err), context.Canceled)
	}
	release()
	if err := <-first; err != nil && client.NotSent(err) {
		t.Errorf("%v, NotSent; but the kernel worked on it", err)
	}
	if err := deleteAddress(kerneltest.Patient(t), t, c, sent); err != nil {
		t.Errorf("the address of the first: %v", err)
	}
	if err := deleteAddress(kerneltest.Patient(t), t, c, unsent); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("the address of the second: %v, want EADDRNOTAVAIL", err)
	}
}

// "An answer that has arrived is returned even if ctx has ended meanwhile."
func TestAnswerBeatsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := nltest.Dial(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		cancel()
		return []wire.Message{{Header: wire.Header{Type: unix.RTM_NEWLINK}}}
	})
	defer c.Close()
	if msgs, err := c.Request(ctx, unix.RTM_GETLINK, nil, 0); err != nil || len(msgs) != 1 {
		t.Errorf("%v, %v; want the answer", msgs, err)
	}
}

// "Requests do not fill the receive buffer: they wait for room."
func TestRequestsDoNotFillTheReceiveBuffer(t *testing.T) {
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithReceiveBuffer(1))
	ctx := kerneltest.Patient(t)
	var g sync.WaitGroup
	for range 64 {
		g.Go(func() {
			for range 50 {
				if err := c.Noop(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	kerneltest.NoLosses(t, c)
}

// "A refusal carries the kernel's own explanation, and the name of the attribute that was
// wrong."
func TestRefusalIsExplained(t *testing.T) {
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	_, err := c.Request(kerneltest.Patient(t), unix.RTM_NEWLINK, kerneltest.Build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
		b.String(unix.IFLA_IFNAME, "longer than a name can be")
	}), netlink.NLM_F_CREATE)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || !errors.Is(err, unix.ERANGE) || refusal.Name != "RTM_NEWLINK" || refusal.Path != "IFLA_IFNAME" || refusal.Ext.Message == "" {
		t.Errorf("%v; want ERANGE with a text, RTM_NEWLINK and IFLA_IFNAME", err)
	}
}

// "WithCapture writes every message of the Conn to a file for Wireshark."
func TestCaptureHasRequestAndAnswer(t *testing.T) {
	var file bytes.Buffer
	c := kerneltest.Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithCapture(&file))
	payload := kerneltest.LinkRequest(t, kerneltest.LoIndex)
	answer := kerneltest.Request(t, c, unix.RTM_GETLINK, payload, 0)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"request": payload, "answer": answer[0].Payload} {
		if !bytes.Contains(file.Bytes(), b) {
			t.Errorf("the capture has no %s", what)
		}
	}
}
