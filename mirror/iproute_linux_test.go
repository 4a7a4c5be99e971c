//go:build linux

package mirror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/ynl/rtlink"
)

// This file compares typed snapshots with what ip(8) prints: the same tables, read and
// decoded by other code.

// ipDifferences returns the lines that only one of the two has.
func (w *world) ipDifferences(s Snapshot) (out []string) {
	w.Helper()
	names := map[uint32]string{}
	for i, l := range s.Links().All() {
		names[uint32(i)] = l.Ifname.Value
	}
	have := slices.Concat(linkLines(s), addrLines(s, names), routeLines(s, names), ruleLines(s), neighLines(s, names), nexthopLines(s, names))
	want := slices.Concat(w.ipLinks(), w.ipRoutes("-4"), w.ipRoutes("-6"), w.ipRules("-4"), w.ipRules("-6"), w.ipNeighs(), w.ipNexthops())
	count := map[string]int{}
	for _, line := range have {
		count[line]++
	}
	for _, line := range want {
		count[line]--
	}
	for _, line := range slices.Sorted(maps.Keys(count)) {
		switch n := count[line]; {
		case n > 0:
			out = append(out, "only the Mirror has "+line)
		case n < 0:
			out = append(out, "only ip has "+line)
		}
	}
	return out
}

