package rtroute

import (
	"encoding/binary"
	"net/netip"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
)

// To returns a unicast route to the addresses of a prefix, in the main table, with the
// protocol static and the scope global. It still needs the way there: Oif, SetGateway,
// Multipath or NhID. DelRoute removes only a route of that table, protocol, scope and type.
func To(p netip.Prefix) *Route {
	return &Route{
		Rtmsg: Rtmsg{
			Family:   af.Of(p.Addr()),
			DstLen:   uint8(max(p.Bits(), 0)),
			Table:    RT_TABLE_MAIN,
			Protocol: RTPROT_STATIC,
			Type:     RTN_UNICAST,
			Scope:    RT_SCOPE_UNIVERSE,
		},
		Dst: p.Addr(),
	}
}

// ToLabel returns a route for packets with an MPLS label, with the protocol static. It still
// needs the way there: Oif, Via or Multipath, and Newdst with the labels to put in place of
// this one.
func ToLabel(label uint32) *Route {
	const labelBits = 20
	var entry [4]byte
	binary.BigEndian.PutUint32(entry[:], Labels(label)[0])
	r := To(netip.PrefixFrom(netip.AddrFrom4(entry), labelBits))
	r.Family = af.MPLS
	return r
}

// Prefix returns the destinations of the route: 0.0.0.0/0 or ::/0 if there is no Dst. It is
// not valid for a family other than AF_INET and AF_INET6.
func (r *Route) Prefix() netip.Prefix { return af.Prefix(r.Family, r.Dst, r.DstLen) }

// SetGateway sets the address that the route goes through: Gateway, or Via if the address
// is not of the route's family. The kernel takes an IPv6 gateway of an IPv4 route since
// Linux 5.2, and one of a family without addresses of its own, such as MPLS.
func (r *Route) SetGateway(a netip.Addr) { r.setGateway(r.Family, a) }

func (r *Route) setGateway(family uint8, a netip.Addr) {
	r.Gateway, r.Via = netip.Addr{}, netip.Addr{}
	if a.IsValid() && family != af.Unspec && af.Of(a) != family {
		r.Via = a
	} else {
		r.Gateway = a
	}
}

// Hop returns a next hop for Multipath. The hop gets a share of the traffic that is
// proportional to weight, from 1 to 256. A gateway that is not valid is none. The family of
// r must be set.
func (r *Route) Hop(index int32, gateway netip.Addr, weight int) RouteMultipath {
	h := RouteMultipath{Rtnexthop: Rtnexthop{Ifindex: index, Hops: uint8(min(max(weight, 1), 256) - 1)}}
	h.Route.setGateway(r.Family, gateway)
	return h
}

// NextHop returns the address that the route goes through, of either family. It is not
// valid if there is none, or if the route has several.
func (r *Route) NextHop() netip.Addr {
	if r.Via.IsValid() {
		return r.Via
	}
	return r.Gateway
}

// Labels returns a stack of MPLS labels, the outermost first, for Newdst and for the Dst of
// an [EncapMPLS].
func Labels(labels ...uint32) []uint32 {
	stack := make([]uint32, len(labels))
	for i, l := range labels {
		stack[i] = l << labelShift
	}
	if len(stack) > 0 {
		stack[len(stack)-1] |= bottomOfStack
	}
	return stack
}

// Label returns the label of an entry in a stack of MPLS labels.
func Label(entry uint32) uint32 { return entry >> labelShift }

// An entry in a stack of labels (RFC 3032): label 20 bits, traffic class 3, bottom of the
// stack 1, time to live 8.
const (
	labelShift    = 12
	bottomOfStack = 1 << 8
)

// Segments returns an encapsulation by segment routing over IPv6, with the segments in the
// order in which packets travel through them. With SEG6_IPTUN_MODE_INLINE, the destination
// of the packet follows them.
func Segments(mode Seg6IptunMode, segments ...netip.Addr) *EncapSeg6 {
	const routingType = 4 // IPV6_SRCRT_TYPE_4
	h := Seg6IptunnelEncap{Mode: mode, Type: routingType}
	if mode == SEG6_IPTUN_MODE_INLINE {
		h.Segments = append(h.Segments, In6Addr{netip.IPv6Unspecified()})
	}
	for i := range segments { // the last one first
		h.Segments = append(h.Segments, In6Addr{segments[len(segments)-1-i]})
	}
	n := len(h.Segments)
	h.Hdrlen, h.FirstSegment, h.SegmentsLeft = uint8(2*n), uint8(n-1), uint8(n-1)
	return &EncapSeg6{Srh: ynl.Some(h)}
}

// settable adapts what the kernel reports of a route to what it takes.
func (r *Route) settable() {
	if c, ok := r.Cacheinfo.Get(); ok && c.Expires != 0 && !r.Expires.Set {
		r.Expires = ynl.U32(seconds(c.Expires))
	}
	r.Cacheinfo = ynl.Opt[RtaCacheinfo]{}
	// Of a route to a next hop object that drops packets, the kernel reports the type of
	// the object. The route has the type with which it was made.
	if r.NhID.Set && r.Type == RTN_BLACKHOLE {
		r.Type = RTN_UNICAST
	}
}

// seconds returns the time that a route has left. RTA_EXPIRES is in seconds, the time in
// struct rta_cacheinfo in hundredths (USER_HZ). Rounding up makes 599.99 the 600 that it
// was set to, and leaves a route that is about to expire one that does.
func seconds(hundredths int32) uint32 { return uint32(max(int64(hundredths)+99, 100) / 100) }
