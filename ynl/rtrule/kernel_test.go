//go:build linux

package rtrule_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtrule"
)

const ruleHeader = 12 // struct fib_rule_hdr

// many are the rules of case 7, and others.
var many = []string{
	"ip rule add pref 100 fwmark 0x10/0xff lookup 1000 suppress_prefixlength 0",
	"ip rule add pref 102 ipproto tcp dport 80-90 sport 1024 lookup 1001 protocol 99",
	"ip rule add pref 103 l3mdev",
	"ip rule add pref 104 goto 200",
	"ip rule add pref 200 from 192.0.2.0/24 to 198.51.100.0/24 iif v0 oif v1 tos 0x10 lookup 254 realms 3/4",
	"ip rule add pref 202 blackhole",
	"ip rule add pref 203 tun_id 7 lookup 1003",
	"ip rule add not pref 204 from 10.0.0.0/8 lookup 5",
	"ip rule add pref 205 goto 300",
	"ip rule add pref 206 unreachable iif nodev",
	"ip rule add pref 207 nop",
	"ip rule add pref 208 prohibit to 203.0.113.7",
	"ip -6 rule add pref 101 lookup 111",
	"ip -6 rule add pref 102 from 2001:db8::/32 lookup 111 suppress_prefixlength 16",
}

// uidRule needs the initial user namespace (fib_nl2rule).
const uidRule = "ip rule add pref 101 uidrange 100-200 lookup 1000 suppress_ifgroup 5"

func full(t *testing.T) *ynlkernel.Sandbox {
	t.Helper()
	s := ynlkernel.NewEnds(t)
	s.Fill(t, []string{uidRule})
	s.Run(t, strings.Join(many, "\n"))
	return s
}

// rules returns the IPv4 rules by priority.
func rules(t *testing.T, s *ynlkernel.Sandbox) map[uint32]*rtrule.Rule {
	t.Helper()
	list, err := rtrule.New(s.Conn).DumpRule(kerneltest.Patient(t), &rtrule.Rule{FibRuleHdr: rtrule.FibRuleHdr{Family: af.Inet}}).List()
	if err != nil {
		t.Fatal(err)
	}
	m := map[uint32]*rtrule.Rule{}
	for _, r := range list {
		m[r.Priority.Value] = r
	}
	return m
}

func TestCase7Rules(t *testing.T) {
	s := full(t)
	m := rules(t, s)
	if r := m[100]; r.Fwmark != ynl.U32(16) || r.Fwmask != ynl.U32(255) || r.SuppressPrefixlen != ynl.S32(0) ||
		r.Table != ynl.U32(1000) || r.FibRuleHdr.Table != 252 {
		t.Errorf("100: %+v", r)
	}
	for _, p := range []uint32{102, 103, 200, 202, 203} {
		if m[p].SuppressPrefixlen != ynl.S32(-1) {
			t.Errorf("%d: suppress-prefixlen %s", p, m[p].SuppressPrefixlen)
		}
	}
	if r := m[102]; r.Protocol != ynl.U8(99) || r.IPProto != ynl.U8(6) || r.SportRange.Value != (rtrule.FibRulePortRange{Start: 1024, End: 1024}) ||
		r.DportRange.Value != (rtrule.FibRulePortRange{Start: 80, End: 90}) {
		t.Errorf("102: %+v", r)
	} else if r.SportMask.Set && r.SportMask.Value != 65535 { // since Linux 6.15
		t.Errorf("102: mask %s", r.SportMask)
	}
	if r := m[103]; r.L3mdev != ynl.U8(1) || r.Table.Value != 0 {
		t.Errorf("103: %+v", r)
	}
	if r := m[104]; r.Action != rtrule.FR_ACT_GOTO || r.Goto != ynl.U32(200) {
		t.Errorf("104: %+v", r)
	}
	if r := m[200]; r.TOS != 16 || r.Flow != ynl.U32(0x30004) || r.SrcPrefix() != netip.MustParsePrefix("192.0.2.0/24") ||
		r.DstPrefix() != netip.MustParsePrefix("198.51.100.0/24") || r.Iifname != ynl.Some("v0") || r.Oifname != ynl.Some("v1") {
		t.Errorf("200: %+v", r)
	}
	if r := m[202]; r.Action != rtrule.FR_ACT_BLACKHOLE || uint32(r.Action) != 6 {
		t.Errorf("202: %+v", r)
	}
	if r := m[203]; r.TunID != ynl.U64(7) {
		t.Errorf("203: %+v", r)
	}
	if r := m[205]; r.Flags&rtrule.FIB_RULE_UNRESOLVED == 0 || r.Settable().Flags != 0 {
		t.Errorf("205: %+v", r)
	}
	if r := m[206]; r.Flags&rtrule.FIB_RULE_IIF_DETACHED == 0 || r.Settable().Flags != 0 {
		t.Errorf("206: %+v", r)
	}
	if r := m[204]; r.Settable().Flags != rtrule.FIB_RULE_INVERT {
		t.Errorf("204: %+v", r)
	}
}

