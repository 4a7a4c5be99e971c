package mirror

import (
	"bytes"

	"github.com/nlmux/netlink/ynl/rtaddr"
)

const (
	ifaFTentative  = 0x40
	ifaFOptimistic = 0x04

	ifaddrmsgFlags = 2 // offset
)

// addrs4 is the table of IPv4 addresses. The kernel identifies one by its link, local
// address, prefix length and peer (__inet_insert_ifa in net/ipv4/devinet.c).
var addrs4 = &kind{
	name: "addrs4", bit: TableAddrs4, family: afInet,
	get: rtaddr.RTM_GETADDR, new: rtaddr.RTM_NEWADDR, del: rtaddr.RTM_DELADDR, multicast: rtaddr.RTNLGRP_IPV4_IFADDR,
	layout: layout{
		header: 8,
		key: []part{
			{size: 4, at: 4, width: 4, number: true},
			{size: 4, attr: ifaLocal},
			{size: 1, at: 1, width: 1},
			{size: 4, attr: ifaAddress},
		},
		drop: []uint16{ifaCacheinfo},
	}.complete(),
	request: addrRequest,
	single:  true,
	apply:   applySingle,
	changed: addr4Changed,
}

// addrs6 is the table of IPv6 addresses. The kernel identifies one by its link and
// address, which is IFA_LOCAL if there is a peer.
var addrs6 = &kind{
	name: "addrs6", bit: TableAddrs6, family: afInet6,
	get: rtaddr.RTM_GETADDR, new: rtaddr.RTM_NEWADDR, del: rtaddr.RTM_DELADDR, multicast: rtaddr.RTNLGRP_IPV6_IFADDR,
	layout: layout{
		header: 8,
		key: []part{
			{size: 4, at: 4, width: 4, number: true},
			{size: 16, attr: ifaLocal, instead: ifaAddress},
		},
		drop: []uint16{ifaCacheinfo},
	}.complete(),
	request: addrRequest,
	single:  true,
	// A tentative address is in dumps, but neither it nor its changes are announced
	// before duplicate address detection has ended, which without a carrier is never.
	absent: func(v []byte) bool {
		return v[ifaddrmsgFlags]&(ifaFTentative|ifaFOptimistic) == ifaFTentative
	},
	apply:   applySingle,
	changed: addr6Changed,
}

func addrRequest(family uint8, _ uint32) []byte { return []byte{family, 7: 0} }

// addr4Changed: with its last IPv4 address a link loses all its IPv4 routes
// (fib_inetaddr_event in net/ipv4/fib_frontend.c calls fib_disable_ip).
func addr4Changed(m *Mirror, t *table, key []byte, old, new group) {
	if prefix := key[:4]; len(new) == 0 && !t.has(prefix) {
		m.wantByLink(TableRoutes4, keyNumber(prefix), AddrGone)
	}
}

// addr6Changed: routes lose a preferred source that is no longer there, without a
// message (fib6_remove_prefsrc in net/ipv6/route.c).
func addr6Changed(m *Mirror, t *table, key []byte, old, new group) {
	if len(new) > 0 {
		return
	}
	if r := m.table(TableRoutes6); r != nil && r.some(func(v []byte) bool {
		a, found := attribute(v[rtmsgSize:], rtaPrefsrc)
		return found && bytes.Equal(a, key[4:])
	}) {
		m.want(r, SourceGone)
	}
}
