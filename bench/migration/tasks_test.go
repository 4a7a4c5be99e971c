package migration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	vishnetlink "github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/bench/migration/nlmux"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) {
	nl.EnableErrorMessageReporting = true
	nstest.Main(m)
}

// patience is how long a test waits for what has to come before it gives up.
const patience = time.Minute

// lo is the only link of a new namespace.
const (
	lo      = "lo"
	loIndex = 1
	loMTU   = 65536
)

// path returns a file of the namespace.
func path(ns *nstest.NS) string { return fmt.Sprintf("/proc/self/fd/%d", ns.FD()) }

// withEach runs a test once for each library, each time in a new namespace.
// setup is a connection to that namespace for what is not the task.
func withEach(t *testing.T, test func(t *testing.T, l library, setup *vishnetlink.Handle)) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			ns := nstest.New(t)
			setup := dialVishvananda(t, ns).(vishvanandaLibrary).handle
			test(t, lib.dial(t, ns), setup)
		})
	}
}

func TestLink(t *testing.T) {
	withEach(t, func(t *testing.T, l library, _ *vishnetlink.Handle) {
		index, mtu, err := l.link(lo)
		if index != loIndex || mtu != loMTU || err != nil {
			t.Errorf("index %d, MTU %d, %v", index, mtu, err)
		}
		if _, _, err := l.link("nosuchlink0"); err == nil {
			t.Error("a link that does not exist is there")
		}
	})
}

func TestAddAddress(t *testing.T) {
	addr := netip.MustParsePrefix("10.1.2.3/24")
	withEach(t, func(t *testing.T, l library, _ *vishnetlink.Handle) {
		for _, want := range []bool{true, false} {
			if added, err := l.addAddress(loIndex, addr); added != want || err != nil {
				t.Errorf("added: %v, %v; want %v", added, err, want)
			}
		}
		if _, err := l.addAddress(4711, addr); !errors.Is(err, unix.ENODEV) {
			t.Errorf("to a link that does not exist: %v", err)
		}
		addrs, err := l.addresses()
		if err != nil || !slices.Contains(addrs, addr) {
			t.Errorf("addresses: %v, %v", addrs, err)
		}
	})
}

func TestDeleteRoute(t *testing.T) {
	dst := netip.MustParsePrefix("10.1.2.0/24")
	withEach(t, func(t *testing.T, l library, setup *vishnetlink.Handle) {
		addRoutes(t, setup, dst)
		for _, want := range []bool{true, false} {
			if deleted, err := l.deleteRoute(dst); deleted != want || err != nil {
				t.Errorf("deleted: %v, %v; want %v", deleted, err, want)
			}
		}
		// The kernel's words: fib_valid_key_len in net/ipv4/fib_trie.c.
		_, err := l.deleteRoute(netip.MustParsePrefix("10.1.2.3/24"))
		if reason := l.reason(err); !errors.Is(err, unix.EINVAL) || reason != "Invalid prefix for given prefix length" {
			t.Errorf("%v, in the kernel's words %q", err, reason)
		}
	})
}

func TestAddresses(t *testing.T) {
	withEach(t, func(t *testing.T, l library, _ *vishnetlink.Handle) {
		want := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}
		for i := range 1000 {
			addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
			want = append(want, addr)
			if _, err := l.addAddress(loIndex, addr); err != nil {
				t.Fatal(err)
			}
		}
		addrs, err := l.addresses()
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(addrs, byAddr)
		slices.SortFunc(want, byAddr)
		if !slices.Equal(addrs, want) {
			t.Errorf("%d addresses, want %d", len(addrs), len(want))
		}
	})
}

func TestRoutes(t *testing.T) {
	var want []netip.Prefix
	for i := range 2000 {
		want = append(want, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))
	}
	withEach(t, func(t *testing.T, l library, setup *vishnetlink.Handle) {
		addRoutes(t, setup, want...)
		// A loop that ends early leaves nothing for the next.
		n := 0
		if err := l.routes(func(netip.Prefix) bool { n++; return n < 10 }); err != nil || n != 10 {
			t.Errorf("%d routes, %v; want 10", n, err)
		}
		var routes []netip.Prefix
		err := l.routes(func(dst netip.Prefix) bool { routes = append(routes, dst); return true })
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(routes, byAddr)
		if !slices.Equal(routes, want) {
			t.Errorf("%d routes, want %d", len(routes), len(want))
		}
	})
}

