package mirror

import (
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// routes4 is the table of IPv4 routes. A group has the routes of one routing table,
// prefix, type of service and priority: an ordered list, of which the kernel uses the
// first usable one.
var routes4 = &kind{
	name: "routes4", bit: TableRoutes4, family: afInet, needs: TableLinks | TableAddrs4 | TableNexthops,
	get: rtroute.RTM_GETROUTE, new: rtroute.RTM_NEWROUTE, del: rtroute.RTM_DELROUTE, multicast: rtroute.RTNLGRP_IPV4_ROUTE,
	layout: layout{
		header: rtmsgSize,
		key: []part{
			{size: 4, attr: rtaTable, at: 4, width: 1, number: true},
			{size: 4, attr: rtaDst, length: 1},
			{size: 1, at: 1, width: 1, inverse: true},
			{size: 1, at: 3, width: 1, inverse: true},
			{size: 4, attr: rtaPriority, number: true},
		},
		drop: []uint16{rtaCacheinfo},
	}.complete(),
	request:  routeRequest,
	clean:    cleanRoute,
	uses:     usesLink,
	usesOnly: usesOnlyLink,
	apply:    applyRoute4,
	follows:  followsMember,
}

// applyRoute4 follows fib_table_insert and fib_table_delete in net/ipv4/fib_trie.c. The
// flags of the message say where in its group the kernel has put a route:
//   - NLM_F_REPLACE: in the place of the first one. If the route is there already, its
//     next hop object was replaced, and it stays where it is
//   - NLM_F_EXCL: it is the only one
//   - NLM_F_APPEND: at the end
//   - otherwise at the front
func applyRoute4(list [][]byte, m *message) ([][]byte, verdict) {
	i := index(list, m.value)
	switch {
	case !m.new && i < 0:
		return list, impossible
	case !m.new:
		return slices.Delete(list, i, i+1), certain
	case m.flags&netlink.NLM_F_REPLACE != 0:
		return replaceRoute4(list, m, i)
	}
	v := certain
	if i >= 0 {
		// The kernel refuses a duplicate: the old one has gone without a message.
		list, v = slices.Delete(list, i, i+1), impossible
	}
	switch {
	case m.flags&netlink.NLM_F_APPEND != 0:
		return append(list, m.value), v
	case m.flags&netlink.NLM_F_EXCL != 0 && len(list) > 0:
		return append(list[:0], m.value), impossible
	}
	return slices.Insert(list, 0, m.value), v
}

// replaceRoute4 is applyRoute4 for NLM_F_REPLACE; i is the index of an equal route.
func replaceRoute4(list [][]byte, m *message, i int) ([][]byte, verdict) {
	if i >= 0 {
		return list, certain
	}
	if len(list) == 0 {
		return append(list, m.value), impossible
	}
	list[0] = m.value
	if len(list) > 1 && m.doubt {
		return list, uncertain // the first one may have gone without a message
	}
	return list, certain
}
