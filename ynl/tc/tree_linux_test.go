//go:build linux

package tc_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/tc"
)

const mbit = 1_000_000 / 8 // bytes a second

// htb is the request for an HTB class.
func htb(dev device, parent, class uint32, rate, ceil uint64) *tc.Object {
	const burst = 16384 // bytes
	o := &tc.Htb{}
	low, ok := tc.Rate(rate)
	if !ok {
		o.Rate64 = ynl.U64(rate)
	}
	high, ok := tc.Rate(ceil)
	if !ok {
		o.Ceil64 = ynl.U64(ceil)
	}
	o.Parms = ynl.Some(tc.TcHtbOpt{Rate: low, Ceil: high, Buffer: tc.BurstTicks(burst, rate), Cbuffer: tc.BurstTicks(burst, ceil)})
	return &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: parent, Handle: class}, Options: o}
}

// makeTree makes an HTB qdisc with three classes, one of which has a rate of 40 Gb/s.
func makeTree(t *testing.T, s *ynlkernel.Sandbox, dev device) *tc.Client {
	t.Helper()
	c, ctx := tc.New(s.Conn), kerneltest.Patient(t)
	root := tc.Handle(1, 0)
	qdisc := &tc.Object{
		Tcmsg:   tc.Tcmsg{Ifindex: dev.index, Parent: tc.TC_H_ROOT, Handle: root},
		Options: &tc.Htb{Init: ynl.Some(tc.TcHtbGlob{Version: 3, Rate2quantum: 10, Defcls: 0x20})},
	}
	qdisc.Kind = ynl.Some("htb")
	if err := c.NewQdisc(ctx, qdisc, ynlkernel.Create); errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "sch_htb", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	for _, class := range []*tc.Object{
		htb(dev, root, tc.Handle(1, 1), 50_000*mbit, 50_000*mbit),
		htb(dev, tc.Handle(1, 1), tc.Handle(1, 0x10), 10*mbit, 20*mbit),
		htb(dev, tc.Handle(1, 1), tc.Handle(1, 0x20), 40_000*mbit, 50_000*mbit),
	} {
		if err := c.NewClass(ctx, class, ynlkernel.Create); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// A tree of HTB classes that is made here is the one that the tool shows. Of classes the
// tool has no JSON before iproute2 6.2.
func TestTree(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	c := makeTree(t, s, dev)
	qdiscs := s.JSON(t, dev.fill("tc -j qdisc show dev $d"))
	if o := qdiscs[0]; o["kind"] != "htb" || o["handle"] != "1:" || o["root"] != true || fmt.Sprint(o["options"].(map[string]any)["default"]) != "0x20" {
		t.Errorf("the tool shows %v", qdiscs)
	}
	text := s.Run(t, dev.fill("tc class show dev $d"))
	for _, want := range []string{
		"class htb 1:1 root rate 50Gbit ceil 50Gbit burst 12500b cburst 12500b",
		"class htb 1:10 parent 1:1 prio 0 rate 10Mbit ceil 20Mbit burst 16Kb cburst 16Kb",
		"class htb 1:20 parent 1:1 prio 0 rate 40Gbit ceil 50Gbit burst 15000b cburst 12500b",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tool does not show %q in\n%s", want, text)
		}
	}
	for o, err := range c.DumpClass(kerneltest.Patient(t), &tc.Object{Tcmsg: at(dev.index, 0)}) {
		if err != nil {
			t.Fatal(err)
		}
		h := o.Options.(*tc.Htb)
		if rate := h.Rate64.Or(uint64(h.Parms.Value.Rate.Rate)); o.Handle == tc.Handle(1, 0x20) && rate != 40_000*mbit || rate == 0 {
			t.Errorf("class %s has a rate of %d bytes a second", tc.FormatHandle(o.Handle), rate)
		}
		if x, ok := o.Xstats.(*tc.TcHtbXstats); !ok || x.Tokens == 0 {
			t.Errorf("class %s has statistics %+v", tc.FormatHandle(o.Handle), o.Xstats)
		}
	}
}

// Filters of flower that are made here are those that the tool shows.
func TestFlower(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	c, ctx := makeTree(t, s, dev), kerneltest.Patient(t)
	f := &tc.Flower{
		Classid: ynl.U32(tc.Handle(1, 0x10)), KeyEthType: ynl.U16(unix.ETH_P_IP), KeyIPProto: ynl.U8(unix.IPPROTO_TCP),
		KeyIPv4Dst: netip.MustParseAddr("10.0.0.0"), KeyIPv4DstMask: netip.MustParseAddr("255.255.255.0"), KeyTCPDst: ynl.U16(80),
	}
	o := &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: tc.Handle(1, 0), Info: tc.FilterInfo(7, unix.ETH_P_IP)}, Options: f}
	if err := c.NewFilter(ctx, o, ynlkernel.Create); errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "cls_flower", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, o := range s.JSON(t, "tc -j filter show dev "+dev.name+" parent 1:") {
		if options, ok := o["options"].(map[string]any); ok && options["keys"] != nil {
			shown = append(shown, fmt.Sprintf("%v %v %v %v %v", o["protocol"], o["pref"], o["kind"], options["classid"], options["keys"]))
		}
	}
	if want := "[ip 7 flower 1:10 map[dst_ip:10.0.0.0/24 dst_port:80 eth_type:ipv4 ip_proto:tcp]]"; fmt.Sprint(shown) != want {
		t.Errorf("the tool shows %v, want %s", shown, want)
	}
	for got, err := range c.DumpFilter(ctx, &tc.Object{Tcmsg: at(dev.index, tc.Handle(1, 0))}) {
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := got.Options.(*tc.Flower); ok && got.Handle != 0 {
			if r.KeyIPv4Dst != f.KeyIPv4Dst || r.KeyTCPDst != f.KeyTCPDst || got.Priority() != 7 || got.Protocol() != unix.ETH_P_IP {
				t.Errorf("%+v", r)
			}
		}
	}
}

