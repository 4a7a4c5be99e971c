//go:build linux

package kerneltest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// routeNet is the network of the n-th route of manyRoutes.
func routeNet(n int) [4]byte { return [4]byte{20 + byte(n>>16), byte(n >> 8), byte(n), 0} }

// manyRoutes adds n routes to lo, from 20.0.0.0/32 upwards, 64 at a time.
func manyRoutes(t testing.TB, c *client.Conn, n int) {
	t.Helper()
	var g sync.WaitGroup
	errs := make(chan error, 64)
	for part := range 64 {
		g.Go(func() {
			for i := part; i < n; i += 64 {
				var b wire.Builder
				b.Struct(unix.RtMsg{
					Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_MAIN,
					Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
				})
				dst := routeNet(i)
				b.Bytes(unix.RTA_DST, dst[:])
				b.Uint32(unix.RTA_OIF, LoIndex)
				payload, err := b.Encode()
				if err == nil {
					_, err = c.Request(context.Background(), unix.RTM_NEWROUTE, payload, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
				}
				if err != nil {
					errs <- fmt.Errorf("route %d: %w", i, err)
					return
				}
			}
		})
	}
	g.Wait()
	close(errs)
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
}

// routeNumber is the inverse of routeNet; it returns -1 for another route.
func routeNumber(m wire.Message) int {
	if m.Header.Type != unix.RTM_NEWROUTE || len(m.Payload) < unix.SizeofRtMsg || m.Payload[4] != unix.RT_TABLE_MAIN {
		return -1
	}
	for a, err := range wire.Attrs(m.Payload[unix.SizeofRtMsg:]) {
		if err != nil {
			return -1
		}
		if a.Type == unix.RTA_DST && len(a.Value) == 4 && a.Value[0] >= 20 && a.Value[3] == 0 {
			return int(binary.BigEndian.Uint32(a.Value)>>8) - 20<<16
		}
	}
	return -1
}

func routeDump() []byte { return Pack(unix.RtMsg{Family: unix.AF_INET}) }

// wantRoutes returns an error unless the dump has each of n routes once.
func wantRoutes(c *client.Conn, n int) error {
	seen := make([]bool, n)
	found := 0
	for m, err := range c.Dump(context.Background(), unix.RTM_GETROUTE, routeDump()) {
		if err != nil {
			return err
		}
		switch i := routeNumber(m); {
		case i < 0:
		case i >= n:
			return fmt.Errorf("route number %d of %d", i, n)
		case seen[i]:
			return fmt.Errorf("route %d twice", i)
		default:
			seen[i] = true
			found++
		}
	}
	if found != n {
		return fmt.Errorf("%d routes of %d", found, n)
	}
	return nil
}

// TestEightStreamsAtOnceAreComplete reads one table in eight concurrent loops, with
// other requests in between.
func TestEightStreamsAtOnceAreComplete(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	const routes = 10_000
	manyRoutes(t, c, routes)
	if got := strings.Count(ns.Run(t, "ip", "route", "show", "table", "main"), " dev lo"); got != routes {
		t.Fatalf("ip shows %d routes, want %d", got, routes)
	}
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 3 {
				if err := wantRoutes(c, routes); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		if msgs := Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0); len(msgs) != 1 || LinkIndex(msgs[0]) != LoIndex {
			t.Errorf("link request beside the streams: %v", msgs)
		}
	}
	g.Wait()
	NoLosses(t, c)
}

// TestStreamAndRequestReturnTheSameTable compares Dump and Request, byte by byte.
func TestStreamAndRequestReturnTheSameTable(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	manyRoutes(t, c, 3000)
	want := Request(t, c, unix.RTM_GETROUTE, routeDump(), netlink.NLM_F_DUMP)
	i := 0
	for m, err := range c.Dump(Patient(t), unix.RTM_GETROUTE, routeDump()) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(want) || m.Header.Type != want[i].Header.Type || string(m.Payload) != string(want[i].Payload) {
			t.Fatalf("message %d differs", i)
		}
		i++
	}
	if i != len(want) || i < 3000 {
		t.Errorf("%d messages streamed, %d collected", i, len(want))
	}
}

