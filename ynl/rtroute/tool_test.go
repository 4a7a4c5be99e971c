//go:build linux

package rtroute_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// TestAgainstTool compares all routes with those that ip reads.
func TestAgainstTool(t *testing.T) {
	s := full(t)
	// The order is the kernel's: IPv4, then IPv6, in a dump of all families. ip leaves out
	// what is no entry of a table.
	var theirs []map[string]any
	var ours []*rtroute.Route
	ynlkernel.Steady(t, func() (state string) {
		ours = nil
		for r, err := range rtroute.New(s.Conn).DumpRoute(kerneltest.Patient(t), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if (r.Family == af.Inet || r.Family == af.Inet6) && r.Rtmsg.Flags&rtroute.RTM_F_CLONED == 0 {
				ours = append(ours, r)
				state += fmt.Sprintln(r.Rtmsg, r.Prefix())
			}
		}
		return state
	}, func() {
		theirs = append(s.JSON(t, "ip -4 -j -d -N route show table all"), s.JSON(t, "ip -6 -j -d -N route show table all")...)
	})
	names := linkNames(t, s)
	compared := 0
	for i, o := range theirs {
		if i >= len(ours) {
			break
		}
		fields := toolFields(names)
		if ours[i].Encap != nil {
			encapFields(fields, ours[i].Encap)
		}
		compared += ynlkernel.Compare(t, ours[i].Prefix().String(), o, ours[i], fields)
	}
	if len(theirs) != len(ours) || compared < 300 {
		t.Errorf("%d routes for ip, %d here, %d values compared", len(theirs), len(ours), compared)
	}
}

func linkNames(t *testing.T, s *ynlkernel.Sandbox) map[int32]string {
	t.Helper()
	names := map[int32]string{}
	for l, err := range rtlink.New(s.Conn).DumpLink(kerneltest.Patient(t), nil) {
		if err != nil {
			t.Fatal(err)
		}
		names[l.Index] = l.Ifname.Value
	}
	return names
}

type field = func(*rtroute.Route) any

// toolFields returns the fields of ip -N -j route.
func toolFields(names map[int32]string) map[string]field {
	fields := map[string]field{
		"type":     func(r *rtroute.Route) any { return uint32(r.Type) },
		"dst":      func(r *rtroute.Route) any { return toolPrefix(r.Prefix()) },
		"from":     func(r *rtroute.Route) any { return toolPrefix(netip.PrefixFrom(r.Src, int(r.SrcLen))) },
		"tos":      func(r *rtroute.Route) any { return fmt.Sprintf("0x%x", r.TOS) },
		"table":    func(r *rtroute.Route) any { return ynlkernel.Value(r.Table) },
		"protocol": func(r *rtroute.Route) any { return uint32(r.Protocol) },
		"scope":    func(r *rtroute.Route) any { return uint32(r.Scope) },
		"prefsrc":  func(r *rtroute.Route) any { return ynlkernel.Text(r.Prefsrc) },
		"metric":   func(r *rtroute.Route) any { return ynlkernel.Value(r.Priority) },
		"nhid":     func(r *rtroute.Route) any { return ynlkernel.Value(r.NhID) },
		"pref":     func(r *rtroute.Route) any { return ynlkernel.Value(r.Pref) },
		"error":    func(r *rtroute.Route) any { return int32(r.Cacheinfo.Value.Error) },
		"flow": func(r *rtroute.Route) any {
			return map[string]any{"from": fmt.Sprint(r.Flow.Value >> 16), "to": fmt.Sprint(r.Flow.Value & 0xffff)}
		},
		"expires": func(r *rtroute.Route) any { return ynlkernel.Within(uint32(r.Cacheinfo.Value.Expires/100), 2) },
		"metrics": func(r *rtroute.Route) any { return []any{metrics(r.Metrics)} },
		"nexthops": func(r *rtroute.Route) any {
			var list []any
			for _, h := range r.Multipath {
				list = append(list, hop(h, names))
			}
			return list
		},
		"nh_info": func(*rtroute.Route) any { return ynlkernel.Anything }, // read by another request
		"encap":   func(*rtroute.Route) any { return ynlkernel.Absent },
	}
	for name, f := range hopFields(names) {
		fields[name] = f
	}
	return fields
}

// hopFields returns the fields that a route and a next hop have.
func hopFields(names map[int32]string) map[string]field {
	return map[string]field{
		"gateway": func(r *rtroute.Route) any { return ynlkernel.Text(r.Gateway) },
		"via": func(r *rtroute.Route) any {
			family := "inet"
			if r.Via.Is6() {
				family = "inet6"
			}
			return map[string]any{"family": family, "host": r.Via.String()}
		},
		"dev":   func(r *rtroute.Route) any { return names[int32(r.Oif.Value)] },
		"flags": func(r *rtroute.Route) any { return flags(r.Rtmsg.Flags) },
	}
}

