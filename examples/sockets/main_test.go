//go:build linux

package main

import (
	"net"
	"strings"
	"testing"

	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "sockets lists") }

// connect opens a TCP connection over lo of ns and returns its listener and the end
// whose data was acknowledged.
func connect(t *testing.T, ns *nstest.NS, network, address string) (net.Listener, net.Conn) {
	t.Helper()
	var listener net.Listener
	var c net.Conn
	if err := ns.Do(func() (err error) {
		if listener, err = net.Listen(network, address); err == nil {
			c, err = net.Dial(network, listener.Addr().String())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		listener.Close()
		c.Close()
		other.Close()
	})
	return listener, c
}

func TestConnectionOverLoopback(t *testing.T) {
	ns := nstest.New(t)
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		listener, c := connect(t, ns, network, address)
		local, peer := c.LocalAddr().String(), c.RemoteAddr().String()

		p := program.Start(t, ns.Do, "-a")
		p.Await("STATE", "LOCAL", "PEER", "RECV-Q", "SEND-Q", "RTT", "VARIATION")
		p.WantDone()
		p = program.Start(t, ns.Do, "-a")
		p.Await("LISTEN", listener.Addr().String(), "-")
		p.WantDone()

		p = program.Start(t, ns.Do)
		// The handshake measured it.
		fields := strings.Fields(p.Await("ESTAB", local, peer))
		if len(fields) != 7 || !strings.HasSuffix(fields[5], "s") || !strings.HasSuffix(fields[6], "s") {
			t.Errorf("%q, want a round-trip time and its variation", fields)
		}
		if out := p.WantDone(); strings.Contains(out, "LISTEN") {
			t.Errorf("a listening socket without -a:\n%s", out)
		}
	}
}

func TestUnprivileged(t *testing.T) {
	p := program.Start(t, program.Unprivileged, "-a")
	p.Await("STATE")
	p.WantDone()
}
