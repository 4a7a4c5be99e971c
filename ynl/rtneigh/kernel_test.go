//go:build linux

package rtneigh_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtneigh"
)

const (
	neighHeader = 12 // struct ndmsg
	tableHeader = 4  // struct ndtmsg
)

func mac(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, last} }

// many are neighbours of all sorts.
var many = []string{
	"ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:09 dev v0 nud permanent",
	"ip neigh add 192.0.2.11 lladdr 02:00:00:00:00:0a dev v0 nud stale",
	"ip neigh add 192.0.2.12 lladdr 02:00:00:00:00:0b dev v0 nud noarp protocol bird",
	"ip neigh add 192.0.2.13 lladdr 02:00:00:00:00:0c dev v0 nud reachable extern_learn",
	"ip neigh add proxy 192.0.2.77 dev v0",
	"ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:0d dev v0 nud permanent router",
	"ip neigh add proxy 2001:db8::77 dev v0",
}

// forwarding makes the links and the entries of case 8, and a bridge with entries of its own.
func forwarding(t *testing.T) *ynlkernel.Sandbox {
	t.Helper()
	s := ynlkernel.NewEnds(t)
	s.Try(t, "bridge", "ip link add br0 type bridge")
	s.Try(t, "vxlan", "ip link add vx0 type vxlan id 42 dstport 4789 dev v0")
	s.Can("ip link set br0 type bridge vlan_default_pvid 0") // else there is one more of each entry
	s.Run(t, `
		ip link set vx0 master br0
		ip link set vx0 up
		ip link set br0 up
		bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.9
		bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.8 port 9999 vni 77 via v0
		bridge fdb add 02:00:00:00:00:05 dev vx0 master static sticky
		bridge fdb add 02:00:00:00:00:06 dev vx0 master extern_learn
		bridge fdb add 02:00:00:00:00:07 dev vx0 master dynamic
		bridge fdb add 02:00:00:00:00:08 dev vx0 master permanent
		bridge fdb add 02:00:00:00:00:0f dev br0 self permanent
		bridge fdb add 02:00:00:00:00:0e dev vx0 dst 192.0.2.66 self permanent`)
	return s
}

// entries returns the forwarding entries for a MAC address.
func entries(t *testing.T, s *ynlkernel.Sandbox, address net.HardwareAddr) (found []*rtneigh.Neighbour) {
	t.Helper()
	list, err := rtneigh.New(s.Conn).DumpNeigh(kerneltest.Patient(t), &rtneigh.Neighbour{Ndmsg: rtneigh.Ndmsg{Family: af.Bridge}}).List()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		if slices.Equal(n.Lladdr, address) {
			found = append(found, n)
		}
	}
	return found
}