// hop returns a next hop as ip prints it.
func hop(h rtroute.RouteMultipath, names map[int32]string) map[string]any {
	m := map[string]any{"dev": names[h.Ifindex], "weight": int(h.Hops) + 1, "flags": flags(h.Flags)}
	for _, name := range []string{"gateway", "via"} {
		if name == "via" == h.Route.Via.IsValid() {
			m[name] = hopFields(names)[name](&h.Route)
		}
	}
	if !h.Route.NextHop().IsValid() {
		delete(m, "gateway")
	}
	if h.Route.Encap != nil {
		for name, f := range encapFields(map[string]field{}, h.Route.Encap) {
			if v := f(&h.Route); v != ynlkernel.Absent {
				m[name] = v
			}
		}
	}
	return m
}

func flags(f rtroute.RtFlags) []any {
	list := []any{}
	for _, name := range []struct {
		flag rtroute.RtFlags
		text string
	}{
		{rtroute.RTNH_F_DEAD, "dead"}, {rtroute.RTNH_F_ONLINK, "onlink"}, {rtroute.RTNH_F_PERVASIVE, "pervasive"},
		{rtroute.RTNH_F_OFFLOAD, "offload"}, {rtroute.RTNH_F_TRAP, "trap"}, {rtroute.RTNH_F_LINKDOWN, "linkdown"},
	} {
		if f&name.flag != 0 {
			list = append(list, name.text)
		}
	}
	return list
}

// metrics returns metrics as ip prints them.
func metrics(x *rtroute.Metrics) map[string]any {
	if x == nil {
		return nil
	}
	m := map[string]any{}
	for name, v := range map[string]ynl.Opt[uint32]{
		"mtu": x.MTU, "window": x.Window, "advmss": x.Advmss, "reordering": x.Reordering, "hoplimit": x.Hoplimit,
		"initcwnd": x.Initcwnd, "initrwnd": x.Initrwnd, "quickack": x.Quickack, "cwnd": x.Cwnd, "ssthresh": x.Ssthresh,
	} {
		if v.Set {
			m[name] = v.Value
		}
	}
	if x.Features.Value&rtroute.RTAX_FEATURE_ECN != 0 {
		m["ecn"] = nil
	}
	if x.CcAlgo.Set {
		m["congestion"] = x.CcAlgo.Value
	}
	return m
}