// uids skips if rules may not have user identifiers.
func uids(t *testing.T, s *ynlkernel.Sandbox) {
	t.Helper()
	if !s.Can(uidRule) {
		nstest.Skip(t, "uidrange", "a rule with user identifiers needs the initial user namespace")
	}
}

func TestCase7UserRange(t *testing.T) {
	s := ynlkernel.New(t)
	uids(t, s)
	if r := rules(t, s)[101]; r.UIDRange.Value != (rtrule.FibRuleUIDRange{Start: 100, End: 200}) || r.SuppressIfgroup != ynl.S32(5) {
		t.Errorf("%+v", r)
	}
}

func TestCase7Zeros(t *testing.T) {
	s := ynlkernel.New(t)
	uids(t, s)
	r := rtrule.To(netip.MustParsePrefix("10.0.0.0/24"))
	r.Flags = rtrule.FIB_RULE_INVERT
	r.Priority, r.Table = ynl.U32(300), ynl.U32(5000)
	r.Fwmark, r.Fwmask = ynl.U32(0), ynl.U32(0xff)
	r.UIDRange = ynl.Some(rtrule.FibRuleUIDRange{})
	r.IPProto, r.DportRange = ynl.U8(unix.IPPROTO_UDP), ynl.Some(rtrule.FibRulePortRange{Start: 53, End: 53})
	r.SuppressPrefixlen = ynl.S32(0)
	if err := rtrule.New(s.Conn).NewRule(kerneltest.Patient(t), r, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	out := s.Run(t, "ip rule show pref 300")
	want := "not from all to 10.0.0.0/24 fwmark 0/0xff uidrange 0-0 ipproto udp dport 53 lookup 5000 suppress_prefixlength 0"
	if !strings.Contains(out, want) || r.Flags != 2 {
		t.Errorf("%s, want %s", out, want)
	}
}

// TestAgain: each rule is deleted with what was listed, and made again with it.
func TestAgain(t *testing.T) {
	s := full(t)
	ctx, c := kerneltest.Patient(t), rtrule.New(s.Conn)
	const show = "ip rule\nip -6 rule"
	before := s.Run(t, show)
	list, err := c.DumpRule(ctx, nil).List()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range list {
		if r.Priority.Value == 0 || r.Family != af.Inet && r.Family != af.Inet6 {
			continue
		}
		n++
		if err := c.DelRule(ctx, r.Settable()); err != nil {
			t.Errorf("delete %d: %v", r.Priority.Value, err)
			continue
		}
		if err := c.NewRule(ctx, r.Settable(), ynlkernel.Create); err != nil {
			t.Errorf("make %d: %v", r.Priority.Value, err)
		}
	}
	s.Same(t, show, before)
	if n < len(many) {
		t.Errorf("%d rules", n)
	}
}

func TestLossless(t *testing.T) {
	for _, c := range full(t).Dump(t, rtrule.OpGetRule, &rtrule.Rule{}) {
		ynlkernel.Lossless(t, &rtrule.Family, c, ruleHeader)
	}
}

// TestOldAndNew: messages of older and newer kernels decode.
func TestOldAndNew(t *testing.T) {
	for _, c := range full(t).Dump(t, rtrule.OpGetRule, &rtrule.Rule{}) {
		ynlkernel.Mutate(t, &rtrule.Family, c, ruleHeader)
	}
}

func TestEvents(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, cancel := context.WithCancel(kerneltest.Patient(t))
	defer cancel()
	events := ynl.Events(ctx, s.Conn, &rtrule.Family)
	s.Run(t, `
		ip rule add pref 100 from 192.0.2.0/24 lookup 100
		ip rule del pref 100
		ip -6 rule add pref 100 from 2001:db8::/32 lookup 100
		ip -6 rule del pref 100`)
	want := []string{"32 192.0.2.0/24 100", "33 192.0.2.0/24 100", "32 2001:db8::/32 100", "33 2001:db8::/32 100"}
	ynlkernel.Await(t, events, cancel, want, func(e ynl.Event) string {
		r := e.Value.(*rtrule.Rule)
		return ynlkernel.Line(e.Type, r.SrcPrefix(), r.Table)
	})
}

// TestRefusals: the kernel's refusals are errors that say what is wrong.
func TestRefusals(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, c := kerneltest.Patient(t), rtrule.New(s.Conn)
	p := netip.MustParsePrefix("192.0.2.0/24")
	rule := func(change func(*rtrule.Rule)) *rtrule.Rule {
		r := rtrule.From(p)
		r.Priority, r.Table = ynl.U32(100), ynl.U32(100)
		change(r)
		return r
	}
	if err := c.NewRule(ctx, rule(func(*rtrule.Rule) {}), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		req  *rtrule.Rule
		want error
		text string
	}{
		"exists":         {rule(func(*rtrule.Rule) {}), unix.EEXIST, ""},
		"no family":      {rule(func(r *rtrule.Rule) { r.Family, r.Src = 77, netip.Addr{} }), unix.EAFNOSUPPORT, ""},
		"no goto":        {rule(func(r *rtrule.Rule) { r.Action = rtrule.FR_ACT_GOTO }), unix.EINVAL, ""},
		"short priority": {rule(func(r *rtrule.Rule) { r.Priority.Set = false; r.Unknown.Add(6, []byte{1}) }), unix.ERANGE, ""},
	} {
		err := c.NewRule(ctx, x.req, ynlkernel.Create)
		if !errors.Is(err, x.want) || client.NotSent(err) || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%s: %v, want %v and %q", name, err, x.want, x.text)
		}
	}
	if err := c.DelRule(ctx, rule(func(r *rtrule.Rule) { r.Priority = ynl.U32(101) })); !errors.Is(err, unix.ENOENT) {
		t.Errorf("delete: %v", err)
	}
}

