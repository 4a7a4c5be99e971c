//go:build linux

package kerneltest

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// ipv6Route makes a route to the n-th address of a network fdNN::/96, over lo.
func ipv6Route(t testing.TB, net byte, n uint32) []byte {
	t.Helper()
	dst := make([]byte, 16)
	dst[0], dst[1] = 0xfd, net
	binary.BigEndian.PutUint32(dst[12:], n)
	return Build(t, unix.RtMsg{
		Family: unix.AF_INET6, Dst_len: 128, Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST,
	}, func(b *wire.Builder) {
		b.Bytes(unix.RTA_DST, dst)
		b.Uint32(unix.RTA_OIF, LoIndex)
	})
}

// TestIncompleteDumpsAreNotAlwaysMarked: while some IPv6 routes come and go, a dump misses
// others that do not change, and the kernel says nothing of it (fib6_dump_table in
// net/ipv6/ip6_fib.c). The documentation of ErrDumpInterrupted warns of that.
func TestIncompleteDumpsAreNotAlwaysMarked(t *testing.T) {
	const stay, stayNet, churnNet = 3000, 2, 1
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE, client.WithDumpRetries(0))
	for n := range uint32(stay) {
		if _, err := c.Request(Patient(t), unix.RTM_NEWROUTE, ipv6Route(t, stayNet, n), create); err != nil {
			nstest.Skip(t, "ipv6", "%v", err)
		}
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer over.Store(true)
	wg.Go(func() {
		for !over.Load() {
			for _, typ := range []netlink.MessageType{unix.RTM_NEWROUTE, unix.RTM_DELROUTE} {
				for n := range uint32(200) {
					_, _ = c.Request(Patient(t), typ, ipv6Route(t, churnNet, n), create)
				}
			}
		}
	})
	for end := time.Now().Add(Patience); time.Now().Before(end); {
		msgs, err := c.Request(Patient(t), unix.RTM_GETROUTE, Pack(unix.RtMsg{Family: unix.AF_INET6}), netlink.NLM_F_DUMP)
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[uint32]bool)
		for _, m := range msgs {
			var h unix.RtMsg
			if dst := Unpack(t, m, &h)[unix.RTA_DST].Value; len(dst) == 16 && dst[1] == stayNet {
				found[binary.BigEndian.Uint32(dst[12:])] = true
			}
		}
		if len(found) < stay {
			t.Logf("%d of %d routes, and no error", len(found), stay)
			return
		}
	}
	t.Error("every dump was complete: what the documentation says of IPv6 routes is not so on this kernel")
}
