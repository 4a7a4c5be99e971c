//go:build linux

package mirror

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nlmux/netlink/internal/nstest"
)

// twoLinks is a pair of links that are up, with addresses.
const twoLinks = `
	link add a0 type veth peer name a1
	link add b0 type veth peer name b1
	link set a0 up
	link set a1 up
	link set b0 up
	link set b1 up
	addr add 10.1.1.1/24 dev a0
	addr add 10.1.2.1/24 dev b0
	addr add fd00:1::1/64 dev a0 nodad
	addr add fd00:2::1/64 dev b0 nodad`

// TestWhatTheKernelDoesNotAnnounce has a row for each change that takes something along
// without a message, and for each message that is easily taken for another. After each
// step the copy has to say that it is exact, and to be.
func TestWhatTheKernelDoesNotAnnounce(t *testing.T) {
	tests := map[string]struct {
		setup string
		steps string // commands of ip(8); the copy is compared after each line
	}{
		"link down takes IPv4 routes along": {
			setup: `route add 10.9.0.0/24 via 10.1.1.2
				route add 10.9.1.0/24 dev a0 table 100
				route add 10.9.2.0/24 via 10.1.2.2`,
			steps: `link set a0 down
				link set a0 up`,
		},
		"link down leaves a multipath route": {
			setup: `route add 10.9.0.0/24 nexthop via 10.1.1.2 dev a0 nexthop via 10.1.2.2 dev b0`,
			steps: `link set a0 down
				link set b0 down`,
		},
		"link down, IPv6": {
			setup: `-6 route add fd09::/64 via fd00:1::2
				-6 route add fd09:1::/64 nexthop via fd00:1::2 nexthop via fd00:2::2`,
			steps: `link set a0 down
				link set a0 up`,
		},
		"many links down at once": {
			setup: `link add c0 type veth peer name c1
				link set c1 up
				link add d0 type veth peer name d1
				link set d1 up
				link add e0 type veth peer name e1
				link set e1 up
				link add f0 type veth peer name f1
				link set f1 up
				link set c0 up
				link set d0 up
				link set e0 up
				link set f0 up
				route add 10.9.1.0/24 dev c0
				route add 10.9.2.0/24 dev d0
				route add 10.9.3.0/24 dev e0
				route add 10.9.4.0/24 dev f0`,
			steps: `link set group default down
				link set group default up`,
		},
		"last IPv4 address takes all routes of the link along": {
			setup: `route add 10.9.0.0/24 via 10.1.1.2
				route add 10.9.1.0/24 dev a0 table 100`,
			steps: `addr add 10.1.1.5/32 dev a0
				addr del 10.1.1.1/24 dev a0
				addr del 10.1.1.5/32 dev a0`,
		},
		"preferred source on another link": {
			setup: `route add 10.9.0.0/24 dev b0 src 10.1.1.1`,
			steps: `addr del 10.1.1.1/24 dev a0`,
		},
		"IPv6 preferred source goes, the route stays": {
			setup: `-6 route add fd09::/64 dev b0 src fd00:2::1`,
			steps: `addr del fd00:2::1/64 dev b0`,
		},
		"carrier loss takes next hops and their routes along": {
			setup: `nexthop add id 1 via 10.1.1.2 dev a0
				nexthop add id 2 via 10.1.2.2 dev b0
				nexthop add id 3 group 1/2
				nexthop add id 4 via fd00:1::2 dev a0
				route add 10.9.0.0/24 nhid 1
				route add 10.9.1.0/24 nhid 3
				-6 route add fd09::/64 nhid 4`,
			steps: `link set a1 down
				link set a1 up`,
		},
		"link down takes next hops along": {
			setup: `nexthop add id 1 via 10.1.1.2 dev a0
				route add 10.9.0.0/24 nhid 1`,
			steps: `link set a0 down`,
		},
		"next hop deleted": {
			setup: `nexthop add id 1 via 10.1.1.2 dev a0
				nexthop add id 2 via 10.1.2.2 dev b0
				nexthop add id 3 group 1/2
				nexthop add id 4 via fd00:1::2 dev a0
				route add 10.9.0.0/24 nhid 1
				route add 10.9.1.0/24 nhid 3
				-6 route add fd09::/64 nhid 4`,
			steps: `nexthop del id 1
				nexthop del id 2
				nexthop del id 4`,
		},
		"next hop replaced": {
			setup: `nexthop add id 1 via 10.1.1.2 dev a0
				nexthop add id 2 via 10.1.2.2 dev b0
				nexthop add id 3 group 1/2
				route add 10.9.0.0/24 nhid 1
				route append 10.9.0.0/24 via 10.1.1.7
				route add 10.9.1.0/24 nhid 3`,
			steps: `nexthop replace id 1 via 10.1.1.3 dev a0
				nexthop replace id 3 group 2
				nexthop replace id 1 blackhole`,
		},
		"link deleted": {
			setup: `route add 10.9.0.0/24 via 10.1.1.2
				route add 10.9.1.0/24 nexthop via 10.1.1.2 nexthop via 10.1.2.2
				-6 route add fd09::/64 nexthop via fd00:1::2 nexthop via fd00:2::2
				nexthop add id 1 via 10.1.1.2 dev a0
				route add 10.9.2.0/24 nhid 1
				neigh add 10.1.1.9 lladdr 02:00:00:00:00:01 dev a0`,
			steps: `link del a0`,
		},
		"IPv4 routes keep their order": {
			setup: `route add 10.9.0.0/24 via 10.1.1.2`,
			steps: `route append 10.9.0.0/24 via 10.1.1.3
				route prepend 10.9.0.0/24 via 10.1.1.4
				route replace 10.9.0.0/24 via 10.1.1.5
				route append 10.9.0.0/24 via 10.1.1.6
				route del 10.9.0.0/24 via 10.1.1.2
				route add 10.9.0.0/24 via 10.1.1.7 metric 5
				route change 10.9.0.0/24 via 10.1.1.8`,
		},
		"IPv6 ECMP routes are a set": {
			setup: `-6 route add fd09::/64 via fd00:1::2`,
			steps: `-6 route append fd09::/64 via fd00:1::3
				-6 route append fd09::/64 via fd00:2::4 proto 77
				-6 route del fd09::/64 via fd00:1::2
				-6 route replace fd09::/64 via fd00:1::5
				-6 route append fd09::/64 nexthop via fd00:1::6 weight 3 nexthop via fd00:1::7
				-6 route del fd09::/64`,
		},
		"IPv6 routes between two ECMP hops are not in dumps": {
			setup: `-6 route add fd09::/64 via fd00:1::2`,
			steps: `-6 route prepend prohibit fd09::/64
				-6 route append fd09::/64 via fd00:1::3
				-6 route del fd09::/64 via fd00:1::3
				-6 route append fd09::/64 via fd00:1::4
				-6 route replace fd09::/64 via fd00:1::5
				-6 route replace fd09::/64 dev b0`,
		},
		"the MTU of an IPv6 route follows that of its link": {
			setup: `-6 route add fd09::/64 dev a0 mtu 1500`,
			steps: `link set a0 mtu 1400
				link set a0 mtu 1500`,
		},
		"rules of one priority": {
			steps: `rule add pref 100 fwmark 1 lookup 100
				rule add pref 100 fwmark 2 lookup 100
				rule add pref 100 iif nowhere lookup 100
				rule del pref 100 fwmark 1 lookup 100
				-6 rule add pref 7 goto 9
				-6 rule add pref 9 lookup main`,
		},
		"a port that leaves its bridge is no link that goes": {
			setup: `link add br0 type bridge
				link set br0 up`,
			steps: `link set a1 master br0
				link set a1 nomaster`,
		},
		"a veth's first message has no peer": {
			steps: `link add c0 type veth peer name c1
				link set c0 up`,
		},
		"rename": {
			steps: `link set b1 down
				link set b1 name zz
				link set zz mtu 1300`,
		},
		"tentative addresses": {
			steps: `addr add fd00:3::1/64 dev a0
				addr add fd00:3::2/64 dev a0 nodad
				addr del fd00:3::1/64 dev a0`,
		},
		"IPv4 addresses with peers and secondaries": {
			steps: `addr add 10.1.4.1 peer 10.1.5.1/32 dev a0
				addr add 10.1.4.1 peer 10.1.5.2/32 dev a0
				addr add 10.1.1.9/24 dev a0
				addr del 10.1.1.1/24 dev a0`,
		},
		"routing tables beyond 255": {
			steps: `route add 10.9.0.0/24 via 10.1.1.2 table 1000
				route add blackhole 0.0.0.0/8 table 1000
				-6 route add unreachable default table 4000000000
				route del 10.9.0.0/24 table 1000`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ns := nstest.New(t)
			ip(t, ns, twoLinks)
			ip(t, ns, test.setup)
			w := inNamespace(t, ns, All)
			w.agree()
			for step := range strings.Lines(test.steps) {
				w.ip(step)
				w.agree()
				if t.Failed() {
					t.Fatalf("after ip %s", strings.TrimSpace(step))
				}
			}
		})
	}
}