// TestWatch: changes are reported, and so are a loss and the changes after it.
func TestWatch(t *testing.T) {
	withEach(t, func(t *testing.T, l library, setup *vishnetlink.Handle) {
		const many = 1 << 17
		changes, resyncs := make(chan uint16, many), make(chan bool, many)
		pause, paused := make(chan chan bool, 1), make(chan bool)
		changed := func(typ uint16) {
			select {
			case resume := <-pause:
				paused <- true
				<-resume
			default:
			}
			changes <- typ
		}
		resync := func() error { resyncs <- true; return nil }
		// await waits for an event. It returns false if a loss is reported first.
		await := func(typ uint16) bool {
			t.Helper()
			for {
				select {
				case got := <-changes:
					if got == typ {
						return true
					}
				case <-resyncs:
					return false
				case <-time.After(patience):
					t.Fatalf("neither an event of type %d nor a loss", typ)
				}
			}
		}
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() { stopped <- l.watch(stop, changed, resync) }()
		awaitSignal(t, resyncs, "the first resync")

		device := &vishnetlink.Device{LinkAttrs: vishnetlink.LinkAttrs{Index: loIndex}}
		setMTU := func(mtu int) {
			t.Helper()
			if err := setup.LinkSetMTU(device, mtu); err != nil {
				t.Fatal(err)
			}
		}
		setMTU(9000)
		if !await(unix.RTM_NEWLINK) {
			t.Error("a loss before the storm")
		}
		addr := &vishnetlink.Addr{LinkIndex: loIndex, IPNet: ipNet(netip.MustParsePrefix("10.1.2.3/24"))}
		if err := setup.AddrAdd(nil, addr); err != nil {
			t.Fatal(err)
		}
		if !await(unix.RTM_NEWADDR) {
			t.Error("a loss before the storm")
		}

		// While the consumer does not take them, more events come than the
		// receive buffer and nlmux' queue have room for.
		resume := make(chan bool)
		pause <- resume
		for i := range eventsThatOverflow(t) / 2 {
			if err := setup.AddrDel(nil, addr); err != nil {
				t.Fatal(err)
			}
			if err := setup.AddrAdd(nil, addr); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				awaitSignal(t, paused, "the consumer to pause")
			}
		}
		close(resume)
		awaitSignal(t, resyncs, "the resync after the loss")

		// Changes after the last resync are reported.
		for mtu := 9001; ; mtu++ {
			if setMTU(mtu); await(unix.RTM_NEWLINK) {
				break
			}
		}
		close(stop)
		select {
		case err := <-stopped:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("it does not stop")
		}
	})
}

// TestSetMTU: what is given time is done. What is not fails as the page says.
func TestSetMTU(t *testing.T) {
	withEach(t, func(t *testing.T, l library, setup *vishnetlink.Handle) {
		if err := l.setMTU(loIndex, 9000, patience); err != nil {
			t.Fatal(err)
		}
		if _, mtu, err := l.link(lo); mtu != 9000 || err != nil {
			t.Errorf("MTU %d, %v", mtu, err)
		}
		err := l.setMTU(loIndex, 1500, time.Microsecond)
		switch l.(type) {
		case nlmuxLibrary:
			// If a microsecond is enough to send it, it is applied, and the
			// answer, which has come then, is returned.
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			link, lookup := setup.LinkByName(lo)
			if lookup != nil {
				t.Fatal(lookup)
			}
			if client.NotSent(err) && link.Attrs().MTU != 9000 {
				t.Error("it was sent all the same")
			}
			if _, _, err := l.link(lo); err != nil {
				t.Errorf("the next request: %v", err)
			}
		case mdlayherLibrary:
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			if _, _, next := l.link(lo); (err != nil) != errors.Is(next, unix.EBADF) {
				t.Errorf("the next request: %v", next)
			}
		case vishvanandaLibrary:
			if err != nil && !errors.Is(err, unix.EAGAIN) {
				t.Error(err)
			}
		}
	})
}

func TestHasCarrier(t *testing.T) {
	withEach(t, func(t *testing.T, l library, _ *vishnetlink.Handle) {
		exists, carrier, err := l.hasCarrier(lo)
		if !exists && err != nil {
			nstest.Skip(t, "ethtool", "%v", err)
		}
		if !carrier || err != nil {
			t.Errorf("carrier: %v, %v", carrier, err)
		}
	})
}

// TestRawHasCarrier: a program without the typed packages gets what one with them gets.
func TestRawHasCarrier(t *testing.T) {
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_GENERIC)
	for _, link := range []string{lo, "nosuchlink0"} {
		exists, carrier, err := nlmux.HasCarrier(t.Context(), c, link)
		rawExists, rawCarrier, rawErr := nlmux.RawHasCarrier(t.Context(), c, link)
		if rawExists != exists || rawCarrier != carrier || errors.Is(rawErr, unix.ENODEV) != errors.Is(err, unix.ENODEV) {
			t.Errorf("%s: %v, %v, %v; want %v, %v, %v", link, rawExists, rawCarrier, rawErr, exists, carrier, err)
		}
	}
}

// TestMTUs: each of many goroutines gets the answer to its own question.
func TestMTUs(t *testing.T) {
	withEach(t, func(t *testing.T, l library, setup *vishnetlink.Handle) {
		names, want := []string{lo}, []int{loMTU}
		for i := range 4 {
			name, peer, mtu := fmt.Sprint("veth", i), fmt.Sprint("peer", i), 1400+i
			attrs := vishnetlink.NewLinkAttrs()
			attrs.Name, attrs.MTU = name, mtu
			if err := setup.LinkAdd(&vishnetlink.Veth{LinkAttrs: attrs, PeerName: peer}); err != nil {
				t.Fatal(err)
			}
			names, want = append(names, name), append(want, mtu)
		}
		names, want = slices.Repeat(names, 20), slices.Repeat(want, 20)
		if mtus, err := l.mtus(names); !slices.Equal(mtus, want) || err != nil {
			t.Errorf("%v, %v; want %v", mtus, err, want)
		}
	})
}

func addRoutes(t *testing.T, setup *vishnetlink.Handle, dsts ...netip.Prefix) {
	t.Helper()
	for _, dst := range dsts {
		if err := setup.RouteAdd(&vishnetlink.Route{Dst: ipNet(dst), LinkIndex: loIndex, Scope: unix.RT_SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
	}
}

// eventsThatOverflow returns a number of events for which no receive buffer of
// the default size has room, nor, above that, the queue of a client.Conn.
func eventsThatOverflow(t *testing.T) int {
	t.Helper()
	c, err := client.Dial(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The queue has 4096; an event is accounted for with more than 512 bytes.
	return 4200 + c.Stats().ReceiveBuffer/512
}

func awaitSignal(t *testing.T, c <-chan bool, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waiting for %s", what)
	}
}

func byAddr(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }
