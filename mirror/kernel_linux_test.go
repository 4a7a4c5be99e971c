//go:build linux

package mirror

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// patience is the maximum time that a test waits for what has to happen.
const patience = 30 * time.Second

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until missing returns "". The test fails with its text otherwise.
func eventually(t testing.TB, missing func() string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		text := missing()
		if text == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(text)
		}
	}
}

// world is a network namespace, a Mirror of it, and a Conn that reads it.
type world struct {
	testing.TB
	ns   *nstest.NS
	m    *Mirror
	conn *client.Conn
}

func newWorld(t testing.TB, tables Tables, opts ...Option) *world {
	t.Helper()
	return inNamespace(t, nstest.New(t), tables, opts...)
}

// inNamespace is newWorld in a namespace that was prepared.
func inNamespace(t testing.TB, ns *nstest.NS, tables Tables, opts ...Option) *world {
	t.Helper()
	w := &world{TB: t, ns: ns}
	var err error
	w.conn, err = client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(ns.FD()), client.WithStrictChecking())
	if err != nil {
		t.Fatal(err)
	}
	w.m, err = Open(patient(t), tables, append([]Option{WithNetNS(ns.FD())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		w.conn.Close()
	})
	w.sync()
	return w
}

// sync waits until all tables have been exact.
func (w *world) sync() {
	w.Helper()
	if err := w.m.Synced(patient(w)); err != nil {
		w.Fatal(err)
	}
}

// ip runs commands of ip(8), which have to succeed, one a line.
func (w *world) ip(commands string) {
	w.Helper()
	ip(w, w.ns, commands)
}

func ip(t testing.TB, ns *nstest.NS, commands string) {
	t.Helper()
	for c := range strings.Lines(commands) {
		if args := strings.Fields(c); len(args) > 0 {
			ns.Run(t, "ip", args...)
		}
	}
}

