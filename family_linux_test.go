package netlink_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestEveryFamilyDialsOrSaysThatItIsNotThere: which families there are depends
// on the kernel, but an error names the family and its cause.
func TestEveryFamilyDialsOrSaysThatItIsNotThere(t *testing.T) {
	ns := nstest.New(t)
	there := make(map[netlink.Family]bool)
	for family := range netlink.NETLINK_SMC + 1 {
		c, err := client.Dial(family, client.WithNetNS(ns.FD()))
		if err != nil {
			var op *client.OpError
			if !errors.As(err, &op) || !errors.Is(err, unix.EPROTONOSUPPORT) || !strings.Contains(err.Error(), family.String()) {
				t.Errorf("family %d: %v; want EPROTONOSUPPORT and %v in the text", int(family), err, family)
			}
			if c != nil {
				t.Errorf("family %d: a Conn and an error", int(family))
			}
			continue
		}
		there[family] = true
		if c.PortID() == 0 {
			t.Errorf("%v: port 0", family)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%v: Close: %v", family, err)
		}
	}
	if !there[netlink.NETLINK_ROUTE] || !there[netlink.NETLINK_GENERIC] || there[netlink.NETLINK_UNUSED] {
		t.Errorf("families %v; every kernel has ROUTE and GENERIC, none UNUSED", there)
	}
	if _, err := client.Dial(-1); !errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Errorf("family -1: %v, want EPROTONOSUPPORT", err)
	}
}

// dialFamily is dial for a family that a kernel can be built without.
func dialFamily(t *testing.T, ns *nstest.NS, family netlink.Family, opts ...client.Option) *client.Conn {
	t.Helper()
	c, err := client.Dial(family, client.WithNetNS(ns.FD()))
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		nstest.Skip(t, family.String(), "%v", err)
	}
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, ns, family, opts...)
}

// TestRoute walks through rtnetlink's tables: what was added is in the dump,
// and what was removed is not.
func TestRoute(t *testing.T) {
	c := dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	addVeth(t, c, "left", "right")
	ip := netip.MustParseAddr("192.0.2.1").AsSlice()
	prefix := netip.MustParseAddr("198.51.100.0").AsSlice()
	mac := []byte{2, 0, 0, 0, 0, 1}
	for _, table := range []struct {
		name          string
		add, del, get netlink.MessageType
		entry, all    []byte
		found         func(wire.Message) bool
	}{{
		name: "addresses", add: unix.RTM_NEWADDR, del: unix.RTM_DELADDR, get: unix.RTM_GETADDR,
		entry: loAddress(t, "192.0.2.1/24"),
		all:   addressDump(t),
		found: func(m wire.Message) bool {
			var h unix.IfAddrmsg
			return bytes.Equal(unpack(t, m, &h)[unix.IFA_LOCAL].Value, ip) && h.Prefixlen == 24
		},
	}, {
		name: "routes", add: unix.RTM_NEWROUTE, del: unix.RTM_DELROUTE, get: unix.RTM_GETROUTE,
		entry: build(t, unix.RtMsg{
			Family: unix.AF_INET, Dst_len: 24, Table: unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
		}, func(b *wire.Builder) {
			b.Bytes(unix.RTA_DST, prefix)
			b.Uint32(unix.RTA_OIF, loIndex)
		}),
		all: build(t, unix.RtMsg{Family: unix.AF_INET}),
		found: func(m wire.Message) bool {
			var h unix.RtMsg
			return bytes.Equal(unpack(t, m, &h)[unix.RTA_DST].Value, prefix) && h.Dst_len == 24
		},
	}, {
		name: "neighbours", add: unix.RTM_NEWNEIGH, del: unix.RTM_DELNEIGH, get: unix.RTM_GETNEIGH,
		entry: build(t, unix.NdMsg{Family: unix.AF_INET, Ifindex: loIndex + 1, State: unix.NUD_PERMANENT}, func(b *wire.Builder) {
			b.Bytes(unix.NDA_DST, ip)
			b.Bytes(unix.NDA_LLADDR, mac)
		}),
		all: build(t, unix.NdMsg{Family: unix.AF_INET}),
		found: func(m wire.Message) bool {
			var h unix.NdMsg
			attrs := unpack(t, m, &h)
			return bytes.Equal(attrs[unix.NDA_DST].Value, ip) && bytes.Equal(attrs[unix.NDA_LLADDR].Value, mac)
		},
	}} {
		count := func() (n int) {
			for _, m := range request(t, c, table.get, table.all, netlink.NLM_F_DUMP) {
				if m.Header.Type == table.add && table.found(m) {
					n++
				}
			}
			return n
		}
		request(t, c, table.add, table.entry, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
		if n := count(); n != 1 {
			t.Errorf("%s: found %d times after it was added, want 1", table.name, n)
		}
		if _, err := c.Request(patient(t), table.add, table.entry, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL); !errors.Is(err, unix.EEXIST) {
			t.Errorf("%s: added twice: %v, want EEXIST", table.name, err)
		}
		request(t, c, table.del, table.entry, 0)
		if n := count(); n != 0 {
			t.Errorf("%s: found %d times after it was removed, want 0", table.name, n)
		}
	}
	noLosses(t, c)
}

// inetDiagID and what follows are struct inet_diag_sockid, inet_diag_req_v2 and
// inet_diag_msg of linux/inet_diag.h.
type (
	inetDiagID struct {
		SourcePort, DestinationPort [2]byte
		Source, Destination         [16]byte
		Interface                   uint32
		Cookie                      [2]uint32
	}
	inetDiagRequest struct {
		Family, Protocol, Ext, _ uint8
		States                   uint32
		ID                       inetDiagID
	}
	inetDiagMessage struct {
		Family, State, Timer, Retransmits            uint8
		ID                                           inetDiagID
		Expires, ReceiveQueue, SendQueue, UID, Inode uint32
	}
)

// TestSockDiagListenerFindsItself: a listener is in the dump of its namespace
// with its own port and inode, and can be asked for by its address.
func TestSockDiagListenerFindsItself(t *testing.T) {
	ns := nstest.New(t)
	var listener net.Listener
	if err := ns.Do(func() (err error) {
		listener, err = net.Listen("tcp4", "127.0.0.1:0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var stat unix.Stat_t
	var statErr error
	if err := raw.Control(func(fd uintptr) { statErr = unix.Fstat(int(fd), &stat) }); err != nil || statErr != nil {
		t.Fatal(err, statErr)
	}
	port := listener.Addr().(*net.TCPAddr).Port

	const tcpListen = 10 // TCP_LISTEN of net/tcp_states.h
	c := dialFamily(t, ns, netlink.NETLINK_SOCK_DIAG)
	all := inetDiagRequest{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: 1 << tcpListen}
	one := all
	one.ID.SourcePort = [2]byte{byte(port >> 8), byte(port)}
	copy(one.ID.Source[:], net.IPv4(127, 0, 0, 1).To4())
	one.ID.Cookie = [2]uint32{^uint32(0), ^uint32(0)} // INET_DIAG_NOCOOKIE
	for _, test := range []struct {
		name  string
		req   inetDiagRequest
		flags netlink.Flags
	}{{"dump", all, netlink.NLM_F_DUMP}, {"by address", one, 0}} {
		msgs, err := c.Request(patient(t), unix.SOCK_DIAG_BY_FAMILY, build(t, test.req), test.flags)
		if errors.Is(err, unix.ENOENT) && test.flags != 0 {
			nstest.Skip(t, "tcp_diag", "%v", err)
		}
		if err != nil || len(msgs) != 1 {
			t.Fatalf("%s: %v, %v; want one socket", test.name, msgs, err)
		}
		var got inetDiagMessage
		unpack(t, msgs[0], &got)
		if got.ID.SourcePort != one.ID.SourcePort || uint64(got.Inode) != stat.Ino || got.State != tcpListen {
			t.Errorf("%s: %+v; want port %d, inode %d, state %d", test.name, got, port, stat.Ino, tcpListen)
		}
	}
	noLosses(t, c)
}

// TestGenericControllerListsFamilies: by dump, and one by its name.
func TestGenericControllerListsFamilies(t *testing.T) {
	c := dial(t, nstest.New(t), netlink.NETLINK_GENERIC)
	get := unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY}
	names := make(map[string]bool)
	for _, m := range request(t, c, unix.GENL_ID_CTRL, build(t, get), netlink.NLM_F_DUMP) {
		var h unix.Genlmsghdr
		names[unpack(t, m, &h)[unix.CTRL_ATTR_FAMILY_NAME].String()] = true
	}
	if !names["nlctrl"] {
		t.Errorf("families %v, want nlctrl among them", names)
	}
	byName := func(name string) []byte {
		return build(t, get, func(b *wire.Builder) { b.String(unix.CTRL_ATTR_FAMILY_NAME, name) })
	}
	msgs := request(t, c, unix.GENL_ID_CTRL, byName("nlctrl"), 0)
	var h unix.Genlmsghdr
	if len(msgs) != 1 {
		t.Fatalf("by name: %v, want nlctrl", msgs)
	}
	if id, err := unpack(t, msgs[0], &h)[unix.CTRL_ATTR_FAMILY_ID].Uint16(); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("nlctrl has id %d (%v), want %d", id, err, unix.GENL_ID_CTRL)
	}
	if _, err := c.Request(patient(t), unix.GENL_ID_CTRL, byName("no such family"), 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("unknown name: %v, want ENOENT", err)
	}
	noLosses(t, c)
}

// TestFibLookupAnswersWithoutAcknowledgement: the look-up of an address of our
// own ends in the local table, and the answer is the end.
func TestFibLookupAnswersWithoutAcknowledgement(t *testing.T) {
	// struct fib_result_nl of net/ip_fib.h
	type fibResult struct {
		Addr                           [4]byte
		Mark                           uint32
		TOS, Scope, Table              uint8
		FoundTable, PrefixLen, NextHop uint8
		FoundType, FoundScope          uint8
		Err                            int32
	}
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_FIB_LOOKUP)
	for range 10 {
		msgs := request(t, c, netlink.NLMSG_MIN_TYPE, build(t, fibResult{Addr: [4]byte{127, 0, 0, 1}, Table: unix.RT_TABLE_LOCAL}), 0)
		if len(msgs) != 1 {
			t.Fatalf("%d answers, want 1", len(msgs))
		}
		var got fibResult
		unpack(t, msgs[0], &got)
		if got.Err != 0 || got.FoundType != unix.RTN_LOCAL || got.FoundTable != unix.RT_TABLE_LOCAL {
			t.Errorf("%+v; want type %d from table %d", got, unix.RTN_LOCAL, unix.RT_TABLE_LOCAL)
		}
	}
	if err := c.Noop(patient(t)); !errors.Is(err, errors.ErrUnsupported) || !client.NotSent(err) {
		t.Errorf("Noop: %v; want errors.ErrUnsupported, not sent", err)
	}
	noLosses(t, c)
}

// TestFamiliesWithoutAKernelSideRefuseAtOnce: nobody listens at the kernel's end
// of them, which the send says.
func TestFamiliesWithoutAKernelSideRefuseAtOnce(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_USERSOCK, netlink.NETLINK_SELINUX} {
		t.Run(family.String(), func(t *testing.T) {
			c := dialFamily(t, nstest.New(t), family)
			if _, err := c.Request(patient(t), netlink.NLMSG_MIN_TYPE, nil, 0); !errors.Is(err, unix.ECONNREFUSED) || !client.NotSent(err) {
				t.Errorf("Request: %v, NotSent %v; want ECONNREFUSED, not sent", err, client.NotSent(err))
			}
			if err := c.Noop(patient(t)); !errors.Is(err, unix.ECONNREFUSED) || !client.NotSent(err) {
				t.Errorf("Noop: %v, NotSent %v; want ECONNREFUSED, not sent", err, client.NotSent(err))
			}
			noLosses(t, c)
		})
	}
}

// TestXfrmPolicies: a policy that was added is in the dump.
func TestXfrmPolicies(t *testing.T) {
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_XFRM)
	if msgs := request(t, c, xfrmMsgGetPolicy, nil, netlink.NLM_F_DUMP); len(msgs) != 0 {
		t.Errorf("policies of a new namespace: %v, want none", msgs)
	}
	policy := xfrmPolicy(4242)
	request(t, c, xfrmMsgNewPolicy, build(t, policy), 0)
	msgs := request(t, c, xfrmMsgGetPolicy, nil, netlink.NLM_F_DUMP)
	if len(msgs) != 1 || msgs[0].Header.Type != xfrmMsgNewPolicy {
		t.Fatalf("policies %v, want one", msgs)
	}
	var got xfrmUserpolicyInfo
	unpack(t, msgs[0], &got)
	if got.Priority != policy.Priority || got.Selector.Source != policy.Selector.Source {
		t.Errorf("policy %+v, want %+v", got, policy)
	}
	if _, err := c.Request(patient(t), xfrmMsgNewPolicy, build(t, policy), 0); !errors.Is(err, unix.EEXIST) {
		t.Errorf("added twice: %v, want EEXIST", err)
	}
	noLosses(t, c)
}

// initialUserNamespace reports whether the process is in the user namespace that
// the machine was started with, where alone some families answer.
func initialUserNamespace(t *testing.T) bool {
	t.Helper()
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(m)), " ") == "0 0 4294967295"
}

// dialAudit opens a Conn to an audit system that answers us, or skips.
func dialAudit(t *testing.T) *client.Conn {
	t.Helper()
	c := dialFamily(t, nstest.New(t), netlink.NETLINK_AUDIT)
	_, err := c.Request(patient(t), unix.AUDIT_GET, nil, 0)
	switch initial := initialUserNamespace(t); {
	case errors.Is(err, unix.ECONNREFUSED) && !initial, errors.Is(err, unix.EPERM):
		// audit_netlink_ok in kernel/audit.c
		nstest.Skip(t, "audit", "audit answers only in the initial user and pid namespaces: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	return c
}

// TestAuditAnswersAfterItsAcknowledgement: a thread of the kernel sends the
// status, later than the acknowledgement and from port 0, and everyone gets it.
func TestAuditAnswersAfterItsAcknowledgement(t *testing.T) {
	c := dialAudit(t)
	ctx := patient(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				msgs, err := c.Request(ctx, unix.AUDIT_GET, nil, 0)
				// struct audit_status has had 8 fields since Linux 2.6.
				if err != nil || len(msgs) != 1 || msgs[0].Header.Type != unix.AUDIT_GET || len(msgs[0].Payload) < 32 {
					t.Errorf("status: %v, %v; want one AUDIT_GET", msgs, err)
					return
				}
			}
		})
	}
	wg.Wait()
	// A list ends with NLMSG_DONE, also when there is nothing on it.
	for _, m := range request(t, c, unix.AUDIT_LIST_RULES, nil, 0) {
		if m.Header.Type != unix.AUDIT_LIST_RULES {
			t.Errorf("list of rules: %v, want AUDIT_LIST_RULES", m)
		}
	}
	noLosses(t, c)
}

// TestAuditRefusesNoop: the family does not go through netlink_rcv_skb, which
// acknowledges the message elsewhere.
func TestAuditRefusesNoop(t *testing.T) {
	c := dialAudit(t)
	var refusal *wire.KernelError
	if err := c.Noop(patient(t)); !errors.As(err, &refusal) || refusal.Errno != unix.EINVAL {
		t.Errorf("%v, want EINVAL from the kernel", err)
	}
	noLosses(t, c)
}

// TestConnectorProcessEvents: the connector's events are of type NLMSG_DONE and
// count from a number of their own; here they are events, and end nothing.
func TestConnectorProcessEvents(t *testing.T) {
	const (
		listen, ignore      = 1, 2 // PROC_CN_MCAST_LISTEN and PROC_CN_MCAST_IGNORE of linux/cn_proc.h
		group               = 1    // CN_IDX_PROC of linux/connector.h, and CN_VAL_PROC
		execEvent, cnLength = 2, 20
	)
	type cnMsg struct { // struct cn_msg with an enum proc_cn_mcast_op
		Index, Value, Seq, Ack uint32
		Length, Flags          uint16
		Op                     uint32
	}
	// The kernel's end is in the initial network namespace only.
	c, err := client.Dial(netlink.NETLINK_CONNECTOR)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		nstest.Skip(t, "connector", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.AddMembership(group); errors.Is(err, unix.EPERM) {
		nstest.Skip(t, "connector", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	send := func(op uint32) ([]wire.Message, error) {
		return c.Request(patient(t), netlink.NLMSG_DONE, build(t, cnMsg{Index: group, Value: group, Length: 4, Op: op}), 0)
	}
	msgs, err := send(listen)
	if errors.Is(err, unix.ECONNREFUSED) && client.NotSent(err) {
		nstest.Skip(t, "connector", "not in the initial network namespace: %v", err)
	}
	if err != nil || len(msgs) != 0 {
		t.Fatalf("listen: %v, %v; want no answer", msgs, err)
	}
	defer func() {
		if _, err := send(ignore); err != nil {
			t.Errorf("ignore: %v", err)
		}
	}()
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	pid := uint32(child.Process.Pid)
	e := awaitEvent(t, c, "the program's start", func(e client.Event) bool {
		// struct proc_event: what, CPU, time, then for exec the process.
		p := e.Payload
		return len(p) >= cnLength+20 && binary.NativeEndian.Uint32(p[cnLength:]) == execEvent &&
			binary.NativeEndian.Uint32(p[cnLength+16:]) == pid
	})
	if e.Header.Type != netlink.NLMSG_DONE || e.Group != group || e.Header.PortID != 0 {
		t.Errorf("event %+v; want type NLMSG_DONE, group %d, port 0", e, group)
	}
	if err := c.Noop(patient(t)); !errors.Is(err, errors.ErrUnsupported) || !client.NotSent(err) {
		t.Errorf("Noop: %v; want errors.ErrUnsupported, not sent", err)
	}
	// It is the machine's other processes, too, so events may have been lost.
	if s := c.Stats(); s.Pending != 0 || s.Foreign != 0 || s.Malformed != 0 {
		t.Errorf("%+v; want nothing pending, foreign or malformed", s)
	}
}

// TestUeventTextIsDeliveredRaw: uevents have no netlink header, and their text
// arrives as the kernel wrote it.
func TestUeventTextIsDeliveredRaw(t *testing.T) {
	const device = "/devices/virtual/mem/null"
	c := dialHere(t, netlink.NETLINK_KOBJECT_UEVENT)
	join(t, c, 1)
	// The kernel repeats our mark, so this is the event that we provoke.
	mark := fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), rand.Uint64()>>16)
	if err := os.WriteFile("/sys"+device+"/uevent", []byte("change "+mark+" TOLD=yes"), 0); err != nil {
		if initialUserNamespace(t) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		nstest.Skip(t, "uevent", "only the initial user namespace's root may provoke one: %v", err)
	}
	e := awaitEvent(t, c, "the uevent", func(e client.Event) bool { return bytes.Contains(e.Payload, []byte(mark)) })
	if e.Header != (wire.Header{}) || e.Group != 1 {
		t.Errorf("header %+v, group %d; want none, 1", e.Header, e.Group)
	}
	lines := strings.Split(string(e.Payload), "\x00")
	if lines[0] != "change@"+device || !slices.Contains(lines, "SYNTH_ARG_TOLD=yes") {
		t.Errorf("text %q; want it to begin with change@%s and tell our argument", lines, device)
	}
	noLosses(t, c)
}

// dialNetfilter opens a Conn to nfnetlink in ns. It skips when the kernel does
// not answer a request of the subsystem.
func dialNetfilter(t *testing.T, ns *nstest.NS, feature string, get netlink.MessageType) *client.Conn {
	t.Helper()
	c := dialFamily(t, ns, netlink.NETLINK_NETFILTER)
	_, err := c.Request(patient(t), get, build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, feature, "%v", err) // nfnetlink_rcv_msg without the subsystem
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestConntrackDump: the connections that were added are in the dump, each with
// its port.
func TestConntrackDump(t *testing.T) {
	c := dialNetfilter(t, nstest.New(t), "conntrack", ctGet)
	want := make(map[uint16]bool)
	for port := uint16(1000); port < 1500; port++ {
		addConntrack(t, c, port)
		want[port] = true
	}
	for _, m := range request(t, c, ctGet, build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP) {
		port := conntrackPort(t, m)
		if !want[port] {
			t.Errorf("port %d, which was not added or comes twice", port)
		}
		delete(want, port)
	}
	if len(want) != 0 {
		t.Errorf("%d connections are missing: %v", len(want), want)
	}
	noLosses(t, c)
}

// TestNfTablesDump: a table that another socket made in a batch is in the dump,
// and the generation has gone on.
func TestNfTablesDump(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	inet := build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET})
	generation := func() uint32 {
		msgs := request(t, c, nftGetGen, inet, 0)
		if len(msgs) != 1 {
			t.Fatalf("generation: %v, want one message", msgs)
		}
		var h unix.Nfgenmsg
		id, err := unpack(t, msgs[0], &h)[unix.NFTA_GEN_ID].Uint32BE()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := generation()
	addNftTables(t, openRaw(t, ns, netlink.NETLINK_NETFILTER), 1, "first", "second")
	if after := generation(); after != before+1 {
		t.Errorf("generation %d, want %d", after, before+1)
	}
	var names []string
	for _, m := range request(t, c, nftGetTable, inet, netlink.NLM_F_DUMP) {
		var h unix.Nfgenmsg
		names = append(names, unpack(t, m, &h)[unix.NFTA_TABLE_NAME].String())
	}
	if slices.Sort(names); !slices.Equal(names, []string{"first", "second"}) {
		t.Errorf("tables %q, want first and second", names)
	}
	if _, err := c.Request(patient(t), nftGetTable, build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
		b.String(unix.NFTA_TABLE_NAME, "third")
	}), 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a table that is not there: %v, want ENOENT", err)
	}
	noLosses(t, c)
}
