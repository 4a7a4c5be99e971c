package netlink_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// patience is how long a test waits for what has to come before it gives up.
// Nothing waits that long unless something is wrong.
const patience = time.Minute

// patient returns a ctx that ends the test's waiting, not the kernel's work.
func patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// dial opens a Conn in ns that lives as long as the test.
func dial(t testing.TB, ns *nstest.NS, family netlink.Family, opts ...client.Option) *client.Conn {
	t.Helper()
	return dialHere(t, family, append(opts, client.WithNetNS(ns.FD()))...)
}

// dialHere is dial in the namespace of the process.
func dialHere(t testing.TB, family netlink.Family, opts ...client.Option) *client.Conn {
	t.Helper()
	c, err := client.Dial(family, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	c.Receive() // starts the goroutine of the Conn, for tests that count goroutines
	return c
}

// join joins a group or ends the test.
func join(t testing.TB, c *client.Conn, group uint32) {
	t.Helper()
	if err := c.AddMembership(group); err != nil {
		t.Fatal(err)
	}
}

// request sends a request that has to succeed.
func request(t testing.TB, c *client.Conn, typ netlink.MessageType, payload []byte, flags netlink.Flags) []wire.Message {
	t.Helper()
	msgs, err := c.Request(patient(t), typ, payload, flags)
	if err != nil {
		t.Fatalf("request type %d: %v", uint16(typ), err)
	}
	return msgs
}

// awaitEvent returns the first event that match accepts and fails the test when
// none comes. What it passes over is gone.
func awaitEvent(t testing.TB, c *client.Conn, what string, match func(client.Event) bool) client.Event {
	t.Helper()
	ctx := patient(t)
	for {
		select {
		case e, ok := <-c.Receive():
			switch {
			case !ok:
				t.Fatalf("waiting for %s: channel closed", what)
			case match(e):
				return e
			}
		case <-ctx.Done():
			t.Fatalf("waiting for %s: nothing came", what)
		}
	}
}

// nextEvent returns the next event, whatever it is.
func nextEvent(t testing.TB, c *client.Conn) client.Event {
	t.Helper()
	return awaitEvent(t, c, "an event", func(client.Event) bool { return true })
}

// ofType matches events by their type.
func ofType(typ netlink.MessageType) func(client.Event) bool {
	return func(e client.Event) bool { return e.Header.Type == typ }
}

// build returns the payload that consists of a family's header, a struct of
// fixed size, and attributes.
func build(t testing.TB, header any, attrs ...func(*wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	b.Struct(pack(header))
	for _, f := range attrs {
		f(&b)
	}
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pack returns the bytes of a struct of fixed size as the kernel lays it out.
func pack(header any) []byte {
	p, err := binary.Append(nil, binary.NativeEndian, header)
	if err != nil {
		panic(fmt.Sprintf("%T: %v", header, err))
	}
	return p
}

// unpack reads a message's fixed header and returns its attributes by type. Of
// a type that comes several times the last one wins.
func unpack(t testing.TB, m wire.Message, header any) map[uint16]wire.Attr {
	t.Helper()
	n, err := binary.Decode(m.Payload, binary.NativeEndian, header)
	if err != nil {
		t.Fatalf("message type %d: %v", uint16(m.Header.Type), err)
	}
	attrs := make(map[uint16]wire.Attr)
	for a, err := range wire.Attrs(m.Payload[n:]) {
		if err != nil {
			t.Fatalf("message type %d: %v", uint16(m.Header.Type), err)
		}
		attrs[a.Type] = a
	}
	return attrs
}

// linkRequest asks for the link with an index; 0 is for all of them.
func linkRequest(t testing.TB, index int) []byte {
	t.Helper()
	return build(t, unix.IfInfomsg{Index: int32(index)})
}

// linkIndex returns the index of the link that a message is about, or -1 if it
// is about something else.
func linkIndex(m wire.Message) int {
	var h unix.IfInfomsg
	if _, err := binary.Decode(m.Payload, binary.NativeEndian, &h); err != nil || m.Header.Type != unix.RTM_NEWLINK {
		return -1
	}
	return int(h.Index)
}

// addVeth makes a pair of links.
func addVeth(t testing.TB, c *client.Conn, name, peer string) {
	t.Helper()
	const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h
	request(t, c, unix.RTM_NEWLINK, build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
		b.String(unix.IFLA_IFNAME, name)
		b.Nest(unix.IFLA_LINKINFO, func(b *wire.Builder) {
			b.String(unix.IFLA_INFO_KIND, "veth")
			b.Nest(unix.IFLA_INFO_DATA, func(b *wire.Builder) {
				b.Nest(vethInfoPeer, func(b *wire.Builder) {
					b.Struct(pack(unix.IfInfomsg{}))
					b.String(unix.IFLA_IFNAME, peer)
				})
			})
		})
	}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
}

// loIndex is the index of lo in every network namespace.
const loIndex = 1

// loAddress is the payload that adds addr to lo, or removes it.
func loAddress(t testing.TB, addr string) []byte {
	t.Helper()
	p := netip.MustParsePrefix(addr)
	family := uint8(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	return build(t, unix.IfAddrmsg{Family: family, Prefixlen: uint8(p.Bits()), Index: loIndex},
		func(b *wire.Builder) {
			b.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
			b.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
		})
}

// manyAddresses puts n addresses on lo, from 10.0.0.1 upwards, so that a dump
// of them takes many datagrams.
func manyAddresses(t testing.TB, c *client.Conn, n int) {
	t.Helper()
	for i := range n {
		request(t, c, unix.RTM_NEWADDR, loAddress(t, fmt.Sprintf("10.0.%d.%d/32", i>>8, i&255)), netlink.NLM_F_CREATE)
	}
}

// addressDump asks for all IPv4 addresses.
func addressDump(t testing.TB) []byte {
	t.Helper()
	return build(t, unix.IfAddrmsg{Family: unix.AF_INET})
}

// openFiles returns how many descriptors the process has.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // one of them was reading the directory
}

// noNewGoroutines fails the test unless there are before goroutines again. A
// goroutine that has told its end exists for some instructions more, so this
// looks again until they are through.
func noNewGoroutines(t testing.TB, before int) {
	t.Helper()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}

// noLosses fails the test if the Conn has lost or mistaken anything.
func noLosses(t testing.TB, c *client.Conn) {
	t.Helper()
	s := c.Stats()
	if s.Pending != 0 || s.RepliesLost+s.Late+s.EventsDropped+s.Overruns+s.Foreign+s.Malformed+s.Truncated != 0 {
		t.Errorf("losses: %+v", s)
	}
}

// raceDetector reports whether the tests were built with -race, which makes
// them several times slower.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// awaitPending returns once n requests wait for the kernel's answer.
func awaitPending(t testing.TB, c *client.Conn, n int) {
	t.Helper()
	for end := time.Now().Add(patience); c.Stats().Pending != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d requests pending, want %d", c.Stats().Pending, n)
		}
	}
}

// Numbers and structs of linux/xfrm.h.
const (
	xfrmMsgNewPolicy    netlink.MessageType = 0x13
	xfrmMsgGetPolicy    netlink.MessageType = 0x15
	xfrmMsgUpdatePolicy netlink.MessageType = 0x19 // adds or replaces

	xfrmGroupPolicy = 4 // XFRMNLGRP_POLICY
)

type (
	xfrmSelector struct {
		Destination, Source                   [16]byte
		DestinationPort, DestinationPortMask  [2]byte
		SourcePort, SourcePortMask            [2]byte
		Family                                uint16
		DestinationPrefixLen, SourcePrefixLen uint8
		Protocol                              uint8
		_                                     [3]byte
		Interface                             int32
		User                                  uint32
	}
	xfrmUserpolicyInfo struct {
		Selector                        xfrmSelector
		Lifetime                        [8]uint64 // struct xfrm_lifetime_cfg
		Current                         [4]uint64 // struct xfrm_lifetime_cur
		Priority, Index                 uint32
		Direction, Action, Flags, Share uint8
		_                               [4]byte
	}
)

// xfrmPolicy returns an outgoing policy without limits.
func xfrmPolicy(priority uint32) xfrmUserpolicyInfo {
	p := xfrmUserpolicyInfo{Priority: priority, Direction: 1} // XFRM_POLICY_OUT
	p.Selector = xfrmSelector{Family: unix.AF_INET, SourcePrefixLen: 32}
	copy(p.Selector.Source[:], []byte{192, 0, 2, 1})
	for i := range 4 {
		p.Lifetime[i] = ^uint64(0) // XFRM_INF
	}
	return p
}
