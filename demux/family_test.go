package demux

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file go through family.go by families. everyFamily has all of them,
// one without a name, and invalid numbers.
var everyFamily = []netlink.Family{
	netlink.NETLINK_ROUTE, netlink.NETLINK_UNUSED, netlink.NETLINK_USERSOCK, netlink.NETLINK_FIREWALL,
	netlink.NETLINK_SOCK_DIAG, netlink.NETLINK_NFLOG, netlink.NETLINK_XFRM, netlink.NETLINK_SELINUX,
	netlink.NETLINK_ISCSI, netlink.NETLINK_AUDIT, netlink.NETLINK_FIB_LOOKUP, netlink.NETLINK_CONNECTOR,
	netlink.NETLINK_NETFILTER, netlink.NETLINK_IP6_FW, netlink.NETLINK_DNRTMSG, netlink.NETLINK_KOBJECT_UEVENT,
	netlink.NETLINK_GENERIC, 17, netlink.NETLINK_SCSITRANSPORT, netlink.NETLINK_ECRYPTFS, netlink.NETLINK_RDMA,
	netlink.NETLINK_CRYPTO, netlink.NETLINK_SMC, 23, 31, -1, 1 << 20,
}

const (
	root  = netlink.NLM_F_ROOT
	match = netlink.NLM_F_MATCH
	dump  = netlink.NLM_F_DUMP
)

func TestKindOf(t *testing.T) {
	deferred := map[netlink.MessageType]string{
		1000: "AUDIT_GET", 1010: "AUDIT_SIGNAL_INFO", 1013: "AUDIT_LIST_RULES",
		1016: "AUDIT_TTY_GET", 1019: "AUDIT_GET_FEATURE",
	}
	for _, family := range everyFamily {
		for _, typ := range types {
			want := Ack
			switch family {
			case netlink.NETLINK_FIB_LOOKUP:
				want = First
			case netlink.NETLINK_CONNECTOR, netlink.NETLINK_ISCSI:
				want = Silent
			case netlink.NETLINK_AUDIT:
				if deferred[typ] != "" {
					want = Deferred
				}
			}
			if got := KindOf(family, typ); got != want {
				t.Errorf("%v, type %d: kind %d, want %d", family, typ, got, want)
			}
		}
	}
}

// types has all types of control messages and of requests of the families above, and
// others.
var types = func() (all []netlink.MessageType) {
	for typ := range netlink.MessageType(1100) {
		all = append(all, typ)
	}
	for typ := netlink.MessageType(1100); typ < 1<<13; typ += 7 {
		all = append(all, typ)
	}
	return append(all, 2<<10|1, 4<<10|1, 5<<10|1, 10<<8|33, 12<<8, 1<<16-1)
}()

// netfilterDumps has the requests of NETLINK_NETFILTER that dump, as in the kernel's
// tables of callbacks, each with the flags that it needs.
var netfilterDumps = []struct {
	typ    netlink.MessageType
	name   string
	always bool
	resets bool
}{
	{1<<8 | 1, "IPCTNL_MSG_CT_GET", false, false},
	{1<<8 | 3, "IPCTNL_MSG_CT_GET_CTRZERO", false, true},
	{1<<8 | 4, "IPCTNL_MSG_CT_GET_STATS_CPU", false, false},
	{1<<8 | 6, "IPCTNL_MSG_CT_GET_DYING", false, false},
	{1<<8 | 7, "IPCTNL_MSG_CT_GET_UNCONFIRMED", false, false},
	{2<<8 | 1, "IPCTNL_MSG_EXP_GET", false, false},
	{2<<8 | 3, "IPCTNL_MSG_EXP_GET_STATS_CPU", false, false},
	{6<<8 | 7, "IPSET_CMD_LIST", true, false},
	{6<<8 | 8, "IPSET_CMD_SAVE", true, false},
	{7<<8 | 1, "NFNL_MSG_ACCT_GET", false, false},
	{7<<8 | 2, "NFNL_MSG_ACCT_GET_CTRZERO", false, true},
	{8<<8 | 1, "IPCTNL_MSG_TIMEOUT_GET", false, false},
	{9<<8 | 1, "NFNL_MSG_CTHELPER_GET", false, false},
	{10<<8 | 1, "NFT_MSG_GETTABLE", false, false},
	{10<<8 | 4, "NFT_MSG_GETCHAIN", false, false},
	{10<<8 | 7, "NFT_MSG_GETRULE", false, false},
	{10<<8 | 10, "NFT_MSG_GETSET", false, false},
	{10<<8 | 13, "NFT_MSG_GETSETELEM", false, false},
	{10<<8 | 19, "NFT_MSG_GETOBJ", false, false},
	{10<<8 | 21, "NFT_MSG_GETOBJ_RESET", false, true},
	{10<<8 | 23, "NFT_MSG_GETFLOWTABLE", false, false},
	{10<<8 | 25, "NFT_MSG_GETRULE_RESET", false, true},
	{10<<8 | 33, "NFT_MSG_GETSETELEM_RESET", false, true},
	{12 << 8, "NFNL_MSG_HOOK_GET", false, false},
}

