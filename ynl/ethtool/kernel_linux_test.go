//go:build linux

package ethtool_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/ethtool"
)

// sandbox is a namespace with a pair of devices, v0 and v1.
type sandbox struct {
	ns   *nstest.NS
	conn *client.Conn
	*ethtool.Client
}

func open(t *testing.T) *sandbox {
	t.Helper()
	ns := nstest.New(t)
	ns.Run(t, "ip", strings.Fields("link add v0 numtxqueues 4 numrxqueues 3 type veth peer name v1")...)
	ns.Run(t, "ip", "link", "set", "v0", "up")
	c := kerneltest.Dial(t, ns, netlink.NETLINK_GENERIC)
	s := &sandbox{ns, c, ethtool.New(c)}
	_, err := s.LinkstateGet(kerneltest.Patient(t), &ethtool.Linkstate{Header: ethtool.Dev("v0")})
	if errors.Is(err, fs.ErrNotExist) {
		nstest.Skip(t, "ethtool", "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// json runs the tool and decodes the first object that it prints.
func (s *sandbox) json(t *testing.T, arg ...string) map[string]any {
	t.Helper()
	out := s.ns.Run(t, "ethtool", append([]string{"--json"}, arg...)...)
	var list []map[string]any
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) == 0 {
		t.Fatalf("ethtool --json %s: %v\n%s", arg, err, out)
	}
	return list[0]
}

func TestLinkmodes(t *testing.T) {
	s := open(t)
	m, err := s.LinkmodesGet(kerneltest.Patient(t), &ethtool.Linkmodes{Header: ethtool.Dev("v0")})
	if err != nil {
		t.Fatal(err)
	}
	// veth reports 10000 Mb/s, full duplex, and no modes.
	if m.Header.DevName != ynl.Some("v0") || m.Speed != ynl.U32(10000) || m.Duplex != ynl.Some(ethtool.DUPLEX_FULL) || m.Autoneg != ynl.U8(0) || len(m.Unknown) != 0 {
		t.Errorf("%+v", m)
	}
	text := s.ns.Run(t, "ethtool", "v0")
	for _, want := range []string{"Speed: 10000Mb/s", "Duplex: Full", "Auto-negotiation: off"} {
		if !strings.Contains(text, want) {
			t.Errorf("ethtool does not show %q in\n%s", want, text)
		}
	}
}

// The features agree with those of the tool, and change as it says.
func TestFeatures(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	get := func() *ethtool.Features {
		t.Helper()
		f, err := s.FeaturesGet(ctx, &ethtool.Features{Header: ethtool.Dev("v0")})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := get()
	shown := 0
	for name, v := range s.json(t, "-k", "v0") {
		feature, ok := v.(map[string]any)
		if !ok || old(name) {
			continue
		}
		shown++
		if active := feature["active"].(bool); active != f.Active.Has(name) {
			t.Errorf("%s: %t here, the tool shows %t", name, f.Active.Has(name), active)
		}
		if fixed := feature["fixed"].(bool); fixed != (!f.Hw.Has(name) || f.Nochange.Has(name)) {
			t.Errorf("%s: fixed is %t in the tool", name, fixed)
		}
	}
	if shown < 20 {
		t.Errorf("the tool shows %d features", shown)
	}
	if names := f.Active.Names(); !slices.Contains(names, "tx-checksum-ip-generic") && !slices.Contains(names, "tx-scatter-gather") {
		t.Errorf("active %q", names)
	}

	const name = "tx-scatter-gather"
	on := f.Active.Has(name)
	reply, err := s.FeaturesSet(ctx, &ethtool.Features{Header: ethtool.Dev("v0"), Wanted: new(ethtool.Bitset).Set(name, !on)})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Header.DevName != ynl.Some("v0") {
		t.Errorf("reply %+v", reply)
	}
	if get().Active.Has(name) != !on {
		t.Errorf("%s is still %t", name, on)
	}
	if feature := s.json(t, "-k", "v0")[name].(map[string]any); feature["active"].(bool) != !on {
		t.Errorf("the tool shows %v", feature)
	}
}

// old reports whether a name is one of the tool's own, for several features of the kernel.
func old(name string) bool {
	switch name {
	case "rx-checksumming", "tx-checksumming", "scatter-gather", "tcp-segmentation-offload", "generic-segmentation-offload",
		"generic-receive-offload", "large-receive-offload", "rx-vlan-offload", "tx-vlan-offload", "ntuple-filters", "receive-hashing":
		return true
	}
	return false
}

// The compact form has the same bits.
func TestCompactBitset(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	long, err := s.FeaturesGet(ctx, &ethtool.Features{Header: ethtool.Dev("v0")})
	if err != nil {
		t.Fatal(err)
	}
	h := ethtool.Dev("v0")
	h.Flags = ynl.Some(ethtool.ETHTOOL_FLAG_COMPACT_BITSETS)
	short, err := s.FeaturesGet(ctx, &ethtool.Features{Header: h})
	if err != nil {
		t.Fatal(err)
	}
	if len(short.Active.Value) == 0 || short.Active.Size != long.Active.Size {
		t.Fatalf("compact %+v", short.Active)
	}
	for i := range short.Active.Size.Value {
		if short.Active.HasIndex(i) != long.Active.HasIndex(i) {
			t.Errorf("bit %d is %t in the compact form", i, short.Active.HasIndex(i))
		}
	}
	if short.Active.HasIndex(short.Active.Size.Value+1000) || short.Active.Has("x") || short.Active.Names() != nil {
		t.Error("bits that a compact bitset does not have")
	}
}

func TestChannelsAndRings(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	c, err := s.ChannelsGet(ctx, &ethtool.Channels{Header: ethtool.Dev("v0")})
	if errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "veth channels", "%v", err) // since Linux 5.16
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.TxMax != ynl.U32(4) || c.RxMax != ynl.U32(3) {
		t.Errorf("channels %+v, want at most 4 to send and 3 to receive", c)
	}
	if err := s.ChannelsSet(ctx, &ethtool.Channels{Header: ethtool.Dev("v0"), TxCount: ynl.U32(2)}); err != nil {
		t.Fatal(err)
	}
	text := s.ns.Run(t, "ethtool", "-l", "v0")
	if _, after, _ := strings.Cut(text, "Current hardware settings:"); !strings.Contains(after, "TX:\t\t2\n") {
		t.Errorf("ethtool shows\n%s", text)
	}
}

// A dump has every device, and an event the change.
func TestDumpAndEvents(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, s.conn, &ethtool.Family)
	var names []string
	for m, err := range s.DumpFeatures(ctx, &ethtool.Features{Header: &ethtool.Header{}}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.Header.DevName.Value)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); !strings.Contains(got, "lo") || !strings.Contains(got, "v0 v1") {
		t.Errorf("devices %q", got)
	}
	if _, err := s.FeaturesSet(ctx, &ethtool.Features{Header: ethtool.Dev("v1"), Wanted: new(ethtool.Bitset).Set("tx-scatter-gather", false)}); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if f, ok := e.Value.(*ethtool.Features); ok {
			if f.Header.DevName != ynl.Some("v1") || f.Active.Has("tx-scatter-gather") {
				t.Errorf("event %+v", f)
			}
			return
		}
	}
	t.Error("no event")
}

