//go:build linux

package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// index returns the index of a link.
func (w *world) index(name string) int32 {
	w.Helper()
	for i, l := range w.exactSnapshot().Links().All() {
		if l.Ifname.Value == name {
			return i
		}
	}
	w.Fatalf("no link %s", name)
	return 0
}

func (w *world) exactSnapshot() Snapshot {
	w.Helper()
	return Snapshot{w.exact()}
}

// addRoutes adds n IPv4 routes to dev, with their number as the metric window.
func (w *world) route(flags netlink.Flags, dst netip.Prefix, oif int32, window uint32) {
	w.Helper()
	r := rtroute.To(dst)
	r.Oif.Value, r.Oif.Set = uint32(oif), true
	r.Scope = rtroute.RT_SCOPE_LINK
	r.Metrics = &rtroute.Metrics{}
	r.Metrics.Window.Value, r.Metrics.Window.Set = window, true
	if err := rtroute.New(w.conn).NewRoute(patient(w), r, flags); err != nil {
		w.Fatal(err)
	}
}

// Promise 1: whatever was lost, the copy converges.
func TestPromise1Converges(t *testing.T) {
	w := newWorld(t, All, WithReceiveBuffer(4096))
	w.ip(propertyLinks)
	for seed := range int64(10) {
		w.execute(newPlan(seed, 3, 40))
	}
	w.agree()
	if s := w.m.Status(); s.Tables[0].Gaps == 0 {
		t.Errorf("a buffer of 4096 bytes lost nothing:\n%v", s)
	}
}

// Promise 2: a table that is in doubt says so, and keeps what it has.
func TestPromise2DoubtIsShown(t *testing.T) {
	w := newWorld(t, TableRoutes4)
	w.ip(twoLinks + `
		route add 10.9.0.0/24 via 10.1.1.2`)
	w.agree()
	key := RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("10.9.0.0/24")}
	if w.m.Snapshot().Routes().Groups().Has(key) == false {
		t.Fatal("the route is not there")
	}
	// A pass over the routes needs rtnl_lock first.
	release := w.ns.HoldRTNL(t)
	w.m.mu.Lock()
	w.m.want(w.m.table(TableRoutes4), Overrun)
	w.m.publish()
	w.m.mu.Unlock()
	s := w.m.Snapshot()
	if s.Exact(TableRoutes4) || s.Routes().Exact() || !s.Routes().Groups().Has(key) || !s.Exact(TableLinks) {
		t.Errorf("in doubt: exact %v, route there %v", s.Routes().Exact(), s.Routes().Groups().Has(key))
	}
	for _, st := range w.m.Status().Tables {
		if want := st.Table == TableRoutes4; (st.Why == Overrun) != want || st.Exact == want {
			t.Errorf("%v: exact %v, %v", st.Table, st.Exact, st.Why)
		}
	}
	release()
	w.agree()
}

// Promise 3: values never go back, and a table is not empty while it is read again.
func TestPromise3NeverBack(t *testing.T) {
	w := newWorld(t, All, WithReceiveBuffer(1<<16), WithSettle(0))
	w.ip(twoLinks)
	oif := w.index("b0")
	const routes = 200
	dst := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, byte(i), 0}), 24)
	}
	for i := range routes {
		w.route(netlink.NLM_F_CREATE, dst(i), oif, 1)
	}
	w.agree()

	ctx, stop := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	for watcher := range 3 {
		tasks.Go(func() {
			r := rand.New(rand.NewSource(int64(watcher)))
			seen := map[RouteKey]uint32{}
			for b, err := range Watch(ctx, w.m, Snapshot.RouteGroups) {
				if err != nil {
					return
				}
				for c := range b.Changes {
					new, found := c.New()
					if !c.Key.Dst.Addr().Is4() || c.Key.Dst.Addr().As4()[1] != 200 {
						continue
					}
					if !found {
						t.Errorf("%v was removed", c.Key)
						return
					}
					v := new[0].Metrics.Window.Value
					if v < seen[c.Key] {
						t.Errorf("%v went from %d back to %d", c.Key, seen[c.Key], v)
					}
					seen[c.Key] = v
				}
				if watcher > 0 {
					time.Sleep(time.Duration(r.Intn(30)) * time.Millisecond)
				}
			}
		})
	}
	r := rand.New(rand.NewSource(9))
	for n := uint32(2); n < 4000; n++ {
		w.route(netlink.NLM_F_REPLACE, dst(r.Intn(routes)), oif, n)
		if n%300 == 0 {
			w.m.mu.Lock()
			w.m.overrun()
			w.m.mu.Unlock()
		}
	}
	w.agree()
	stop()
	tasks.Wait()
}