// TestBadInput: what cannot be encoded is not sent.
func TestBadInput(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, c := kerneltest.Patient(t), rtrule.New(s.Conn)
	for text, change := range map[string]func(*rtrule.Rule){
		"FRA_SRC":     func(r *rtrule.Rule) { r.Src = netip.MustParseAddr("2001:db8::1") },
		"FRA_DST":     func(r *rtrule.Rule) { r.Dst = netip.MustParseAddr("::ffff:192.0.2.1") },
		"FRA_IIFNAME": func(r *rtrule.Rule) { r.Iifname = ynl.Some(strings.Repeat("x", 1<<16)) },
		"action":      func(r *rtrule.Rule) { r.Action = 256 },
	} {
		r := rtrule.From(netip.MustParsePrefix("192.0.2.0/24"))
		change(r)
		ynlkernel.NotSent(t, c.NewRule(ctx, r, ynlkernel.Create), text)
	}
}

func TestHelpers(t *testing.T) {
	from, to := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/25")
	r := rtrule.From(from).To(to)
	if r.SrcPrefix() != from || r.DstPrefix() != to || r.Action != rtrule.FR_ACT_TO_TBL || r.Family != af.Inet {
		t.Errorf("%+v", r)
	}
	all := netip.MustParsePrefix("0.0.0.0/0")
	if r := rtrule.To(to); r.SrcPrefix() != all {
		t.Errorf("%s", r.SrcPrefix())
	}
	if r := rtrule.From(netip.MustParsePrefix("::/0")); r.SrcPrefix() != netip.MustParsePrefix("::/0") || r.Family != af.Inet6 {
		t.Errorf("%+v", r)
	}
	drop := (&rtrule.Rule{FibRuleHdr: rtrule.FibRuleHdr{Action: rtrule.FR_ACT_BLACKHOLE}}).From(from)
	if drop.Action != rtrule.FR_ACT_BLACKHOLE {
		t.Errorf("action %s", drop.Action)
	}
}

