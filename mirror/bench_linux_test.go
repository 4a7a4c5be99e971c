//go:build linux

package mirror

import (
	"context"
	"encoding/binary"
	"flag"
	"math/rand"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

var stormFlag = flag.Duration("mirror.storm", 5*time.Second, "how long the storm goes on")

var routesFlag = flag.Int("mirror.routes", 200_000, "routes of the benchmarks")

// gateways is the number of different gateways of the routes in the benchmarks.
const gateways = 20

// benchRoute returns the payload of a message about route i.
func benchRoute(i, gateway int, oif uint32) []byte {
	p := []byte{afInet, 24, 0, 0, unix.RT_TABLE_MAIN, 186, 0, unix.RTN_UNICAST, 0, 0, 0, 0}
	p = appendAttribute(p, rtaTable, native.AppendUint32(nil, unix.RT_TABLE_MAIN))
	p = appendAttribute(p, rtaDst, binary.BigEndian.AppendUint32(nil, uint32(0x10000000+i<<8)))
	p = appendAttribute(p, rtaPriority, native.AppendUint32(nil, 20))
	p = appendAttribute(p, rtaGateway, []byte{10, 0, 0, byte(2 + gateway)})
	return appendAttribute(p, rtaOif, native.AppendUint32(nil, oif))
}

// fill makes routes from number from until to.
func fill(b testing.TB, ns *nstest.NS, from, to int, oif uint32) {
	b.Helper()
	send(b, ns, from, to, netlink.NLM_F_CREATE|netlink.NLM_F_APPEND, func(i int) []byte { return benchRoute(i, i*7919%gateways, oif) })
}

// send sends requests that are not acknowledged.
func send(b testing.TB, ns *nstest.NS, from, to int, flags netlink.Flags, payload func(i int) []byte) {
	b.Helper()
	err := ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var buf []byte
		for i := from; i < to; i++ {
			m := wire.Message{Payload: payload(i)}
			m.Header.Type, m.Header.Flags = rtroute.RTM_NEWROUTE, netlink.NLM_F_REQUEST|flags
			if buf = wire.AppendMessage(buf, m); len(buf) > 60_000 || i == to-1 {
				if err := unix.Sendto(fd, buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
					return err
				}
				buf = buf[:0]
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// filled returns a namespace with routes over b0, and 1,000 more over a0.
func filled(b testing.TB) (ns *nstest.NS, conn *client.Conn, oif uint32) {
	b.Helper()
	ns = nstest.New(b)
	ip(b, ns, `link add a0 type veth peer name a1
		link add b0 type veth peer name b1
		link set a0 up
		link set a1 up
		link set b0 up
		link set b1 up
		addr add 10.1.0.1/24 dev a0
		addr add 10.0.0.1/24 dev b0
		route add 10.0.0.2/32 dev b0`)
	conn, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	indices := map[string]uint32{}
	for m, err := range conn.Dump(patient(b), rtlink.RTM_GETLINK, make([]byte, 16)) {
		if err != nil {
			b.Fatal(err)
		}
		name, _ := attribute(m.Payload[16:], 3)
		indices[wire.Attr{Value: name}.String()] = native.Uint32(m.Payload[4:])
	}
	oif = indices["b0"]
	fill(b, ns, 0, *routesFlag, oif)
	fillOver(b, conn, *routesFlag, 1000, indices["a0"])
	return ns, conn, oif
}

// fillOver makes routes without a gateway.
func fillOver(b testing.TB, conn *client.Conn, from, n int, oif uint32) {
	b.Helper()
	for i := from; i < from+n; i++ {
		p := benchRoute(i, 0, oif)
		p[6] = unix.RT_SCOPE_LINK
		p = append(p[:len(p)-16], p[len(p)-8:]...) // without RTA_GATEWAY
		if _, err := conn.Request(patient(b), rtroute.RTM_NEWROUTE, p, netlink.NLM_F_CREATE); err != nil {
			b.Fatal(err)
		}
	}
}

// stream reads all IPv4 routes and does nothing with them.
func stream(b testing.TB, conn *client.Conn) (n int, took time.Duration) {
	b.Helper()
	start := time.Now()
	for _, err := range conn.Dump(context.Background(), rtroute.RTM_GETROUTE, routeRequest(afInet, 0)) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n, time.Since(start)
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// again reads the IPv4 routes once more and returns how long that took.
func (w *world) again() time.Duration {
	w.Helper()
	t := w.m.table(TableRoutes4)
	w.m.mu.Lock()
	resyncs := t.stats.Resyncs
	t.pace.took = 0
	w.m.want(t, Overrun)
	start := time.Now()
	w.m.publish()
	w.m.mu.Unlock()
	for t.exactAfter(w.m, resyncs) {
		time.Sleep(100 * time.Microsecond)
	}
	return time.Since(start)
}

func (t *table) exactAfter(m *Mirror, resyncs uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.stats.Resyncs == resyncs || !t.exact()
}

// BenchmarkTable measures what has to do with the kernel, on one table of routes:
//
//	go test -run '^$' -bench Table -benchtime 1x -mirror.routes 1000000 ./mirror
func BenchmarkTable(b *testing.B) {
	ns, conn, _ := filled(b)
	stream(b, conn)
	var opened, resynced, bare []float64
	var allocs uint64
	var bytes float64
	for b.Loop() {
		_, took := stream(b, conn)
		bare = append(bare, took.Seconds())
		before := heap()
		start := time.Now()
		m, err := Open(b.Context(), All, WithNetNS(ns.FD()))
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Synced(b.Context()); err != nil {
			b.Fatal(err)
		}
		opened = append(opened, time.Since(start).Seconds()/took.Seconds())
		w := &world{TB: b, ns: ns, m: m, conn: conn}
		bytes = (heap() - before) / float64(*routesFlag)
		w.again()
		_, took = stream(b, conn)
		a := mallocs()
		resynced = append(resynced, w.again().Seconds()/took.Seconds())
		allocs = mallocs() - a
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(median(bare), "stream-s")
	b.ReportMetric(median(opened), "open/stream")
	b.ReportMetric(median(resynced), "resync/stream")
	b.ReportMetric(float64(allocs), "resync-allocs")
	b.ReportMetric(bytes, "heap-B/route")
}

func median(v []float64) float64 {
	sum := append([]float64(nil), v...)
	for i := range sum {
		for j := i; j > 0 && sum[j] < sum[j-1]; j-- {
			sum[j], sum[j-1] = sum[j-1], sum[j]
		}
	}
	return sum[len(sum)/2]
}

// BenchmarkStorm changes 50,000 routes a second. It reports the share of the time in which
// tables were read, the heap at its largest, and how long after the end the copy was exact.
func BenchmarkStorm(b *testing.B) {
	ns, _, oif := filled(b)
	w := inNamespace(b, ns, All)
	w.exact()
	before := reading(w.m.Status())
	const burst, every = 500, 10 * time.Millisecond
	largest := 0.0
	begin := time.Now()
	for i := 0; time.Since(begin) < *stormFlag; i++ {
		replace(b, ns, i*burst%*routesFlag, burst, 1+i%gateways, oif)
		if i%100 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest = max(largest, float64(m.HeapInuse))
		}
		time.Sleep(time.Until(begin.Add(time.Duration(i) * every)))
	}
	end := time.Now()
	share := (reading(w.m.Status()) - before).Seconds() / end.Sub(begin).Seconds()
	w.exact()
	b.ReportMetric(time.Since(end).Seconds(), "s-to-exact")
	b.ReportMetric(100*share, "%-reading")
	b.ReportMetric(largest/(1<<20), "heap-MiB")
	for _, t := range w.m.Status().Tables {
		if t.Table == TableRoutes4 {
			b.ReportMetric(float64(t.Gaps), "gaps")
			b.ReportMetric(float64(t.Resyncs), "passes")
		}
	}
	if diff := w.differences(w.exact()); len(diff) > 0 {
		b.Errorf("%d differences, such as %s", len(diff), diff[0])
	}
}

func reading(s Status) (total time.Duration) {
	for _, t := range s.Tables {
		total += t.Reading
	}
	return total
}

// replace changes the gateway of n routes.
func replace(b testing.TB, ns *nstest.NS, from, n, gateway int, oif uint32) {
	b.Helper()
	send(b, ns, from, from+n, netlink.NLM_F_CREATE|netlink.NLM_F_REPLACE, func(i int) []byte { return benchRoute(i, gateway, oif) })
}

// BenchmarkLinkDown measures from the end of `ip link set down` until the Mirror is exact
// without the link's 1,000 routes.
func BenchmarkLinkDown(b *testing.B) {
	ns, conn, _ := filled(b)
	w := inNamespace(b, ns, All)
	w.exact()
	time.Sleep(3 * time.Second) // a pass waits for three times the one before
	var total time.Duration
	rounds := 0
	for b.Loop() {
		if rounds++; rounds > 1 {
			b.StopTimer()
			w.ip("link set a0 up")
			w.exact()
			for i, l := range w.m.Snapshot().Links().All() {
				if l.Ifname.Value == "a0" {
					fillOver(b, conn, *routesFlag, 1000, uint32(i))
				}
			}
			w.exact()
			time.Sleep(3 * time.Second)
			b.StartTimer()
		}
		before := w.m.Snapshot().Routes().Len()
		w.ip("link set a0 down")
		start := time.Now()
		w.exact()
		total += time.Since(start)
		if gone := before - w.m.Snapshot().Routes().Len(); gone < 1000 {
			b.Fatalf("%d routes went", gone)
		}
	}
	b.ReportMetric(float64(total.Milliseconds())/float64(rounds), "ms/exact")
}

// unconnected returns a Mirror without a kernel whose table of IPv4 routes is full.
func unconnected(b *testing.B) *Mirror {
	m := &Mirror{byBit: map[Tables]*table{}, byType: map[netlink.MessageType][]*table{}, wake: make(chan struct{}, 1)}
	m.state.Store(&state{newer: make(chan struct{})})
	m.addTables(All, nil)
	for i := range *routesFlag {
		e := routeEvent(i, i*7919%gateways)
		e.Header.Flags = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
		m.event(e)
	}
	for _, t := range m.tables {
		t.doubt = None
	}
	m.publish()
	runtime.GC()
	b.ResetTimer()
	return m
}

func routeEvent(i, gateway int) client.Event {
	e := client.Event{NSID: -1}
	e.Header.Type, e.Header.Flags = rtroute.RTM_NEWROUTE, netlink.NLM_F_REPLACE
	e.Payload = benchRoute(i, gateway, 3)
	return e
}

// loop is b.Loop with a report of allocations and of the processors' time.
func loop(b *testing.B, f func()) {
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

// cpu returns the time that processors have spent on this process, for machines that have
// other things to do.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEvents measures how fast messages are applied and published.
func BenchmarkEvents(b *testing.B) {
	for _, bench := range []struct {
		name   string
		random bool
		commit int
	}{
		{"neighbouring keys", false, maxCommit},
		{"random keys", true, maxCommit},
		{"random keys, a commit after each", true, 1},
	} {
		b.Run(bench.name, func(b *testing.B) {
			m := unconnected(b)
			r := rand.New(rand.NewSource(1))
			events := make([]client.Event, 200_000)
			for i := range events {
				n := i / 2 % *routesFlag
				if bench.random {
					n = r.Intn(*routesFlag)
				}
				events[i] = routeEvent(n, r.Intn(gateways))
			}
			i := 0
			loop(b, func() {
				m.event(events[i%len(events)])
				if i++; i%bench.commit == 0 {
					m.publish()
				}
			})
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	m := unconnected(b)
	loop(b, func() { m.Snapshot() })
}

func BenchmarkHas(b *testing.B) {
	m := unconnected(b)
	groups := m.Snapshot().RouteGroups()
	keys := make([]RouteKey, 0, 1000)
	n := 0
	for k := range groups.Keys() {
		if n++; n%(*routesFlag/1000) == 0 && len(keys) < 1000 {
			keys = append(keys, k)
		}
	}
	r := rand.New(rand.NewSource(1))
	loop(b, func() {
		if !groups.Has(keys[r.Intn(len(keys))]) {
			b.Fatal("not there")
		}
	})
}

func BenchmarkGet(b *testing.B) {
	m := unconnected(b)
	groups := m.Snapshot().RouteGroups()
	var key RouteKey
	for key = range groups.Keys() {
		break
	}
	loop(b, func() {
		if _, found := groups.Get(key); !found {
			b.Fatal("not there")
		}
	})
}

// BenchmarkKeys visits all routes.
func BenchmarkKeys(b *testing.B) {
	m := unconnected(b)
	loop(b, func() {
		for range m.Snapshot().RouteGroups().Keys() {
		}
	})
}

// BenchmarkDifference finds 10 changes between two states.
func BenchmarkDifference(b *testing.B) {
	m := unconnected(b)
	before := m.Snapshot().RouteGroups()
	r := rand.New(rand.NewSource(1))
	for range 10 {
		m.event(routeEvent(r.Intn(*routesFlag), gateways+1))
	}
	m.publish()
	after := m.Snapshot().RouteGroups()
	loop(b, func() {
		n := 0
		for range changes(before, after) {
			n++
		}
		if n != 10 {
			b.Fatalf("%d changes", n)
		}
	})
}

// BenchmarkDump takes a dump of all routes, into an empty table and into one that has them.
func BenchmarkDump(b *testing.B) {
	m := unconnected(b)
	full := m.table(TableRoutes4)
	payloads := make([][]byte, *routesFlag)
	for i := range payloads {
		payloads[i] = benchRoute(i, i*7919%gateways, 3)
	}
	for name, base := range map[string]*table{"empty": newTable(routes4, time.Now()), "full": full} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpu()
			for b.Loop() {
				d := newDump(base, base.tree, 0)
				for _, p := range payloads {
					d.add(p)
				}
				d.flush()
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N**routesFlag), "cpu-ns/route")
		})
	}
}