// Promise 4: the batches of a watcher add up to the Snapshot, however slow it is.
func TestPromise4WatchersMissNothing(t *testing.T) {
	w := newWorld(t, All)
	w.ip(propertyLinks)
	w.exact()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var tasks sync.WaitGroup
	var sums [4]sum
	for i := range sums {
		tasks.Go(func() { sums[i].follow(ctx, t, w.m, time.Duration(10*i)*time.Millisecond) })
	}
	for seed := range int64(6) {
		w.execute(newPlan(100+seed, 2, 40))
	}
	w.exact()
	w.ip("route add blackhole 192.0.2.0/24 table 99")
	for i := range sums {
		eventually(t, func() string {
			if sums[i].complete.Load() {
				return ""
			}
			return fmt.Sprintf("watcher %d has not seen the last change", i)
		})
	}
	stop()
	tasks.Wait()
}

// sum is what the batches of a watcher add up to.
type sum struct {
	groups   map[RouteKey]string
	complete atomic.Bool // it has the last change
}

// follow adds up batches, with a pause of up to pause after each, and compares each sum
// with the Snapshot that the batch ends at.
func (s *sum) follow(ctx context.Context, t *testing.T, m *Mirror, pause time.Duration) {
	s.groups = map[RouteKey]string{}
	r := rand.New(rand.NewSource(int64(pause)))
	last := RouteKey{Table: 99, Dst: netip.MustParsePrefix("192.0.2.0/24")}
	var end Snapshot
	of := func(s Snapshot) RouteGroups {
		end = s
		return s.RouteGroups()
	}
	for b, err := range Watch(ctx, m, of) {
		if err != nil {
			return
		}
		for c := range b.Changes {
			s.add(t, c)
		}
		s.compare(t, end)
		if s.groups[last] != "" {
			s.complete.Store(true)
		}
		time.Sleep(time.Duration(r.Int63n(int64(pause) + 1)))
	}
}

func (s *sum) add(t *testing.T, c Change[RouteKey, []*rtroute.Route]) {
	old := ""
	if v, found := c.Old(); found {
		old = jsonOf(v)
	}
	if s.groups[c.Key] != old {
		t.Errorf("old value of %v is %s, want %s", c.Key, old, s.groups[c.Key])
	}
	delete(s.groups, c.Key)
	if v, found := c.New(); found {
		s.groups[c.Key] = jsonOf(v)
	}
}

func (s *sum) compare(t *testing.T, with Snapshot) {
	n := 0
	for k, v := range with.RouteGroups().All() {
		if n++; s.groups[k] != jsonOf(v) {
			t.Errorf("revision %d: %v is %s, want %s", with.Rev(), k, s.groups[k], jsonOf(v))
		}
	}
	if n != len(s.groups) {
		t.Errorf("revision %d: %d groups, want %d", with.Rev(), len(s.groups), n)
	}
}

// jsonOf returns routes as JSON.
func jsonOf(routes []*rtroute.Route) string {
	b, err := json.Marshal(routes)
	return fmt.Sprint(string(b), err)
}

