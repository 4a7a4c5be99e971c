package main

import (
	"testing"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

func TestCamel(t *testing.T) {
	for name, want := range map[string]string{
		"link": "Link", "linkinfo-vlan": "LinkinfoVLAN", "num_vf": "NumVF", "ipv4-or-v6": "IPv4OrV6", "mtu": "MTU", "id": "ID",
		"c33-pse": "C33Pse", "idle": "Idle", "hw-s-info": "HwSInfo", "UPPER": "UPPER",
		"ip6-tunnel": "IP6Tunnel", "ipv6": "IPv6", "ip6tnl": "Ip6tnl", "seg6": "Seg6", "icmpv6-type": "ICMPv6Type",
	} {
		if got := camel(name); got != want {
			t.Errorf("camel(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestOperationName(t *testing.T) {
	for name, want := range map[string][2]string{
		"newlink":       {"NewLink", "DumpNewLink"},
		"getlink":       {"GetLink", "DumpLink"},
		"delete":        {"Delete", "DumpDelete"},
		"del":           {"Del", "DumpDel"},
		"get":           {"Get", "Dump"},
		"linkmodes-get": {"LinkmodesGet", "DumpLinkmodes"},
		"getrule-reset": {"GetRuleReset", "DumpRuleReset"},
		"del-addr":      {"DelAddr", "DumpDelAddr"},
		"destroytable":  {"DestroyTable", "DumpDestroyTable"},
		"rss-get":       {"RSSGet", "DumpRSS"},
	} {
		o := &spec.Operation{Name: name}
		if got := [2]string{operationName(o), dumpName(o)}; got != want {
			t.Errorf("%q has the names %v, want %v", name, got, want)
		}
	}
	o := &spec.Operation{Name: "gettclass", Go: "GetClass"}
	if operationName(o) != "GetClass" || dumpName(o) != "DumpClass" {
		t.Errorf("go: GetClass gives %s and %s", operationName(o), dumpName(o))
	}
}

func TestCommonPrefix(t *testing.T) {
	for _, c := range []struct {
		members []string
		want    string
	}{
		{[]string{"ifi-family", "ifi-type"}, "ifi-"},
		{[]string{"ifi-family", "ifa-type"}, ""},
		{[]string{"family", "type"}, ""},
		{[]string{"tx-64", "tx-128"}, ""}, // a name must not begin with a digit
		{[]string{"one-member"}, ""},
		{[]string{"rate-", "rate-peak"}, ""},
	} {
		d := &spec.Definition{}
		for _, name := range c.members {
			d.Members = append(d.Members, &spec.Member{Name: name, Type: "u8"})
		}
		d.Members = append(d.Members, &spec.Member{Name: "pad", Type: "pad"})
		if got := commonPrefix(d); got != c.want {
			t.Errorf("common prefix of %v: %q, want %q", c.members, got, c.want)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for set, want := range map[string]string{"link-attrs": "Link", "nl80211": "Nl80211", "policy-attributes": "Policy", "attrs": "Attrs"} {
		if got := setName(&spec.Set{Name: set}); got != want {
			t.Errorf("set %q has the type %s, want %s", set, got, want)
		}
	}
	if got := subMessageName(&spec.SubMessage{Name: "linkinfo-data-msg"}); got != "LinkinfoData" {
		t.Errorf("sub-message linkinfo-data-msg has the type %s", got)
	}
	if got := packageName(&spec.Family{Name: "mptcp_pm"}); got != "mptcppm" {
		t.Errorf("mptcp_pm has the package %s", got)
	}
}