// mayDump is MayDump written after the kernel's source: rtnetlink_rcv_msg,
// genl_family_rcv_msg, sock_diag_rcv_msg, xfrm_user_rcv_msg, crypto_user_rcv_msg,
// nfnetlink's callbacks and rdma_nl_rcv_msg.
func mayDump(family netlink.Family, typ netlink.MessageType, flags netlink.Flags) bool {
	if typ < 16 {
		return false
	}
	bit := flags&0x300 != 0
	switch family {
	case netlink.NETLINK_ROUTE:
		return typ%4 == 2 && bit
	case netlink.NETLINK_GENERIC:
		return flags&0x300 == 0x300
	case netlink.NETLINK_SOCK_DIAG:
		return typ != 21 && bit
	case netlink.NETLINK_XFRM:
		return (typ == 18 || typ == 21) && bit
	case netlink.NETLINK_CRYPTO:
		return typ == 19 && bit
	case netlink.NETLINK_RDMA:
		return typ>>10 == 2 || typ>>10 != 4 && bit
	case netlink.NETLINK_NETFILTER:
		for _, d := range netfilterDumps {
			if d.typ == typ {
				return d.always || bit
			}
		}
		return false
	case netlink.NETLINK_AUDIT, netlink.NETLINK_FIB_LOOKUP, netlink.NETLINK_CONNECTOR, netlink.NETLINK_ISCSI,
		netlink.NETLINK_SCSITRANSPORT, netlink.NETLINK_KOBJECT_UEVENT, netlink.NETLINK_USERSOCK:
		return false
	}
	return bit // not known
}

// The bits of a dump mean something else to requests that create or delete, so the
// family and the type decide.
func TestMayDump(t *testing.T) {
	for _, family := range everyFamily {
		for _, typ := range types {
			for _, other := range []netlink.Flags{0, 0xffff &^ dump} {
				for _, bits := range []netlink.Flags{0, root, match, dump} {
					if got, want := MayDump(family, typ, bits|other), mayDump(family, typ, bits); got != want {
						t.Fatalf("%v, type %#x, flags %v: %t, want %t", family, uint16(typ), bits|other, got, want)
					}
				}
			}
		}
	}
}

