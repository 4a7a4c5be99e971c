package mirror

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// routes6 is the table of IPv6 routes. A group has the routes of one routing table,
// prefix, source prefix and priority. Those that the kernel spreads traffic over (ECMP)
// are one member with RTA_MULTIPATH, which comes last and has its hops in the order of
// their bytes; the others are an ordered list.
var routes6 = &kind{
	name: "routes6", bit: TableRoutes6, family: afInet6, needs: TableLinks | TableAddrs6 | TableNexthops,
	get: rtroute.RTM_GETROUTE, new: rtroute.RTM_NEWROUTE, del: rtroute.RTM_DELROUTE, multicast: rtroute.RTNLGRP_IPV6_ROUTE,
	layout: layout{
		header: rtmsgSize,
		key: []part{
			{size: 4, attr: rtaTable, at: 4, width: 1, number: true},
			{size: 16, attr: rtaDst, length: 1},
			{size: 1, at: 1, width: 1},
			{size: 16, attr: rtaSrc, length: 2},
			{size: 1, at: 2, width: 1},
			{size: 4, attr: rtaPriority, number: true},
		},
		drop: []uint16{rtaCacheinfo},
	}.complete(),
	request:  routeRequest,
	loses:    true,
	clean:    cleanRoute6,
	uses:     usesLink,
	usesOnly: usesOnlyLink,
	restore:  lone,
	arrange:  arrangeRoutes6,
	apply:    applyRoute6,
	follows:  followsRoute6,
}

// cleanRoute6 removes what changes without a message, and brings an ECMP route, of one
// hop or more, into its one form.
func cleanRoute6(v []byte) []byte {
	if v = cleanRoute(v); v == nil {
		return nil
	}
	if v = withoutSilentMetrics(v); !balanced(v) {
		return v
	}
	s := setOf(v)
	return s.appendTo(nil)
}

// withoutSilentMetrics removes the metrics that change without a message. The MTU follows
// that of the link (rt6_mtu_change_route in net/ipv6/route.c), and a request to add a
// route that expires once more is refused, but sets it (fib6_add_rt2node in
// net/ipv6/ip6_fib.c). A router advertisement sets it and the hop limit
// (ndisc_router_discovery in net/ipv6/ndisc.c).
func withoutSilentMetrics(v []byte) []byte {
	if _, found := attribute(v[rtmsgSize:], rtaMetrics); !found {
		return v
	}
	silent := []uint16{rtaxMTU}
	if v[rtmsgProtocol] == rtprotRA {
		silent = append(silent, rtaxHoplimit)
	}
	out := append(make([]byte, 0, len(v)), v[:rtmsgSize]...)
	for a, err := range wire.Attrs(v[rtmsgSize:]) {
		if err != nil {
			return v
		}
		if a.Type != rtaMetrics {
			out = appendAttribute(out, a.Type, a.Value)
			continue
		}
		if kept := without(a, silent); len(kept) > 0 {
			out = appendAttribute(out, rtaMetrics, kept)
		}
	}
	return out
}

// balanced reports whether a route belongs to the ECMP set of its group
// (rt6_qualify_for_ecmp in include/net/ip6_route.h), as far as its message shows.
func balanced(v []byte) bool {
	attrs := v[rtmsgSize:]
	if _, found := attribute(attrs, rtaNhID); found || v[rtmsgProtocol] == rtprotRA {
		return false
	}
	for _, typ := range []uint16{rtaGateway, rtaVia, rtaMultipath} {
		if _, found := attribute(attrs, typ); found {
			return true
		}
	}
	return false
}

// set is an ECMP route: what its hops have in common, and the hops.
type set struct {
	head []byte   // fixed header and attributes without those of the hops
	hops [][]byte // struct rtnexthop with its attributes, in order
}

// setOf takes an ECMP route apart. The message of a lone hop has its flags in rtm_flags,
// and no weight.
func setOf(v []byte) set {
	var s set
	attrs := v[rtmsgSize:]
	if hops, found := attribute(attrs, rtaMultipath); found {
		for hop := range hopsOf(hops) {
			s.hops = append(s.hops, normalHop(hop))
		}
		if len(s.hops) == 1 {
			s.hops[0] = withoutWeight(s.hops[0])
		}
	} else {
		s.hops = [][]byte{loneHop(v)}
	}
	s.head = withoutHops(bytes.Clone(v))
	flags := native.Uint32(s.head[rtmsgFlags:])
	native.PutUint32(s.head[rtmsgFlags:], flags&^rtnhFlags)
	slices.SortFunc(s.hops, func(a, b []byte) int {
		return cmp.Or(bytes.Compare(a[4:], b[4:]), bytes.Compare(a, b))
	})
	return s
}

