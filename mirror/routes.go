package mirror

import (
	"slices"

	"github.com/nlmux/netlink/wire"
)

// What the tables of IPv4 and IPv6 routes have in common.
const (
	rtmsgSize     = 12
	rtmsgProtocol = 5
	rtmsgType     = 7
	rtmsgFlags    = 8

	rtmFCloned = 0x200

	rtnUnicast   = 1
	rtnBlackhole = 6

	rtprotRA = 9

	rtnhOnlink   = 0x4
	rtnhVolatile = 0x1 | 0x10 // RTNH_F_DEAD, RTNH_F_LINKDOWN: change without a message
	rtnhFlags    = 0xff       // the bits of rtm_flags that are RTNH_F flags

	nexthopSize = 8 // struct rtnexthop
)

// routeRequest returns the request for a dump of routes, with a link for those that use
// it (with strict checking, ip_valid_fib_dump_req in net/ipv4/fib_frontend.c).
func routeRequest(family uint8, link uint32) []byte {
	p := []byte{family, rtmsgSize - 1: 0}
	if link != 0 {
		p = appendAttribute(p, rtaOif, native.AppendUint32(nil, link))
	}
	return p
}

// cleanRoute removes from a route what changes without a message. It returns nil for an
// exception (a cached route), which is no entry of the table.
//
// A route that uses a next hop object keeps the object's id only, as the kernel itself
// does with nexthop_compat_mode 0. Its hops are those of the object, and follow it
// without a message.
func cleanRoute(v []byte) []byte {
	flags := native.Uint32(v[rtmsgFlags:])
	if flags&rtmFCloned != 0 {
		return nil
	}
	native.PutUint32(v[rtmsgFlags:], flags&^rtnhVolatile)
	for attrs := v[rtmsgSize:]; len(attrs) > 0; {
		a, rest, err := wire.NextAttr(attrs)
		switch {
		case err != nil:
			return v
		case a.Type == rtaNhID:
			native.PutUint32(v[rtmsgFlags:], flags&^rtnhFlags)
			if v[rtmsgType] == rtnBlackhole {
				v[rtmsgType] = rtnUnicast // what the object is
			}
			return withoutHops(v)
		case a.Type == rtaMultipath:
			for hop := range hopsOf(a.Value) {
				hop[2] &^= rtnhVolatile
			}
		}
		attrs = rest
	}
	return v
}

// withoutHops removes in place the attributes that say where a route leads.
func withoutHops(v []byte) []byte {
	out := v[:rtmsgSize]
	for attrs := v[rtmsgSize:]; len(attrs) > 0; {
		a, rest, err := wire.NextAttr(attrs)
		if err != nil {
			break
		}
		if !isHop(a.Type) {
			out = append(out, attrs[:len(attrs)-len(rest)]...)
		}
		attrs = rest
	}
	return out
}

// isHop reports whether an attribute of a route says where it leads.
func isHop(typ uint16) bool {
	switch typ {
	case rtaOif, rtaGateway, rtaVia, rtaMultipath, rtaEncap, rtaEncapType:
		return true
	}
	return false
}

// hopsOf iterates over the hops of RTA_MULTIPATH: each a struct rtnexthop and its
// attributes. It ends at a hop that cannot be cut off.
func hopsOf(multipath []byte) func(yield func(hop []byte) bool) {
	return func(yield func(hop []byte) bool) {
		for len(multipath) >= nexthopSize {
			n := int(native.Uint16(multipath))
			if n < nexthopSize || n > len(multipath) || !yield(multipath[:n:n]) {
				return
			}
			multipath = multipath[min((n+3)&^3, len(multipath)):]
		}
	}
}

// usesLink reports whether a hop of the route leads to the link.
func usesLink(v []byte, link uint32) bool { return slices.Contains(linksOf(v), link) }

// usesOnlyLink reports whether no hop of the route leads elsewhere.
func usesOnlyLink(v []byte, link uint32) bool {
	return !slices.ContainsFunc(linksOf(v), func(l uint32) bool { return l != link })
}

// linksOf returns the links that the hops of a route lead to.
func linksOf(v []byte) []uint32 {
	var links [4]uint32
	out := links[:0]
	if a, found := attribute(v[rtmsgSize:], rtaOif); found {
		out = append(out, integer(a))
	}
	hops, _ := attribute(v[rtmsgSize:], rtaMultipath)
	for hop := range hopsOf(hops) {
		out = append(out, native.Uint32(hop[4:]))
	}
	return out
}
