//go:build linux

package kerneltest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// TestRequestReturnsTheAnswerWithoutItsEnd: the link, without the acknowledgement.
func TestRequestReturnsTheAnswerWithoutItsEnd(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
	if len(msgs) != 1 || msgs[0].Header.Type != unix.RTM_NEWLINK {
		t.Fatalf("got %v, want one RTM_NEWLINK", msgs)
	}
	var h unix.IfInfomsg
	attrs := Unpack(t, msgs[0], &h)
	if name := attrs[unix.IFLA_IFNAME].String(); h.Index != LoIndex || name != "lo" {
		t.Errorf("got link %d %q, want %d lo", h.Index, name, LoIndex)
	}
	// A request that changes something has no replies and no error.
	if msgs := Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE); len(msgs) != 0 {
		t.Errorf("RTM_NEWADDR: got replies %v, want none", msgs)
	}
	NoLosses(t, c)
}

// TestConcurrentRequestsGetTheirOwnAnswers: a thousand goroutines share a Conn and
// request links by index, so a misrouted or lost reply is found.
func TestConcurrentRequestsGetTheirOwnAnswers(t *testing.T) {
	goroutines, each := 1000, 1000
	if testing.Short() || RaceDetector() {
		each = 100
	}
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	const (
		links     = 8      // beside lo
		skipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS of linux/rtnetlink.h
	)
	for _, i := range []string{"a", "b", "c", "d"} {
		AddVeth(t, c, "left-"+i, "right-"+i)
	}
	var indices []int
	for _, m := range Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP) {
		indices = append(indices, LinkIndex(m))
	}
	if len(indices) < links+1 {
		t.Fatalf("%d links, want at least %d", len(indices), links+1)
	}
	payloads := make(map[int][]byte)
	for _, i := range indices {
		payloads[i] = Build(t, unix.IfInfomsg{Index: int32(i)}, func(b *wire.Builder) {
			b.Uint32(unix.IFLA_EXT_MASK, skipStats)
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				want := indices[rand.IntN(len(indices))]
				msgs, err := c.Request(ctx, unix.RTM_GETLINK, payloads[want], 0)
				if err != nil {
					t.Errorf("link %d: %v", want, err)
					return
				}
				if len(msgs) != 1 || LinkIndex(msgs[0]) != want {
					t.Errorf("asked for link %d, got %v", want, msgs)
					return
				}
			}
		})
	}
	wg.Wait()
	total := goroutines * each
	t.Logf("%d requests in %v", total, time.Since(start).Round(time.Millisecond))
	NoLosses(t, c)
}

// TestRepliesBelongToTheCaller: a reply does not change when the Conn reads again, nor
// when another reply of the slice is overwritten or appended to.
func TestRepliesBelongToTheCaller(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	ManyAddresses(t, c, 100)
	dump := func() []wire.Message {
		return Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)
	}
	kept := dump()
	if len(kept) < 100 {
		t.Fatalf("%d addresses, want at least 100", len(kept))
	}
	want := make([]wire.Message, len(kept))
	for i, m := range kept {
		want[i] = m.Clone()
	}
	for _, m := range dump() {
		for i := range m.Payload {
			m.Payload[i] = 0xff
		}
		_ = append(m.Payload, 0xff, 0xff, 0xff, 0xff)
	}
	for i := range kept {
		_ = append(kept[i].Payload, 0xff, 0xff, 0xff, 0xff)
	}
	for i := range kept {
		if kept[i].Header != want[i].Header || !slices.Equal(kept[i].Payload, want[i].Payload) {
			t.Fatalf("reply %d changed under its owner: %v, was %v", i, kept[i], want[i])
		}
	}
}

// TestKernelRefusal: a refusal is a wire.KernelError with errno, request type and the
// kernel's text.
func TestKernelRefusal(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	_, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 1<<20), 0)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || !errors.Is(err, unix.ENODEV) {
		t.Fatalf("link that does not exist: %v, want a KernelError with ENODEV", err)
	}
	if refusal.Request != unix.RTM_GETLINK || refusal.Seq == 0 {
		t.Errorf("refusal of %+v, want RTM_GETLINK and a number", refusal)
	}
	if client.NotSent(err) {
		t.Errorf("NotSent(%v), but the kernel has answered", err)
	}

	// RTM_DELADDR of a missing address has no text, so request a route table that does
	// not exist: ENOENT is fs.ErrNotExist.
	strict := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE, client.WithStrictChecking())
	_, err = strict.Request(Patient(t), unix.RTM_GETROUTE,
		Build(t, unix.RtMsg{Family: unix.AF_INET}, func(b *wire.Builder) { b.Uint32(unix.RTA_TABLE, 4321) }), netlink.NLM_F_DUMP)
	if !errors.As(err, &refusal) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("table that does not exist: %v, want fs.ErrNotExist", err)
	}
	if refusal.Ext.Message == "" || !strings.Contains(err.Error(), refusal.Ext.Message) {
		t.Errorf("%q does not hold the kernel's text %q", err, refusal.Ext.Message)
	}
	// Nothing is left, and the Conn stays usable.
	NoLosses(t, strict)
	if err := strict.Noop(Patient(t)); err != nil {
		t.Error(err)
	}
}

// TestDumpIsComplete compares a dump of links with the output of ip in the same
// namespace.
func TestDumpIsComplete(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	AddVeth(t, c, "left", "right")
	got := make(map[int]string)
	for _, m := range Request(t, c, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP) {
		var h unix.IfInfomsg
		attrs := Unpack(t, m, &h)
		got[int(h.Index)] = attrs[unix.IFLA_IFNAME].String()
	}
	var list []struct {
		Index int    `json:"ifindex"`
		Name  string `json:"ifname"`
	}
	if err := json.Unmarshal([]byte(ns.Run(t, "ip", "-j", "link")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 3 || len(list) != len(got) {
		t.Errorf("%d links, ip has %d, and there are lo, left and right", len(got), len(list))
	}
	for _, l := range list {
		if got[l.Index] != l.Name {
			t.Errorf("link %d is %q, ip says %q", l.Index, got[l.Index], l.Name)
		}
	}
	NoLosses(t, c)
}

// TestLongDumpKeepsTheKernelsOrder: thousands of entries arrive in many datagrams, each
// entry once and in the order in which they were added.
func TestLongDumpKeepsTheKernelsOrder(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	const n = 3000
	ManyAddresses(t, c, n)
	var got []string
	for _, m := range Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP) {
		var h unix.IfAddrmsg
		attrs := Unpack(t, m, &h)
		if ip := net.IP(attrs[unix.IFA_LOCAL].Value); !ip.IsLoopback() {
			got = append(got, ip.String())
		}
	}
	if len(got) != n {
		t.Fatalf("%d addresses, want %d", len(got), n)
	}
	for i, ip := range got {
		if want := net.IPv4(10, 0, byte(i>>8), byte(i)).String(); ip != want {
			t.Fatalf("address %d is %s, want %s", i, ip, want)
		}
	}
	NoLosses(t, c)
}

// TestEndedContextSendsNothing: the address of such a request is not added.
func TestEndedContextSendsNothing(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	expired, cancel := context.WithTimeout(context.Background(), -1)
	defer cancel()
	for _, test := range []struct {
		ctx  context.Context
		want error
	}{
		{canceled, context.Canceled},
		{expired, context.DeadlineExceeded},
	} {
		_, err := c.Request(test.ctx, unix.RTM_NEWADDR, LoAddress(t, "10.9.9.9/32"), netlink.NLM_F_CREATE)
		if !errors.Is(err, test.want) || !client.NotSent(err) {
			t.Errorf("Request: %v, NotSent %v; want %v, not sent", err, client.NotSent(err), test.want)
		}
		if err := c.Noop(test.ctx); !errors.Is(err, test.want) || !client.NotSent(err) {
			t.Errorf("Noop: %v, NotSent %v; want %v, not sent", err, client.NotSent(err), test.want)
		}
	}
	if _, err := c.Request(Patient(t), unix.RTM_DELADDR, LoAddress(t, "10.9.9.9/32"), 0); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("removing the address: %v, want EADDRNOTAVAIL", err)
	}
	NoLosses(t, c)
}