// loneHop returns the hop of a route without RTA_MULTIPATH.
func loneHop(v []byte) []byte {
	hop := make([]byte, nexthopSize, 64)
	hop[2] = byte(native.Uint32(v[rtmsgFlags:]) & rtnhFlags)
	for a, err := range wire.Attrs(v[rtmsgSize:]) {
		switch {
		case err != nil:
		case a.Type == rtaOif:
			copy(hop[4:nexthopSize], a.Value)
		case isHop(a.Type):
			hop = appendAttribute(hop, a.Type, a.Value)
		}
	}
	return normalHop(hop)
}

// normalHop returns a copy of a hop with its length, and its attributes in order.
func normalHop(hop []byte) []byte {
	var attrs []wire.Attr
	for a, err := range wire.Attrs(hop[nexthopSize:]) {
		if err != nil {
			break
		}
		attrs = append(attrs, a)
	}
	slices.SortStableFunc(attrs, func(a, b wire.Attr) int { return int(a.Type) - int(b.Type) })
	out := append(make([]byte, 0, len(hop)), hop[:nexthopSize]...)
	for _, a := range attrs {
		out = appendAttribute(out, a.Type, a.Value)
	}
	native.PutUint16(out, uint16(len(out)))
	return out
}

func withoutWeight(hop []byte) []byte {
	hop = bytes.Clone(hop)
	hop[3] = 0
	return hop
}

// sameHop compares two hops without their flags and weights.
func sameHop(a, b []byte) bool {
	return bytes.Equal(a[4:8], b[4:8]) && bytes.Equal(gatewayOf(a), gatewayOf(b))
}

func gatewayOf(hop []byte) []byte {
	for _, typ := range []uint16{rtaGateway, rtaVia} {
		if a, found := attribute(hop[nexthopSize:], typ); found {
			return a
		}
	}
	return nil
}

// appendTo appends the route as one value.
func (s set) appendTo(dst []byte) []byte {
	hops := s.hops
	if len(hops) == 1 {
		hops = [][]byte{withoutWeight(hops[0])}
	}
	return appendAttribute(append(dst, s.head...), rtaMultipath, bytes.Join(hops, nil))
}

// lone returns the value of an ECMP route as the kernel would send it: a single hop
// without RTA_MULTIPATH.
func lone(v []byte) []byte {
	if !balanced(v) {
		return v
	}
	s := setOf(v)
	if len(s.hops) != 1 {
		return v
	}
	out, hop := bytes.Clone(s.head), s.hops[0]
	flags := native.Uint32(out[rtmsgFlags:])
	native.PutUint32(out[rtmsgFlags:], flags|uint32(hop[2]))
	out = append(out, hop[nexthopSize:]...)
	return appendAttribute(out, rtaOif, hop[4:8])
}

// applyRoute6 follows fib6_add_rt2node and ip6_route_del in net/ipv6.
//
// A dump lacks the members of a group that the kernel's list has between two hops of the
// ECMP set: after the set, fib6_dump_node continues at the last hop. So a change of a set
// with several hops can show or hide others, and only a dump says which. And if hops are
// left, a dump has the header of the first of them, which no message shows.
func applyRoute6(list [][]byte, m *message) ([][]byte, verdict) {
	replace := m.new && m.flags&netlink.NLM_F_REPLACE != 0
	shows := spread(list) && balanced(m.value) && (!m.new || replace)
	list, v := changeRoute6(list, m)
	hides := len(list) > 1 && spread(list)
	if v == certain && (shows || hides) {
		v = uncertain
	}
	return list, v
}

// spread reports whether a group has an ECMP set of several hops.
func spread(list [][]byte) bool {
	return slices.ContainsFunc(list, func(v []byte) bool { return balanced(v) && len(linksOf(v)) > 1 })
}

