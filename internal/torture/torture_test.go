//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// tortureEnv is the length of TestTorture: a duration such as 10m or a number of
// operations such as 10000000, over all of its parts. Default: some seconds.
const tortureEnv = "NLMUX_TORTURE"

// budget is the limit of one part of the test: operations, or time.
type budget struct {
	workers int
	ops     int           // of each worker; 0: until the time is over
	time    time.Duration // 0: until the operations are done
}

// tortureBudget divides the budget of the environment among parts.
func tortureBudget(t *testing.T, parts int) budget {
	t.Helper()
	b := budget{workers: 1000}
	text := os.Getenv(tortureEnv)
	if text == "" {
		b.ops = 30
		if kerneltest.RaceDetector() {
			b.ops = 5
		}
		return b
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		b.ops = max(1, n/parts/b.workers)
		return b
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%s: want a duration or a number of operations", tortureEnv, text)
	}
	b.time = d / time.Duration(parts)
	return b
}

// torture is one Conn under test, with the state that its workers share.
type torture struct {
	t      *testing.T
	ns     *nstest.NS
	conn   *client.Conn
	ctx    context.Context // ends only if something hangs
	links  []int           // indices of links that stay
	forger *kerneltest.Raw // sends forged messages
	churn  *churn
	events *watcher
	tally  tally
	seen   atomic.Uint32             // a number lately in use
	stream atomic.Pointer[[2]uint32] // port and number of a stream lately in use
	forged atomic.Uint64             // datagrams that were sent to a group
	faults atomic.Int32
	over   atomic.Bool // the test stops
}

// torturePart is one way to open the Conn.
type torturePart struct {
	name     string
	opts     []client.Option
	lossless bool // no event takes room from the replies
}

// TestTorture uses one Conn from a thousand goroutines in every way, while a second
// process changes the same namespace and another socket forges answers. Each goroutine
// changes its own keys, so it knows the kernel's answers.
func TestTorture(t *testing.T) {
	small, apart := client.WithReceiveBuffer(4<<10), client.WithEventSocket()
	parts := []torturePart{
		{name: "defaults"},
		{name: "4 KiB", opts: []client.Option{small}},
		{name: "event socket", opts: []client.Option{apart}, lossless: true},
		{name: "4 KiB, event socket", opts: []client.Option{small, apart}},
		{name: "64 KiB, 1000 in flight", opts: []client.Option{client.WithReceiveBuffer(64 << 10), client.WithInFlight(1000)}},
		{name: "short event queue", opts: []client.Option{client.WithReceiveBuffer(4 << 20), client.WithEventQueue(16)}},
	}
	seed := tortureSeed(t)
	b := tortureBudget(t, len(parts))
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { runTorture(t, seed, b, part) })
	}
}

// tortureSeed returns the seed of the choice of operations and prints it.
func tortureSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 0, 64); err != nil {
			t.Fatalf("TEST_SEED: %v", err)
		}
	}
	t.Logf("TEST_SEED=%d", seed)
	return seed
}

func runTorture(t *testing.T, seed uint64, b budget, part torturePart) {
	ns := nstest.New(t)
	x := &torture{t: t, ns: ns, tally: newTally(), links: tortureLinks(t, ns)}
	x.forger = kerneltest.OpenRaw(t, ns, netlink.NETLINK_ROUTE)
	ctx, cancel := context.WithTimeout(context.Background(), b.time+10*kerneltest.Patience)
	defer cancel()
	x.ctx = ctx

	files, goroutines := kerneltest.OpenFiles(t), runtime.NumGoroutine()
	x.churn = startChurn(t, ns)
	var err error
	if x.conn, err = client.Dial(netlink.NETLINK_ROUTE, append(part.opts, client.WithNetNS(ns.FD()))...); err != nil {
		t.Fatal(err)
	}
	defer x.conn.Close()
	groups := joinAll(t, x.conn)
	x.events = watch(x)

	start := time.Now()
	workers := make([]*worker, b.workers)
	var wg sync.WaitGroup
	for id := range workers {
		workers[id] = newWorker(x, id, seed)
		wg.Go(func() { workers[id].run(b, start) })
	}
	wg.Wait()
	elapsed := time.Since(start)

	for _, w := range workers {
		x.tally.add(&w.did)
	}
	changes := x.churn.stop(t)
	x.events.finish(workers)
	x.finish(workers, part.lossless)
	t.Logf("%d workers, %d groups, %v, %s\n%+v\n%d changes by the other process, %d datagrams forged\n%s",
		b.workers, groups, elapsed.Round(time.Millisecond), &x.tally, x.conn.Stats(), changes,
		x.forged.Load(), x.events)

	if err := x.conn.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n := kerneltest.OpenFiles(t); n != files {
		t.Errorf("%d descriptors, %d before", n, files)
	}
	kerneltest.NoNewGoroutines(t, goroutines)
}

// joinAll joins every group that the kernel allows and returns their number.
func joinAll(t *testing.T, c *client.Conn) (n int) {
	t.Helper()
	for group := range uint32(128) {
		if c.AddMembership(group) == nil {
			n++
		}
	}
	if n < 30 {
		t.Fatalf("only %d groups joined", n)
	}
	return n
}

// tortureLinks makes links to ask for and returns the indices of all.
func tortureLinks(t *testing.T, ns *nstest.NS) []int {
	t.Helper()
	c := kerneltest.Dial(t, ns, netlink.NETLINK_ROUTE)
	links := []int{kerneltest.LoIndex}
	for i := range 4 {
		kerneltest.AddVeth(t, c, fmt.Sprint("stay", i), fmt.Sprint("with", i))
		links = append(links, kerneltest.LoIndex+1+2*i, kerneltest.LoIndex+2+2*i)
	}
	return links
}

// fault reports an error. After some of them the test stops.
func (x *torture) fault(format string, args ...any) {
	x.t.Helper()
	n := x.faults.Add(1)
	if n <= 20 {
		x.t.Errorf(format, args...)
	}
	if n >= 20 {
		x.over.Store(true)
	}
}

// finish checks what has to hold when all workers are done.
func (x *torture) finish(workers []*worker, lossless bool) {
	t, c := x.t, x.conn
	// Answers to abandoned requests may still be queued. That of the Noop comes after
	// them.
	for err := c.Noop(x.ctx); err != nil; err = c.Noop(x.ctx) {
		if !errors.Is(err, client.ErrReplyLost) {
			t.Fatalf("noop in the end: %v", err)
		}
		x.tally.lost++
	}
	kerneltest.AwaitPending(t, c, 0)
	s := c.Stats()
	if s.Malformed != 0 || s.Truncated != 0 {
		t.Errorf("%d datagrams malformed, %d truncated", s.Malformed, s.Truncated)
	}
	if lost := x.tally.lost; s.RepliesLost != lost {
		t.Errorf("%d replies lost, but %d requests ended with ErrReplyLost", s.RepliesLost, lost)
	}
	if s.RepliesLost != 0 && s.Overruns == 0 {
		t.Errorf("%d replies lost without an overrun", s.RepliesLost)
	}
	if lossless && s.RepliesLost != 0 {
		t.Errorf("%d replies lost to events that have a socket of their own", s.RepliesLost)
	}
	// An overrun loses some of those that were sent to a group.
	if n := x.forged.Load(); s.Foreign > n || s.Foreign < n && s.Overruns == 0 {
		t.Errorf("%d foreign datagrams and %d overruns, want %d", s.Foreign, s.Overruns, n)
	}
	x.checkState(workers)
}
