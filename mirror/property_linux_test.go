//go:build linux

package mirror

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlmux/netlink/internal/nstest"
)

var (
	seedFlag    = flag.Int64("mirror.seed", 1, "first seed of the property tests")
	roundsFlag  = flag.Int("mirror.rounds", 6, "rounds of each property test")
	writersFlag = flag.Int("mirror.writers", 2, "processes that change the tables at once, each round")
)

// longEnv holds a duration, such as 1h: for so long the property tests go on, with new
// seeds.
const longEnv = "NLMUX_MIRROR_TEST"

// operations makes random commands of ip(8).
type operations struct{ *rand.Rand }

func (r operations) of(s ...string) string { return s[r.Intn(len(s))] }

func (r operations) link() string { return r.of("a0", "a1", "b0", "b1", "c0", "c1", "br0", "d0") }

func (r operations) linkChange() string {
	switch r.Intn(9) {
	case 0, 1:
		return "link set " + r.link() + " down"
	case 2, 3, 4:
		return "link set " + r.link() + " up"
	case 5:
		return "link del " + r.of("a0", "b0", "br0", "d0")
	case 6:
		return "link add " + r.of("a0 type veth peer name a1", "b0 type veth peer name b1", "br0 type bridge", "d0 type veth peer name d1")
	case 7:
		return "link set " + r.of("a1", "b1", "c1") +
			r.of(" master br0", " nomaster", " mtu 1400", " mtu 1500", " promisc on", " promisc off", " txqueuelen 100")
	}
	return "link set " + r.of("c0 down", "c0 name cc", "cc name c0", "c0 up", "cc up")
}

func (r operations) addr4() string {
	if r.Intn(5) == 0 {
		return "addr flush dev " + r.link() + r.of("", " scope global", " to 10.1.0.0/16")
	}
	return "addr " + r.of("add", "add", "add", "del", "change") + " " +
		r.of("10.1.1.1/24", "10.1.1.5/24", "10.1.1.6/25", "10.1.2.1/24", "10.1.3.1/24", "10.1.4.1 peer 10.1.5.1/32", "10.1.4.1 peer 10.1.5.2/32") +
		" dev " + r.link()
}

func (r operations) addr6() string {
	if r.Intn(5) == 0 {
		return "addr flush dev " + r.link()
	}
	return "addr " + r.of("add", "add", "add", "del", "change") + " " +
		r.of("fd00:1::1/64", "fd00:1::2/64", "fd00:2::1/64", "fd00:3::1/128", "fd00:3::1/64", "fd00:4::1 peer fd00:4::2/128", "fd00:4::1 peer fd00:4::3/128") +
		" dev " + r.link() + r.of("", "", " nodad", " preferred_lft 1 valid_lft 2")
}

func (r operations) routeVerb() string {
	return "route " + r.of("add", "append", "prepend", "replace", "change", "del", "add", "append", "replace") + " "
}

func (r operations) routeTail() string {
	return " table " + r.of("main", "main", "100", "300") + r.of("", "", " metric 10", " metric 20") + r.of("", "", "", " proto 77")
}

func (r operations) route4() string {
	verb, tail := r.routeVerb(), r.routeTail()+r.of("", "", "", " tos 4")
	dst := r.of("10.9.0.0/24", "10.9.1.0/24", "10.9.0.0/25", "10.9.2.1", "default")
	switch r.Intn(9) {
	case 0:
		return verb + r.of("blackhole ", "unreachable ", "prohibit ") + dst + tail
	case 1, 2:
		return verb + dst + tail + " nexthop via " + r.of("10.1.3.2", "10.1.3.4") + " dev " + r.link() +
			" onlink nexthop via 10.1.3.3 dev " + r.link() + " onlink weight 3"
	case 3:
		return verb + dst + tail + " dev " + r.link() + " src " + r.of("10.1.1.1", "10.1.2.1", "10.1.1.5")
	case 4:
		return verb + dst + tail + " nhid " + r.of("1", "2", "3", "4")
	case 5:
		return verb + dst + tail + " dev " + r.link() + " mtu " + r.of("1300", "1400")
	}
	return verb + dst + r.of("", "", " via 10.1.1.2", " via 10.1.2.2", " via 10.1.3.2 onlink", " via 10.1.3.3 onlink") + " dev " + r.link() + tail
}

