package netlink_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/nstest"
)

// sweepModules bring families of generic netlink and subsystems of others. No kernel
// has all of them.
var sweepModules = []string{
	"batman_adv", "cfg80211", "crypto_user", "fou", "gtp", "ip_set", "ip_vs", "l2tp_netlink", "macsec", "nbd", "nfc", "nfnetlink_acct",
	"nfnetlink_cthelper", "nfnetlink_cttimeout", "nfnetlink_log", "nfnetlink_osf", "nfnetlink_queue", "nf_conntrack_netlink", "nf_tables",
	"mac802154_hwsim", "openvswitch", "psample", "rdma_cm", "rdma_ucm", "scsi_transport_iscsi", "team", "tipc", "wireguard", "xfrm_user",
}

// sweepTypes returns message types of a family to try.
func sweepTypes(family netlink.Family) (types []netlink.MessageType) {
	span := func(from, n netlink.MessageType) {
		for i := range n {
			types = append(types, from+i)
		}
	}
	switch family {
	case netlink.NETLINK_ROUTE:
		span(netlink.NLMSG_MIN_TYPE, 120)
	case netlink.NETLINK_NETFILTER:
		for subsystem := range netlink.MessageType(14) {
			span(subsystem<<8, 40)
		}
	case netlink.NETLINK_RDMA:
		for client := range netlink.MessageType(8) {
			span(client<<10, 40)
		}
	case netlink.NETLINK_AUDIT:
		span(unix.AUDIT_GET, 30)
		span(1100, 50) // AUDIT_FIRST_USER_MSG
	case netlink.NETLINK_CONNECTOR:
		span(netlink.NLMSG_DONE, 1)
	case netlink.NETLINK_ISCSI:
		span(10, 40) // ISCSI_UEVENT_BASE
	default:
		span(netlink.NLMSG_MIN_TYPE, 50)
	}
	return types
}

// TestSweep sends some 20,000 requests of all families and types, most of which mean
// nothing. Each of them ends without its ctx, and the Conn goes on.
func TestSweep(t *testing.T) {
	nstest.OwnMachine(t)
	for _, module := range sweepModules {
		_ = exec.Command("modprobe", module).Run()
	}
	// The kernel would start modprobe for each type that it does not know.
	const loader = "/proc/sys/kernel/modprobe"
	path, err := os.ReadFile(loader)
	if err == nil {
		err = os.WriteFile(loader, []byte("\n"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(loader, path, 0)
	total := 0
	for family := range netlink.NETLINK_SMC + 1 {
		c, err := client.Dial(family)
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var requests []sweepRequest
		for _, typ := range sweepTypes(family) {
			requests = append(requests, sweepPayloads(typ, nil)...)
		}
		if family == netlink.NETLINK_GENERIC {
			requests = sweepGeneric(t, c)
		}
		total += len(requests)
		sweep(t, c, family, requests)
		if err := c.Close(); err != nil {
			t.Errorf("%v: Close: %v", family, err)
		}
	}
	t.Logf("%d requests", total)
	if total < 15_000 {
		t.Errorf("only %d requests", total)
	}
}

// sweepRequest is one request of the sweep.
type sweepRequest struct {
	typ     netlink.MessageType
	flags   netlink.Flags
	payload []byte
}

// sweepPayloads returns requests of a type, with zeroes of several lengths after start.
func sweepPayloads(typ netlink.MessageType, start []byte) (requests []sweepRequest) {
	for _, n := range []int{0, 4, 16, 300} {
		for _, flags := range []netlink.Flags{0, netlink.NLM_F_DUMP, netlink.NLM_F_ECHO} {
			requests = append(requests, sweepRequest{typ, flags, append(start[:len(start):len(start)], make([]byte, n)...)})
		}
	}
	return requests
}

// sweepGeneric returns requests of the commands of every family that there is.
func sweepGeneric(t *testing.T, c *client.Conn) (requests []sweepRequest) {
	t.Helper()
	families, err := genl.Families(patient(t), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, op := range f.Ops {
			requests = append(requests, sweepPayloads(f.ID, pack(unix.Genlmsghdr{Cmd: uint8(op.Command), Version: uint8(f.Version)}))...)
		}
	}
	t.Logf("%d families of generic netlink", len(families))
	return requests
}

// sweep sends requests from several goroutines and waits for all of them.
func sweep(t *testing.T, c *client.Conn, family netlink.Family, requests []sweepRequest) {
	t.Helper()
	var next, replies, refused, endless atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(requests)); i = next.Add(1) - 1 {
				r := requests[i]
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				msgs, err := c.Request(ctx, r.typ, r.payload, r.flags)
				cancel()
				replies.Add(int64(len(msgs)))
				if err != nil {
					refused.Add(1)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					if endless.Add(1) > 5 {
						return // the others take as long
					}
					t.Errorf("%v: type %d, flags %#x, %d bytes: %v; want an end", family, r.typ, r.flags, len(r.payload), err)
				}
			}
		})
	}
	wg.Wait()
	awaitPending(t, c, 0)
	t.Logf("%v: %d requests, %d replies, %d refused", family, len(requests), replies.Load(), refused.Load())
}
