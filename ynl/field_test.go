package ynl_test

import (
	"reflect"
	"testing"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nexthop"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
	"github.com/nlmux/netlink/ynl/sockdiag"
	"github.com/nlmux/netlink/ynl/tc"
)

// fieldAt returns the field with names that are in each other; a kind is a name, too.
func fieldAt(t *testing.T, fields []ynl.Field, names ...string) (found ynl.Field) {
	t.Helper()
	for _, name := range names {
		found = ynl.Field{}
		for _, f := range fields {
			if f.Name == name {
				found = f
			}
		}
		if found.Name == "" {
			t.Fatalf("no %s of %q", name, names)
		}
		fields = found.Fields
		for _, k := range found.Kinds {
			fields = append(fields, ynl.Field{Name: k.Value, Of: k.Of, Again: k.Again, Fields: k.Fields})
		}
	}
	return found
}

func TestFields(t *testing.T) {
	addr, link, route := rtaddr.OpNewAddr.RequestFields(), rtlink.OpNewLink.RequestFields(), rtroute.OpNewRoute.RequestFields()
	object := tc.OpNewFilter.RequestFields()
	for _, tt := range []struct {
		fields []ynl.Field
		path   []string
		want   ynl.Field // without Values, Fields and Kinds
	}{
		{addr, []string{"ifa-family"}, ynl.Field{Type: "u8"}},
		{addr, []string{"ifa-scope"}, ynl.Field{Type: "u8", Of: "rt-scope"}},
		{addr, []string{"flags"}, ynl.Field{Type: "u32", Of: "ifa-flags", Flags: true, Again: true,
			ReadOnlyFlags: []string{"secondary", "dadfailed", "deprecated", "tentative", "permanent", "stable-privacy"}}},
		{addr, []string{"local"}, ynl.Field{Type: "address"}},
		{addr, []string{"broadcast"}, ynl.Field{Type: "ipv4"}},
		{addr, []string{"anycast"}, ynl.Field{Type: "ipv6"}},
		{addr, []string{"cacheinfo"}, ynl.Field{Type: "struct", Of: "ifa-cacheinfo"}},
		{addr, []string{"cacheinfo", "tstamp"}, ynl.Field{Type: "u32"}},
		{link, []string{"ifi-type"}, ynl.Field{Type: "u16", ReadOnly: true}},
		{link, []string{"address"}, ynl.Field{Type: "mac"}},
		{link, []string{"qdisc"}, ynl.Field{Type: "string", ReadOnly: true}},
		{link, []string{"alt-ifname"}, ynl.Field{Type: "string"}},
		{link, []string{"prop-list", "alt-ifname"}, ynl.Field{Type: "string", List: true}},
		{link, []string{"linkinfo"}, ynl.Field{Type: "nest", Of: "linkinfo"}},
		{link, []string{"linkinfo", "data"}, ynl.Field{Type: "sub-message", Selector: "kind"}},
		{link, []string{"linkinfo", "data", "vlan"}, ynl.Field{Of: "linkinfo-vlan"}},
		{link, []string{"linkinfo", "data", "vlan", "flags", "flags"}, ynl.Field{Type: "u32", Of: "vlan-flags", Flags: true}},
		{link, []string{"linkinfo", "data", "veth", "peer"}, ynl.Field{Type: "nest", Of: "link", Again: true}}, // in itself
		{route, []string{"multipath"}, ynl.Field{Type: "nest", List: true, Of: "route", Again: true}},
		{route, []string{"multipath", "rtnh-ifindex"}, ynl.Field{Type: "s32"}}, // before the attributes of a route
		{object, []string{"options", "u32", "sel", "keys"}, ynl.Field{Type: "struct", List: true, Of: "tc-u32-key"}},
		{tc.OpNewQdisc.RequestFields(), []string{"options", "mqprio", "prio-tc-map"}, ynl.Field{Type: "binary", Len: 16}},
		{nexthop.OpNewNexthop.RequestFields(), []string{"group"}, ynl.Field{Type: "struct", List: true, Of: "nexthop-grp"}},
	} {
		got := fieldAt(t, tt.fields, tt.path...)
		tt.want.Name = tt.path[len(tt.path)-1]
		if !tt.want.Again && tt.want.Of != "" && got.Values == nil && got.Fields == nil || tt.want.Again && got.Values != nil {
			t.Errorf("%q: %+v", tt.path, got)
		}
		got.Values, got.Fields, got.Kinds = nil, nil, nil
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.path, got, tt.want)
		}
	}
	if v := fieldAt(t, addr, "ifa-scope").Values; v[2] != (ynl.Value{Name: "link", Number: 253}) {
		t.Errorf("%+v", v)
	}
}

// What an operation does not send or does not get has no fields, and a reply may have
// others than the request.
func TestFieldsOfRequestsAndReplies(t *testing.T) {
	if f := rtlink.OpNewLink.ReplyFields(); f != nil {
		t.Errorf("%+v", f)
	}
	if f := rtlink.OpNewLinkNtf.RequestFields(); f != nil {
		t.Errorf("%+v", f)
	}
	fieldAt(t, rtlink.OpNewLinkNtf.ReplyFields(), "ifname")
	fieldAt(t, sockdiag.OpGetUnix.RequestFields(), "udiag-states")
	fieldAt(t, sockdiag.OpGetUnix.ReplyFields(), "peer")
}
