package mirror

import "github.com/nlmux/netlink/ynl/nexthop"

const (
	nhmsgSize  = 8
	nhmsgFlags = 4

	nhaOif = 5
)

// nexthops is the table of next hop objects and their groups, by id.
var nexthops = &kind{
	name: "nexthops", bit: TableNexthops, anyFamily: true, needs: TableLinks,
	get: nexthop.RTM_GETNEXTHOP, new: nexthop.RTM_NEWNEXTHOP, del: nexthop.RTM_DELNEXTHOP, multicast: nexthop.RTNLGRP_NEXTHOP,
	layout: layout{
		header: nhmsgSize,
		key:    []part{{size: 4, attr: nhaID, number: true}},
	}.complete(),
	request: func(uint8, uint32) []byte { return make([]byte, nhmsgSize) },
	single:  true,
	clean: func(v []byte) []byte {
		flags := native.Uint32(v[nhmsgFlags:])
		native.PutUint32(v[nhmsgFlags:], flags&^rtnhVolatile)
		return v
	},
	uses: func(v []byte, link uint32) bool {
		a, found := attribute(v[nhmsgSize:], nhaOif)
		return found && integer(a) == link
	},
	apply:   applySingle,
	changed: nexthopChanged,
}

// nexthopChanged: with a next hop go the routes that use it, those of IPv4 without a
// message, and those of IPv6, too, if nexthop_compat_mode is 0
// (__remove_nexthop_fib in net/ipv4/nexthop.c).
func nexthopChanged(m *Mirror, t *table, key []byte, old, new group) {
	if len(new) > 0 {
		return
	}
	id := keyNumber(key)
	uses := func(v []byte) bool {
		a, found := attribute(v[rtmsgSize:], rtaNhID)
		return found && integer(a) == id
	}
	if r := m.table(TableRoutes4); r != nil {
		m.removeMatching(r, NexthopGone, uses)
	}
	if r := m.table(TableRoutes6); r != nil && r.some(uses) {
		m.want(r, NexthopGone)
	}
}
