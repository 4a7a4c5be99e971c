//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "links lists") }

func TestLinksOfANamespace(t *testing.T) {
	ns := nstest.New(t)
	ns.Run(t, "ip", "link", "add", "left", "mtu", "1400", "type", "veth", "peer", "right")
	ns.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "left")
	ns.Run(t, "ip", "address", "add", "2001:db8::1/64", "dev", "left", "nodad")
	ns.Run(t, "ip", "address", "add", "192.0.2.2", "peer", "192.0.2.3/32", "dev", "left")

	p := program.Start(t, ns.Do)
	p.Await("INDEX", "NAME", "STATE", "MTU", "ADDRESSES")
	p.Await("1", "lo", "UNKNOWN", "65536", "127.0.0.1/8", "::1/128")
	p.Await("right", "DOWN", "1500")
	p.Await("left", "DOWN", "1400", "192.0.2.1/24", "192.0.2.2/32", "2001:db8::1/64")
	p.WantDone()

	p = program.Start(t, ns.Do, "-up")
	p.Await("lo")
	if out := p.WantDone(); strings.Contains(out, "left") {
		t.Errorf("with -up a link that is down:\n%s", out)
	}
}

func TestUnprivileged(t *testing.T) {
	p := program.Start(t, program.Unprivileged)
	p.Await("lo")
	p.WantDone()
}