// ipJSON decodes what ip(8) prints for a command.
func (w *world) ipJSON(v any, args ...string) {
	w.Helper()
	var out []byte
	err := w.ns.Do(func() (err error) {
		// Standard error is for next hops that are gone meanwhile.
		out, err = exec.Command("ip", append([]string{"-j", "-d"}, args...)...).Output()
		return err
	})
	if err != nil {
		w.Fatalf("ip %s: %v", strings.Join(args, " "), err)
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return
	}
	if err := json.Unmarshal(out, v); err != nil {
		w.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func linkLine(index int, name string, mtu int, up bool, kind, master, address string) string {
	return fmt.Sprintf("link %d %s mtu %d up %v kind %s master %s %s", index, name, mtu, up, kind, master, address)
}

func linkLines(s Snapshot) (out []string) {
	names := map[uint32]string{0: ""}
	for i, l := range s.Links().All() {
		names[uint32(i)] = l.Ifname.Value
	}
	for i, l := range s.Links().All() {
		kind := ""
		if l.Linkinfo != nil {
			kind = l.Linkinfo.Kind.Value
		}
		out = append(out, linkLine(int(i), l.Ifname.Value, int(l.MTU.Value), l.Flags&rtlink.IFF_UP != 0, kind, names[l.Master.Value], l.Address.String()))
	}
	return out
}

func addrLines(s Snapshot, names map[uint32]string) (out []string) {
	for k, a := range s.Addrs().All() {
		out = append(out, fmt.Sprintf("addr %s %v/%d %s", names[uint32(k.Index)], k.Local, a.Prefixlen, a.Label.Value))
	}
	return out
}

func (w *world) ipLinks() (out []string) {
	var links []struct {
		Ifindex, MTU            int
		Ifname, Master, Address string
		Flags                   []string
		Linkinfo                struct {
			Kind string `json:"info_kind"`
		}
		Addrs []struct {
			Local                 string
			Prefixlen             int
			Label                 string
			Tentative, Optimistic bool
		} `json:"addr_info"`
	}
	w.ipJSON(&links, "addr")
	for _, l := range links {
		out = append(out, linkLine(l.Ifindex, l.Ifname, l.MTU, slices.Contains(l.Flags, "UP"), l.Linkinfo.Kind, l.Master, l.Address))
		for _, a := range l.Addrs {
			if !a.Tentative || a.Optimistic {
				out = append(out, fmt.Sprintf("addr %s %s/%d %s", l.Ifname, a.Local, a.Prefixlen, a.Label))
			}
		}
	}
	return out
}

// routeTypes and tableNames are as ip(8) prints them.
var (
	routeTypes = []string{"", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"}
	tableNames = map[string]string{"": "254", "main": "254", "local": "255", "default": "253"}
)

func tableName(name string) string {
	if number, known := tableNames[name]; known {
		return number
	}
	return name
}

func routeLines(s Snapshot, names map[uint32]string) (out []string) {
	for k, r := range s.Routes().All() {
		base := fmt.Sprintf("route %s %v table %d metric %d tos %d proto %d src %v", routeTypes[r.Type], k.Dst, k.Table, k.Priority, k.TOS, r.Protocol, text(r.Prefsrc))
		switch {
		case r.NhID.Set:
			out = append(out, fmt.Sprintf("%s nhid %d", base, r.NhID.Value))
		case r.Multipath != nil:
			for _, h := range r.Multipath {
				out = append(out, fmt.Sprintf("%s via %s dev %s weight %d", base, text(h.Route.Gateway), names[uint32(h.Ifindex)], h.Hops+1))
			}
		default:
			out = append(out, fmt.Sprintf("%s via %s dev %s weight 0", base, text(r.Gateway), names[r.Oif.Value]))
		}
	}
	return out
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func (w *world) ipRoutes(family string) (out []string) {
	type hop struct {
		Gateway, Dev string
		Weight       int
	}
	var routes []struct {
		hop
		Type, Dst, Table, Prefsrc, Protocol, Tos string
		Metric, Nhid                             int
		Nexthops                                 []hop
	}
	w.ipJSON(&routes, family, "-N", "route", "show", "table", "all")
	for _, r := range routes {
		tos := 0
		fmt.Sscanf(r.Tos, "0x%x", &tos)
		base := fmt.Sprintf("route %s %v table %s metric %d tos %d proto %s src %v", routeType(r.Type), prefixOf(family, r.Dst), tableName(r.Table), r.Metric, tos, r.Protocol, r.Prefsrc)
		switch {
		case r.Nhid != 0:
			out = append(out, fmt.Sprintf("%s nhid %d", base, r.Nhid))
		case len(r.Nexthops) > 0:
			for _, h := range r.Nexthops {
				out = append(out, fmt.Sprintf("%s via %s dev %s weight %d", base, h.Gateway, h.Dev, h.Weight))
			}
		default:
			out = append(out, fmt.Sprintf("%s via %s dev %s weight 0", base, r.Gateway, r.Dev))
		}
	}
	return out
}

// routeType returns the name of a type that is printed as a name or a number.
func routeType(t string) string {
	for i, name := range routeTypes {
		if t == fmt.Sprint(i) {
			return name
		}
	}
	return t
}

func prefixOf(family, dst string) netip.Prefix {
	bits := map[string]int{"-4": 32, "-6": 128}[family]
	if dst == "default" {
		dst = map[string]string{"-4": "0.0.0.0/0", "-6": "::/0"}[family]
	}
	if !strings.Contains(dst, "/") {
		dst = fmt.Sprintf("%s/%d", dst, bits)
	}
	return netip.MustParsePrefix(dst)
}

func ruleLines(s Snapshot) (out []string) {
	for k, r := range s.Rules().All() {
		src := "all"
		if r.Src.IsValid() {
			src = r.Src.String()
		}
		out = append(out, fmt.Sprintf("rule %d %d from %s table %d mark %d iif %s oif %s not %v", k.Family, k.Priority, src, r.Table.Value, r.Fwmark.Value, r.Iifname.Value, r.Oifname.Value, uint32(r.Flags)&2 != 0))
	}
	return out
}

func (w *world) ipRules(family string) (out []string) {
	var rules []struct {
		Priority                     int
		Src, Table, Fwmark, Iif, Oif string
		Not                          json.RawMessage
	}
	w.ipJSON(&rules, family, "-N", "rule")
	number := map[string]int{"-4": unix.AF_INET, "-6": unix.AF_INET6}[family]
	for _, r := range rules {
		mark := 0
		fmt.Sscanf(r.Fwmark, "0x%x", &mark)
		out = append(out, fmt.Sprintf("rule %d %d from %s table %s mark %d iif %s oif %s not %v", number, r.Priority, r.Src, tableName(r.Table), mark, r.Iif, r.Oif, r.Not != nil))
	}
	return out
}

func neighLines(s Snapshot, names map[uint32]string) (out []string) {
	for k, n := range s.Neighs().All() {
		out = append(out, fmt.Sprintf("neigh %v dev %s %s permanent %v", k.Dst, names[uint32(k.Index)], n.Lladdr, n.State&unix.NUD_PERMANENT != 0))
	}
	return out
}

func (w *world) ipNeighs() (out []string) {
	var neighs []struct {
		Dst, Dev, Lladdr string
		State            []string
	}
	w.ipJSON(&neighs, "neigh", "show")
	for _, n := range neighs {
		if slices.Contains(n.State, "INCOMPLETE") || slices.Contains(n.State, "NOARP") {
			continue
		}
		out = append(out, fmt.Sprintf("neigh %s dev %s %s permanent %v", n.Dst, n.Dev, n.Lladdr, slices.Contains(n.State, "PERMANENT")))
	}
	return out
}

func nexthopLines(s Snapshot, names map[uint32]string) (out []string) {
	for id, n := range s.Nexthops().All() {
		var members []string
		for _, g := range n.Group {
			members = append(members, fmt.Sprint(g.ID))
		}
		out = append(out, fmt.Sprintf("nexthop %d via %s dev %s group %v", id, text(n.Gateway), names[n.Oif.Value], members))
	}
	return out
}

func (w *world) ipNexthops() (out []string) {
	var nexthops []struct {
		ID           int
		Gateway, Dev string
		Group        []struct{ ID int }
	}
	w.ipJSON(&nexthops, "nexthop", "show")
	for _, n := range nexthops {
		var members []string
		for _, g := range n.Group {
			members = append(members, fmt.Sprint(g.ID))
		}
		out = append(out, fmt.Sprintf("nexthop %d via %s dev %s group %v", n.ID, n.Gateway, n.Dev, members))
	}
	return out
}