// TestSilentIPv6LinkDown: with this sysctl IPv6 routes go without a message, too.
func TestSilentIPv6LinkDown(t *testing.T) {
	if nstest.UserNamespace() {
		// ipv6_route_sysctl_init in net/ipv6/route.c
		nstest.Skip(t, "sysctl", "the kernel hides net.ipv6.route in user namespaces")
	}
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	ns.Run(t, "sysctl", "-qw", "net.ipv6.route.skip_notify_on_dev_down=1")
	ip(t, ns, `-6 route add fd09::/64 via fd00:1::2
		-6 route add fd09:1::/64 nexthop via fd00:1::2 nexthop via fd00:2::2`)
	w := inNamespace(t, ns, All)
	w.agree()
	w.ip("link set a0 down")
	w.agree()
}

// TestSilentNexthops: with this sysctl no route is announced when its next hop changes.
func TestSilentNexthops(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	ns.Run(t, "sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0")
	ip(t, ns, `nexthop add id 1 via 10.1.1.2 dev a0
		nexthop add id 2 via fd00:1::2 dev a0
		route add 10.9.0.0/24 nhid 1
		-6 route add fd09::/64 nhid 2`)
	w := inNamespace(t, ns, All)
	w.agree()
	for _, c := range []string{"nexthop replace id 1 via 10.1.2.2 dev b0", "nexthop del id 2", "nexthop del id 1"} {
		w.ip(c)
		w.agree()
	}
}