// A refusal names its attribute.
func TestRefusal(t *testing.T) {
	s := open(t)
	_, err := s.LinkmodesGet(kerneltest.Patient(t), &ethtool.Linkmodes{Header: ethtool.Dev("none")})
	if !errors.Is(err, unix.ENODEV) || !strings.HasPrefix(err.Error(), "ethtool linkmodes-get: ") || !strings.Contains(err.Error(), "ETHTOOL_A_HEADER_DEV_NAME") {
		t.Errorf("error is %v, want ENODEV at ETHTOOL_A_HEADER_DEV_NAME", err)
	}
}

// The sets of strings agree with the names of the features.
func TestStrings(t *testing.T) {
	s := open(t)
	ctx := kerneltest.Patient(t)
	req := &ethtool.Strset{Header: &ethtool.Header{}, Stringsets: &ethtool.Stringsets{Stringset: []ethtool.Stringset{{ID: ynl.Some(ethtool.ETH_SS_FEATURES)}}}}
	reply, err := s.StrsetGet(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.FeaturesGet(ctx, &ethtool.Features{Header: ethtool.Dev("v0")})
	if err != nil {
		t.Fatal(err)
	}
	set := reply.Stringsets.Stringset[0]
	if set.ID != ynl.Some(ethtool.ETH_SS_FEATURES) || set.Count != f.Active.Size {
		t.Errorf("%v strings of %v, want %v", set.Count, set.ID, f.Active.Size)
	}
	text, err := json.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	var back ethtool.Strset
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(reply, &back) {
		t.Errorf("changed by JSON: %v", err)
	}
}
