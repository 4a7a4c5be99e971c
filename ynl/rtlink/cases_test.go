//go:build linux

package rtlink_test

import (
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// make makes a link.
func makeLink(t *testing.T, s *ynlkernel.Sandbox, l *rtlink.Link) {
	t.Helper()
	if err := rtlink.New(s.Conn).NewLink(kerneltest.Patient(t), l, ynlkernel.Create); err != nil {
		t.Fatalf("%s: %v", l.Ifname, err)
	}
}

func mac(last byte) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, last} }

func TestCase1AlternativeNames(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	const long = "averyveryverylongalternativename"
	s.Run(t, "ip link property add dev v0 altname "+long+" altname second")
	index := s.Link(t, "v0").Index

	for _, req := range []*rtlink.Link{
		{Ifname: ynl.Some("v0")}, {Ifname: ynl.Some("second")},
		{AltIfname: ynl.Some("v0")}, {AltIfname: ynl.Some("second")}, {AltIfname: ynl.Some(long)},
		rtlink.ByName("v0"), rtlink.ByName("second"), rtlink.ByName(long),
	} {
		l, err := links.GetLink(ctx, req)
		if err != nil || l.Index != index {
			t.Errorf("%s %s: %v, %v", req.Ifname, req.AltIfname, l, err)
			continue
		}
		if want := []string{long, "second"}; l.PropList == nil || !slices.Equal(l.PropList.AltIfname, want) {
			t.Errorf("%+v, want %q", l.PropList, want)
		}
	}
	if _, err := links.GetLink(ctx, &rtlink.Link{Ifname: ynl.Some(long)}); !errors.Is(err, unix.ERANGE) {
		t.Errorf("IFLA_IFNAME with %d bytes: %v", len(long), err)
	}

	third := rtlink.WithAltNames(index, "third")
	if err := links.NewLink(ctx, third); err != nil {
		t.Error(err)
	}
	if names := s.Link(t, "v0").PropList.AltIfname; len(names) != 2 {
		t.Errorf("NewLink made names: %q", names)
	}
	if err := links.NewLinkprop(ctx, third, ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if names := s.Link(t, "third").PropList.AltIfname; !slices.Contains(names, "third") || len(names) != 3 {
		t.Errorf("after NewLinkprop: %q", names)
	}
	if out := s.Run(t, "ip link show v0"); !strings.Contains(out, "altname third") {
		t.Error(out)
	}
	// Again: what was listed is removed, and added again.
	listed := s.Link(t, "v0")
	if err := links.DelLinkprop(ctx, listed.Settable()); err != nil {
		t.Fatal(err)
	}
	if l := s.Link(t, "v0"); l.PropList != nil {
		t.Errorf("after DelLinkprop: %q", l.PropList.AltIfname)
	}
	if err := links.NewLinkprop(ctx, listed.Settable(), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	if l := s.Link(t, "v0"); !reflect.DeepEqual(l.PropList, listed.PropList) {
		t.Errorf("again: %+v, want %+v", l.PropList, listed.PropList)
	}
}

func TestCase2MacvlanSources(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	ctx, links := kerneltest.Patient(t), rtlink.New(s.Conn)
	s.Try(t, "macvlan", "ip link add mv0 link v0 type macvlan mode source")
	s.Run(t, "ip link set mv0 type macvlan macaddr set 02:00:00:00:00:01 02:00:00:00:00:02")
	s.Try(t, "macvtap", "ip link add mt0 link v0 type macvtap mode bridge")

	l := s.Link(t, "mv0")
	data, ok := l.Linkinfo.Data.(*rtlink.LinkinfoMacvlan)
	if !ok || l.Kind() != "macvlan" {
		t.Fatalf("%s: %T", l.Kind(), l.Linkinfo.Data)
	}
	if data.Mode.Value != rtlink.MACVLAN_MODE_SOURCE || !data.Flags.Set || data.Flags.Value != 0 || data.MacaddrCount.Value != 2 {
		t.Errorf("%+v", data)
	}
	if want := []net.HardwareAddr{mac(2), mac(1)}; !reflect.DeepEqual(data.MacaddrData.Macaddr, want) {
		t.Errorf("addresses %v, want %v", data.MacaddrData.Macaddr, want)
	}
	// IFLA_MACVLAN_BC_QUEUE_LEN is there since Linux 5.11.
	if data.BcQueueLen.Set && data.BcQueueLen.Value != 1000 {
		t.Errorf("queue length %s", data.BcQueueLen)
	}
	l = s.Link(t, "mt0")
	if data, ok := l.Linkinfo.Data.(*rtlink.LinkinfoMacvlan); !ok || l.Kind() != "macvtap" || data.Mode.Value != rtlink.MACVLAN_MODE_BRIDGE {
		t.Errorf("%s: %+v", l.Kind(), l.Linkinfo.Data)
	}

	v0 := ynl.U32(uint32(s.Link(t, "v0").Index))
	for _, kind := range []string{"", "macvlan", "macvtap"} {
		for _, mode := range []rtlink.MacvlanMode{rtlink.MACVLAN_MODE_VEPA, rtlink.MACVLAN_MODE_PRIVATE, rtlink.MACVLAN_MODE_BRIDGE} {
			info := &rtlink.Linkinfo{Data: &rtlink.LinkinfoMacvlan{Mode: ynl.Some(mode)}}
			want := "macvlan"
			if kind != "" {
				info.Kind, want = ynl.Some(kind), kind
			}
			makeLink(t, s, &rtlink.Link{Ifname: ynl.Some("x0"), Link: v0, Linkinfo: info})
			if out := s.Run(t, "ip -d link show x0"); !strings.Contains(out, want+" mode "+mode.String()) {
				t.Errorf("kind %q, mode %s: %s", kind, mode, out)
			}
			s.Run(t, "ip link del x0")
		}
	}

	add := rtlink.ByName("mv0")
	add.Linkinfo = &rtlink.Linkinfo{Data: &rtlink.LinkinfoMacvlan{MacaddrMode: ynl.Some(rtlink.MACVLAN_MACADDR_ADD), Macaddr: mac(3)}}
	if err := links.NewLink(ctx, add); err != nil {
		t.Fatal(err)
	}
	data = s.Link(t, "mv0").Linkinfo.Data.(*rtlink.LinkinfoMacvlan)
	if got := data.MacaddrData.Macaddr; len(got) != 3 || !slices.ContainsFunc(got, func(a net.HardwareAddr) bool { return a.String() == mac(3).String() }) {
		t.Errorf("one more address: %v", got)
	}
}

func TestCase3ProtoDownReason(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	s.Try(t, "macvlan", "ip link add mv0 link v0 type macvlan mode bridge")
	s.Run(t, "ip link set mv0 protodown on")
	// IFLA_PROTO_DOWN_REASON is there since Linux 5.9.
	s.Run(t, "ip link set mv0 protodown_reason 3 on")
	l := s.Link(t, "mv0")
	if r := l.ProtoDownReason; l.ProtoDown.Value != 1 || r == nil || r.Value != ynl.U32(8) || r.Mask.Set {
		t.Errorf("proto-down %s, reason %+v", l.ProtoDown, r)
	}
	change := rtlink.ByName("mv0")
	change.ProtoDownReason = &rtlink.ProtoDownReason{Mask: ynl.U32(0x30), Value: ynl.U32(0x10)}
	if err := rtlink.New(s.Conn).NewLink(kerneltest.Patient(t), change); err != nil {
		t.Fatal(err)
	}
	if out := s.Run(t, "ip -d link show mv0"); !strings.Contains(out, "protodown_reason <3,4>") {
		t.Error(out)
	}
	// Others of its kind: what was read can be set again, and is refused nowhere.
	for _, name := range []string{"mv0", "v0", "lo"} {
		set := s.Link(t, name).Settable()
		// Older kernels refuse the address and the name that a link in use has.
		set.Address, set.Ifname = nil, ynl.Opt[string]{}
		if err := rtlink.New(s.Conn).NewLink(kerneltest.Patient(t), set); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