func (r operations) route6() string {
	verb, tail := r.routeVerb(), r.routeTail()
	dst := r.of("fd09::/64", "fd09:1::/64", "fd09::/65", "fd09:2::1", "default")
	switch r.Intn(10) {
	case 0:
		return verb + r.of("blackhole ", "unreachable ", "prohibit ") + dst + tail
	case 1, 2:
		return verb + dst + tail + " nexthop via " + r.of("fe80::2", "fe80::5") + " dev " + r.link() +
			" nexthop via fe80::3 dev " + r.link() + " weight 3"
	case 3:
		return verb + dst + tail + " dev " + r.link() + " src " + r.of("fd00:1::1", "fd00:2::1")
	case 4:
		return verb + dst + tail + " dev " + r.link() + r.of(" mtu 1300", " expires 2", " pref high")
	case 5:
		return verb + dst + tail + " nhid " + r.of("5", "6")
	}
	return verb + dst + r.of("", " via fe80::2", " via fe80::3", " via fe80::4") + " dev " + r.link() + tail
}

func (r operations) nexthop() string {
	switch r.Intn(5) {
	case 0, 1:
		return "nexthop " + r.of("add", "replace") + " id " + r.of("1", "2", "3") + r.of("", "", " via 10.1.3.2 onlink") + " dev " + r.link()
	case 2:
		return "nexthop del id " + r.of("1", "2", "3", "4", "5", "6")
	case 3:
		return "nexthop " + r.of("add", "replace") + " id 4 group " + r.of("1/2", "1/2/3", "2,3/3")
	}
	return "nexthop " + r.of("add", "replace") + " id " + r.of("5", "6") + " via " + r.of("fe80::2", "fe80::3") + " dev " + r.link()
}

func (r operations) neigh(v6 bool) string {
	addr := r.of("10.1.1.77", "10.1.1.78", "10.1.1.79")
	if v6 {
		addr = r.of("fd00:1::77", "fd00:1::78")
	}
	return "neigh " + r.of("add", "replace", "replace", "del") + " " + addr + " dev " + r.link() +
		" lladdr 02:00:00:00:00:0" + r.of("1", "2", "3") + " nud " + r.of("permanent", "stale", "reachable")
}

func (r operations) rule(v6 bool) string {
	from := " from 10.1.0.0/16"
	if v6 {
		from = " from fd00:1::/64"
	}
	return "rule " + r.of("add", "add", "del") + " pref " + r.of("100", "101", "102") +
		r.of(" from all", from, " iif a0", " fwmark 7", " not fwmark 7", " oif b0") + " lookup " + r.of("main", "100", "300")
}

// command returns the family option of ip(8) and a command.
func (r operations) command() (family, command string) {
	switch r.Intn(24) {
	case 0, 1, 2, 3:
		return "-4", r.linkChange()
	case 4, 5, 6:
		return "-4", r.addr4()
	case 7, 8:
		return "-6", r.addr6()
	case 9, 10, 11, 12, 13:
		return "-4", r.route4()
	case 14, 15, 16, 17:
		return "-6", r.route6()
	case 18:
		return "-4", r.rule(false)
	case 19:
		return "-6", r.rule(true)
	case 20:
		return "-4", r.neigh(false)
	case 21:
		return "-6", r.neigh(true)
	}
	return "-4", r.nexthop()
}

// plan is what the writers of a round do: for each writer its runs of commands of one
// family.
type plan [][]run

type run struct {
	family   string
	commands []string
}

func newPlan(seed int64, writers, commands int) plan {
	p := make(plan, writers)
	for w := range p {
		r := operations{rand.New(rand.NewSource(seed<<8 + int64(w)))}
		for range commands {
			family, c := r.command()
			if n := len(p[w]); n == 0 || p[w][n-1].family != family && r.Intn(8) == 0 {
				p[w] = append(p[w], run{family: family})
			}
			n := len(p[w])
			if p[w][n-1].family != family {
				// Few processes: the command goes to the last run of its family.
				if n < 2 {
					p[w] = append(p[w], run{family: family})
					n++
				} else {
					n--
				}
			}
			p[w][n-1].commands = append(p[w][n-1].commands, c)
		}
	}
	return p
}

func (p plan) String() string {
	var b strings.Builder
	for w, runs := range p {
		for _, r := range runs {
			for _, c := range r.commands {
				fmt.Fprintf(&b, "  writer %d: ip %s %s\n", w, r.family, c)
			}
		}
	}
	return b.String()
}

