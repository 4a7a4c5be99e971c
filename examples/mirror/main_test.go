//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "mirror prints") }

func TestUnknownTable(t *testing.T) {
	if _, _, code := program.Start(t, nil, "-tables", "links,nothing").Wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}

func TestStateAndChanges(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do, "-tables", "links,addrs,routes")
	for range 3 { // the tables are printed in any order
		p.Await("this", "is", "all")
	}
	for _, step := range []struct{ command, line string }{
		{"link add left mtu 1400 type veth peer name right", "+ links mtu 1400,"},
		{"link set right up", "~ links"},
		{"link set left up", "~ links"},
		{"link set left mtu 1300", "~ links mtu 1400 ->"}, // with a comma after 1300 if other changes come along,
		{"address add 192.0.2.1/24 dev left", "+ addrs 192.0.2.1"},
		{"route add 198.51.100.0/24 via 192.0.2.9", "+ routes 198.51.100.0/24"},
		// Its route goes without a message of the kernel.
		{"link set left down", "- routes 198.51.100.0/24 (implied)"},
	} {
		ns.Run(t, "ip", strings.Fields(step.command)...)
		p.Await(strings.Fields(step.line)...)
	}
	p.Interrupt()
	p.WantDone()
}

// TestJSON: with a small buffer messages are lost, and the output says so.
func TestJSON(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do, "-json", "-tables", "links", "-rcvbuf", "2048")
	for line, ok := p.Next(); ok && !strings.Contains(line, `"initial":true`); line, ok = p.Next() {
	}
	ns.Run(t, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do ip link add v$i type veth peer name w$i & done; wait")
	links := map[float64]bool{}
	doubted := false
	for line, ok := p.Next(); ok && len(links) < 16; line, ok = p.Next() {
		var l struct {
			Table string
			Exact *bool
			Key   float64
			New   map[string]any
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.New != nil {
			links[l.Key] = true
		}
		doubted = doubted || l.Exact != nil && !*l.Exact
	}
	if !doubted {
		t.Error("messages were lost, or a veth was new, and no line says that the table is in doubt")
	}
	p.Interrupt()
	p.WantDone()
}
