package ynl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/netns"
	"github.com/nlmux/netlink/ynl/nexthop"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtneigh"
	"github.com/nlmux/netlink/ynl/rtroute"
	"github.com/nlmux/netlink/ynl/rtrule"
	"github.com/nlmux/netlink/ynl/tc"
)

// A filter for which the kernel chooses the handle, and the deletion of that filter.
func ExampleEcho() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	link, err := rtlink.New(c).GetLink(ctx, rtlink.ByName("eth0"))
	if err != nil {
		log.Fatal(err)
	}

	made, err := ynl.Echo(ctx, c, tc.OpNewFilter, &tc.Object{
		Tcmsg: tc.Tcmsg{
			Ifindex: link.Index,
			Parent:  tc.Handle(0xffff, tc.TC_H_MIN_INGRESS),
			Info:    tc.FilterInfo(10, unix.ETH_P_IP),
		},
		Options: &tc.Flower{KeyIPv4Dst: netip.MustParseAddr("192.0.2.1")},
	}, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("handle", made[0].Handle)

	err = tc.New(c).DelFilter(ctx, &tc.Object{Tcmsg: made[0].Tcmsg, Kind: made[0].Kind})
	if err != nil {
		log.Fatal(err)
	}
}

// echo makes a change and returns its echo, of which there must be one.
func echo[P ynl.Message](t *testing.T, c *client.Conn, op *ynl.Op, req P, flags ...netlink.Flags) P {
	t.Helper()
	made, err := tryEcho(t, c, op, req, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// tryEcho is echo for a change that may be refused.
func tryEcho[P ynl.Message](t *testing.T, c *client.Conn, op *ynl.Op, req P, flags ...netlink.Flags) (made P, err error) {
	t.Helper()
	list, err := ynl.Echo(kerneltest.Patient(t), c, op, req, flags...)
	if err != nil {
		return made, err
	}
	if len(list) > 1 {
		t.Errorf("%s: %d echoes", op.Name(), len(list))
	}
	return list[0], nil
}

// noEcho makes a change of which the kernel sends no echo.
func noEcho[P ynl.Message](t *testing.T, c *client.Conn, op *ynl.Op, req P, flags ...netlink.Flags) {
	t.Helper()
	if _, err := ynl.Echo(kerneltest.Patient(t), c, op, req, flags...); !errors.Is(err, ynl.ErrNoReply) {
		t.Errorf("%s: %v, want ErrNoReply", op.Name(), err)
	}
}

// pair makes a pair of veth links that are up, and returns one of them.
func pair(t *testing.T, s *ynlkernel.Sandbox) *rtlink.Link {
	t.Helper()
	links, ctx := rtlink.New(s.Conn), kerneltest.Patient(t)
	if err := links.NewLink(ctx, rtlink.VethPair(rtlink.ByName("v0"), rtlink.ByName("v1")), ynlkernel.Create); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v0", "v1"} {
		if err := links.SetLink(ctx, rtlink.ByName(name).SetUp(true)); err != nil {
			t.Fatal(err)
		}
	}
	return s.Link(t, "v0")
}

// A link that is made or deleted is echoed with its index, one that is changed is not.
func TestEchoOfALink(t *testing.T) {
	s := ynlkernel.New(t)
	made, err := tryEcho(t, s.Conn, rtlink.OpNewLink, rtlink.VethPair(rtlink.ByName("v0"), rtlink.ByName("v1")), ynlkernel.Create)
	if errors.Is(err, ynl.ErrNoReply) && !nstest.KernelSince(t, 6, 2) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Link(t, "v0"); made.Index == 0 || made.Index != got.Index || made.Ifname != got.Ifname || made.Kind() != "veth" {
		t.Errorf("echo %+v, link %+v", made, got)
	}
	noEcho(t, s.Conn, rtlink.OpSetLink, &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Index: made.Index}, MTU: ynl.U32(1400)})
	peer := s.Link(t, "v1")
	gone, err := ynl.Echo(kerneltest.Patient(t), s.Conn, rtlink.OpDelLink, rtlink.ByIndex(made.Index))
	if err != nil || len(gone) != 2 || gone[0].Index != made.Index || gone[1].Index != peer.Index {
		t.Errorf("deleted %+v, %v, want index %d and %d", gone, err, made.Index, peer.Index)
	}
}