// TestRefusedRoute: the kernel refuses a route that it has, but takes over its MTU if the
// one that it has expires.
func TestRefusedRoute(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	ip(t, ns, "-6 route add fd09::/64 dev a0 expires 100")
	w := inNamespace(t, ns, TableRoutes6)
	w.agree()
	w.batch("-6", []string{"route append fd09::/64 dev a0 mtu 1300"})
	w.agree()
}

// TestLinkMovedAway: a link that moves to another namespace takes its routes along.
func TestLinkMovedAway(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	ip(t, ns, `route add 10.9.0.0/24 via 10.1.1.2
		nexthop add id 1 via 10.1.1.2 dev a0
		route add 10.9.2.0/24 nhid 1`)
	w := inNamespace(t, ns, All)
	w.agree()
	// A process stands for its namespace.
	cmd := exec.Command("sleep", "60")
	if err := nstest.New(t).Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	w.ip(fmt.Sprintf("link set a0 netns %d", cmd.Process.Pid))
	w.agree()
}

// TestLargeLink: a dump has a link whose message is larger than 32 KiB only if it asks with
// IFLA_EXT_MASK.
func TestLargeLink(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	var names strings.Builder
	for i := range 350 {
		fmt.Fprintf(&names, "link property add dev a0 altname %0120d\n", i)
	}
	w := &world{TB: t, ns: ns}
	w.batch("-4", strings.Split(strings.TrimSpace(names.String()), "\n"))
	w = inNamespace(t, ns, TableLinks)
	for _, l := range w.exactSnapshot().Links().All() {
		if l.Ifname.Value != "a0" {
			continue
		}
		if n := len(l.PropList.AltIfname); n != 350 {
			t.Errorf("%d alternative names, want 350", n)
		}
		return
	}
	t.Error("the link is missing")
}

// TestStartInTheMiddle: a Mirror that starts while the tables change gets exact, too.
func TestStartInTheMiddle(t *testing.T) {
	ns := nstest.New(t)
	ip(t, ns, twoLinks)
	stop := make(chan struct{})
	done := make(chan struct{})
	w := &world{TB: t, ns: ns}
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			w.execute(newPlan(int64(i), 1, 20))
		}
	}()
	var worlds []*world
	for range 5 {
		worlds = append(worlds, inNamespace(t, ns, All))
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	<-done
	for _, w := range worlds {
		w.agree()
	}
}