// TestContextEndsTheWait: the goroutines that send wait for a lock in the kernel. The
// requests queued after them, and the dumps that wait for a socket, return when their
// ctx ends.
func TestContextEndsTheWait(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	release := ns.HoldRTNL(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	senders := 2 * runtime.GOMAXPROCS(0) // maxSendersFor in client/coalescer.go
	if runtime.GOMAXPROCS(0) == 1 {
		senders = 1
	}
	const sockets = 8 // maxCollected in client/pool.go
	start := func(n int, flags netlink.Flags) (results []<-chan error) {
		for range n {
			results = append(results, StartRequest(c, ctx, flags))
		}
		return results
	}
	const requests, dumps = 50, 20
	requestResults, dumpResults := start(requests, 0), start(dumps, netlink.NLM_F_DUMP)
	for end := time.Now().Add(Patience); c.Stats().Pending < senders+sockets; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d requests pending, want %d or more", c.Stats().Pending, senders+sockets)
		}
	}
	cancel()
	ended := merge(append(requestResults, dumpResults...))
	unsent := 0
	for end := time.Now().Add(Patience); unsent+c.Stats().Pending < requests+dumps; {
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want %v", err, context.Canceled)
			}
			if client.NotSent(err) {
				unsent++
			}
		default:
			if time.Now().After(end) {
				t.Fatalf("%d requests unsent, %d pending, want %d together", unsent, c.Stats().Pending, requests+dumps)
			}
			runtime.Gosched()
		}
	}
	// A sender takes along the requests that were queued just before it sent.
	const maxCoalesced = 8 // in client/coalescer.go
	if sent := requests + dumps - unsent; sent < senders+sockets || sent > maxCoalesced*senders+sockets {
		t.Errorf("%d requests and dumps were sent, by %d senders and on %d sockets", sent, senders, sockets)
	}
	release()
	AwaitPending(t, c, 0)
}

// merge returns a channel with the results of all.
func merge(results []<-chan error) <-chan error {
	all := make(chan error, len(results))
	for _, r := range results {
		go func() { all <- <-r }()
	}
	return all
}

// TestRequestThatWaitsForRoomIsNotSent: with room for one request in flight, the second
// waits, and its ctx ends it before it is sent.
func TestRequestThatWaitsForRoomIsNotSent(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithInFlight(1))
	release := ns.HoldRTNL(t)
	first := StartRequest(c, context.Background(), 0)
	AwaitPending(t, c, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := c.Noop(ctx); !errors.Is(err, context.DeadlineExceeded) || !client.NotSent(err) {
		t.Errorf("%v, NotSent %v; want %v, not sent", err, client.NotSent(err), context.DeadlineExceeded)
	}
	release()
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d requests pending, want 0", n)
	}
}

// TestNotSentIsTrue checks with the kernel: many requests add an address each, and
// their ctx ends at various moments. A request that was not sent has added none, one
// that succeeded has.
func TestNotSentIsTrue(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithInFlight(2))
	watcher := Dial(t, ns, netlink.NETLINK_ROUTE)
	const n, goroutines = 2000, 20
	var added, unsent, doubtful int
	// Sometimes no ctx ends in time, so there are several rounds.
	for round := byte(1); round < 100 && (unsent == 0 || added == 0); round++ {
		address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, round, byte(i >> 8), byte(i)}) }
		errs := make([]error, n)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := g; i < n; i += goroutines {
					ctx, cancel := context.WithTimeout(context.Background(), rand.N(400*time.Microsecond))
					_, errs[i] = c.Request(ctx, unix.RTM_NEWADDR, LoAddress(t, address(i).String()+"/32"), netlink.NLM_F_CREATE)
					cancel()
				}
			})
		}
		wg.Wait()
		present := make(map[netip.Addr]bool)
		for _, m := range Request(t, watcher, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP) {
			var h unix.IfAddrmsg
			attrs := Unpack(t, m, &h)
			if a, ok := netip.AddrFromSlice(attrs[unix.IFA_LOCAL].Value); ok {
				present[a] = true
			}
		}
		for i, err := range errs {
			switch addr := address(i); {
			case err == nil:
				added++
				if !present[addr] {
					t.Errorf("%v: no error, but it was not added", addr)
				}
			case !errors.Is(err, context.DeadlineExceeded):
				t.Errorf("%v: %v", addr, err)
			case client.NotSent(err):
				unsent++
				if present[addr] {
					t.Errorf("%v: not sent, but it was added: %v", addr, err)
				}
			default:
				doubtful++
			}
		}
	}
	t.Logf("%d added, %d not sent, %d uncertain", added, unsent, doubtful)
	if added == 0 || unsent == 0 {
		t.Errorf("%d added, %d not sent; want some of both", added, unsent)
	}
}
