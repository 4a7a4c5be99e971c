//go:build linux

package kerneltest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// TestEveryFamilyDialsOrReportsThatItIsMissing: the families depend on the kernel. An
// error names the family and its cause.
func TestEveryFamilyDialsOrReportsThatItIsMissing(t *testing.T) {
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
	return Dial(t, ns, family, opts...)
}

// TestRoute goes through rtnetlink's tables: an added entry is in the dump, a removed
// one is not.
func TestRoute(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_ROUTE)
	AddVeth(t, c, "left", "right")
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
		entry: LoAddress(t, "192.0.2.1/24"),
		all:   AddressDump(t),
		found: func(m wire.Message) bool {
			var h unix.IfAddrmsg
			return bytes.Equal(Unpack(t, m, &h)[unix.IFA_LOCAL].Value, ip) && h.Prefixlen == 24
		},
	}, {
		name: "routes", add: unix.RTM_NEWROUTE, del: unix.RTM_DELROUTE, get: unix.RTM_GETROUTE,
		entry: Build(t, unix.RtMsg{
			Family: unix.AF_INET, Dst_len: 24, Table: unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
		}, func(b *wire.Builder) {
			b.Bytes(unix.RTA_DST, prefix)
			b.Uint32(unix.RTA_OIF, LoIndex)
		}),
		all: Build(t, unix.RtMsg{Family: unix.AF_INET}),
		found: func(m wire.Message) bool {
			var h unix.RtMsg
			return bytes.Equal(Unpack(t, m, &h)[unix.RTA_DST].Value, prefix) && h.Dst_len == 24
		},
	}, {
		name: "neighbours", add: unix.RTM_NEWNEIGH, del: unix.RTM_DELNEIGH, get: unix.RTM_GETNEIGH,
		entry: Build(t, unix.NdMsg{Family: unix.AF_INET, Ifindex: LoIndex + 1, State: unix.NUD_PERMANENT}, func(b *wire.Builder) {
			b.Bytes(unix.NDA_DST, ip)
			b.Bytes(unix.NDA_LLADDR, mac)
		}),
		all: Build(t, unix.NdMsg{Family: unix.AF_INET}),
		found: func(m wire.Message) bool {
			var h unix.NdMsg
			attrs := Unpack(t, m, &h)
			return bytes.Equal(attrs[unix.NDA_DST].Value, ip) && bytes.Equal(attrs[unix.NDA_LLADDR].Value, mac)
		},
	}} {
		count := func() (n int) {
			for _, m := range Request(t, c, table.get, table.all, netlink.NLM_F_DUMP) {
				if m.Header.Type == table.add && table.found(m) {
					n++
				}
			}
			return n
		}
		Request(t, c, table.add, table.entry, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
		if n := count(); n != 1 {
			t.Errorf("%s: found %d times after it was added, want 1", table.name, n)
		}
		if _, err := c.Request(Patient(t), table.add, table.entry, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL); !errors.Is(err, unix.EEXIST) {
			t.Errorf("%s: added twice: %v, want EEXIST", table.name, err)
		}
		Request(t, c, table.del, table.entry, 0)
		if n := count(); n != 0 {
			t.Errorf("%s: found %d times after it was removed, want 0", table.name, n)
		}
	}
	NoLosses(t, c)
}

// inetDiagID and the following types are struct inet_diag_sockid, inet_diag_req_v2 and
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

// TestSockDiagListenerFindsItself: a listener is in the dump of its namespace with its
// port and inode, and can be requested by its address.
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
		msgs, err := c.Request(Patient(t), unix.SOCK_DIAG_BY_FAMILY, Build(t, test.req), test.flags)
		if errors.Is(err, unix.ENOENT) && test.flags != 0 {
			nstest.Skip(t, "tcp_diag", "%v", err)
		}
		if err != nil || len(msgs) != 1 {
			t.Fatalf("%s: %v, %v; want one socket", test.name, msgs, err)
		}
		var got inetDiagMessage
		Unpack(t, msgs[0], &got)
		if got.ID.SourcePort != one.ID.SourcePort || uint64(got.Inode) != stat.Ino || got.State != tcpListen {
			t.Errorf("%s: %+v; want port %d, inode %d, state %d", test.name, got, port, stat.Ino, tcpListen)
		}
	}
	NoLosses(t, c)
}

