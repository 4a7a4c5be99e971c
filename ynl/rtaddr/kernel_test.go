//go:build linux

package rtaddr_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
)

const addrHeader = 8 // struct ifaddrmsg

// list returns the addresses of the namespace that match accepts.
func list(t *testing.T, s *ynlkernel.Sandbox, match func(*rtaddr.Addr) bool) (found []*rtaddr.Addr) {
	t.Helper()
	all, err := rtaddr.New(s.Conn).DumpAddr(kerneltest.Patient(t), nil).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if match(a) {
			found = append(found, a)
		}
	}
	return found
}

// one returns the address.
func one(t *testing.T, s *ynlkernel.Sandbox, ip string) *rtaddr.Addr {
	t.Helper()
	found := list(t, s, func(a *rtaddr.Addr) bool { return a.IP() == netip.MustParseAddr(ip) })
	if len(found) != 1 {
		t.Fatalf("%s: %d addresses", ip, len(found))
	}
	return found[0]
}

// many are addresses of all sorts.
const many = `
	ip addr add 198.51.100.1/24 dev v0 noprefixroute metric 50 label v0:x valid_lft 600 preferred_lft 0
	ip addr add 2001:db8:1::1/64 dev v0 nodad mngtmpaddr noprefixroute home valid_lft forever preferred_lft 0
	ip addr add 203.0.113.1 peer 203.0.113.2/32 dev v1
	ip addr add 203.0.113.9/24 brd + dev v1 scope link
	ip addr add 203.0.113.10/24 dev v1 scope link
	ip addr add 2001:db8:2::1 peer 2001:db8:2::2/128 dev v1 nodad
	ip addr add 2001:db8:3::1/64 dev v1 nodad metric 7 valid_lft 1000 preferred_lft 500
	ip addr add 127.1.1.1/8 dev lo scope host`

func TestCase4WideFlags(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, addrs := kerneltest.Patient(t), rtaddr.New(s.Conn)
	s.Run(t, many)

	const v4Flags = rtaddr.IFA_F_DEPRECATED | rtaddr.IFA_F_NOPREFIXROUTE
	a := one(t, s, "198.51.100.1")
	ip := netip.MustParseAddr("198.51.100.1")
	if a.Local != ip || a.Address != ip || a.Flags.Value != v4Flags || v4Flags != 0x220 || a.Ifaddrmsg.Flags != 0x20 ||
		a.RtPriority.Value != 50 || a.Label.Value != "v0:x" {
		t.Errorf("%+v", a)
	}
	if c := a.Cacheinfo.Value; c.IfaPrefered != 0 || c.IfaValid > 600 || c.IfaValid < 590 {
		t.Errorf("lifetimes %+v", c)
	}
	const v6Flags = rtaddr.IFA_F_NODAD | rtaddr.IFA_F_HOMEADDRESS | rtaddr.IFA_F_DEPRECATED | rtaddr.IFA_F_PERMANENT |
		rtaddr.IFA_F_MANAGETEMPADDR | rtaddr.IFA_F_NOPREFIXROUTE
	a = one(t, s, "2001:db8:1::1")
	if a.Local.IsValid() || a.Flags.Value != v6Flags || v6Flags != 0x3b2 || a.Ifaddrmsg.Flags != 0xb2 {
		t.Errorf("%+v", a)
	}
	if c := a.Cacheinfo.Value; c.IfaPrefered != 0 || c.IfaValid != rtaddr.Forever {
		t.Errorf("lifetimes %+v", c)
	}

	made := rtaddr.At(s.Link(t, "v0").Index, netip.MustParsePrefix("2001:db8:4::1/64"))
	made.Flags = ynl.Some(rtaddr.IFA_F_NOPREFIXROUTE | rtaddr.IFA_F_NODAD)
	if err := addrs.NewAddr(ctx, made, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "ip -6 route show table main"); strings.Contains(out, "2001:db8:4::") {
		t.Errorf("a route of the prefix:\n%s", out)
	}
	narrow := rtaddr.At(s.Link(t, "v0").Index, netip.MustParsePrefix("2001:db8:5::1/64"))
	narrow.Ifaddrmsg.Flags = rtaddr.IFA_F_NOPREFIXROUTE | rtaddr.IFA_F_NODAD
	ynlkernel.NotSent(t, addrs.NewAddr(ctx, narrow, ynlkernel.Create), "ifa-flags")
}

