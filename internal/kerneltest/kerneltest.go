//go:build linux

// Package kerneltest tests nlmux on the real kernel, in private network namespaces. Its
// exported helpers serve other packages with such tests.
package kerneltest

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

// Patience is the maximum time that a test waits for an expected event. No test reaches
// it unless it fails.
const Patience = time.Minute

// Patient returns a ctx that ends after Patience.
func Patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Dial opens a Conn in ns that lives as long as the test.
func Dial(t testing.TB, ns *nstest.NS, family netlink.Family, opts ...client.Option) *client.Conn {
	t.Helper()
	return DialHere(t, family, append(opts, client.WithNetNS(ns.FD()))...)
}

// DialHere is Dial in the namespace of the process.
func DialHere(t testing.TB, family netlink.Family, opts ...client.Option) *client.Conn {
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

// Join joins a group or ends the test.
func Join(t testing.TB, c *client.Conn, group uint32) {
	t.Helper()
	if err := c.AddMembership(group); err != nil {
		t.Fatal(err)
	}
}

// Request sends a request that has to succeed.
func Request(t testing.TB, c *client.Conn, typ netlink.MessageType, payload []byte, flags netlink.Flags) []wire.Message {
	t.Helper()
	msgs, err := c.Request(Patient(t), typ, payload, flags)
	if err != nil {
		t.Fatalf("request type %d: %v", uint16(typ), err)
	}
	return msgs
}

// AwaitEvent returns the first event that match accepts and skips earlier ones. It
// fails the test if none comes.
func AwaitEvent(t testing.TB, c *client.Conn, what string, match func(client.Event) bool) client.Event {
	t.Helper()
	ctx := Patient(t)
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

// NextEvent returns the next event.
func NextEvent(t testing.TB, c *client.Conn) client.Event {
	t.Helper()
	return AwaitEvent(t, c, "an event", func(client.Event) bool { return true })
}

// OfType matches events by their type.
func OfType(typ netlink.MessageType) func(client.Event) bool {
	return func(e client.Event) bool { return e.Header.Type == typ }
}

// Build returns a payload: a family's header, a struct or an array of fixed size, and
// attributes.
func Build(t testing.TB, header any, attrs ...func(*wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	b.Struct(Pack(header))
	for _, f := range attrs {
		f(&b)
	}
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Pack returns the bytes of a struct of fixed size as the kernel lays it out.
func Pack(header any) []byte {
	p, err := binary.Append(nil, binary.NativeEndian, header)
	if err != nil {
		panic(fmt.Sprintf("%T: %v", header, err))
	}
	return p
}

// Unpack reads a message's fixed header and returns its attributes by type. Of several
// with one type it returns the last.
func Unpack(t testing.TB, m wire.Message, header any) map[uint16]wire.Attr {
	t.Helper()
	rest, err := m.Struct(header)
	if err != nil {
		t.Fatalf("message type %d: %v", uint16(m.Header.Type), err)
	}
	attrs := make(map[uint16]wire.Attr)
	for a, err := range wire.Attrs(rest) {
		if err != nil {
			t.Fatalf("message type %d: %v", uint16(m.Header.Type), err)
		}
		attrs[a.Type] = a
	}
	return attrs
}

// LinkRequest is the payload of a request for the link with that index, 0 for all
// links.
func LinkRequest(t testing.TB, index int) []byte {
	t.Helper()
	return Build(t, unix.IfInfomsg{Index: int32(index)})
}

// LinkIndex returns the index of the link that a message is about, or -1.
func LinkIndex(m wire.Message) int {
	var h unix.IfInfomsg
	if _, err := m.Struct(&h); err != nil || m.Header.Type != unix.RTM_NEWLINK {
		return -1
	}
	return int(h.Index)
}

// AddVeth makes a pair of links.
func AddVeth(t testing.TB, c *client.Conn, name, peer string) {
	t.Helper()
	const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h
	Request(t, c, unix.RTM_NEWLINK, Build(t, unix.IfInfomsg{}, func(b *wire.Builder) {
		b.String(unix.IFLA_IFNAME, name)
		b.Nest(unix.IFLA_LINKINFO, func(b *wire.Builder) {
			b.String(unix.IFLA_INFO_KIND, "veth")
			b.Nest(unix.IFLA_INFO_DATA, func(b *wire.Builder) {
				b.Nest(vethInfoPeer, func(b *wire.Builder) {
					b.Struct(unix.IfInfomsg{})
					b.String(unix.IFLA_IFNAME, peer)
				})
			})
		})
	}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
}

// LoIndex is the index of lo in every network namespace.
const LoIndex = 1

// LoAddress is the payload of a request that adds addr to lo, or removes it.
func LoAddress(t testing.TB, addr string) []byte {
	t.Helper()
	p := netip.MustParsePrefix(addr)
	family := uint8(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	return Build(t, unix.IfAddrmsg{Family: family, Prefixlen: uint8(p.Bits()), Index: LoIndex},
		func(b *wire.Builder) {
			b.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
			b.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
		})
}

// ManyAddresses adds n addresses to lo, from 10.0.0.1 upwards, so that a dump of them
// takes many datagrams.
func ManyAddresses(t testing.TB, c *client.Conn, n int) {
	t.Helper()
	for i := range n {
		Request(t, c, unix.RTM_NEWADDR, LoAddress(t, fmt.Sprintf("10.0.%d.%d/32", i>>8, i&255)), netlink.NLM_F_CREATE)
	}
}

// AddressDump is the payload of a dump of all IPv4 addresses.
func AddressDump(t testing.TB) []byte {
	t.Helper()
	return Build(t, unix.IfAddrmsg{Family: unix.AF_INET})
}

// OpenFiles returns the number of open descriptors.
func OpenFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // one of them was reading the directory
}

// NoNewGoroutines fails the test unless the number of goroutines returns to before. A
// goroutine that has reported its end exists for some instructions more, so this
// retries.
func NoNewGoroutines(t testing.TB, before int) {
	t.Helper()
	for end := time.Now().Add(Patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}

// NoLosses fails the test if the Conn has lost or misrouted anything.
func NoLosses(t testing.TB, c *client.Conn) {
	t.Helper()
	s := c.Stats()
	if s.Pending != 0 || s.RepliesLost+s.Late+s.EventsDropped+s.Overruns+s.Foreign+s.Malformed+s.Truncated != 0 {
		t.Errorf("losses: %+v", s)
	}
}

// RaceDetector reports whether the tests were built with -race, which makes
// them several times slower.
func RaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// AwaitPending waits until n requests are pending.
func AwaitPending(t testing.TB, c *client.Conn, n int) {
	t.Helper()
	for end := time.Now().Add(Patience); c.Stats().Pending != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d requests pending, want %d", c.Stats().Pending, n)
		}
	}
}

// StartRequest requests lo, or with NLM_F_DUMP all links, in a new goroutine. The
// kernel takes rtnl_lock for both.
func StartRequest(c *client.Conn, ctx context.Context, flags netlink.Flags) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := c.Request(ctx, unix.RTM_GETLINK, Pack(unix.IfInfomsg{Index: LoIndex}), flags)
		result <- err
	}()
	return result
}
