//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "uevents prints") }

func TestNetworkDevice(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do, "-subsystem", "net")
	p.Await("watching")
	ns.Run(t, "ip", "link", "add", "left", "type", "veth", "peer", "right")
	p.Await("add", "/devices/virtual/net/left")
	p.Await("SUBSYSTEM", "net")
	p.Await("INTERFACE", "left")
	ns.Run(t, "ip", "link", "delete", "left")
	p.Await("remove", "/devices/virtual/net/left")
	p.Interrupt()
	p.WantDone()
}

func TestStopsAfterSomeEvents(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do, "-n", "2")
	p.Await("watching")
	// Each end of the pair and their queues are announced.
	ns.Run(t, "ip", "link", "add", "left", "type", "veth", "peer", "right")
	if out := p.WantDone(); strings.Count(out, "SEQNUM") != 2 {
		t.Errorf("not 2 events:\n%s", out)
	}
}

// provoke makes the kernel announce a device of the machine with a mark.
func provoke(t *testing.T) (device, mark string) {
	t.Helper()
	device = "/devices/virtual/mem/null"
	mark = fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()>>16)
	err := os.WriteFile("/sys"+device+"/uevent", []byte("change "+mark+" TOLD=yes"), 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || nstest.UserNamespace() {
		nstest.Skip(t, "uevent", "only the initial user namespace's root may provoke one: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return device, mark
}

func TestDeviceOfTheMachine(t *testing.T) {
	for name, in := range map[string]func(func() error) error{"privileged": nil, "unprivileged": program.Unprivileged} {
		t.Run(name, func(t *testing.T) {
			p := program.Start(t, in, "-subsystem", "mem")
			p.Await("watching")
			device, mark := provoke(t)
			p.Await("change", device)
			p.Await("SYNTH_UUID", mark)
			p.Await("SYNTH_ARG_TOLD", "yes")
			p.Interrupt()
			p.WantDone()
		})
	}
}

func TestGapsArePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := nltest.New(netlink.NETLINK_KOBJECT_UEVENT, nil)
		ctx, cancel := context.WithCancel(t.Context())
		out := program.Script{Next: map[string]func(){
			"watching": func() {
				for range 10 {
					k.Push(kernelGroup, wire.Message{Payload: []byte("add@/early\x00ACTION=add\x00SUBSYSTEM=net\x00")})
				}
				synctest.Wait() // the Conn has taken them all, and dropped most
			},
			"missing": func() { k.Push(kernelGroup, wire.Message{Payload: []byte("add@/late\x00")}) },
			"late":    cancel,
		}}
		if err := run(ctx, &out, k.Dial(client.WithEventQueue(1)), 0, ""); err != nil {
			t.Fatal(err)
		}
		before, after, _ := strings.Cut(out.String(), "missing")
		if !strings.Contains(before, "add /early\n  SUBSYSTEM        net\n") || !strings.Contains(after, "add /late\n") {
			t.Errorf("output:\n%s", out.String())
		}
	})
}

func TestBrokenText(t *testing.T) {
	for _, text := range []string{"", "\x00", "@", "no device", "add@/x\x00\x00=\x00KEY\x00"} {
		describe(text) // does not panic
	}
}
