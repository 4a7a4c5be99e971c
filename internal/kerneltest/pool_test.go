//go:build linux

package kerneltest

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestDumpThatWaitsForALockDelaysNothing: while a dump waits in the kernel, requests
// that need no lock are answered, and so are dumps.
func TestDumpThatWaitsForALockDelaysNothing(t *testing.T) {
	ns := nstest.New(t)
	c := Dial(t, ns, netlink.NETLINK_ROUTE)
	manyRoutes(t, c, 100)
	release := ns.HoldRTNL(t)
	dump := StartRequest(c, context.Background(), netlink.NLM_F_DUMP)
	AwaitPending(t, c, 1)
	for range 1000 {
		if err := c.Noop(Patient(t)); err != nil {
			t.Fatal(err)
		}
	}
	// A dump of routes takes no lock since Linux 6.9 (inet_dump_fib in
	// net/ipv4/fib_frontend.c). Before, it waits too, and is whole all the same.
	routes := make(chan error, 1)
	go func() { routes <- wantRoutes(c, 100) }()
	if nstest.KernelSince(t, 6, 9) {
		if err := <-routes; err != nil {
			t.Error(err)
		}
		close(routes)
	}
	select {
	case err := <-dump:
		t.Fatalf("the dump did not wait: %v", err)
	default:
	}
	release()
	if err := errors.Join(<-dump, <-routes); err != nil {
		t.Error(err)
	}
	NoLosses(t, c)
}

// TestAbandonedDumpDelaysNoOther: ctx ends a dump of many routes after its first
// datagram. The next one uses another socket and is whole.
func TestAbandonedDumpDelaysNoOther(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	const n = 20_000
	manyRoutes(t, c, n)
	ctx, cancel := context.WithCancel(context.Background())
	for _, err := range c.Dump(ctx, unix.RTM_GETROUTE, routeDump()) {
		if err != nil {
			if !errors.Is(err, context.Canceled) || client.NotSent(err) {
				t.Errorf("%v, NotSent %v; want %v, sent", err, client.NotSent(err), context.Canceled)
			}
			break
		}
		cancel()
	}
	cancel()
	msgs := Request(t, c, unix.RTM_GETROUTE, routeDump(), netlink.NLM_F_DUMP)
	found := 0
	for _, m := range msgs {
		if routeNumber(m) >= 0 {
			found++
		}
	}
	if found != n {
		t.Errorf("%d routes, want %d", found, n)
	}
	NoLosses(t, c)
}

// TestEveryRequestEnds: the kernel ignores a request of NETLINK_FIB_LOOKUP that is too
// short (nl_fib_input in net/ipv4/fib_frontend.c). It ends, frees its room, and the
// Conn stays usable.
func TestEveryRequestEnds(t *testing.T) {
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_FIB_LOOKUP)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				msgs, err := c.Request(context.Background(), netlink.NLMSG_MIN_TYPE, make([]byte, 4), 0)
				if len(msgs) != 0 || !errors.Is(err, client.ErrUnanswered) || !errors.Is(err, unix.EBADMSG) || client.NotSent(err) {
					t.Errorf("%v, %v, NotSent %v; want ErrUnanswered, EBADMSG, sent", msgs, err, client.NotSent(err))
				}
			}
		})
	}
	wg.Wait()
	if msgs := Request(t, c, netlink.NLMSG_MIN_TYPE, make([]byte, 20), 0); len(msgs) != 1 {
		t.Errorf("a whole request: %v, want one answer", msgs)
	}
	NoLosses(t, c)
}

// TestAnsweredRequestsAreNotCutShort: the families that answer inside the send, with
// many goroutines. None of their requests is taken for unanswered.
func TestAnsweredRequestsAreNotCutShort(t *testing.T) {
	ns := nstest.New(t)
	ctrl := Build(t, unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY}, func(b *wire.Builder) { b.String(unix.CTRL_ATTR_FAMILY_NAME, "nlctrl") })
	for _, tt := range []struct {
		family netlink.Family
		ask    func(c *client.Conn) error
	}{
		{netlink.NETLINK_ROUTE, func(c *client.Conn) error {
			_, err := c.Request(context.Background(), unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)
			return err
		}},
		{netlink.NETLINK_GENERIC, func(c *client.Conn) error {
			_, err := c.Request(context.Background(), unix.GENL_ID_CTRL, ctrl, 0)
			return err
		}},
		{netlink.NETLINK_FIB_LOOKUP, func(c *client.Conn) error {
			_, err := c.Request(context.Background(), netlink.NLMSG_MIN_TYPE, make([]byte, 20), 0)
			return err
		}},
		{netlink.NETLINK_SOCK_DIAG, noop},
		{netlink.NETLINK_NETFILTER, noop},
		{netlink.NETLINK_XFRM, noop},
		{netlink.NETLINK_CRYPTO, noop},
	} {
		t.Run(tt.family.String(), func(t *testing.T) {
			c := dialFamily(t, ns, tt.family)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for range 300 {
						if err := tt.ask(c); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			NoLosses(t, c)
		})
	}
}