// TestStreamMemoryIsConstant: neither the number of allocations nor the heap depends on
// the length of the table.
func TestStreamMemoryIsConstant(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	const routes = 20_000
	manyRoutes(t, c, routes)
	walk := func() {
		for _, err := range c.Dump(context.Background(), unix.RTM_GETROUTE, routeDump()) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	walk()
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before, most := heap(), uint64(0)
	n := 0
	for _, err := range c.Dump(context.Background(), unix.RTM_GETROUTE, routeDump()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%5000 == 0 {
			most = max(most, heap())
		}
	}
	if n < routes || most > before+1<<20 {
		t.Errorf("%d messages: heap grew from %d to %d bytes, over 1 MiB", n, before, most)
	}
	if got := testing.AllocsPerRun(5, walk); got > 20 {
		t.Errorf("%.0f allocations to walk %d routes", got, routes)
	}
}

// TestAbandonedStreamsLeaveNothing ends loops by break, ctx and Close.
func TestAbandonedStreamsLeaveNothing(t *testing.T) {
	ns := nstest.New(t)
	files, goroutines := OpenFiles(t), runtime.NumGoroutine()
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	manyRoutes(t, c, 5000)
	for range 100 {
		for _, err := range c.Dump(Patient(t), unix.RTM_GETROUTE, routeDump()) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	ctx, cancel := context.WithCancel(Patient(t))
	defer cancel()
	steps := 0
	for _, err := range c.Dump(ctx, unix.RTM_GETROUTE, routeDump()) {
		if steps++; steps == 10 {
			cancel()
		}
		if steps > 10 && !errors.Is(err, context.Canceled) {
			t.Fatalf("step %d after the end of ctx: %v", steps, err)
		}
	}
	if steps != 11 {
		t.Errorf("%d steps, want 10 and the error", steps)
	}
	var last error
	for _, err := range c.Dump(Patient(t), unix.RTM_GETROUTE, routeDump()) {
		if last = err; err == nil {
			c.Close()
		}
	}
	if !errors.Is(last, net.ErrClosed) {
		t.Errorf("after Close: %v", last)
	}
	if n := OpenFiles(t); n != files {
		t.Errorf("%d descriptors, %d before", n, files)
	}
	NoNewGoroutines(t, goroutines)
}

// TestStreamStaysInTheConnsNamespace: the socket of a loop is in the Conn's namespace,
// whatever thread runs the loop, even after the descriptor of the namespace was closed.
func TestStreamStaysInTheConnsNamespace(t *testing.T) {
	ns := nstest.New(t)
	fd, err := unix.FcntlInt(uintptr(ns.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(fd))
	unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	manyRoutes(t, c, 10)
	if err := wantRoutes(c, 10); err != nil {
		t.Error(err)
	}
	other := nstest.New(t)
	if err := other.Do(func() error { return wantRoutes(c, 10) }); err != nil {
		t.Errorf("from a thread in another namespace: %v", err)
	}
}

// TestStreamKeepsTheConnsOptions: with strict checking the kernel refuses fields that
// it otherwise ignores.
func TestStreamKeepsTheConnsOptions(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithStrictChecking())
	var last error
	for _, err := range c.Dump(Patient(t), unix.RTM_GETROUTE, Pack(unix.RtMsg{Family: unix.AF_INET, Tos: 1, Src_len: 8})) {
		last = err
	}
	var refusal *wire.KernelError
	if !errors.As(last, &refusal) || refusal.Errno != unix.EINVAL || refusal.Ext.Message == "" {
		t.Errorf("strict dump with a bad header: %v, want EINVAL with a text", last)
	}
}

// TestStreamOfATableThatChanges: the kernel marks the dump, and the loop ends with the
// error.
func TestStreamOfATableThatChanges(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	ManyAddresses(t, c, 2000)
	steps, last := 0, error(nil)
	for _, err := range c.Dump(Patient(t), unix.RTM_GETADDR, AddressDump(t)) {
		if last = err; err != nil {
			continue
		}
		if steps++; steps == 1 {
			Request(t, c, unix.RTM_NEWADDR, LoAddress(t, "192.0.2.1/32"), netlink.NLM_F_CREATE)
		}
	}
	if !errors.Is(last, client.ErrDumpInterrupted) || steps < 2000 {
		t.Errorf("%d addresses, then %v", steps, last)
	}
}