// u32 has a list of keys, and an action follows its filter (florianl/go-tc issues 3, 7 and
// 17, vishvananda/netlink issue 901).
func TestU32(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	for _, line := range []string{
		"tc qdisc add dev $d ingress",
		"tc qdisc add dev $d root handle 1: htb",
		"tc filter add dev $d parent 1: prio 7 protocol ip u32 match ip dst 10.0.0.1/32 match ip dport 80 0xffff match ip protocol 6 0xff flowid 1:5",
		"tc filter add dev $d parent ffff: prio 9 protocol all u32 match u32 0 0 action mirred egress redirect dev $p",
	} {
		s.Try(t, "cls_u32", dev.fill(line))
	}
	c, ctx := tc.New(s.Conn), kerneltest.Patient(t)
	u := u32s(t, c, dev, tc.Handle(1, 0))[0]
	want := []tc.TcU32Key{{Mask: 0xffffffff, Val: 0x0a000001, Off: 16}, {Mask: 0xffff, Val: 80, Off: 20}, {Mask: 0xff0000, Val: 0x60000, Off: 8}}
	if sel := u.Sel.Value; fmt.Sprint(sel.Keys) != fmt.Sprint(want) || sel.Nkeys != 3 || sel.Flags != tc.TC_U32_TERMINAL {
		t.Errorf("selector %+v", sel)
	}
	if u.Classid != ynl.U32(tc.Handle(1, 5)) || u.Flags != ynl.Some(tc.TCA_CLS_FLAGS_NOT_IN_HW) || u.Settable().Flags.Value != 0 {
		t.Errorf("%+v", u)
	}
	acts := u32s(t, c, dev, tc.Handle(0xffff, 0))[0].Act
	if len(acts) != 1 || acts[0].Kind != ynl.Some("mirred") {
		t.Fatalf("actions %+v", acts)
	}
	m := acts[0].Options.(*tc.ActMirred).Parms.Value
	if m.Action != tc.TC_ACT_STOLEN || m.Eaction != tc.TCA_EGRESS_REDIR || m.Ifindex != uint32(dev.index)-1 && m.Ifindex != uint32(dev.index)+1 {
		t.Errorf("mirred %+v", m)
	}

	// One key, and two.
	for i, keys := range [][]tc.TcU32Key{want[:1], want[1:]} {
		f := &tc.U32{Classid: ynl.U32(tc.Handle(1, uint16(6+i))), Sel: ynl.Some(tc.TcU32Sel{Flags: tc.TC_U32_TERMINAL, Keys: keys})}
		o := &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: tc.Handle(1, 0), Info: tc.FilterInfo(uint16(10+i), unix.ETH_P_IP)}, Options: f}
		if err := c.NewFilter(ctx, o, ynlkernel.Create); err != nil {
			t.Fatal(err)
		}
	}
	text := s.Run(t, dev.fill(root))
	for _, want := range []string{"flowid 1:6", "match 0a000001/ffffffff at 16", "flowid 1:7", "match 00000050/0000ffff at 20\n  match 00060000/00ff0000 at 8"} {
		if !strings.Contains(text, want) {
			t.Errorf("the tool does not show %q in\n%s", want, text)
		}
	}
}