func noop(c *client.Conn) error { return c.Noop(context.Background()) }

// TestNoopsOfNetfilterWithoutPrivilege: without CAP_NET_ADMIN nfnetlink_rcv refuses the
// first message of a datagram and ignores the others. Every Noop gets its refusal.
func TestNoopsOfNetfilterWithoutPrivilege(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t), unix.CAP_NET_ADMIN)
		return
	}
	c := DialHere(t, netlink.NETLINK_NETFILTER)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 200 {
				if err := c.Noop(Patient(t)); !errors.Is(err, unix.EPERM) {
					t.Errorf("%v, want EPERM", err)
					return
				}
			}
		})
	}
	wg.Wait()
	NoLosses(t, c)
}

// TestDumpNeedsNoMorePrivilegeThanDial: in another namespace, without CAP_NET_ADMIN,
// and after the caller has closed its descriptor.
func TestDumpNeedsNoMorePrivilegeThanDial(t *testing.T) {
	if !isChild(t) {
		ns := nstest.New(t)
		ManyAddresses(t, Dial(t, ns, netlink.NETLINK_ROUTE), 10)
		// The child starts in another namespace and gets a descriptor of ns.
		runChildFrom(t, nstest.New(t), ns, unix.CAP_NET_ADMIN)
		return
	}
	c := DialHere(t, netlink.NETLINK_ROUTE, client.WithNetNS(childNetNS))
	if err := unix.Close(childNetNS); err != nil {
		t.Fatal(err)
	}
	if n := len(Request(t, c, unix.RTM_GETADDR, AddressDump(t), netlink.NLM_F_DUMP)); n != 11 {
		t.Errorf("%d addresses collected, want 11", n)
	}
	n := 0
	for _, err := range c.Dump(Patient(t), unix.RTM_GETADDR, AddressDump(t)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 11 {
		t.Errorf("%d addresses in a loop, want 11", n)
	}
}

// TestDumpWithoutASocket: socket(2) is refused after Dial. A dump reports that and is
// not sent, or uses the socket of WithDumpSocket.
func TestDumpWithoutASocket(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t))
		return
	}
	plain := DialHere(t, netlink.NETLINK_ROUTE)
	kept := DialHere(t, netlink.NETLINK_ROUTE, client.WithDumpSocket())
	if err := refuse(unix.SYS_SOCKET, unix.EPERM); err != nil {
		t.Fatal(err)
	}
	wantNoSocket(t, plain, unix.EPERM)
	for range 3 {
		if n := len(Request(t, kept, unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)); n != 1 {
			t.Errorf("%d links collected, want lo", n)
		}
		for range kept.Dump(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 0)) {
			break // the next dump reads the rest of this one
		}
	}
}

// TestDumpWithoutADescriptor: the process is out of descriptors.
func TestDumpWithoutADescriptor(t *testing.T) {
	if !isChild(t) {
		runChild(t, nstest.New(t))
		return
	}
	c := DialHere(t, netlink.NETLINK_ROUTE)
	limit := unix.Rlimit{Cur: uint64(OpenFiles(t)), Max: 1 << 10}
	fill := func() {
		for {
			if _, err := unix.Dup(0); err != nil {
				return
			}
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fill()
	wantNoSocket(t, c, unix.EMFILE)
}

// wantNoSocket fails the test unless both kinds of dumps fail with errno and were not
// sent, and a request succeeds.
func wantNoSocket(t *testing.T, c *client.Conn, errno error) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if !errors.Is(err, errno) || !client.NotSent(err) || !strings.Contains(err.Error(), "socket") {
			t.Errorf("%v, NotSent %v; want %v of a socket, not sent", err, client.NotSent(err), errno)
		}
	}
	msgs, err := c.Request(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 0), netlink.NLM_F_DUMP)
	if len(msgs) != 0 {
		t.Errorf("%d links, want none", len(msgs))
	}
	check(err)
	for _, err := range c.Dump(Patient(t), unix.RTM_GETLINK, LinkRequest(t, 0)) {
		check(err)
	}
	if n := len(Request(t, c, unix.RTM_GETLINK, LinkRequest(t, LoIndex), 0)); n != 1 {
		t.Errorf("%d links, want lo", n)
	}
	NoLosses(t, c)
}

