//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) { program.TestFlags(t, "watch prints") }

func TestChangesOfEveryKind(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do)
	p.Await("watching")
	for _, step := range []struct{ command, line string }{
		{"link add left mtu 1400 type veth peer right", "link new left mtu 1400 down"},
		{"address add 192.0.2.1/24 dev left", "ipv4-ifaddr new 192.0.2.1/24 dev left"},
		{"address add 2001:db8::1/64 dev lo", "ipv6-ifaddr new 2001:db8::1/64 dev lo"},
		{"address add 192.0.2.2 peer 192.0.2.3/32 dev lo", "ipv4-ifaddr new 192.0.2.2/32 dev lo"},
		{"link set left up", "link new left up"},
		{"route add default via 192.0.2.9", "ipv4-route new default via 192.0.2.9 dev left"},
		{"route add 2001:db8:1::/48 dev lo table 99", "ipv6-route new 2001:db8:1::/48 dev lo table 99"},
		{"route add unreachable 10.0.0.0/8", "ipv4-route new 10.0.0.0/8"},
		{"neighbour add 192.0.2.9 lladdr 02:00:00:00:00:01 dev left", "neigh new 192.0.2.9 dev left lladdr 02:00:00:00:00:01 permanent"},
		{"neighbour delete 192.0.2.9 dev left", "neigh gone 192.0.2.9 dev left"},
		{"route delete default", "ipv4-route gone default dev left"},
		{"address delete 192.0.2.1/24 dev left", "ipv4-ifaddr gone 192.0.2.1/24 dev left"},
		{"link delete left", "link gone left"},
	} {
		ns.Run(t, "ip", strings.Fields(step.command)...)
		p.Await(strings.Fields(step.line)...)
	}
	p.Interrupt()
	p.WantDone()
}

// TestTwoConsumers: the links that go up and down are printed besides the events.
func TestTwoConsumers(t *testing.T) {
	ns := nstest.New(t)
	ns.Run(t, "ip", strings.Fields("link add left type veth peer right")...)
	p := program.Start(t, ns.Do)
	p.Await("watching")
	for _, state := range []string{"up", "down", "up"} {
		ns.Run(t, "ip", "link", "set", "left", state)
		p.Await("***", "left", "is", state)
	}
	p.Interrupt()
	p.WantDone()
}

func TestStopsAfterSomeEvents(t *testing.T) {
	ns := nstest.New(t)
	p := program.Start(t, ns.Do, "-n", "3")
	p.Await("watching")
	// Each comes with routes.
	ns.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "lo")
	ns.Run(t, "ip", "address", "add", "192.0.3.1/24", "dev", "lo")
	if out := p.WantDone(); strings.Count(out, "\n") != 1+3 {
		t.Errorf("not 3 events:\n%s", out)
	}
}

// TestCapture: the file has the events, and the dump before them.
func TestCapture(t *testing.T) {
	ns := nstest.New(t)
	file := filepath.Join(t.TempDir(), "watch.pcapng")
	p := program.Start(t, ns.Do, "-w", file)
	p.Await("watching")
	ns.Run(t, "ip", "address", "add", "192.0.2.1/24", "dev", "lo")
	p.Await("new", "192.0.2.1/24")
	p.Interrupt()
	p.WantDone()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections, err := capturetest.Read(b)
	if err != nil || len(sections) != 1 || !sections[0].Whole {
		t.Fatalf("%+v, %v", sections, err)
	}
	type message struct {
		way capturetest.Type
		typ netlink.MessageType
	}
	found := make(map[message]bool)
	for _, p := range sections[0].Packets {
		for m := range wire.Messages(p.Data) {
			found[message{p.Type, m.Header.Type}] = true
		}
	}
	for _, want := range []message{
		{capturetest.Sent, unix.RTM_GETLINK},
		{capturetest.Unicast, unix.RTM_NEWLINK},
		{capturetest.Multicast, unix.RTM_NEWADDR},
	} {
		if !found[want] {
			t.Errorf("no %+v in %+v", want, found)
		}
	}
}

func TestCaptureThatFails(t *testing.T) {
	program.Start(t, nil, "-w", filepath.Join(t.TempDir(), "no", "directory")).WantRefusal("no such file")
	// A device without room.
	p := program.Start(t, nil, "-w", "/dev/full")
	p.Await("watching")
	p.Interrupt()
	p.WantRefusal("no space left")
}

func TestUnprivileged(t *testing.T) {
	p := program.Start(t, program.Unprivileged)
	p.Await("watching")
	p.Interrupt()
	p.WantDone()
}

// message is one of the kernel's, with a header of zeros and a link's name.
func message(typ netlink.MessageType, headerLen int, name string) wire.Message {
	var b wire.Builder
	b.Struct(make([]byte, headerLen))
	b.String(unix.IFLA_IFNAME, name)
	payload, _ := b.Encode()
	return wire.Message{Header: wire.Header{Type: typ}, Payload: payload}
}

// TestGapsAreTold: the links are read again where events are missing, because
// one of those may have brought a name.
func TestGapsArePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dumps := 0
		k := nltest.New(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
			dumps++
			return []wire.Message{message(unix.RTM_NEWLINK, unix.SizeofIfInfomsg, fmt.Sprint("eth", dumps))}
		})
		address := func() {
			k.Push(unix.RTNLGRP_IPV4_IFADDR, message(unix.RTM_NEWADDR, unix.SizeofIfAddrmsg, ""))
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := program.Script{Next: map[string]func(){
			"watching": func() {
				for range 10 {
					address()
				}
				synctest.Wait() // the Conn has taken them all, and dropped most
			},
			"missing": address,
			"eth2":    cancel,
		}}
		if err := run(ctx, &out, k.Dial(client.WithEventQueue(1)), 0); err != nil {
			t.Fatal(err)
		}
		before, after, found := strings.Cut(out.String(), "events are missing")
		if dumps != 2 || !found || strings.Contains(before, "eth2") || strings.Contains(after, "eth1") {
			t.Errorf("%d dumps, output:\n%s", dumps, out.String())
		}
	})
}

func TestBrokenMessages(t *testing.T) {
	for _, typ := range []netlink.MessageType{unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_NEWROUTE, unix.RTM_NEWNEIGH} {
		m := message(typ, unix.SizeofIfInfomsg, "eth0")
		for n := range len(m.Payload) {
			m := m
			m.Payload = m.Payload[:n]
			make(names).describe(m) // does not panic
			make(states).change(m)
		}
		m.Payload = m.Payload[:3]
		if text := make(names).describe(m); !strings.Contains(text, fmt.Sprint(uint16(typ))) {
			t.Errorf("three bytes of type %d: %q", uint16(typ), text)
		}
	}
}