func TestCase8ForwardingEntries(t *testing.T) {
	s := forwarding(t)
	vx0, v0, br0 := s.Link(t, "vx0").Index, s.Link(t, "v0").Index, s.Link(t, "br0").Index
	zero := entries(t, s, make(net.HardwareAddr, 6))
	if len(zero) != 2 {
		t.Fatalf("%d entries without an address", len(zero))
	}
	for i, n := range zero {
		if n.Ifindex != vx0 || n.State != rtneigh.NUD_NOARP|rtneigh.NUD_PERMANENT || n.Ndmsg.Flags != rtneigh.NTF_SELF {
			t.Errorf("entry %d: %+v", i, n)
		}
	}
	if n := zero[0]; n.Dst != netip.MustParseAddr("192.0.2.9") || n.Port.Set || n.Vni.Set {
		t.Errorf("%+v", n)
	}
	if n := zero[1]; n.Dst != netip.MustParseAddr("192.0.2.8") || n.Port != ynl.U16(9999) || n.Vni != ynl.U32(77) || n.ViaIfindex != ynl.U32(uint32(v0)) {
		t.Errorf("%+v", n)
	}
	for last, want := range map[byte]struct {
		flags   rtneigh.NtfFlags // as listed
		set     rtneigh.NtfFlags // as settable
		state   rtneigh.NudState
		ifindex int32
	}{
		5:   {rtneigh.NTF_STICKY, rtneigh.NTF_STICKY | rtneigh.NTF_MASTER, rtneigh.NUD_NOARP, vx0},
		6:   {rtneigh.NTF_EXT_LEARNED, rtneigh.NTF_EXT_LEARNED | rtneigh.NTF_MASTER, rtneigh.NUD_REACHABLE, vx0},
		7:   {0, rtneigh.NTF_MASTER, rtneigh.NUD_REACHABLE, vx0},
		8:   {0, rtneigh.NTF_MASTER, rtneigh.NUD_PERMANENT, vx0},
		0xf: {0, rtneigh.NTF_SELF, rtneigh.NUD_PERMANENT, br0},
	} {
		found := entries(t, s, mac(last))
		if len(found) != 1 {
			t.Errorf("%s: %d entries", mac(last), len(found))
			continue
		}
		n := found[0]
		if n.Ndmsg.Flags != want.flags || n.State != want.state || n.Ifindex != want.ifindex || n.Master.Value != uint32(br0) {
			t.Errorf("%s: %+v, want %+v", mac(last), n, want)
		}
		if set := n.Settable(); set.Ndmsg.Flags != want.set || set.Master.Set {
			t.Errorf("%s settable: %+v, want %+v", mac(last), set, want)
		}
	}

	made := rtneigh.FDB(vx0, mac(0x10))
	made.Flags, made.State = rtneigh.NTF_SELF, rtneigh.NUD_PERMANENT|rtneigh.NUD_NOARP
	made.Dst, made.Vni, made.Port = netip.MustParseAddr("192.0.2.55"), ynl.U32(100), ynl.U16(8472)
	if err := rtneigh.New(s.Conn).NewNeigh(kerneltest.Patient(t), made, netlink.NLM_F_CREATE|netlink.NLM_F_APPEND); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "bridge fdb show dev vx0"); !strings.Contains(out, "02:00:00:00:00:10 dst 192.0.2.55 port 8472 vni 100 self permanent") {
		t.Error(out)
	}
}