// batch runs commands of ip(8) in one process each family; refusals are ignored.
func (w *world) batch(family string, commands []string) {
	w.ns.Do(func() error {
		cmd := exec.Command("ip", family, "-force", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
		return cmd.Run()
	})
}

// exact waits until all tables are exact after a Barrier, and returns the state.
func (w *world) exact() *state {
	w.Helper()
	ctx := patient(w)
	if _, err := w.m.Barrier(ctx); err != nil {
		w.Fatal(err)
	}
	for {
		s := w.m.state.Load()
		if s.exact == s.have {
			return s
		}
		select {
		case <-s.newer:
		case <-ctx.Done():
			w.Fatalf("not exact:\n%v", w.m.Status())
		}
	}
}

// read returns a table of the kernel as the store would have it.
func (w *world) read(k *kind) map[string]group {
	w.Helper()
	t := newTable(k, time.Time{})
	if of := w.m.table(k.bit); of != nil {
		t.only = of.only
	}
	d := newDump(t, t.tree, 0)
	for msg, err := range w.conn.Dump(patient(w), k.get, k.request(k.family, 0)) {
		if err != nil {
			w.Fatalf("%v: %v", k.name, err)
		}
		if msg.Header.Type == k.new {
			d.add(msg.Payload)
		}
	}
	d.flush()
	out := map[string]group{}
	for key, g := range d.changed.Commit().All() {
		out[string(key)] = g
	}
	return out
}

// differences compares the tables of a state with those of the kernel.
func (w *world) differences(s *state) (out []string) {
	w.Helper()
	for _, k := range kinds {
		if s.have&k.bit == 0 {
			continue
		}
		want := w.read(k)
		for key, g := range s.trees[k.bit.number()].All() {
			if !bytes.Equal(g, want[string(key)]) {
				out = append(out, describe(k, key, g, want[string(key)]))
			}
			delete(want, string(key))
		}
		for key, g := range want {
			out = append(out, describe(k, []byte(key), nil, g))
		}
	}
	return out
}

func describe(k *kind, key []byte, have, want group) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %x\n", k.name, key)
	for i, g := range []group{have, want} {
		fmt.Fprintf(&b, "    %s:", []string{"copy  ", "kernel"}[i])
		for _, v := range g.values() {
			fmt.Fprintf(&b, " {% x", v[:k.layout.header])
			for a := range wire.Attrs(v[k.layout.header:]) {
				fmt.Fprintf(&b, " | %d: % x", a.Type, a.Value)
			}
			b.WriteString("}")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// agree waits until the copy is exact and compares it with the kernel. What happens in
// the kernel by itself meanwhile gets some more tries.
func (w *world) agree() {
	w.Helper()
	var diff []string
	for range 5 {
		if diff = w.differences(w.exact()); len(diff) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.Errorf("exact, but:\n%s%v", strings.Join(diff[:min(len(diff), 6)], "\n"), w.m.Status())
}

func TestMirrorAgreesWithTheKernel(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, `
		link add a0 type veth peer name a1
		link set a0 up
		link set a1 up
		addr add 10.1.1.1/24 dev a0
		route add 10.9.0.0/24 via 10.1.1.2
		rule add pref 100 fwmark 7 lookup 100
		neigh add 10.1.1.9 lladdr 02:00:00:00:00:01 dev a0
		nexthop add id 5 via 10.1.1.3 dev a0
		route add 10.9.1.0/24 nhid 5`)
	w := inNamespace(t, ns, All)
	w.agree()
	for _, c := range []string{
		"addr add fd00::1/64 dev a0 nodad",
		"-6 route add fd01::/64 nexthop via fd00::2 dev a0 nexthop via fd00::3 dev a0",
		"-6 route append fd01::/64 via fd00::4 dev a0",
		"-6 route del fd01::/64 via fd00::2 dev a0",
		"route add 10.9.2.0/24 nexthop via 10.1.1.2 dev a0 nexthop via 10.1.1.3 dev a0 weight 3",
		"route append 10.9.2.0/24 via 10.1.1.7",
		"route replace 10.9.2.0/24 via 10.1.1.8",
		"rule add pref 100 fwmark 8 lookup 101",
		"link set a0 mtu 1400",
		"link add br0 type bridge",
		"link set a1 master br0",
		"addr del 10.1.1.1/24 dev a0",
		"link set a0 down",
		"link del a0",
	} {
		w.ip(c)
		w.agree()
		if t.Failed() {
			t.Fatalf("after ip %s", c)
		}
	}
}

// twoSettledLinks makes two pairs of links on which nothing changes by itself any more: they
// have a carrier, and no addresses that become permanent later.
func twoSettledLinks(t testing.TB, ns *nstest.NS) {
	t.Helper()
	for _, pair := range [][2]string{{"a0", "a1"}, {"b0", "b1"}} {
		ns.Run(t, "ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1])
		for _, name := range pair {
			ns.Run(t, "ip", "link", "set", name, "addrgenmode", "none", "up")
		}
	}
	eventually(t, func() string {
		text := ns.Run(t, "ip", "link", "show", "type", "veth")
		if strings.Count(text, " state UP ") == 4 {
			return ""
		}
		return text
	})
}

// TestRouteTables: a Mirror of some routing tables has their routes only, and others make
// no revision. A table may not exist yet.
func TestRouteTables(t *testing.T) {
	for _, ids := range [][]uint32{{100}, {100, 300}} {
		t.Run(fmt.Sprint(ids), func(t *testing.T) {
			ns := nstest.New(t)
			twoSettledLinks(t, ns)
			ip(t, ns, "-6 route add fd09::/64 dev a0 table 300")
			w := inNamespace(t, ns, TableRoutes, WithRouteTables(ids...))
			w.agree()
			if n, want := w.m.Snapshot().Routes().Len(), len(ids)-1; n != want {
				t.Errorf("%d routes at the begin, want %d", n, want)
			}
			w.ip(`route add 10.9.0.0/24 dev a0 table 100
				-6 route add fd09::/64 dev b0 table 100
				-6 route add fd09:1::/64 dev a0 table 300`)
			w.agree()
			if n, want := w.m.Snapshot().Routes().Len(), 2*len(ids); n != want {
				t.Errorf("%d routes, want %d", n, want)
			}
			before, err := w.m.Barrier(patient(t))
			if err != nil {
				t.Fatal(err)
			}
			w.ip(`route add 10.9.0.0/24 dev a0
				-6 route add fd09::/64 dev a0 table 101`)
			after, err := w.m.Barrier(patient(t))
			if err != nil || after != before {
				t.Errorf("revision %d became %d: %v", before, after, err)
			}
			w.ip("link set a0 down")
			w.agree()
			if n, want := w.m.Snapshot().Routes().Len(), 1; n != want {
				t.Errorf("%d routes with a link that is down, want %d", n, want)
			}
		})
	}
}