// length returns the number of commands.
func (p plan) length() (n int) {
	for _, runs := range p {
		for _, r := range runs {
			n += len(r.commands)
		}
	}
	return n
}

// without returns p without the commands from to until.
func (p plan) without(from, until int) plan {
	out := make(plan, len(p))
	i := 0
	for w, runs := range p {
		for _, r := range runs {
			kept := run{family: r.family}
			for _, c := range r.commands {
				if i < from || i >= until {
					kept.commands = append(kept.commands, c)
				}
				i++
			}
			if len(kept.commands) > 0 {
				out[w] = append(out[w], kept)
			}
		}
	}
	return out
}

func (w *world) execute(p plan) {
	var writers sync.WaitGroup
	for _, runs := range p {
		writers.Go(func() {
			for _, r := range runs {
				w.batch(r.family, r.commands)
			}
		})
	}
	writers.Wait()
}

const propertyLinks = `
	link add a0 type veth peer name a1
	link add b0 type veth peer name b1
	link add c0 type veth peer name c1
	link add br0 type bridge
	link set a0 up
	link set a1 up
	link set b0 up
	link set b1 up
	link set c0 up
	link set c1 up
	link set br0 up`

// mismatch returns what differs for good although the copy is exact. The kernel announces a
// carrier up to a second after a dump shows it (linkwatch_schedule_work in
// net/core/link_watch.c).
func (w *world) mismatch() (diff []string) {
	w.Helper()
	for range 60 {
		s := w.exact()
		if diff = w.differences(s); len(diff) == 0 {
			if diff = w.ipDifferences(Snapshot{s}); len(diff) == 0 {
				return nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return diff
}

// property runs rounds of random changes, each followed by a comparison. A failure is
// reported with the fewest commands that fail in a new namespace.
func property(t *testing.T, during func(w *world, execute func()), opts ...Option) {
	rounds, deadline := *roundsFlag, time.Time{}
	if testing.Short() {
		rounds = min(rounds, 2)
	}
	if text := os.Getenv(longEnv); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", longEnv, err)
		}
		deadline = time.Now().Add(d)
	}
	seed := *seedFlag
	for ; rounds > 0 || time.Now().Before(deadline); seed++ {
		ns := nstest.New(t)
		ip(t, ns, propertyLinks)
		w := inNamespace(t, ns, All, opts...)
		var history []plan
		for range 12 {
			if rounds--; rounds < 0 && !time.Now().Before(deadline) {
				break
			}
			p := newPlan(seed<<8+int64(len(history)), *writersFlag, 40)
			history = append(history, p)
			during(w, func() { w.execute(p) })
			if diff := w.mismatch(); len(diff) > 0 {
				t.Errorf("seed %d, round %d: exact, but\n%s\n%v", seed, len(history), strings.Join(diff[:min(len(diff), 4)], "\n"), w.m.Status())
				if p := shrink(t, history, during, opts); p.length() <= 60 {
					t.Logf("commands:\n%v", p)
				}
				return
			}
		}
	}
	t.Logf("seeds %d to %d", *seedFlag, seed-1)
}

// shrink looks for fewer commands that fail as well.
func shrink(t *testing.T, history []plan, during func(w *world, execute func()), opts []Option) plan {
	fails := func(p plan) bool {
		for range 3 {
			failed := false
			t.Run("shrink", func(t *testing.T) {
				ns := nstest.New(t)
				ip(t, ns, propertyLinks)
				w := inNamespace(t, ns, All, opts...)
				during(w, func() { w.execute(p) })
				failed = len(w.mismatch()) > 0
			})
			if failed {
				return true
			}
		}
		return false
	}
	p := make(plan, *writersFlag)
	for i := len(history) - 1; i >= 0; i-- {
		for w := range p {
			p[w] = append(slices.Clone(history[i][w]), p[w]...)
		}
		if fails(p) {
			break
		}
	}
	end := time.Now().Add(5 * time.Minute)
	for size := p.length() / 2; size > 0; size /= 2 {
		for from := 0; from < p.length() && time.Now().Before(end); {
			if q := p.without(from, from+size); fails(q) {
				p = q
			} else {
				from += size
			}
		}
	}
	return p
}

func undisturbed(_ *world, execute func()) { execute() }

func TestPropertyAgreesWithTheKernel(t *testing.T) { property(t, undisturbed) }

func TestPropertyWithASmallReceiveBuffer(t *testing.T) {
	property(t, undisturbed, WithReceiveBuffer(4096))
}