func TestEchoOfAddressesAndNeighbours(t *testing.T) {
	s := ynlkernel.New(t)
	index := pair(t, s).Index
	first, second := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")
	made := echo(t, s.Conn, rtaddr.OpNewAddr, rtaddr.At(index, first), ynlkernel.Create)
	if made.Prefix() != first || !made.Cacheinfo.Set {
		t.Errorf("%+v", made)
	}
	echo(t, s.Conn, rtaddr.OpNewAddr, rtaddr.At(index, second), ynlkernel.Create)
	gone, err := ynl.Echo(kerneltest.Patient(t), s.Conn, rtaddr.OpDelAddr, rtaddr.At(index, first))
	if err != nil || len(gone) != 2 || gone[0].Prefix() != second || gone[1].Prefix() != first {
		t.Errorf("deleted %+v, %v, want %v, which is secondary, and %v", gone, err, second, first)
	}
	noEcho(t, s.Conn, rtneigh.OpNewNeigh, neighbour(index), ynlkernel.Create)
	noEcho(t, s.Conn, rtaddr.OpNewAddr, rtaddr.At(index, netip.MustParsePrefix("2001:db8::1/64")), ynlkernel.Create)
}

func neighbour(index int32) *rtneigh.Neighbour {
	n := rtneigh.At(index, netip.MustParseAddr("192.0.2.9"))
	n.State, n.Lladdr = rtneigh.NUD_PERMANENT, []byte{2, 0, 0, 0, 0, 9}
	return n
}

func TestEchoOfRoutesAndRules(t *testing.T) {
	s := ynlkernel.New(t)
	index := uint32(pair(t, s).Index)
	for _, text := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		route := rtroute.To(netip.MustParsePrefix(text))
		route.Oif = ynl.U32(index)
		made := echo(t, s.Conn, rtroute.OpNewRoute, route, ynlkernel.Create)
		if made.Prefix() != route.Prefix() || made.Oif != route.Oif || made.Rtmsg.Protocol != rtroute.RTPROT_STATIC {
			t.Errorf("made %+v of %+v", made, route)
		}
		if gone := echo(t, s.Conn, rtroute.OpDelRoute, route); gone.Prefix() != route.Prefix() {
			t.Errorf("deleted %+v", gone)
		}
	}
	rule := rtrule.From(netip.MustParsePrefix("192.0.2.0/24"))
	rule.Table, rule.Action = ynl.U32(200), rtrule.FR_ACT_TO_TBL
	made := echo(t, s.Conn, rtrule.OpNewRule, rule, ynlkernel.Create)
	if made.SrcPrefix() != rule.SrcPrefix() || !made.Priority.Set || made.Priority.Value == 0 {
		t.Errorf("made %+v of %+v", made, rule)
	}
	if gone := echo(t, s.Conn, rtrule.OpDelRule, made.Settable()); gone.Priority != made.Priority {
		t.Errorf("deleted %+v, want priority %v", gone, made.Priority)
	}
}

// The kernel chooses the numbers of next hops and of namespaces.
func TestEchoOfNumbers(t *testing.T) {
	s, there := ynlkernel.New(t), nstest.New(t)
	hop := &nexthop.Nexthop{Nhmsg: nexthop.Nhmsg{Family: unix.AF_INET}, Blackhole: true}
	made, err := tryEcho(t, s.Conn, nexthop.OpNewNexthop, hop, ynlkernel.Create)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Log("the kernel has no next hops")
	} else if err != nil || made.ID.Value == 0 || !made.Blackhole {
		t.Errorf("%+v, %v", made, err)
	}
	id := echo(t, s.Conn, netns.OpNewNSID, &netns.NSID{FD: ynl.U32(uint32(there.FD())), NSID: ynl.S32(-1)})
	if id.NSID.Value < 0 || !id.NSID.Set {
		t.Errorf("%+v", id)
	}
}