func toolPrefix(p netip.Prefix) string {
	switch {
	case p.Bits() == 0:
		return "default"
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}

// encapFields adds the fields of an encapsulation, which ip prints among those of the route.
func encapFields(fields map[string]field, e rtroute.Encap) map[string]field {
	is := func(v any) field { return func(*rtroute.Route) any { return v } }
	fields["encap"] = is(nil)
	switch e := e.(type) {
	case *rtroute.EncapIP:
		fields["encap"], fields["id"], fields["dst"] = is("ip"), is(e.ID.Value), is(e.Dst.String())
		fields["src"], fields["ttl"], fields["tos"] = is(e.Src.String()), is(e.TTL.Value), is(e.TOS.Value)
		for name, flag := range map[string]rtroute.TunnelFlags{
			"key": rtroute.TUNNEL_KEY, "csum": rtroute.TUNNEL_CSUM, "seq": rtroute.TUNNEL_SEQ,
		} {
			if e.Flags.Value&flag != 0 {
				fields[name] = is(true)
			}
		}
		if o := e.Opts; o != nil && o.VXLAN != nil {
			fields["vxlan_opts"] = is([]any{map[string]any{"gbp": o.VXLAN.Gbp.Value}})
		}
		if o := e.Opts; o != nil && o.Erspan != nil {
			fields["erspan_opts"] = is([]any{map[string]any{
				"ver": o.Erspan.Ver.Value, "index": o.Erspan.Index.Value, "dir": o.Erspan.Dir.Value, "hwid": o.Erspan.Hwid.Value,
			}})
		}
		if o := e.Opts; o != nil && len(o.Geneve) == 1 {
			g := o.Geneve[0]
			fields["geneve_opts"] = is([]any{map[string]any{"class": g.Class.Value, "type": g.Type.Value, "data": fmt.Sprintf("%x", g.Data)}})
		}
	case *rtroute.EncapIP6:
		fields["encap"], fields["id"], fields["dst"] = is("ip6"), is(e.ID.Value), is(e.Dst.String())
		fields["src"], fields["hoplimit"], fields["tc"] = is(e.Src.String()), is(e.Hoplimit.Value), is(e.Tc.Value)
	case *rtroute.EncapSeg6:
		var segs []any
		for _, x := range e.Srh.Value.Segments {
			segs = append([]any{x.Addr.String()}, segs...)
		}
		fields["encap"], fields["mode"], fields["segs"] = is("seg6"), is(e.Srh.Value.Mode.String()), is(segs)
	case *rtroute.EncapSeg6Local:
		action := strings.ToUpper(e.Action.Value.String())
		action = "End" + strings.ReplaceAll(strings.TrimPrefix(action, "END"), "-", ".")
		fields["encap"], fields["action"] = is("seg6local"), is(action)
		fields["table"] = func(r *rtroute.Route) any {
			if e.Table.Set { // ip prints both under one name
				return ynlkernel.Anything
			}
			return ynlkernel.Value(r.Table)
		}
		fields["nh4"], fields["nh6"] = is(ynlkernel.Text(e.Nh4)), is(ynlkernel.Text(e.Nh6))
		var segs []any
		for _, x := range e.Srh.Value.Segments {
			segs = append([]any{x.Addr.String()}, segs...)
		}
		fields["srh"] = is(map[string]any{"segs": segs})
		if c := e.Counters; c != nil {
			fields["packets"], fields["bytes"], fields["errors"] = is(c.Packets.Value), is(c.Bytes.Value), is(c.Errors.Value)
		}
		fields["flavors"] = is(ynlkernel.Anything)
	case *rtroute.EncapMPLS:
		var labels []string
		for _, l := range e.Dst {
			labels = append(labels, fmt.Sprint(rtroute.Label(l)))
		}
		fields["encap"], fields["dst"], fields["ttl"] = is("mpls"), is(strings.Join(labels, "/")), is(ynlkernel.Value(e.TTL))
	case *rtroute.EncapXfrm:
		fields["encap"], fields["if_id"] = is("xfrm"), is(fmt.Sprintf("%#x", e.IfID.Value))
	case *rtroute.EncapIla:
		fields["encap"], fields["locator"] = is("ila"), is(ynlkernel.Anything)
		fields["csum_mode"], fields["ident_type"], fields["hook_type"] = is(ynlkernel.Anything), is(ynlkernel.Anything), is(ynlkernel.Anything)
	}
	return fields
}

// TestMadeHere makes routes of all sorts here, and looks at what ip reads of them.
func TestMadeHere(t *testing.T) {
	s := ynlkernel.NewEnds(t)
	v0 := uint32(s.Link(t, "v0").Index)
	ctx, routes := kerneltest.Patient(t), rtroute.New(s.Conn)
	to := func(prefix string, change func(*rtroute.Route)) *rtroute.Route {
		r := rtroute.To(netip.MustParsePrefix(prefix))
		change(r)
		return r
	}
	via := netip.MustParseAddr
	for _, r := range []*rtroute.Route{
		to("198.51.100.0/24", func(r *rtroute.Route) {
			r.SetGateway(via("192.0.2.9"))
			r.Priority, r.Metrics = ynl.U32(5), &rtroute.Metrics{MTU: ynl.U32(1300), Lock: ynl.U32(1 << 2), Hoplimit: ynl.U32(9), CcAlgo: ynl.Some("reno")}
		}),
		to("198.51.101.0/24", func(r *rtroute.Route) { r.Type = rtroute.RTN_UNREACHABLE }),
		to("198.51.102.0/24", func(r *rtroute.Route) {
			r.Oif, r.Table, r.Scope, r.Protocol = ynl.U32(v0), ynl.U32(70000), rtroute.RT_SCOPE_LINK, rtroute.RTPROT_BIRD
		}),
		to("0.0.0.0/0", func(r *rtroute.Route) { r.SetGateway(via("192.0.2.9")) }),
		to("::/0", func(r *rtroute.Route) { r.SetGateway(via("2001:db8::9")) }),
		to("2001:db8:1::/48", func(r *rtroute.Route) {
			r.Oif, r.Expires, r.Pref = ynl.U32(v0), ynl.U32(600), ynl.Some(rtroute.ICMPV6_ROUTER_PREF_LOW)
		}),
	} {
		if err := routes.NewRoute(ctx, r, ynlkernel.Create); err != nil {
			t.Errorf("%s: %v", r.Prefix(), err)
		}
	}
	out := s.Run(t, "ip -d route show table all\nip -d -6 route show table all")
	for _, want := range []string{
		"unicast 198.51.100.0/24 via 192.0.2.9 dev v0 table main proto static scope global metric 5 mtu lock 1300 hoplimit 9 congctl reno",
		"unreachable 198.51.101.0/24 table main proto static scope global",
		"unicast 198.51.102.0/24 dev v0 table 70000 proto bird scope link",
		"unicast default via 192.0.2.9 dev v0 table main proto static scope global",
		"unicast default via 2001:db8::9 dev v0 table main proto static scope global metric 1024 pref medium",
		"unicast 2001:db8:1::/48 dev v0 table main proto static scope global metric 1024 expires",
		"sec pref low",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("ip does not show %q:\n%s", want, out)
		}
	}
}
