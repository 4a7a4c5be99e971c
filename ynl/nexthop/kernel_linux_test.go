//go:build linux

package nexthop_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/nexthop"
)

const create = ynlkernel.Create

var v4 = nexthop.Nhmsg{Family: unix.AF_INET, Protocol: nexthop.RTPROT_STATIC}

// open makes a namespace with a device v0 that has addresses, or skips the test if the
// kernel has no nexthops.
func open(t *testing.T) (s *ynlkernel.Sandbox, c *nexthop.Client, index uint32) {
	t.Helper()
	s = ynlkernel.NewEnds(t)
	c = nexthop.New(s.Conn)
	if _, err := c.DumpNexthop(kerneltest.Patient(t), nil).List(); errors.Is(err, unix.EOPNOTSUPP) {
		nstest.Skip(t, "nexthop", "%v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return s, c, uint32(s.Link(t, "v0").Index)
}

// commands make a nexthop of every kind.
const commands = `
	ip nexthop add id 5 via 192.0.2.9 dev v0
	ip nexthop add id 6 via 192.0.2.8 dev v0 onlink
	ip nexthop add id 7 blackhole
	ip -6 nexthop add id 8 via 2001:db8::9 dev v0 proto bgp
	ip nexthop add id 9 dev v0
	ip nexthop add id 10 group 5,3/6,7
	ip nexthop add id 12 via 192.0.2.7 fdb
	ip nexthop add id 13 group 12 fdb`

// Nexthops agree with those of the tool, and are deleted and made again.
func TestNexthopsAgain(t *testing.T) {
	s, c, _ := open(t)
	s.Run(t, commands)
	extended := []string{
		"ip nexthop add id 11 group 5/6 type resilient buckets 32 idle_timer 60", // since Linux 5.13
		"ip nexthop add id 14 encap mpls 100/200 via 192.0.2.6 dev v0",
	}
	for _, line := range extended {
		if !s.Can(line) {
			t.Logf("%s: the kernel cannot", line)
		}
	}
	ctx := kerneltest.Patient(t)
	list, err := c.DumpNexthop(ctx, nil).List()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]map[string]any{}
	for _, o := range s.JSON(t, "ip -j nexthop") {
		shown[fmt.Sprint(o["id"])] = o
	}
	if len(list) != len(shown) {
		t.Errorf("%d nexthops, the tool shows %d", len(list), len(shown))
	}
	for _, n := range list {
		agree(t, n, shown[fmt.Sprint(n.ID.Value)])
		throughJSON(t, n)
	}
	before := s.Run(t, "ip nexthop")
	// Groups first, as they are last in the list; a nexthop that goes takes its place in
	// them along.
	for i := len(list) - 1; i >= 0; i-- {
		if err := c.DelNexthop(ctx, nexthop.ByID(list[i].ID.Value)); err != nil {
			t.Fatalf("delete %v: %v", list[i].ID, err)
		}
	}
	for _, groups := range []bool{false, true} {
		for _, n := range list {
			if (n.Group != nil) != groups {
				continue
			}
			if err := c.NewNexthop(ctx, n.Settable(), create); err != nil {
				t.Errorf("make %+v: %v", n, err)
			}
		}
	}
	s.Same(t, "ip nexthop", before)
}

// agree compares a nexthop with what the tool shows of it.
func agree(t *testing.T, n *nexthop.Nexthop, o map[string]any) {
	t.Helper()
	check := func(name string, got any) {
		t.Helper()
		if want := o[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("nexthop %v: %s is %v, the tool shows %v", n.ID, name, got, want)
		}
	}
	if len(n.Unknown) > 0 {
		t.Errorf("nexthop %v: unknown %x", n.ID, n.Unknown)
	}
	if n.Gateway.IsValid() {
		check("gateway", n.Gateway)
	}
	_, blackhole := o["blackhole"]
	_, fdb := o["fdb"]
	if n.Blackhole != blackhole || n.Fdb != fdb {
		t.Errorf("nexthop %v: blackhole %t, fdb %t, the tool shows %v", n.ID, n.Blackhole, n.Fdb, o)
	}
	members, _ := o["group"].([]any)
	if len(members) != len(n.Group) {
		t.Fatalf("nexthop %v: group %+v, the tool shows %v", n.ID, n.Group, members)
	}
	for i, m := range members {
		m := m.(map[string]any)
		share := m["weight"]
		if share == nil {
			share = 1
		}
		if fmt.Sprint(m["id"]) != fmt.Sprint(n.Group[i].ID) || fmt.Sprint(share) != fmt.Sprint(n.Group[i].Share()) {
			t.Errorf("nexthop %v: member %+v, the tool shows %v", n.ID, n.Group[i], m)
		}
	}
	if n.GroupType == ynl.Some(nexthop.NEXTHOP_GRP_TYPE_RES) {
		check("type", "resilient")
		if n.ResGroup.Buckets != ynl.U16(32) || n.ResGroup.IdleTimer != ynl.U32(6000) {
			t.Errorf("nexthop %v: %+v", n.ID, n.ResGroup)
		}
	}
	if n.EncapType.Set {
		check("encap", "mpls")
		if e, ok := n.Encap.(*nexthop.EncapMPLS); !ok || len(e.Dst) != 2 || e.Dst[0]>>12 != 100 || e.Dst[1]>>12 != 200 {
			t.Errorf("nexthop %v: encapsulation %+v", n.ID, n.Encap)
		}
	}
}

// throughJSON fails the test if a nexthop changes when it is written as JSON and read.
func throughJSON(t *testing.T, n *nexthop.Nexthop) {
	t.Helper()
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	var back nexthop.Nexthop
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(n, &back) {
		t.Errorf("changed by JSON: %v\n%s\nbefore %+v\nafter  %+v", err, b, n, &back)
	}
}

// What is made here is what the tool shows, and comes as events.
func TestMake(t *testing.T) {
	s, c, index := open(t)
	ctx := kerneltest.Patient(t)
	events := ynl.Events(ctx, s.Conn, &nexthop.Family)
	one := &nexthop.Nexthop{Nhmsg: v4, ID: ynl.U32(1), Oif: ynl.U32(index), Gateway: netip.MustParseAddr("192.0.2.9")}
	two := &nexthop.Nexthop{Nhmsg: v4, ID: ynl.U32(2), Oif: ynl.U32(index), Gateway: netip.MustParseAddr("192.0.2.8")}
	group := &nexthop.Nexthop{Nhmsg: nexthop.Nhmsg{Protocol: nexthop.RTPROT_STATIC}, ID: ynl.U32(3), Group: []nexthop.NexthopGrp{nexthop.Member(1, 1), nexthop.Member(2, 255)}}
	for _, n := range []*nexthop.Nexthop{one, two, group} {
		if err := c.NewNexthop(ctx, n, create); err != nil {
			t.Fatal(err)
		}
	}
	text := s.Run(t, "ip nexthop")
	for _, want := range []string{"id 1 via 192.0.2.9 dev v0", "id 2 via 192.0.2.8 dev v0", "id 3 group 1/2,255"} {
		if !strings.Contains(text, want) {
			t.Errorf("the tool does not show %q in\n%s", want, text)
		}
	}
	if got, err := c.GetNexthop(ctx, nexthop.ByID(3)); err != nil || !reflect.DeepEqual(got.Group, group.Group) {
		t.Errorf("group %+v, %v", got, err)
	}
	var ids []uint32
	for e := range events {
		n, ok := e.Value.(*nexthop.Nexthop)
		if e.Err != nil || !ok {
			t.Fatalf("event %+v", e)
		}
		if ids = append(ids, n.ID.Value); n.ID.Value == 3 {
			break
		}
	}
	if len(ids) != 3 {
		t.Errorf("events of %v", ids)
	}
}

// A refusal has the reason of the kernel, and an address of the wrong family is not sent.
func TestRefusals(t *testing.T) {
	_, c, index := open(t)
	ctx := kerneltest.Patient(t)
	if err := c.DelNexthop(ctx, nexthop.ByID(99)); !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "nexthop delnexthop: ") {
		t.Errorf("delete: %v, want ENOENT", err)
	}
	err := c.NewNexthop(ctx, &nexthop.Nexthop{Nhmsg: v4, Oif: ynl.U32(index), Gateway: netip.MustParseAddr("2001:db8::9")}, create)
	if err == nil || !strings.Contains(err.Error(), "NHA_GATEWAY") {
		t.Errorf("make: %v, want an error at NHA_GATEWAY", err)
	}
}

func TestMember(t *testing.T) {
	for _, share := range []int{1, 2, 256, 257, 65536} {
		if g := nexthop.Member(7, share); g.ID != 7 || g.Share() != share {
			t.Errorf("Member(7, %d) is %+v with a share of %d", share, g, g.Share())
		}
	}
}
