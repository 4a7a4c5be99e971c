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

// few makes the program do little work.
var few = []string{"-goroutines", "8", "-requests", "250", "-events", "5"}

func TestPrivateNamespace(t *testing.T) {
	nstest.New(t) // skips where the program would have to ask about the machine
	p := program.Start(t, nil, few...)
	p.Await("working", "namespace")
	p.Await("8", "goroutines,", "one", "socket,")
	p.Await("event")
	p.Await("requests", "2000")
	p.Await("wrong", "answers", "0")
	p.Await("lost", "replies", "0")
	p.Await("gaps", "0")
	p.WantDone()
}

func TestUnprivileged(t *testing.T) {
	p := program.Start(t, program.Unprivileged, few...)
	p.Await("no", "privilege")
	p.Await("requests", "2000")
	p.Await("wrong", "answers", "0")
	if out := p.WantDone(); strings.Contains(out, "working in a network namespace") {
		t.Errorf("it did have the privilege:\n%s", out)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, arg := range []string{"-goroutines=0", "-requests=0", "-events=-1", "argument"} {
		if _, stderr, code := program.Start(t, nil, arg).Wait(); code != 2 || !strings.Contains(stderr, "-goroutines") {
			t.Errorf("%s: exit code %d, standard error %q", arg, code, stderr)
		}
	}
}

// TestInterrupt: Ctrl-C ends the work early, which is an error, because the missing
// answers were not checked.
func TestInterrupt(t *testing.T) {
	p := program.Start(t, nil, "-goroutines", "8", "-requests", "1000000000")
	p.Await("goroutines,")
	p.Interrupt()
	p.WantRefusal("context canceled")
}