// Promise 5: a link and what hangs on it go in one Snapshot.
func TestPromise5OneOrder(t *testing.T) {
	w := newWorld(t, All)
	w.ip(twoLinks + `
		route add 10.9.0.0/24 via 10.1.1.2
		neigh add 10.1.1.9 lladdr 02:00:00:00:00:01 dev a0`)
	index := w.index("a0")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	failed := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for rev := range watchRevisions(ctx, w.m) {
			s := rev
			if s.Links().Has(index) {
				continue
			}
			for range s.AddrsOf(index).All() {
				failed <- "an address is there without its link"
				return
			}
			for range s.NeighsOf(index).All() {
				failed <- "a neighbour is there without its link"
				return
			}
			for _, r := range s.Routes().All() {
				if r.Family == unix.AF_INET && r.Oif.Value == uint32(index) {
					failed <- "a route is there without its link"
					return
				}
			}
		}
	}()
	w.ip("link del a0")
	w.agree()
	stop()
	<-done
	select {
	case text := <-failed:
		t.Error(text)
	default:
	}
}

// watchRevisions iterates over Snapshots as they come.
func watchRevisions(ctx context.Context, m *Mirror) func(func(Snapshot) bool) {
	return func(yield func(Snapshot) bool) {
		for {
			s := m.state.Load()
			if !yield(Snapshot{s}) {
				return
			}
			select {
			case <-s.newer:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Promise 6: Barrier returns a revision that has what was acknowledged before.
func TestPromise6ReadYourWrites(t *testing.T) {
	w := newWorld(t, TableLinks|TableRoutes4)
	w.ip(twoLinks)
	oif := w.index("a0")
	ctx := patient(t)
	for i := range 200 {
		dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(i), 0}), 24)
		w.route(netlink.NLM_F_CREATE, dst, oif, 1)
		rev, err := w.m.Barrier(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s := w.m.Snapshot()
		if s.Rev() < rev {
			t.Fatalf("Barrier returned %d, the Snapshot is %d", rev, s.Rev())
		}
		if !s.Routes().Groups().Has(RouteKey{Table: unix.RT_TABLE_MAIN, Dst: dst}) {
			t.Fatalf("route %d is not in the Snapshot after Barrier", i)
		}
	}
}

// Promise 7: messages that change nothing make no revision.
func TestPromise7OnlyRealChanges(t *testing.T) {
	w := newWorld(t, All)
	// Of a link that is not lo, carrier and IPv6 addresses change some time after it is up.
	w.ip(`
		link set lo up alias same
		addr add 10.1.1.1/24 dev lo`)
	w.agree()
	before := w.m.Snapshot().Rev()
	other, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(w.ns.FD()))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	sub, err := other.Subscribe(unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.ip("link set lo alias same")
		select {
		case <-sub.Events():
		case <-patient(t).Done():
			t.Fatal("the kernel does not announce an alias that is as before")
		}
	}
	w.agree()
	if after := w.m.Snapshot().Rev(); after != before {
		t.Errorf("revision %d became %d without a change", before, after)
	}
	// A pass that finds nothing makes two: not exact, and exact again.
	w.m.mu.Lock()
	w.m.want(w.m.table(TableRoutes4), Overrun)
	w.m.mu.Unlock()
	w.agree()
	if after := w.m.Snapshot().Rev(); after > before+2 {
		t.Errorf("revision %d became %d by a pass that found nothing", before, after)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	ns := nstest.New(t)
	m, err := Open(patient(t), All, WithNetNS(ns.FD()))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Synced(patient(t)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for _, err := range Watch(context.Background(), m, Snapshot.Links) {
			if err != nil {
				ended <- err
			}
		}
	}()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Watch ended with %v", err)
	}
	if _, err := m.Barrier(patient(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Barrier: %v", err)
	}
	if n := m.Snapshot().Links().Len(); n != 1 {
		t.Errorf("the last Snapshot has %d links", n)
	}
	if m.Snapshot().Exact(TableLinks) {
		t.Error("exact after Close")
	}
}

func TestConnOfTheCaller(t *testing.T) {
	ns := nstest.New(t)
	c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sub, err := c.Subscribe(unix.RTNLGRP_LINK) // another consumer on the Conn
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(patient(t), All, WithConn(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Synced(patient(t)); err != nil {
		t.Fatal(err)
	}
	ip(t, ns, twoLinks)
	w := &world{TB: t, ns: ns, m: m, conn: c}
	// Without strict checking the kernel dumps all routes where those of a link were
	// asked for.
	w.ip("route add 10.9.0.0/24 via 10.1.1.2\nlink set a0 down")
	w.agree()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if e := <-sub.Events(); e.Header.Type != unix.RTM_NEWLINK {
		t.Errorf("the other consumer got %v", e.Header.Type)
	}
	if _, err := c.Request(patient(t), unix.RTM_GETLINK, append(make([]byte, 4), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0); err != nil {
		t.Errorf("the Conn does not work after Close of the Mirror: %v", err)
	}

	m, err = Open(patient(t), All, WithConn(c))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := m.Synced(patient(t)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Synced on a closed Conn: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestViews compares typed values and keys with what was set.
func TestViews(t *testing.T) {
	w := newWorld(t, All)
	w.ip(twoLinks + `
		addr add 10.1.4.1 peer 10.1.5.1/32 dev a0
		neigh add 10.1.1.9 lladdr 02:00:00:00:00:01 dev a0
		nexthop add id 7 via 10.1.1.3 dev a0
		rule add pref 100 fwmark 7 lookup 100
		rule add pref 100 fwmark 8 lookup 100
		route add 10.9.0.0/16 via 10.1.1.2
		route append 10.9.0.0/16 via 10.1.1.3
		route add 10.9.1.0/24 nhid 7
		route add 10.9.1.0/24 via 10.1.1.9 metric 20
		route add default via 10.1.1.2
		route add default via 10.1.1.2 table 1000
		-6 route add fd09::/64 nexthop via fd00:1::2 nexthop via fd00:1::3
		-6 route add fd09:1::/64 via fd00:1::2`)
	a0 := w.index("a0")
	var s Snapshot
	// The kernel ends the detection of duplicate addresses in a task of its own, even if
	// there is none (addrconf_dad_work in net/ipv6/addrconf.c).
	eventually(t, func() string {
		if s = w.exactSnapshot(); s.Addrs().Has(AddrKey{Index: a0, Local: netip.MustParseAddr("fd00:1::1")}) {
			return ""
		}
		return "no address fd00:1::1"
	})

	if l, found := s.Links().Get(a0); !found || l.Ifname.Value != "a0" || l.Index != a0 || l.Flags&rtlink.IFF_UP == 0 {
		t.Errorf("link a0: %v %+v", found, l)
	}
	if n := s.Links().Len(); n != 5 {
		t.Errorf("%d links, want 5", n)
	}
	peer := AddrKey{Index: a0, Local: netip.MustParseAddr("10.1.4.1"), PrefixLen: 32, Peer: netip.MustParseAddr("10.1.5.1")}
	if a, found := s.Addrs().Get(peer); !found || a.Address != peer.Peer || a.Local != peer.Local || a.Prefixlen != 32 {
		t.Errorf("address with a peer: %v %+v", found, a)
	}
	var addrs []string
	for k, a := range s.AddrsOf(a0).All() {
		addrs = append(addrs, a.Prefix().String())
		if !s.Addrs().Has(k) {
			t.Errorf("%v is not found", k)
		}
	}
	if !slices.Contains(addrs, "10.1.1.1/24") || !slices.Contains(addrs, "fd00:1::1/64") || slices.Contains(addrs, "10.1.2.1/24") {
		t.Errorf("addresses of a0: %v", addrs)
	}
	n, found := s.Neighs().Get(NeighKey{a0, netip.MustParseAddr("10.1.1.9")})
	if !found || n.Lladdr.String() != "02:00:00:00:00:01" || n.Ifindex != a0 {
		t.Errorf("neighbour: %v %+v", found, n)
	}
	if nh, found := s.Nexthops().Get(7); !found || nh.Gateway != netip.MustParseAddr("10.1.1.3") || nh.ID.Value != 7 {
		t.Errorf("next hop: %v %+v", found, nh)
	}
	second := RuleKey{Family: unix.AF_INET, Priority: 100, Place: 1}
	if r, found := s.Rules().Get(second); !found || r.Fwmark.Value != 8 || r.Priority.Value != 100 {
		t.Errorf("rule: %v %+v", found, r)
	}
	checkRoutes(t, s)
}

func checkRoutes(t *testing.T, s Snapshot) {
	t.Helper()
	key := RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("10.9.0.0/16")}
	var gateways []string
	for r := range s.Routes().Group(key) {
		gateways = append(gateways, r.Gateway.String())
		if r.Prefix() != key.Dst || r.Table.Value != unix.RT_TABLE_MAIN {
			t.Errorf("route: %+v", r)
		}
	}
	if !slices.Equal(gateways, []string{"10.1.1.2", "10.1.1.3"}) {
		t.Errorf("gateways of %v: %v", key, gateways)
	}
	for addr, want := range map[string]string{"10.9.1.7": "10.9.1.0/24", "10.9.2.7": "10.9.0.0/16", "9.9.9.9": "0.0.0.0/0", "fd09::5": "fd09::/64"} {
		k, found := s.Routes().Longest(unix.RT_TABLE_MAIN, netip.MustParseAddr(addr))
		if !found || k.Dst.String() != want || k.Priority != map[bool]uint32{true: 1024}[k.Dst.Addr().Is6()] {
			t.Errorf("Longest(%s) = %v, %v, want %s", addr, k, found, want)
		}
	}
	if k, found := s.Routes().Longest(7777, netip.MustParseAddr("1.1.1.1")); found {
		t.Errorf("a route in an empty table: %v", k)
	}
	byID, _ := s.Routes().Groups().Get(RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("10.9.1.0/24")})
	if len(byID) != 1 || byID[0].NhID.Value != 7 || byID[0].Oif.Set || byID[0].Gateway.IsValid() {
		t.Errorf("route by next hop object: %+v", byID)
	}
	one, _ := s.Routes().Groups().Get(RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("fd09:1::/64"), Priority: 1024})
	if len(one) != 1 || one[0].Gateway.String() != "fd00:1::2" || !one[0].Oif.Set || one[0].Multipath != nil {
		t.Errorf("IPv6 route: %+v", one)
	}
	two, _ := s.Routes().Groups().Get(RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("fd09::/64"), Priority: 1024})
	if len(two) != 1 || len(two[0].Multipath) != 2 || two[0].Multipath[1].Route.Gateway.String() != "fd00:1::3" {
		t.Errorf("IPv6 ECMP route: %+v", two)
	}
	total := 0
	for k, r := range s.Routes().Table(1000).All() {
		total++
		if k.Table != 1000 || r.Table.Value != 1000 || r.Rtmsg.Table != unix.RT_TABLE_COMPAT {
			t.Errorf("in table 1000: %v %+v", k, r)
		}
	}
	if total != 1 {
		t.Errorf("%d routes in table 1000", total)
	}
	low, high := RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("10.9.0.0/16")}, RouteKey{Table: unix.RT_TABLE_MAIN, Dst: netip.MustParsePrefix("10.10.0.0/16")}
	var dsts []string
	for k := range s.Routes().Range(low, high) {
		dsts = append(dsts, k.Dst.String())
	}
	if !slices.Equal(dsts, []string{"10.9.0.0/16", "10.9.0.0/16", "10.9.1.0/24", "10.9.1.0/24"}) {
		t.Errorf("Range: %v", dsts)
	}
}

// TestPropertyWithAStalledWatcher: a watcher that does not come back costs no exactness.
func TestPropertyWithAStalledWatcher(t *testing.T) {
	property(t, func(w *world, execute func()) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stalled := make(chan struct{})
		go func() {
			for range Watch(ctx, w.m, Snapshot.RouteGroups) {
				close(stalled)
				<-ctx.Done()
				return
			}
		}()
		<-stalled
		execute()
	})
}

// TestPropertyWithAStoppedProcess stops the whole process, the Mirror in it, while
// another one changes the tables.
func TestPropertyWithAStoppedProcess(t *testing.T) {
	property(t, func(w *world, execute func()) {
		const script = "sleep 0.02; kill -STOP $PPID; sleep 0.1; kill -CONT $PPID"
		cmd := exec.Command("sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			w.Fatal(err)
		}
		execute()
		if err := cmd.Wait(); err != nil {
			w.Fatal(err)
		}
	}, WithReceiveBuffer(1<<15))
}

// TestStableEntriesStay: dumps of IPv6 routes and rules lack unchanged entries while
// others change. No watcher sees one of them go. With longEnv there are as many as on a
// large router.
func TestStableEntriesStay(t *testing.T) {
	routes, rules, passes := 1000, 150, uint64(10)
	if os.Getenv(longEnv) != "" {
		routes, rules, passes = 20_000, 3000, 100
	}
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	filler := &world{TB: t, ns: ns}
	filler.batch("-6", commands(routes, "route add fd09:%x::/64 dev b0 metric 77"))
	filler.batch("-4", commands(rules, "rule add pref %d from 10.9.0.0/16 lookup 100"))
	w := inNamespace(t, ns, TableRoutes6|TableRules4)
	if n := w.m.Snapshot().Rules().Len(); n < rules || w.m.Snapshot().Routes().Len() < routes {
		t.Fatalf("%d routes, %d rules", w.m.Snapshot().Routes().Len(), n)
	}

	ctx, stop := context.WithTimeout(context.Background(), 10*patience)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	watchStable(ctx, t, &tasks, w.m, Snapshot.RouteGroups, func(k RouteKey) bool { return k.Priority == 77 })
	watchStable(ctx, t, &tasks, w.m, Snapshot.Rules, func(k RuleKey) bool { return k.Priority < uint32(rules) && k.Place == 0 })
	for _, churn := range [][]string{
		{"-6", "route add fd08:%x::/64 dev a0", "route del fd08:%x::/64 dev a0"},
		{"-4", "rule add pref %d fwmark 1 lookup 100", "rule del pref %d fwmark 1 lookup 100"},
	} {
		tasks.Go(func() {
			for ctx.Err() == nil {
				for _, c := range churn[1:] {
					filler.batch(churn[0], commands(100, c))
				}
			}
		})
	}
	read := func(bit Tables) uint64 {
		w.m.mu.Lock()
		defer w.m.mu.Unlock()
		w.m.want(w.m.table(bit), Overrun)
		return w.m.table(bit).stats.Resyncs
	}
	for read(TableRoutes6) < passes || read(TableRules4) < passes {
		if ctx.Err() != nil {
			t.Fatal("the tables are not read")
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	tasks.Wait()
	w.agree()
}

// commands returns a command for each number from 0 on.
func commands(n int, format string) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf(format, i))
	}
	return list
}

// watchStable fails the test if a stable entry goes.
func watchStable[K comparable, V any](ctx context.Context, t *testing.T, tasks *sync.WaitGroup, m *Mirror, of func(Snapshot) View[K, V], stable func(K) bool) {
	tasks.Go(func() {
		for b, err := range Watch(ctx, m, of) {
			if err != nil {
				return
			}
			for c := range b.Changes {
				if _, found := c.New(); !found && stable(c.Key) {
					t.Errorf("%v was removed", c.Key)
					return
				}
			}
		}
	})
}