// TestGenericControllerListsFamilies: by dump, and one by its name.
func TestGenericControllerListsFamilies(t *testing.T) {
	c := Dial(t, nstest.New(t), netlink.NETLINK_GENERIC)
	get := unix.Genlmsghdr{Cmd: unix.CTRL_CMD_GETFAMILY}
	names := make(map[string]bool)
	for _, m := range Request(t, c, unix.GENL_ID_CTRL, Build(t, get), netlink.NLM_F_DUMP) {
		var h unix.Genlmsghdr
		names[Unpack(t, m, &h)[unix.CTRL_ATTR_FAMILY_NAME].String()] = true
	}
	if !names["nlctrl"] {
		t.Errorf("families %v, want nlctrl among them", names)
	}
	byName := func(name string) []byte {
		return Build(t, get, func(b *wire.Builder) { b.String(unix.CTRL_ATTR_FAMILY_NAME, name) })
	}
	msgs := Request(t, c, unix.GENL_ID_CTRL, byName("nlctrl"), 0)
	var h unix.Genlmsghdr
	if len(msgs) != 1 {
		t.Fatalf("by name: %v, want nlctrl", msgs)
	}
	if id, err := Unpack(t, msgs[0], &h)[unix.CTRL_ATTR_FAMILY_ID].Uint16(); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("nlctrl has id %d (%v), want %d", id, err, unix.GENL_ID_CTRL)
	}
	if _, err := c.Request(Patient(t), unix.GENL_ID_CTRL, byName("no such family"), 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("unknown name: %v, want ENOENT", err)
	}
	NoLosses(t, c)
}

// TestFibLookupAnswersWithoutAcknowledgement: the look-up of a local address finds the
// local table, and the reply ends the request.
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
		msgs := Request(t, c, netlink.NLMSG_MIN_TYPE, Build(t, fibResult{Addr: [4]byte{127, 0, 0, 1}, Table: unix.RT_TABLE_LOCAL}), 0)
		if len(msgs) != 1 {
			t.Fatalf("%d answers, want 1", len(msgs))
		}
		var got fibResult
		Unpack(t, msgs[0], &got)
		if got.Err != 0 || got.FoundType != unix.RTN_LOCAL || got.FoundTable != unix.RT_TABLE_LOCAL {
			t.Errorf("%+v; want type %d from table %d", got, unix.RTN_LOCAL, unix.RT_TABLE_LOCAL)
		}
	}
	if err := c.Noop(Patient(t)); !errors.Is(err, errors.ErrUnsupported) || !client.NotSent(err) {
		t.Errorf("Noop: %v; want errors.ErrUnsupported, not sent", err)
	}
	NoLosses(t, c)
}

// TestFamiliesWithoutAKernelSideRefuseAtOnce: the kernel has no socket of the family,
// so the send fails.
func TestFamiliesWithoutAKernelSideRefuseAtOnce(t *testing.T) {
	for _, family := range []netlink.Family{netlink.NETLINK_USERSOCK, netlink.NETLINK_SELINUX} {
		t.Run(family.String(), func(t *testing.T) {
			c := dialFamily(t, nstest.New(t), family)
			if _, err := c.Request(Patient(t), netlink.NLMSG_MIN_TYPE, nil, 0); !errors.Is(err, unix.ECONNREFUSED) || !client.NotSent(err) {
				t.Errorf("Request: %v, NotSent %v; want ECONNREFUSED, not sent", err, client.NotSent(err))
			}
			if err := c.Noop(Patient(t)); !errors.Is(err, unix.ECONNREFUSED) || !client.NotSent(err) {
				t.Errorf("Noop: %v, NotSent %v; want ECONNREFUSED, not sent", err, client.NotSent(err))
			}
			NoLosses(t, c)
		})
	}
}
