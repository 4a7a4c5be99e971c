package mirror

import "github.com/nlmux/netlink/ynl/rtneigh"

const (
	ntfProxy = 0x08

	nudIncomplete = 0x01
	nudStale      = 0x04
	nudDelay      = 0x08
	nudNoARP      = 0x40

	ndmsgState = 8
	ndmsgFlags = 10
)

// neighs4 and neighs6 are the tables of neighbours, by link and address. Entries of
// bridges (AF_BRIDGE) and proxies are other tables of the kernel.
var (
	neighs4 = neighKind("neighs4", TableNeighs4, afInet, 4)
	neighs6 = neighKind("neighs6", TableNeighs6, afInet6, 16)
)

func neighKind(name string, bit Tables, family uint8, size int) *kind {
	return &kind{
		name: name, bit: bit, family: family,
		get: rtneigh.RTM_GETNEIGH, new: rtneigh.RTM_NEWNEIGH, del: rtneigh.RTM_DELNEIGH, multicast: rtneigh.RTNLGRP_NEIGH,
		layout: layout{
			header: 12,
			key: []part{
				{size: 4, at: 4, width: 4, number: true},
				{size: size, attr: ndaDst},
			},
			drop: []uint16{ndaCacheinfo, ndaProbes},
		}.complete(),
		request: func(family uint8, _ uint32) []byte { return []byte{family, 11: 0} },
		single:  true,
		clean:   cleanNeigh,
		absent:  absentNeigh,
		apply:   applySingle,
	}
}

// cleanNeigh turns NUD_DELAY into NUD_STALE: the kernel does not announce that it is
// about to probe a stale entry (__neigh_event_send in net/core/neighbour.c).
func cleanNeigh(v []byte) []byte {
	if v[ndmsgFlags]&ntfProxy != 0 {
		return nil
	}
	if state := native.Uint16(v[ndmsgState:]); state&nudDelay != 0 {
		native.PutUint16(v[ndmsgState:], state&^nudDelay|nudStale)
	}
	return v
}

// absentNeigh hides entries that the kernel makes without a message: those that it has
// not resolved yet, and those of links without address resolution.
func absentNeigh(v []byte) bool {
	state := native.Uint16(v[ndmsgState:])
	return state == 0 || state&(nudIncomplete|nudNoARP) != 0
}