func changeRoute6(list [][]byte, m *message) ([][]byte, verdict) {
	ecmp := balanced(m.value)
	switch {
	case m.new && m.flags&netlink.NLM_F_REPLACE != 0:
		return replaceRoute6(list, m.value, ecmp), certain
	case m.new && ecmp:
		return addHops(list, m.value)
	case m.new:
		return addRoute6(list, m.value), certain
	case ecmp:
		return removeHops(list, m.value)
	}
	i := index(list, m.value)
	switch {
	case i >= 0:
		return slices.Delete(list, i, i+1), certain
	case spread(list):
		return list, uncertain
	}
	return list, impossible
}

// addHops puts the ECMP set of a message in the place of the old one, to which it adds
// hops. It has the header of a hop that was added, a dump that of the first hop.
func addHops(list [][]byte, value []byte) ([][]byte, verdict) {
	i := slices.IndexFunc(list, balanced)
	if i < 0 {
		return append(list, value), certain
	}
	held, said := setOf(list[i]), setOf(value)
	list[i] = value
	switch {
	case !held.within(said) || said.within(held):
		return list, impossible
	case !bytes.Equal(held.head, said.head):
		return list, uncertain
	}
	return list, certain
}

// within reports whether o has all hops of s.
func (s set) within(o set) bool {
	for _, hop := range s.hops {
		if !slices.ContainsFunc(o.hops, func(other []byte) bool { return sameHop(hop, other) }) {
			return false
		}
	}
	return true
}

// addRoute6 adds a route that is not ECMP at the end of its kind. One with the same link
// has changed, or is announced a second time.
func addRoute6(list [][]byte, value []byte) [][]byte {
	oif, _ := attribute(value[rtmsgSize:], rtaOif)
	for i, v := range list {
		if other, _ := attribute(v[rtmsgSize:], rtaOif); !balanced(v) && bytes.Equal(oif, other) {
			list[i] = value
			return list
		}
	}
	if n := len(list); n > 0 && balanced(list[n-1]) {
		return slices.Insert(list, n-1, value)
	}
	return append(list, value)
}

// removeHops removes hops from the ECMP set. A message about one hop has no weight, and
// a protocol of its own.
func removeHops(list [][]byte, value []byte) ([][]byte, verdict) {
	i := slices.IndexFunc(list, balanced)
	if i < 0 {
		return list, impossible
	}
	held, gone := setOf(list[i]), setOf(value)
	v := certain
	if !gone.within(held) {
		v = impossible
	}
	held.hops = slices.DeleteFunc(held.hops, func(hop []byte) bool {
		return slices.ContainsFunc(gone.hops, func(other []byte) bool { return sameHop(hop, other) })
	})
	if len(held.hops) == 0 {
		return slices.Delete(list, i, i+1), v
	}
	list[i] = held.appendTo(nil)
	return list, v
}

// replaceRoute6: a route takes the place of the first of its kind (ECMP or not), or else
// of the first of the other kind. The kernel does not look for duplicates.
func replaceRoute6(list [][]byte, value []byte, ecmp bool) [][]byte {
	i := slices.IndexFunc(list, func(v []byte) bool { return balanced(v) == ecmp })
	switch {
	case i < 0 && len(list) == 0:
		return append(list, value)
	case i < 0:
		i = 0
	}
	list = slices.Delete(list, i, i+1)
	if ecmp {
		return append(list, value)
	}
	return slices.Insert(list, min(i, len(list)), value)
}

// followsRoute6 is kind.follows. The header of an ECMP set may differ.
func followsRoute6(list [][]byte, m *message) bool {
	if !balanced(m.value) {
		return followsMember(list, m)
	}
	var held set
	if i := slices.IndexFunc(list, balanced); i >= 0 {
		held = setOf(list[i])
	}
	said := setOf(m.value)
	if m.new {
		return slices.EqualFunc(held.hops, said.hops, sameHop)
	}
	return !slices.ContainsFunc(said.hops, func(gone []byte) bool {
		return slices.ContainsFunc(held.hops, func(hop []byte) bool { return sameHop(hop, gone) })
	})
}

// arrangeRoutes6 is kind.arrange: it puts the ECMP set of a dump last.
func arrangeRoutes6(list [][]byte) [][]byte {
	i := slices.IndexFunc(list, balanced)
	if i < 0 || i == len(list)-1 {
		return list
	}
	s := list[i]
	return append(slices.Delete(list, i, i+1), s)
}