func TestCase8Again(t *testing.T) {
	s := forwarding(t)
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	show := func() []string {
		// Without the addresses that the links have and the groups that they join.
		return slices.DeleteFunc(lines(s.Run(t, "bridge fdb show")), func(line string) bool {
			return !strings.HasPrefix(line, "02:00:00:00:00:") && !strings.HasPrefix(line, "00:00:00:00:00:00 ")
		})
	}
	before := show()
	var list []*rtneigh.Neighbour
	for _, last := range []byte{5, 6, 7, 8, 0xe, 0xf} {
		list = append(list, entries(t, s, mac(last))...)
	}
	list = append(list, entries(t, s, make(net.HardwareAddr, 6))...)
	if len(list) != 8 {
		t.Fatalf("%d entries", len(list))
	}
	for _, n := range list {
		if err := c.DelNeigh(ctx, n.Settable()); err != nil {
			t.Errorf("delete %s: %v", n.Lladdr, err)
		}
	}
	if left := show(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for _, n := range list {
		if err := c.NewNeigh(ctx, n.Settable(), netlink.NLM_F_CREATE|netlink.NLM_F_APPEND); err != nil {
			t.Errorf("make %s: %v", n.Lladdr, err)
		}
	}
	if after := show(); !slices.Equal(after, before) || len(before) != len(list) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// lines returns the lines of a text in order.
func lines(text string) []string {
	list := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(list)
	return list
}

// TestAgain: each neighbour is deleted with what was listed, and made again with it.
func TestAgain(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Run(t, strings.Join(many, "\n"))
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	show := func() []string {
		return lines(s.Run(t, "ip neigh show dev v0\nip neigh show proxy\nip -6 neigh show proxy"))
	}
	before := show()
	var list []*rtneigh.Neighbour
	for _, req := range []*rtneigh.Neighbour{nil, {Ndmsg: rtneigh.Ndmsg{Flags: rtneigh.NTF_PROXY}}} {
		got, err := c.DumpNeigh(ctx, req).List()
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range got {
			if n.Ifindex == s.Link(t, "v0").Index && n.Family != af.Bridge && !n.Dst.IsMulticast() {
				list = append(list, n)
			}
		}
	}
	if len(list) != len(many) {
		t.Errorf("%d neighbours, want %d", len(list), len(many))
	}
	for _, n := range list {
		if err := c.DelNeigh(ctx, n.Settable()); err != nil {
			t.Errorf("delete %s: %v", n.Dst, err)
			continue
		}
		if err := c.NewNeigh(ctx, n.Settable(), ynlkernel.Create); err != nil {
			t.Errorf("make %s: %v", n.Dst, err)
		}
	}
	if after := show(); !slices.Equal(after, before) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// captures returns the messages of the dumps of neighbours and of their tables.
func captures(t *testing.T) (neighbours, tables []ynlkernel.Capture) {
	t.Helper()
	s := forwarding(t)
	s.Run(t, strings.Join(many, "\n"))
	for _, h := range []rtneigh.Ndmsg{{}, {Flags: rtneigh.NTF_PROXY}, {Family: af.Bridge}} {
		neighbours = append(neighbours, s.Dump(t, rtneigh.OpGetNeigh, &rtneigh.Neighbour{Ndmsg: h})...)
	}
	return neighbours, s.Dump(t, rtneigh.OpGetNeightbl, &rtneigh.Neightbl{})
}

func TestLossless(t *testing.T) {
	neighbours, tables := captures(t)
	for _, c := range neighbours {
		ynlkernel.Lossless(t, &rtneigh.Family, c, neighHeader)
	}
	for _, c := range tables {
		ynlkernel.Lossless(t, &rtneigh.Family, c, tableHeader)
	}
}

// TestOldAndNew: messages of older and newer kernels decode.
func TestOldAndNew(t *testing.T) {
	neighbours, tables := captures(t)
	for _, c := range neighbours {
		ynlkernel.Mutate(t, &rtneigh.Family, c, neighHeader)
	}
	for _, c := range tables {
		ynlkernel.Mutate(t, &rtneigh.Family, c, tableHeader)
	}
}

// TestFilters: a dump has the entries of one link, or of one bridge.
func TestFilters(t *testing.T) {
	s := forwarding(t)
	s.Run(t, strings.Join(many, "\n"))
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	v0, br0 := s.Link(t, "v0").Index, s.Link(t, "br0").Index
	list, err := c.DumpNeigh(ctx, rtneigh.On(v0)).List()
	if err != nil || len(list) < 5 {
		t.Errorf("%d neighbours, %v", len(list), err)
	}
	for _, n := range list {
		if n.Ifindex != v0 {
			t.Errorf("%s is on link %d", n.Dst, n.Ifindex)
		}
	}
	list, err = c.DumpNeigh(ctx, &rtneigh.Neighbour{Ndmsg: rtneigh.Ndmsg{Family: af.Bridge}, Master: ynl.U32(uint32(br0))}).List()
	if err != nil || len(list) < 5 {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

func TestGetNeigh(t *testing.T) {
	s := forwarding(t)
	s.Run(t, strings.Join(many, "\n"))
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	n, err := c.GetNeigh(ctx, rtneigh.At(s.Link(t, "v0").Index, netip.MustParseAddr("192.0.2.10")))
	if err != nil || !slices.Equal(n.Lladdr, mac(9)) || n.State != rtneigh.NUD_PERMANENT {
		t.Errorf("%+v, %v", n, err)
	}
	n, err = c.GetNeigh(ctx, rtneigh.At(s.Link(t, "v0").Index, netip.MustParseAddr("192.0.2.200")))
	if n != nil || !errors.Is(err, unix.ENOENT) {
		t.Errorf("%+v, %v", n, err)
	}
	n, err = c.GetNeigh(ctx, rtneigh.FDB(s.Link(t, "vx0").Index, mac(5)))
	if err != nil || n.Ndmsg.Flags != rtneigh.NTF_STICKY {
		t.Errorf("%+v, %v", n, err)
	}
}

// TestTables: settings of a neighbour table are read and changed.
func TestTables(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	v0 := uint32(s.Link(t, "v0").Index)
	find := func() *rtneigh.Neightbl {
		t.Helper()
		list, err := c.DumpNeightbl(ctx, nil).List()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if x.Name.Value == "arp_cache" && x.Parms != nil && x.Parms.Ifindex.Value == v0 {
				return x
			}
		}
		t.Fatal("no table of v0")
		return nil
	}
	x := find().Settable()
	if x.Parms.Refcnt.Set || x.Parms.ReachableTime.Set {
		t.Errorf("%+v", x.Parms)
	}
	x.Parms.BaseReachableTime, x.Parms.UcastProbes = ynl.U64(12345), ynl.U32(7)
	if err := c.SetNeightbl(ctx, x); err != nil {
		t.Fatal(err)
	}
	if p := find().Parms; p.UcastProbes != ynl.U32(7) || p.BaseReachableTime.Value/100 != 123 {
		t.Errorf("%+v", p)
	}
	if out := s.Run(t, "ip ntable show dev v0 name arp_cache"); !strings.Contains(out, "ucast_probes 7") {
		t.Error(out)
	}
}

func TestEvents(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, cancel := context.WithCancel(kerneltest.Patient(t))
	defer cancel()
	events := ynl.Events(ctx, s.Conn, &rtneigh.Family)
	s.Run(t, `
		ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:09 dev v0 nud permanent
		ip neigh del 192.0.2.10 dev v0
		ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev v0 nud permanent
		ip neigh del 2001:db8::9 dev v0`)
	want := []string{"28 192.0.2.10 permanent", "29 192.0.2.10 failed", "28 2001:db8::9 permanent", "29 2001:db8::9 failed"}
	ynlkernel.Await(t, events, cancel, want, func(e ynl.Event) string {
		n, ok := e.Value.(*rtneigh.Neighbour)
		if !ok {
			return ynlkernel.Line(e.Type)
		}
		return ynlkernel.Line(e.Type, n.Dst, n.State)
	})
}

// TestRefusals: the kernel's refusals are errors that say what is wrong.
func TestRefusals(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	v0 := s.Link(t, "v0").Index
	n := func(change func(*rtneigh.Neighbour)) *rtneigh.Neighbour {
		n := rtneigh.At(v0, netip.MustParseAddr("192.0.2.10"))
		n.Lladdr, n.State = mac(9), rtneigh.NUD_PERMANENT
		change(n)
		return n
	}
	if err := c.NewNeigh(ctx, n(func(*rtneigh.Neighbour) {}), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	managed := s.Can("ip neigh add 192.0.2.99 managed dev v0") && strings.Contains(s.Run(t, "ip neigh show dev v0"), "managed")
	for name, x := range map[string]struct {
		req  *rtneigh.Neighbour
		want error
		text string
	}{
		"exists":        {n(func(*rtneigh.Neighbour) {}), unix.EEXIST, ""},
		"no link":       {n(func(n *rtneigh.Neighbour) { n.Ifindex = 1 << 20 }), unix.ENODEV, ""},
		"no address":    {n(func(n *rtneigh.Neighbour) { n.Dst = netip.Addr{} }), unix.EINVAL, "address"},
		"short MAC":     {n(func(n *rtneigh.Neighbour) { n.Lladdr = mac(9)[:2] }), unix.EINVAL, "address"},
		"long lladdr":   {n(func(n *rtneigh.Neighbour) { n.Lladdr = make(net.HardwareAddr, 40) }), unix.ERANGE, "NDA_LLADDR"},
		"wrong flags":   {n(func(n *rtneigh.Neighbour) { n.FlagsExt = ynl.Some(rtneigh.NtfExtFlags(1 << 20)) }), unix.EINVAL, "NDA_FLAGS_EXT"},
		"unknown state": {n(func(n *rtneigh.Neighbour) { n.Family = 77; n.Dst = netip.Addr{} }), unix.EINVAL, ""},
	} {
		if name == "wrong flags" && !managed {
			continue // NDA_FLAGS_EXT is there since Linux 5.16
		}
		err := c.NewNeigh(ctx, x.req, ynlkernel.Create)
		if !errors.Is(err, x.want) || client.NotSent(err) || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%s: %v, want %v and %q", name, err, x.want, x.text)
		}
	}
}

// TestBadInput: what cannot be encoded is not sent.
func TestBadInput(t *testing.T) {
	s := ynlkernel.New(t)
	ctx, c := kerneltest.Patient(t), rtneigh.New(s.Conn)
	for text, bad := range map[string]*rtneigh.Neighbour{
		"NDA_DST":    {Ndmsg: rtneigh.Ndmsg{Family: af.Inet}, Dst: netip.MustParseAddr("2001:db8::1")},
		"NDA_LLADDR": {Lladdr: make(net.HardwareAddr, 1<<16)},
		"ndm-state":  {Ndmsg: rtneigh.Ndmsg{State: 1 << 16}},
		"ndm-flags":  {Ndmsg: rtneigh.Ndmsg{Flags: 1 << 8}},
	} {
		ynlkernel.NotSent(t, c.NewNeigh(ctx, bad, ynlkernel.Create), text)
	}
}

func TestHelpers(t *testing.T) {
	n := rtneigh.At(7, netip.MustParseAddr("2001:db8::1"))
	if n.Family != af.Inet6 || n.Ifindex != 7 || n.Dst != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("%+v", n)
	}
	aged := rtneigh.FDB(7, mac(1))
	aged.State, aged.Master = rtneigh.NUD_STALE, ynl.U32(3)
	if set := aged.Settable(); set.State != rtneigh.NUD_REACHABLE || set.Ndmsg.Flags != rtneigh.NTF_MASTER || set.Master.Set {
		t.Errorf("%+v", set)
	}
	if aged.State != rtneigh.NUD_STALE || !aged.Master.Set {
		t.Errorf("Settable changed %+v", aged)
	}
}

// TestAgainstTool compares neighbours and forwarding entries with those of ip and bridge.
func TestAgainstTool(t *testing.T) {
	s := forwarding(t)
	s.Run(t, strings.Join(many, "\n"))
	names := map[string]int32{}
	for _, l := range s.JSON(t, "ip -j link show") {
		name := l["ifname"].(string)
		names[name] = s.Link(t, name).Index
	}
	compared := 0
	compare := func(line string, req *rtneigh.Neighbour, fields map[string]field) {
		t.Helper()
		var theirs []map[string]any
		var ours []*rtneigh.Neighbour
		ynlkernel.Steady(t, func() (state string) {
			all, err := rtneigh.New(s.Conn).DumpNeigh(kerneltest.Patient(t), req).List()
			if err != nil {
				t.Fatal(err)
			}
			// ip shows no entries of other families than the two.
			ours = slices.DeleteFunc(all, func(n *rtneigh.Neighbour) bool { return n.Family == af.Bridge && req.Family != af.Bridge })
			for _, n := range ours {
				state += ynlkernel.Line(n.Ndmsg, n.Dst, n.Lladdr, n.Probes)
			}
			return state
		}, func() { theirs = s.JSON(t, line) })
		if len(theirs) != len(ours) {
			t.Fatalf("%s: %d entries for the tool, %d here", line, len(theirs), len(ours))
		}
		for i, o := range theirs {
			compared += ynlkernel.Compare(t, line, o, ours[i], fields)
		}
	}
	compare("ip -j -d -s neigh show nud all", &rtneigh.Neighbour{}, neighFields(names))
	compare("bridge -j -d fdb show", &rtneigh.Neighbour{Ndmsg: rtneigh.Ndmsg{Family: af.Bridge}}, fdbFields(names))
	if compared < 80 {
		t.Errorf("only %d values compared", compared)
	}
}

type field = func(*rtneigh.Neighbour) any

func nameOf(names map[string]int32, index int32) any {
	for name, i := range names {
		if i == index {
			return name
		}
	}
	return index
}

// present is a field that ip prints without a value if the flag is set.
func present(f rtneigh.NtfFlags) field {
	return func(n *rtneigh.Neighbour) any {
		if n.Ndmsg.Flags&f != 0 {
			return nil
		}
		return ynlkernel.Absent
	}
}

func states(n *rtneigh.Neighbour) any {
	var list []any
	for _, s := range []rtneigh.NudState{
		rtneigh.NUD_INCOMPLETE, rtneigh.NUD_REACHABLE, rtneigh.NUD_STALE, rtneigh.NUD_DELAY, rtneigh.NUD_PROBE,
		rtneigh.NUD_FAILED, rtneigh.NUD_NOARP, rtneigh.NUD_PERMANENT,
	} {
		if n.State&s != 0 {
			list = append(list, strings.ToUpper(s.String()))
		}
	}
	return list
}

func neighFields(names map[string]int32) map[string]field {
	return map[string]field{
		"dst":          func(n *rtneigh.Neighbour) any { return n.Dst.String() },
		"dev":          func(n *rtneigh.Neighbour) any { return nameOf(names, n.Ifindex) },
		"lladdr":       func(n *rtneigh.Neighbour) any { return n.Lladdr },
		"state":        states,
		"router":       present(rtneigh.NTF_ROUTER),
		"extern_learn": present(rtneigh.NTF_EXT_LEARNED),
		"proxy":        present(rtneigh.NTF_PROXY),
		"managed":      func(*rtneigh.Neighbour) any { return ynlkernel.Absent },
		"used":         func(n *rtneigh.Neighbour) any { return ynlkernel.Within(n.Cacheinfo.Value.Used/100, 2) },
		"confirmed":    func(n *rtneigh.Neighbour) any { return ynlkernel.Within(n.Cacheinfo.Value.Confirmed/100, 2) },
		"updated":      func(n *rtneigh.Neighbour) any { return ynlkernel.Within(n.Cacheinfo.Value.Updated/100, 2) },
		"refcnt":       func(n *rtneigh.Neighbour) any { return n.Cacheinfo.Value.Refcnt },
		"probes":       func(n *rtneigh.Neighbour) any { return n.Probes.Value },
		"protocol": func(n *rtneigh.Neighbour) any {
			return map[uint8]string{12: "bird", 2: "kernel"}[n.Protocol.Value]
		},
	}
}

func fdbFields(names map[string]int32) map[string]field {
	return map[string]field{
		"vlan":   func(n *rtneigh.Neighbour) any { return ynlkernel.Value(n.VLAN) },
		"mac":    func(n *rtneigh.Neighbour) any { return n.Lladdr },
		"ifname": func(n *rtneigh.Neighbour) any { return nameOf(names, n.Ifindex) },
		"dst":    func(n *rtneigh.Neighbour) any { return ynlkernel.Text(n.Dst) },
		"port":   func(n *rtneigh.Neighbour) any { return ynlkernel.Value(n.Port) },
		"vni":    func(n *rtneigh.Neighbour) any { return ynlkernel.Value(n.Vni) },
		"viaIf":  func(n *rtneigh.Neighbour) any { return nameOf(names, int32(n.ViaIfindex.Value)) },
		"master": func(n *rtneigh.Neighbour) any { return nameOf(names, int32(n.Master.Value)) },
		"flags": func(n *rtneigh.Neighbour) any {
			list := []any{}
			for _, f := range []struct {
				flag rtneigh.NtfFlags
				text string
			}{{rtneigh.NTF_SELF, "self"}, {rtneigh.NTF_ROUTER, "router"}, {rtneigh.NTF_EXT_LEARNED, "extern_learn"},
				{rtneigh.NTF_OFFLOADED, "offload"}, {rtneigh.NTF_MASTER, "master"}, {rtneigh.NTF_STICKY, "sticky"}} {
				if n.Ndmsg.Flags&f.flag != 0 {
					list = append(list, f.text)
				}
			}
			return list
		},
		"state": func(n *rtneigh.Neighbour) any {
			switch {
			case n.State&rtneigh.NUD_PERMANENT != 0:
				return "permanent"
			case n.State&rtneigh.NUD_NOARP != 0:
				return "static"
			case n.State&rtneigh.NUD_STALE != 0:
				return "stale"
			case n.State&rtneigh.NUD_REACHABLE != 0:
				return ""
			}
			return n.State.String()
		},
	}
}
