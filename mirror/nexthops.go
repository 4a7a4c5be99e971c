package mirror

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/ynl/nexthop"
)

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
	apply:     applySingle,
	announced: nexthopAnnounced,
	changed:   nexthopChanged,
}

// nexthopAnnounced: a next hop that the copy has may have gone with its routes, without a
// message, and the message is about a new one with its id (nexthop_flush_dev in
// net/ipv4/nexthop.c).
func nexthopAnnounced(m *Mirror, t *table, msg *message) {
	if !msg.new || len(t.group(msg.key)) == 0 || t.exact() && msg.flags&netlink.NLM_F_EXCL == 0 {
		return
	}
	uses := usesNexthop(msg.key)
	for _, bit := range []Tables{TableRoutes4, TableRoutes6} {
		if r := m.table(bit); r != nil && r.some(uses) {
			m.want(r, NexthopGone)
		}
	}
}

// nexthopChanged: with a next hop go the routes that use it, those of IPv4 without a
// message, and those of IPv6, too, if nexthop_compat_mode is 0
// (__remove_nexthop_fib in net/ipv4/nexthop.c).
func nexthopChanged(m *Mirror, t *table, key []byte, old, new group) {
	if len(new) > 0 {
		return
	}
	uses := usesNexthop(key)
	if r := m.table(TableRoutes4); r != nil {
		m.removeMatching(r, NexthopGone, uses)
	}
	if r := m.table(TableRoutes6); r != nil && r.some(uses) {
		m.want(r, NexthopGone)
	}
}

// usesNexthop returns a function that reports whether a route uses the next hop with the
// key.
func usesNexthop(key []byte) func(route []byte) bool {
	id := keyNumber(key)
	return func(v []byte) bool {
		a, found := attribute(v[rtmsgSize:], rtaNhID)
		return found && integer(a) == id
	}
}
