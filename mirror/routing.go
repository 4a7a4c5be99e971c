package mirror

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"

	"github.com/nlmux/netlink/ynl/rtroute"
)

// RouteKey names a group of routes: those of one routing table to one prefix with one
// priority.
type RouteKey struct {
	Table    uint32
	Dst      netip.Prefix // 0.0.0.0/0 and ::/0 are the default routes
	Src      netip.Prefix // IPv6 only; not valid if the routes are for all sources
	TOS      uint8        // IPv4 only
	Priority uint32       // the metric
}

// RouteGroups is a View of routes by group. A value has the routes of its group in the
// kernel's order; it is never empty.
type RouteGroups = View[RouteKey, []*rtroute.Route]

// Routes are the routes of a Snapshot, in the order of routing table, prefix and
// priority, those of IPv4 first.
//
// A route that uses a next hop object has its id in NhID and nothing else about where it
// leads: [Snapshot.Nexthops] has that, of the same instant. The IPv6 routes that the
// kernel spreads traffic over are one route with Multipath, the last of its group.
type Routes struct{ groups RouteGroups }

// Routes returns the routes.
func (s Snapshot) Routes() Routes { return Routes{s.RouteGroups()} }

// RouteGroups returns the routes by group, for [Watch].
func (s Snapshot) RouteGroups() RouteGroups { return newView(s.s, routeCodec, routes4, routes6) }

// Groups returns the routes by group.
func (r Routes) Groups() RouteGroups { return r.groups }

// Exact reports whether the tables of routes are exact.
func (r Routes) Exact() bool { return r.groups.Exact() }

// Len returns the number of groups.
func (r Routes) Len() int { return r.groups.Len() }

// Group returns an iterator over the routes of a group, in the kernel's order.
func (r Routes) Group(key RouteKey) iter.Seq[*rtroute.Route] {
	return func(yield func(*rtroute.Route) bool) {
		k, raw, members := r.groups.find(key, nil)
		for i := range members {
			if !yield(decode[rtroute.Route](k, raw, members[i:i+1])) {
				return
			}
		}
	}
}

// All returns an iterator over all routes.
func (r Routes) All() iter.Seq2[RouteKey, *rtroute.Route] { return routesOf(r.groups.All()) }

// Range returns an iterator over the routes of the groups with from <= key < to.
func (r Routes) Range(from, to RouteKey) iter.Seq2[RouteKey, *rtroute.Route] {
	return routesOf(r.groups.Range(from, to))
}

func routesOf(groups iter.Seq2[RouteKey, []*rtroute.Route]) iter.Seq2[RouteKey, *rtroute.Route] {
	return func(yield func(RouteKey, *rtroute.Route) bool) {
		for key, routes := range groups {
			for _, route := range routes {
				if !yield(key, route) {
					return
				}
			}
		}
	}
}

// Table returns the routes of one routing table.
func (r Routes) Table(id uint32) Routes {
	return Routes{r.groups.under(binary.BigEndian.AppendUint32(nil, id))}
}

// Longest returns the key of the group in a routing table that the kernel would look at
// first for packets to an address, from any source and with a type of service of 0: the
// longest prefix, and the lowest priority.
func (r Routes) Longest(table uint32, a netip.Addr) (key RouteKey, found bool) {
	a = a.WithZone("")
	for bits := a.BitLen(); bits >= 0 && a.IsValid(); bits-- {
		p, _ := a.Prefix(bits)
		k, first, _ := routeCodec.locate(RouteKey{Table: table, Dst: p})
		last := slices.Concat(first[:len(first)-4], []byte{0xff, 0xff, 0xff, 0xff})
		part := r.groups
		part.spans = between(part.spans, k, first, k, after(last))
		for key := range part.Keys() {
			return key, true
		}
	}
	return RouteKey{}, false
}

var routeCodec = &codec[RouteKey, []*rtroute.Route]{
	key: func(k *kind, key []byte, _ int) RouteKey {
		if k == routes6 {
			return routeKey6(key)
		}
		return RouteKey{
			Table:    keyNumber(key),
			Dst:      netip.PrefixFrom(address(key[4:8]), int(^key[8])),
			TOS:      ^key[9],
			Priority: keyNumber(key[10:]),
		}
	},
	value: func(k *kind, key []byte, members [][]byte) []*rtroute.Route {
		out := make([]*rtroute.Route, len(members))
		for i := range members {
			out[i] = decode[rtroute.Route](k, key, members[i:i+1])
		}
		return out
	},
	locate: func(r RouteKey) (*kind, []byte, int) {
		key := binary.BigEndian.AppendUint32(make([]byte, 0, routes6.layout.size), r.Table)
		key = appendAddr(key, r.Dst.Addr())
		switch {
		case r.Dst.Addr().Is4() && r.Dst.IsValid() && !r.Src.IsValid():
			key = append(key, ^byte(r.Dst.Bits()), ^r.TOS)
			return routes4, binary.BigEndian.AppendUint32(key, r.Priority), 0
		case r.Dst.Addr().Is6() && r.Dst.IsValid() && r.TOS == 0 && (!r.Src.IsValid() || r.Src.Addr().Is6()):
			return routes6, appendRouteKey6(key, r), 0
		}
		return nil, nil, 0
	},
}

func routeKey6(key []byte) RouteKey {
	r := RouteKey{
		Table:    keyNumber(key),
		Dst:      netip.PrefixFrom(address(key[4:20]), int(key[20])),
		Priority: keyNumber(key[38:]),
	}
	if bits := key[37]; bits > 0 {
		r.Src = netip.PrefixFrom(address(key[21:37]), int(bits))
	}
	return r
}

// appendRouteKey6 appends what follows the address of the destination.
func appendRouteKey6(key []byte, r RouteKey) []byte {
	src := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if r.Src.IsValid() {
		src = r.Src
	}
	key = append(key, byte(r.Dst.Bits()))
	key = appendAddr(key, src.Addr())
	key = append(key, byte(src.Bits()))
	return binary.BigEndian.AppendUint32(key, r.Priority)
}