// TestAgainstTool compares all rules with those that ip reads.
func TestAgainstTool(t *testing.T) {
	s := full(t)
	compared := 0
	for family, line := range map[uint8]string{af.Inet: "ip -j -N -d rule", af.Inet6: "ip -j -N -d -6 rule"} {
		theirs := s.JSON(t, line)
		ours, err := rtrule.New(s.Conn).DumpRule(kerneltest.Patient(t), &rtrule.Rule{FibRuleHdr: rtrule.FibRuleHdr{Family: family}}).List()
		if err != nil || len(ours) != len(theirs) {
			t.Fatalf("%d rules for ip, %d here, %v", len(theirs), len(ours), err)
		}
		for i, o := range theirs {
			compared += ynlkernel.Compare(t, fmt.Sprint(ours[i].Priority), o, ours[i], toolFields)
		}
	}
	if compared < 70 {
		t.Errorf("only %d values compared", compared)
	}
}

type field = func(*rtrule.Rule) any

// present is a field that ip prints without a value if it is so.
func present(f func(*rtrule.Rule) bool) field {
	return func(r *rtrule.Rule) any {
		if f(r) {
			return nil
		}
		return ynlkernel.Absent
	}
}

func hasFlag(f rtrule.FibRuleFlags) field {
	return present(func(r *rtrule.Rule) bool { return r.Flags&f != 0 })
}

// toolFields are the fields of ip -N -j rule.
var toolFields = map[string]field{
	"priority": func(r *rtrule.Rule) any { return r.Priority.Value },
	"src": func(r *rtrule.Rule) any {
		if r.SrcLen == 0 {
			return "all"
		}
		return r.Src.String()
	},
	"srclen":             func(r *rtrule.Rule) any { return r.SrcLen },
	"dst":                func(r *rtrule.Rule) any { return r.Dst.String() },
	"dstlen":             func(r *rtrule.Rule) any { return r.DstLen },
	"tos":                func(r *rtrule.Rule) any { return fmt.Sprintf("0x%x", r.TOS) },
	"table":              func(r *rtrule.Rule) any { return r.Table.Value },
	"protocol":           func(r *rtrule.Rule) any { return r.Protocol.Value },
	"fwmark":             func(r *rtrule.Rule) any { return fmt.Sprintf("0x%x", r.Fwmark.Value) },
	"fwmask":             func(r *rtrule.Rule) any { return fmt.Sprintf("0x%x", r.Fwmask.Value) },
	"suppress_prefixlen": func(r *rtrule.Rule) any { return r.SuppressPrefixlen.Value },
	"suppress_ifgroup":   func(r *rtrule.Rule) any { return r.SuppressIfgroup.Value },
	"uid_start":          func(r *rtrule.Rule) any { return r.UIDRange.Value.Start },
	"uid_end":            func(r *rtrule.Rule) any { return r.UIDRange.Value.End },
	"ipproto":            func(r *rtrule.Rule) any { return fmt.Sprintf("ipproto-%d", r.IPProto.Value) },
	"sport":              func(r *rtrule.Rule) any { return r.SportRange.Value.Start },
	"dport":              func(r *rtrule.Rule) any { return r.DportRange.Value.Start },
	"sport_start":        func(r *rtrule.Rule) any { return r.SportRange.Value.Start },
	"sport_end":          func(r *rtrule.Rule) any { return r.SportRange.Value.End },
	"dport_start":        func(r *rtrule.Rule) any { return r.DportRange.Value.Start },
	"dport_end":          func(r *rtrule.Rule) any { return r.DportRange.Value.End },
	"iif":                func(r *rtrule.Rule) any { return r.Iifname.Value },
	"oif":                func(r *rtrule.Rule) any { return r.Oifname.Value },
	"goto":               func(r *rtrule.Rule) any { return r.Goto.Value },
	"action":             func(r *rtrule.Rule) any { return uint32(r.Action) },
	"tun_id":             func(r *rtrule.Rule) any { return r.TunID.Value },
	"flow_from":          func(r *rtrule.Rule) any { return r.Flow.Value >> 16 },
	"flow_to":            func(r *rtrule.Rule) any { return r.Flow.Value & 0xffff },
	"not":                hasFlag(rtrule.FIB_RULE_INVERT),
	"unresolved":         hasFlag(rtrule.FIB_RULE_UNRESOLVED),
	"iif_detached":       hasFlag(rtrule.FIB_RULE_IIF_DETACHED),
	"oif_detached":       hasFlag(rtrule.FIB_RULE_OIF_DETACHED),
	"l3mdev":             present(func(r *rtrule.Rule) bool { return r.L3mdev.Value == 1 }),
	"nop":                present(func(r *rtrule.Rule) bool { return r.Action == rtrule.FR_ACT_NOP }),
}