// TestAgain: each address is deleted with what was listed, and made again with it.
func TestAgain(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, addrs := kerneltest.Patient(t), rtaddr.New(s.Conn)
	s.Run(t, many)
	show := func() string {
		// The lifetimes that end pass, and order is that of making.
		out := s.Run(t, "ip -o addr show")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for i, line := range lines {
			line = strings.ReplaceAll(line, "valid_lft 600sec", "valid_lft 599sec")
			line = strings.ReplaceAll(line, "valid_lft 1000sec preferred_lft 500sec", "valid_lft 999sec preferred_lft 499sec")
			lines[i] = line
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	listed := list(t, s, func(a *rtaddr.Addr) bool {
		return !a.IP().IsLinkLocalUnicast() && !a.IP().IsLoopback() || a.IP() == netip.MustParseAddr("127.1.1.1")
	})
	if len(listed) != 10 {
		t.Fatalf("%d addresses", len(listed))
	}
	before := show()
	// A network's first address takes the others with it, so they go before it.
	for _, a := range slices.Backward(listed) {
		if err := addrs.DelAddr(ctx, a.Settable()); err != nil {
			t.Errorf("delete %s: %v", a.Prefix(), err)
		}
		if n := len(list(t, s, func(b *rtaddr.Addr) bool { return b.Index == a.Index && b.Prefix() == a.Prefix() })); n != 0 {
			t.Errorf("%s is still there", a.Prefix())
		}
	}
	for _, a := range listed {
		if err := addrs.NewAddr(ctx, a.Settable(), ynlkernel.Create); err != nil {
			t.Errorf("make %s: %v", a.Prefix(), err)
		}
	}
	if after := show(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestLossless(t *testing.T) {
	for _, c := range captures(t) {
		ynlkernel.Lossless(t, &rtaddr.Family, c, addrHeader)
	}
}

// TestOldAndNew: messages of older and newer kernels decode.
func TestOldAndNew(t *testing.T) {
	for _, c := range captures(t) {
		ynlkernel.Mutate(t, &rtaddr.Family, c, addrHeader)
	}
}

// captures returns the messages of all dumps.
func captures(t *testing.T) []ynlkernel.Capture {
	t.Helper()
	s := ynlkernel.NewEnds(t)
	s.Run(t, many)
	s.Set(t, "net/ipv6/conf/v0/forwarding", "1") // for an anycast address
	got := s.Dump(t, rtaddr.OpGetAddr, &rtaddr.Addr{})
	for _, op := range []*ynl.Op{rtaddr.OpGetMulticast, rtaddr.OpGetAnycast} {
		got = append(got, s.Dump(t, op, &rtaddr.Addr{Ifaddrmsg: rtaddr.Ifaddrmsg{Family: af.Inet6}})...)
	}
	return got
}

func TestGroupAddresses(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, addrs := kerneltest.Patient(t), rtaddr.New(s.Conn)
	v0 := uint32(s.Link(t, "v0").Index)
	v6 := &rtaddr.Addr{Ifaddrmsg: rtaddr.Ifaddrmsg{Family: af.Inet6}}
	groups, err := addrs.DumpMulticast(ctx, v6).List()
	if err != nil {
		t.Fatal(err)
	}
	all := netip.MustParseAddr("ff02::1")
	if !slices.ContainsFunc(groups, func(a *rtaddr.Addr) bool { return a.Index == v0 && a.Multicast == all }) {
		t.Errorf("%s is not among %d groups", all, len(groups))
	}
	// A router has an anycast address for each network.
	s.Set(t, "net/ipv6/conf/v0/forwarding", "1")
	list, err := addrs.DumpAnycast(ctx, v6).List()
	if err != nil {
		t.Fatal(err)
	}
	router := netip.MustParseAddr("2001:db8::")
	if !slices.ContainsFunc(list, func(a *rtaddr.Addr) bool { return a.Index == v0 && a.Anycast == router }) {
		t.Errorf("%s is not among %d addresses", router, len(list))
	}
}

// TestStrictDump: with strict checking, a dump has the addresses of one link.
func TestStrictDump(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Run(t, many)
	strict := kerneltest.Dial(t, s.NS, rtaddr.Family.Protocol(), client.WithStrictChecking())
	v1 := s.Link(t, "v1").Index
	list, err := rtaddr.New(strict).DumpAddr(kerneltest.Patient(t), rtaddr.On(v1)).List()
	if err != nil || len(list) < 4 {
		t.Fatalf("%d addresses, %v", len(list), err)
	}
	for _, a := range list {
		if a.Index != uint32(v1) {
			t.Errorf("%s is on link %d", a.Prefix(), a.Index)
		}
	}
}

func TestEvents(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, cancel := context.WithCancel(kerneltest.Patient(t))
	defer cancel()
	events := ynl.Events(ctx, s.Conn, &rtaddr.Family)
	s.Run(t, `
		ip addr add 198.51.100.7/24 dev v0
		ip addr del 198.51.100.7/24 dev v0
		ip addr add 2001:db8:7::7/64 dev v0 nodad`)
	// The kernel reports a new IPv6 address a little later, and not at all if it is gone then.
	want := []string{"20 198.51.100.7/24", "21 198.51.100.7/24", "20 2001:db8:7::7/64"}
	ynlkernel.Await(t, events, cancel, want, func(e ynl.Event) string {
		a := e.Value.(*rtaddr.Addr)
		return ynlkernel.Line(e.Type, a.Prefix())
	})
}

// TestRefusals: the kernel's refusals are errors that say what is wrong.
func TestRefusals(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, addrs := kerneltest.Patient(t), rtaddr.New(s.Conn)
	v0 := s.Link(t, "v0").Index
	for _, c := range []struct {
		req  *rtaddr.Addr
		want error
	}{
		{rtaddr.At(v0, netip.MustParsePrefix("192.0.2.1/24")), unix.EEXIST},
		{rtaddr.At(v0, netip.MustParsePrefix("2001:db8::1/64")), unix.EEXIST},
		{rtaddr.At(1<<20, netip.MustParsePrefix("192.0.2.1/24")), unix.ENODEV},
		{&rtaddr.Addr{Ifaddrmsg: rtaddr.Ifaddrmsg{Family: af.Inet, Prefixlen: 77, Index: uint32(v0)}, Local: netip.MustParseAddr("192.0.2.5")}, unix.EINVAL},
	} {
		if err := addrs.NewAddr(ctx, c.req, ynlkernel.Create); !errors.Is(err, c.want) || client.NotSent(err) {
			t.Errorf("%s on %d: %v, want %v", c.req.Prefix(), c.req.Index, err, c.want)
		}
	}
	gone := rtaddr.At(v0, netip.MustParsePrefix("192.0.2.99/24"))
	if err := addrs.DelAddr(ctx, gone); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("delete %s: %v", gone.Prefix(), err)
	}
}

// TestBadInput: what cannot be encoded is not sent.
func TestBadInput(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, addrs := kerneltest.Patient(t), rtaddr.New(s.Conn)
	mapped := netip.MustParseAddr("::ffff:192.0.2.7")
	v4 := rtaddr.Ifaddrmsg{Family: af.Inet, Prefixlen: 24, Index: 1}
	for text, bad := range map[string]*rtaddr.Addr{
		"IFA_LOCAL":     {Ifaddrmsg: v4, Local: netip.MustParseAddr("2001:db8::1")},
		"IFA_ADDRESS":   {Ifaddrmsg: rtaddr.Ifaddrmsg{Family: af.Inet6}, Address: netip.MustParseAddr("192.0.2.1")},
		"IFA_BROADCAST": {Ifaddrmsg: v4, Broadcast: netip.MustParseAddr("2001:db8::1")},
		"IFA_LABEL":     {Ifaddrmsg: v4, Label: ynl.Some(strings.Repeat("x", 1<<16))},
		"ifa-scope":     {Ifaddrmsg: rtaddr.Ifaddrmsg{Scope: 256}},
		"ifa-flags":     {Ifaddrmsg: rtaddr.Ifaddrmsg{Flags: rtaddr.IFA_F_STABLE_PRIVACY}},
	} {
		ynlkernel.NotSent(t, addrs.NewAddr(ctx, bad), text)
	}
	ynlkernel.NotSent(t, addrs.NewAddr(ctx, &rtaddr.Addr{Ifaddrmsg: v4, Local: mapped}), "IFA_LOCAL")
}

func TestHelpers(t *testing.T) {
	for _, text := range []string{"192.0.2.1/24", "0.0.0.0/0", "2001:db8::1/64", "::/0", "255.255.255.255/32"} {
		p := netip.MustParsePrefix(text)
		if got := rtaddr.At(3, p).Prefix(); got != p {
			t.Errorf("At(%s) has the prefix %s", p, got)
		}
	}
	a := rtaddr.At(3, netip.Prefix{})
	if a.Family != af.Unspec || a.Prefixlen != 0 || a.IP().IsValid() || a.Prefix().IsValid() || a.Peer().IsValid() {
		t.Errorf("without an address: %+v", a)
	}
	a = rtaddr.At(3, netip.MustParsePrefix("192.0.2.1/32"))
	if a.Peer().IsValid() {
		t.Errorf("peer %s", a.Peer())
	}
	a.Address = netip.MustParseAddr("192.0.2.2")
	if a.Peer() != a.Address || a.IP() != a.Local {
		t.Errorf("%s, peer %s", a.IP(), a.Peer())
	}
}

// TestAgainstTool compares what is read here with what ip reads, both ways.
func TestAgainstTool(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Run(t, many)
	var links []map[string]any
	ynlkernel.Steady(t, func() (state string) {
		for _, a := range list(t, s, func(*rtaddr.Addr) bool { return true }) {
			state += ynlkernel.Line(a.Prefix(), a.Flags)
		}
		return state
	}, func() { links = s.JSON(t, "ip -j -d addr show") })
	compared := 0
	for _, l := range links {
		infos, _ := l["addr_info"].([]any)
		for _, info := range infos {
			theirs := info.(map[string]any)
			if len(theirs) == 0 {
				continue
			}
			ip, _ := theirs["local"].(string)
			ours := list(t, s, func(a *rtaddr.Addr) bool { return a.IP().String() == ip && l["ifname"] == linkName(t, s, a.Index) })
			if len(ours) != 1 {
				t.Errorf("%s on %v: %d addresses", ip, l["ifname"], len(ours))
				continue
			}
			compared += ynlkernel.Compare(t, ip, theirs, ours[0], toolFields)
		}
	}
	if compared < 80 {
		t.Errorf("only %d values compared", compared)
	}
}

func linkName(t *testing.T, s *ynlkernel.Sandbox, index uint32) string {
	t.Helper()
	l, err := rtlink.New(s.Conn).GetLink(kerneltest.Patient(t), rtlink.ByIndex(int32(index)))
	if err != nil {
		t.Fatal(err)
	}
	return l.Ifname.Value
}

// flag is a field of ip's for a flag.
func flag(f rtaddr.IfaFlags) func(*rtaddr.Addr) any {
	return func(a *rtaddr.Addr) any { return a.Flags.Value&f != 0 }
}

// toolFields are the fields of ip -j addr.
var toolFields = map[string]func(*rtaddr.Addr) any{
	"family": func(a *rtaddr.Addr) any {
		if a.Family == af.Inet {
			return "inet"
		}
		return "inet6"
	},
	"local": func(a *rtaddr.Addr) any { return a.IP().String() },
	"address": func(a *rtaddr.Addr) any {
		if !a.Peer().IsValid() {
			return ynlkernel.Absent
		}
		return a.Peer().String()
	},
	"prefixlen": func(a *rtaddr.Addr) any { return a.Prefixlen },
	"metric":    func(a *rtaddr.Addr) any { return ynlkernel.Value(a.RtPriority) },
	"broadcast": func(a *rtaddr.Addr) any { return ynlkernel.Text(a.Broadcast) },
	"scope": func(a *rtaddr.Addr) any {
		if a.Scope == rtaddr.RT_SCOPE_UNIVERSE {
			return "global"
		}
		return a.Scope.String()
	},
	"label":               func(a *rtaddr.Addr) any { return ynlkernel.Value(a.Label) },
	"valid_life_time":     func(a *rtaddr.Addr) any { return ynlkernel.Within(a.Cacheinfo.Value.IfaValid, 2) },
	"preferred_life_time": func(a *rtaddr.Addr) any { return ynlkernel.Within(a.Cacheinfo.Value.IfaPrefered, 2) },
	"deprecated":          flag(rtaddr.IFA_F_DEPRECATED),
	"dynamic":             func(a *rtaddr.Addr) any { return a.Flags.Value&rtaddr.IFA_F_PERMANENT == 0 },
	"noprefixroute":       flag(rtaddr.IFA_F_NOPREFIXROUTE),
	"secondary":           flag(rtaddr.IFA_F_SECONDARY),
	"home":                flag(rtaddr.IFA_F_HOMEADDRESS),
	"mngtmpaddr":          flag(rtaddr.IFA_F_MANAGETEMPADDR),
	"nodad":               flag(rtaddr.IFA_F_NODAD),
	"tentative":           flag(rtaddr.IFA_F_TENTATIVE),
	"protocol":            func(a *rtaddr.Addr) any { return addrProto[a.Proto.Value] },
}

var addrProto = map[uint8]string{
	rtaddr.IFAPROT_KERNEL_LO: "kernel_lo", rtaddr.IFAPROT_KERNEL_RA: "kernel_ra", rtaddr.IFAPROT_KERNEL_LL: "kernel_ll",
}