// u32s returns the filters of u32 below a parent.
func u32s(t *testing.T, c *tc.Client, dev device, parent uint32) []*tc.U32 {
	t.Helper()
	var list []*tc.U32
	for o, err := range c.DumpFilter(kerneltest.Patient(t), &tc.Object{Tcmsg: at(dev.index, parent)}) {
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := o.Options.(*tc.U32); ok && u.Sel.Set {
			list = append(list, u)
		}
	}
	if len(list) == 0 {
		t.Fatal("no filter")
	}
	return list
}

// A filter of BPF instructions, and one of a shared block.
func TestBPFInBlock(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	s.Try(t, "sch_ingress", dev.fill("tc qdisc add dev $d ingress_block 7 ingress"))
	c, ctx := tc.New(s.Conn), kerneltest.Patient(t)
	header := tc.Block(7)
	header.Info = tc.FilterInfo(3, unix.ETH_P_ALL)
	// ret 0xffff
	program := []byte{6, 0, 0, 0, 0xff, 0xff, 0, 0}
	f := &tc.BPF{Classid: ynl.U32(tc.Handle(1, 5)), OpsLen: ynl.U16(1), Ops: program}
	if err := c.NewFilter(ctx, &tc.Object{Tcmsg: header, Kind: ynl.Some("bpf"), Options: f}, ynlkernel.Create); errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "cls_bpf", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if text := s.Run(t, "tc filter show block 7"); !strings.Contains(text, "pref 3 bpf") || !strings.Contains(text, "bytecode") {
		t.Errorf("the tool shows\n%s", text)
	}
	for o, err := range c.DumpFilter(ctx, &tc.Object{Tcmsg: tc.Block(7)}) {
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := o.Options.(*tc.BPF); ok && o.Handle != 0 && (string(b.Ops) != string(program) || b.Classid != f.Classid) {
			t.Errorf("%+v", b)
		}
	}
}

// Classes of hfsc that are made here are those that the tool shows.
func TestHfscClasses(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	c, ctx := tc.New(s.Conn), kerneltest.Patient(t)
	root := tc.Handle(1, 0)
	err := c.NewQdisc(ctx, &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: tc.TC_H_ROOT, Handle: root}, Options: &tc.TcHfscQopt{Defcls: 2}}, ynlkernel.Create)
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "sch_hfsc", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	linear := func(rate uint32) ynl.Opt[tc.TcServiceCurve] { return ynl.Some(tc.TcServiceCurve{M2: rate}) }
	first := &tc.Hfsc{Rsc: linear(1 * mbit), Fsc: linear(1 * mbit), Usc: linear(2 * mbit)}
	second := &tc.Hfsc{Rsc: ynl.Some(tc.TcServiceCurve{M1: 8 * mbit, D: 20_000, M2: 4 * mbit}), Fsc: linear(4 * mbit)}
	for i, options := range []*tc.Hfsc{first, second} {
		class := &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: root, Handle: tc.Handle(1, uint16(i+1))}, Options: options}
		if err := c.NewClass(ctx, class, ynlkernel.Create); err != nil {
			t.Fatal(err)
		}
	}
	text := s.Run(t, dev.fill("tc class show dev $d"))
	for _, want := range []string{
		"class hfsc 1:1 parent 1: sc m1 0bit d 0us m2 1Mbit ul m1 0bit d 0us m2 2Mbit",
		"class hfsc 1:2 parent 1: rt m1 8Mbit d 20ms m2 4Mbit ls m1 0bit d 0us m2 4Mbit",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tool does not show %q in\n%s", want, text)
		}
	}
	got := make(map[uint32]tc.Options)
	for o, err := range c.DumpClass(ctx, &tc.Object{Tcmsg: at(dev.index, 0)}) {
		if err != nil {
			t.Fatal(err)
		}
		got[o.Handle] = o.Options
	}
	want := map[uint32]tc.Options{root: &tc.Hfsc{}, root + 1: first, root + 2: second}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("classes %v, want %v", got, want)
	}
	err = c.NewClass(ctx, &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Parent: root, Handle: root + 3}, Options: &tc.Hfsc{}}, ynlkernel.Create)
	if !errors.Is(err, unix.EINVAL) {
		t.Errorf("a class without a curve: %v, want EINVAL", err)
	}
}