// The kernel chooses the handles of qdiscs and of filters, their priorities, and the numbers
// of actions.
func TestEchoOfTrafficControl(t *testing.T) {
	s := ynlkernel.New(t)
	index := pair(t, s).Index
	qdisc := &tc.Object{Tcmsg: tc.Tcmsg{Ifindex: index, Parent: tc.TC_H_ROOT}, Options: &tc.Htb{Init: ynl.Some(tc.TcHtbGlob{Version: 3})}}
	made, err := tryEcho(t, s.Conn, tc.OpNewQdisc, qdisc, ynlkernel.Create)
	skipWithout(t, err, "sch_htb")
	if made.Handle == 0 || made.Parent != tc.TC_H_ROOT || made.Kind.Value != "htb" {
		t.Fatalf("%+v", made)
	}
	root := made.Handle
	rate, _ := tc.Rate(1 << 20)
	class := echo(t, s.Conn, tc.OpNewClass, &tc.Object{
		Tcmsg:   tc.Tcmsg{Ifindex: index, Parent: root, Handle: root + 1},
		Options: &tc.Htb{Parms: ynl.Some(tc.TcHtbOpt{Rate: rate, Ceil: rate, Buffer: 1 << 20, Cbuffer: 1 << 20})},
	}, ynlkernel.Create)
	if class.Handle != root+1 || class.Options.(*tc.Htb).Parms.Value.Rate.Rate != 1<<20 {
		t.Errorf("%+v", class)
	}

	filter := &tc.Object{
		Tcmsg:   tc.Tcmsg{Ifindex: index, Parent: root, Info: tc.FilterInfo(0, unix.ETH_P_IP)},
		Options: &tc.U32{Classid: ynl.U32(class.Handle), Sel: ynl.Some(tc.TcU32Sel{Flags: tc.TC_U32_TERMINAL, Keys: []tc.TcU32Key{{Mask: 0xff0000, Val: 0x110000, Off: 8}}})},
	}
	made, err = tryEcho(t, s.Conn, tc.OpNewFilter, filter, ynlkernel.Create)
	skipWithout(t, err, "cls_u32")
	if made.Handle == 0 || made.Priority() == 0 || made.Protocol() != unix.ETH_P_IP {
		t.Errorf("%+v", made)
	}
	// What the echo names is what there is to delete.
	gone := echo(t, s.Conn, tc.OpDelFilter, &tc.Object{Tcmsg: made.Tcmsg, Kind: made.Kind})
	if gone.Tcmsg != made.Tcmsg {
		t.Errorf("deleted %+v, want %+v", gone.Tcmsg, made.Tcmsg)
	}
	// Of a qdisc that replaces another there are two events in one message.
	qdisc.Handle = root + 1<<16
	if made = echo(t, s.Conn, tc.OpNewQdisc, qdisc, netlink.NLM_F_CREATE|netlink.NLM_F_REPLACE); made.Handle != qdisc.Handle {
		t.Errorf("%+v, want handle %s", made, tc.FormatHandle(qdisc.Handle))
	}
}

func TestEchoOfActions(t *testing.T) {
	s := ynlkernel.New(t)
	index := uint32(pair(t, s).Index)
	parms := tc.TcMirred{Action: tc.TC_ACT_STOLEN, Eaction: tc.TCA_EGRESS_REDIR, Ifindex: index}
	req := &tc.Actions{Tab: []tc.Act{{Options: &tc.ActMirred{Parms: ynl.Some(parms)}}, {Options: &tc.ActMirred{Parms: ynl.Some(parms)}}}}
	made, err := tryEcho(t, s.Conn, tc.OpNewAction, req, ynlkernel.Create)
	if errors.Is(err, unix.EPERM) && nstest.UserNamespace() {
		nstest.Skip(t, "actions", "they need CAP_NET_ADMIN in the initial user namespace (tc_ctl_action): %v", err)
	}
	skipWithout(t, err, "act_mirred")
	var numbers []uint32
	for _, a := range made.Tab {
		numbers = append(numbers, a.Options.(*tc.ActMirred).Parms.Value.Index)
	}
	if len(numbers) != 2 || numbers[0] == 0 || numbers[1] == 0 || numbers[0] == numbers[1] {
		t.Errorf("actions %v", numbers)
	}
}

// skipWithout ends the test if err is not nil. It skips it if the kernel lacks a module.
func skipWithout(t *testing.T, err error, module string) {
	t.Helper()
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, module, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