// TestThermalDumps: the family thermal answers its dumps with number and port 0
// (thermal_genl_cmd_dumpit in drivers/thermal/thermal_netlink.c).
func TestThermalDumps(t *testing.T) {
	const (
		tzGetID = 1 // THERMAL_GENL_CMD_TZ_GET_ID
		cdevGet = 6 // THERMAL_GENL_CMD_CDEV_GET
	)
	c := DialHere(t, netlink.NETLINK_GENERIC) // the family is in the initial namespace only
	family, err := genl.Resolve(Patient(t), c, "thermal")
	if errors.Is(err, fs.ErrNotExist) {
		nstest.Skip(t, "thermal", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []byte{tzGetID, cdevGet} {
		payload := []byte{command, 1, 0, 0}
		want := rawDump(t, netlink.NETLINK_GENERIC, family.ID, payload)
		if len(want) == 0 {
			t.Errorf("command %d: the kernel sends nothing", command)
		}
		var got, loop [][]byte
		for _, m := range Request(t, c, family.ID, payload, netlink.NLM_F_DUMP) {
			got = append(got, m.Payload)
		}
		for m, err := range c.Dump(Patient(t), family.ID, payload) {
			if err != nil {
				t.Fatal(err)
			}
			loop = append(loop, m.Clone().Payload)
		}
		if !slices.EqualFunc(got, want, slices.Equal) || !slices.EqualFunc(loop, want, slices.Equal) {
			t.Errorf("command %d: collected %x, in a loop %x; want %x", command, got, loop, want)
		}
	}
	NoLosses(t, c)
}

// rawDump makes a dump with plain system calls, in the namespace of the process.
func rawDump(t *testing.T, family netlink.Family, typ netlink.MessageType, payload []byte) (payloads [][]byte) {
	t.Helper()
	r := openRawHere(t, family)
	r.Send(t, 0, wire.Message{
		Header:  wire.Header{Type: typ, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_DUMP, Seq: 1},
		Payload: payload,
	})
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(r.FD, b, 0)
		if err != nil {
			t.Fatal(err)
		}
		for m, err := range wire.Messages(b[:n]) {
			switch {
			case err != nil:
				t.Fatal(err)
			case m.Header.Type == netlink.NLMSG_ERROR:
				t.Fatalf("refused: %x", m.Payload)
			case m.Header.Type == netlink.NLMSG_DONE:
				return payloads
			}
			payloads = append(payloads, m.Clone().Payload)
		}
	}
}

// TestDumpThatResetsIsReadOnce: values that a dump resets are returned once.
func TestDumpThatResetsIsReadOnce(t *testing.T) {
	const nftGetObjReset = unix.NFNL_SUBSYS_NFTABLES<<8 | 21 // NFT_MSG_GETOBJ_RESET
	c := dialNetfilter(t, nstest.New(t), "nf_tables", nftGetTable)
	const (
		newObj  = unix.NFNL_SUBSYS_NFTABLES<<8 | 18 // NFT_MSG_NEWOBJ
		objData = 4                                 // NFTA_OBJ_DATA
		counter = 1                                 // NFT_OBJECT_COUNTER
		packets = 2                                 // NFTA_COUNTER_PACKETS
	)
	msgs := []client.BatchMessage{nftTable(t, create, "t"), nft(t, newObj, create, func(b *wire.Builder) {
		b.String(1, "t") // NFTA_OBJ_TABLE
		b.String(2, "c") // NFTA_OBJ_NAME
		b.Uint32BE(3, counter)
		b.Nest(objData, func(b *wire.Builder) { b.Uint64BE(packets, 4000) })
	})}
	if _, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, msgs); err != nil {
		nstest.Skip(t, "nft_counter", "%v", err)
	}
	for _, want := range []uint64{4000, 0} {
		replies := Request(t, c, nftGetObjReset, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP)
		if len(replies) != 1 {
			t.Fatalf("%d objects, want 1", len(replies))
		}
		var h unix.Nfgenmsg
		got := uint64(1 << 63)
		for a, err := range wire.Attrs(Unpack(t, replies[0], &h)[objData].Value) {
			if err == nil && a.Type == packets {
				got = binary.BigEndian.Uint64(a.Value)
			}
		}
		if got != want {
			t.Errorf("%d packets, want %d", got, want)
		}
	}
}