// The rule above, by examples.
func TestWhatMayDumpByExample(t *testing.T) {
	const (
		create  = netlink.NLM_F_CREATE
		replace = netlink.NLM_F_REPLACE
		excl    = netlink.NLM_F_EXCL
		bulk    = netlink.NLM_F_BULK
	)
	for _, tt := range []struct {
		name   string
		family netlink.Family
		typ    netlink.MessageType
		flags  netlink.Flags
		want   bool
	}{
		{"get one link", netlink.NETLINK_ROUTE, 18, 0, false},
		{"dump links", netlink.NETLINK_ROUTE, 18, dump, true},
		{"dump links by one bit", netlink.NETLINK_ROUTE, 18, root, true},
		{"dump of the last group", netlink.NETLINK_ROUTE, 122, dump, true},
		{"new link, replaced", netlink.NETLINK_ROUTE, 16, create | replace | excl, false},
		{"delete neighbours in bulk", netlink.NETLINK_ROUTE, 29, bulk, false},
		{"set link", netlink.NETLINK_ROUTE, 19, dump, false},
		{"noop", netlink.NETLINK_ROUTE, netlink.NLMSG_NOOP, dump, false},
		{"control type that would be a GET", netlink.NETLINK_ROUTE, 2, dump, false},
		{"families", netlink.NETLINK_GENERIC, 16, dump, true},
		{"families by one bit", netlink.NETLINK_GENERIC, 16, root, false},
		{"families by the other bit", netlink.NETLINK_GENERIC, 16, match, false},
		{"family of this boot", netlink.NETLINK_GENERIC, 33, dump | netlink.NLM_F_ACK, true},
		{"sockets", netlink.NETLINK_SOCK_DIAG, 20, dump, true},
		{"sockets, destroyed", netlink.NETLINK_SOCK_DIAG, 21, dump, false},
		{"new table, exclusive", netlink.NETLINK_NETFILTER, 10 << 8, create | excl, false},
		{"tables", netlink.NETLINK_NETFILTER, 10<<8 | 1, dump, true},
		{"one table", netlink.NETLINK_NETFILTER, 10<<8 | 1, 0, false},
		{"generation", netlink.NETLINK_NETFILTER, 10<<8 | 16, dump, false},
		{"flow, replaced", netlink.NETLINK_NETFILTER, 1 << 8, replace, false},
		{"ipset, created", netlink.NETLINK_NETFILTER, 6<<8 | 2, create | excl, false},
		{"ipsets", netlink.NETLINK_NETFILTER, 6<<8 | 7, 0, true},
		{"nfqueue", netlink.NETLINK_NETFILTER, 3<<8 | 2, dump, false},
		{"nflog", netlink.NETLINK_NETFILTER, 4<<8 | 1, dump, false},
		{"states", netlink.NETLINK_XFRM, 18, dump, true},
		{"new state, replaced", netlink.NETLINK_XFRM, 16, replace, false},
		{"algorithms", netlink.NETLINK_CRYPTO, 19, dump, true},
		{"devices", netlink.NETLINK_RDMA, 5<<10 | 1, dump, true},
		{"iwpm", netlink.NETLINK_RDMA, 2<<10 | 1, 0, true},
		{"answer to the kernel's question", netlink.NETLINK_RDMA, 4<<10 | 1, root, false},
		{"audit rules", netlink.NETLINK_AUDIT, 1013, dump, false},
		{"SMC", netlink.NETLINK_SMC, 16, dump, true},
	} {
		if got := MayDump(tt.family, tt.typ, tt.flags); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// A dump is sent again only if it is known to change nothing.
func TestRepeatable(t *testing.T) {
	reads := []netlink.Family{
		netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC, netlink.NETLINK_SOCK_DIAG,
		netlink.NETLINK_XFRM, netlink.NETLINK_CRYPTO,
	}
	for _, family := range everyFamily {
		for _, typ := range types {
			want := slices.Contains(reads, family)
			if family == netlink.NETLINK_NETFILTER {
				for _, d := range netfilterDumps {
					want = want || d.typ == typ && !d.resets
				}
			}
			if got := Repeatable(family, typ); got != want {
				t.Fatalf("%v, type %#x: %t, want %t", family, uint16(typ), got, want)
			}
		}
	}
}

// Requests share a datagram only if the kernel answers each message of it, and if none
// of them can delay the others.
func TestCoalescable(t *testing.T) {
	sequential := []netlink.Family{
		netlink.NETLINK_ROUTE, netlink.NETLINK_GENERIC, netlink.NETLINK_SOCK_DIAG,
		netlink.NETLINK_XFRM, netlink.NETLINK_CRYPTO,
	}
	for _, family := range everyFamily {
		for _, typ := range types {
			want := typ == netlink.NLMSG_NOOP && slices.Contains(sequential, family) ||
				family == netlink.NETLINK_ROUTE && typ >= 16 && typ%4 == 2
			if got := Coalescable(family, typ, netlink.NLM_F_REQUEST|netlink.NLM_F_ACK); got != want {
				t.Fatalf("%v, type %#x: %t, want %t", family, uint16(typ), got, want)
			}
			// An echo takes an unknown amount of room.
			if Coalescable(family, typ, netlink.NLM_F_ECHO) {
				t.Fatalf("%v, type %#x with NLM_F_ECHO", family, uint16(typ))
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, family := range everyFamily {
		table := New(family, 1, 0, 1, func() bool { return false })
		for _, typ := range types {
			for _, flags := range []netlink.Flags{0, netlink.NLM_F_ECHO} {
				var c Call
				table.Describe(&c, typ, flags)
				want := Call{
					Type: typ, Kind: KindOf(family, typ), Echo: flags != 0,
					Repeat: ChangesNothing(family, typ, flags), Coalescable: Coalescable(family, typ, flags),
				}
				if c.Type != want.Type || c.Kind != want.Kind || c.Echo != want.Echo || c.Repeat != want.Repeat || c.Coalescable != want.Coalescable {
					t.Fatalf("%v, type %#x, flags %v: %+v", family, uint16(typ), flags, &c)
				}
			}
		}
	}
}

func TestHasNoop(t *testing.T) {
	without := []netlink.Family{
		netlink.NETLINK_FIB_LOOKUP, netlink.NETLINK_CONNECTOR, netlink.NETLINK_ISCSI, netlink.NETLINK_SCSITRANSPORT,
	}
	for _, family := range everyFamily {
		if got, want := HasNoop(family), !slices.Contains(without, family); got != want {
			t.Errorf("%v: %t, want %t", family, got, want)
		}
	}
}

// The kernel skips control types, and some families drop what is too short.
func TestCheckRequest(t *testing.T) {
	for _, family := range everyFamily {
		for _, typ := range types {
			for _, size := range []int{0, 7, 8, 1 << 20} {
				want := typ >= 16
				switch family {
				case netlink.NETLINK_CONNECTOR:
					want = want || typ == netlink.NLMSG_DONE
				case netlink.NETLINK_ISCSI:
					want = typ >= 10
				case netlink.NETLINK_SCSITRANSPORT:
					want = want && size >= 8
				}
				err := CheckRequest(family, typ, size)
				if (err == nil) != want || err != nil && !errors.Is(err, syscall.EINVAL) {
					t.Fatalf("%v, type %d, %d bytes: %v", family, typ, size, err)
				}
			}
		}
	}
	const text = "payload of 7 bytes, NETLINK_SCSITRANSPORT needs 8: "
	if err := CheckRequest(netlink.NETLINK_SCSITRANSPORT, 16, 7); err == nil || err.Error() != text+syscall.EINVAL.Error() {
		t.Errorf("got %v", err)
	}
	if err := CheckRequest(netlink.NETLINK_ISCSI, 9, 0); err == nil || err.Error() != "type MessageType(9) is below 10: "+syscall.EINVAL.Error() {
		t.Errorf("got %v", err)
	}
}

func TestIsText(t *testing.T) {
	for _, family := range everyFamily {
		if IsText(family, 0) {
			t.Errorf("%v: a unicast message has a header", family)
		}
		for _, group := range []uint32{1, 2, 33} {
			if got, want := IsText(family, group), family == netlink.NETLINK_KOBJECT_UEVENT; got != want {
				t.Errorf("%v, group %d: %t, want %t", family, group, got, want)
			}
		}
	}
}

// These families send only answers to a single socket.
func TestIsQuiet(t *testing.T) {
	quiet := []netlink.Family{
		netlink.NETLINK_ROUTE, netlink.NETLINK_SOCK_DIAG, netlink.NETLINK_XFRM, netlink.NETLINK_CRYPTO,
		netlink.NETLINK_FIB_LOOKUP, netlink.NETLINK_KOBJECT_UEVENT,
	}
	for _, family := range everyFamily {
		if got, want := IsQuiet(family), slices.Contains(quiet, family); got != want {
			t.Errorf("%v: %t, want %t", family, got, want)
		}
	}
}

func TestIsEnd(t *testing.T) {
	for _, typ := range types {
		if got, want := IsEnd(typ), typ == 2 || typ == 3; got != want {
			t.Errorf("type %d: %t, want %t", typ, got, want)
		}
	}
}

// In these families every reply has nlmsg_pid 0, in the others none has, except as
// NETLINK_GENERIC does.
func TestPortZeroAnswersOnlyWhereTheFamilyDoes(t *testing.T) {
	for _, family := range everyFamily {
		answers := family == netlink.NETLINK_AUDIT || family == netlink.NETLINK_RDMA
		t.Run(family.String(), func(t *testing.T) {
			var replies []string
			unsolicited := event("from port 0")
			if answers {
				replies = []string{"from port 0"}
				unsolicited = event()
			}
			play(t, family,
				ask("a", Ack),
				kernel(data("a", "from port 0").from(0)),
				unsolicited,
				kernel(ack("a")),
				got("a", nil, replies...),
			)
		})
	}
}

// On NETLINK_USERSOCK processes talk to each other; elsewhere they cannot answer.
func TestPeersAreDeliveredOnUsersockOnly(t *testing.T) {
	for _, family := range everyFamily {
		heard := all(foreign(1))
		if family == netlink.NETLINK_USERSOCK {
			heard = event("hello")
		}
		play(t, family,
			datagram(Origin{PortID: other, NSID: NoNSID}, notice(0, "hello")),
			heard,
		)
	}
}