// Actions that have no filter are made, listed as the tool lists them, and deleted.
func TestActions(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	c, ctx := tc.New(s.Conn), kerneltest.Patient(t)
	mirred := func(index uint32) tc.Act {
		return tc.Act{Options: &tc.ActMirred{Parms: ynl.Some(tc.TcMirred{Index: index, Action: tc.TC_ACT_STOLEN, Eaction: tc.TCA_EGRESS_REDIR, Ifindex: uint32(dev.index)})}}
	}
	err := c.NewAction(ctx, &tc.Actions{Tab: []tc.Act{mirred(77), mirred(78)}}, ynlkernel.Create)
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "act_mirred", "%v", err)
	}
	if errors.Is(err, unix.EPERM) && nstest.UserNamespace() {
		nstest.Skip(t, "actions", "they need CAP_NET_ADMIN in the initial user namespace (tc_ctl_action): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := s.Run(t, "tc actions list action mirred")
	if !strings.Contains(text, "index 77") || !strings.Contains(text, "index 78") {
		t.Errorf("the tool shows\n%s", text)
	}
	kind := []tc.Act{{Kind: ynl.Some("mirred")}}
	var indices []uint32
	for a, err := range c.DumpAction(ctx, &tc.Actions{Tab: kind}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, act := range a.Tab {
			indices = append(indices, act.Options.(*tc.ActMirred).Parms.Value.Index)
		}
	}
	if fmt.Sprint(indices) != "[77 78]" {
		t.Errorf("actions %v, want 77 and 78", indices)
	}
	one := []tc.Act{{Kind: ynl.Some("mirred"), Index: ynl.U32(77)}}
	if got, err := c.GetAction(ctx, &tc.Actions{Tab: one}); err != nil || len(got.Tab) != 1 || got.Tab[0].Options.(*tc.ActMirred).Parms.Value.Index != 77 {
		t.Errorf("action %+v, %v", got, err)
	}
	if err := c.DelAction(ctx, &tc.Actions{Tab: one}); err != nil {
		t.Fatal(err)
	}
	if text := s.Run(t, "tc actions list action mirred"); strings.Contains(text, "index 77") || !strings.Contains(text, "index 78") {
		t.Errorf("the tool shows\n%s", text)
	}
}

// A change of a qdisc is an event, and a refusal has the reason of the kernel.
func TestEventsAndRefusals(t *testing.T) {
	s := ynlkernel.New(t)
	dev := veth(t, s, 0)
	ctx := kerneltest.Patient(t)
	// Before Linux 5.15 the socket of the request does not get the event.
	events := ynl.Events(ctx, kerneltest.Dial(t, s.NS, netlink.NETLINK_ROUTE), &tc.Family)
	c := makeTree(t, s, dev)
	for e := range events {
		if o, ok := e.Value.(*tc.Object); !ok || e.Err != nil {
			t.Fatalf("event %+v", e)
		} else if o.Handle == tc.Handle(1, 0x20) {
			break
		}
	}
	err := c.DelClass(ctx, &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: dev.index, Handle: tc.Handle(1, 0x99)}})
	if !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "tc deltclass: ") {
		t.Errorf("error is %v, want ENOENT of deltclass", err)
	}
	err = c.NewQdisc(ctx, &tc.Object{Tcmsg: at(dev.index, tc.TC_H_ROOT), Options: &tc.Htb{}, Kind: ynl.Some("tbf")}, ynlkernel.Create)
	if err == nil || !strings.Contains(err.Error(), "TCA_OPTIONS") {
		t.Errorf("error is %v, want one of TCA_OPTIONS", err)
	}
}
