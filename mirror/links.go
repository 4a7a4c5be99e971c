package mirror

import (
	"encoding/binary"
	"slices"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtlink"
)

const (
	iflaLink             = 5
	iflaStats            = 7
	iflaMaster           = 10
	iflaMap              = 14
	iflaLinkinfo         = 18
	iflaStats64          = 23
	iflaAfSpec           = 26
	iflaExtMask          = 29
	iflaCarrierChanges   = 35
	iflaEvent            = 44
	iflaCarrierUpCount   = 47
	iflaCarrierDownCount = 48
	iflaTSOMaxSize       = 59

	iflaInfoKind      = 1
	iflaInfoData      = 2
	iflaInfoXstats    = 3
	iflaInfoSlaveKind = 4
	iflaInfoSlaveData = 5

	// Without IFLA_EXT_MASK a dump lacks, without an error, a link whose message is
	// larger than 32 KiB (rtnl_calcit in net/core/rtnetlink.c).
	rtextFilterSkipStats = 8

	iffUp      = 0x1
	iffRunning = 0x40
	iffLowerUp = 0x10000

	ifinfomsgFlags = 8 // offset
)

// links is the table of links, by index. The messages with another family than
// AF_UNSPEC say what a link is to a bridge or to IPv6, and an RTM_DELLINK of AF_BRIDGE
// that it has left its bridge.
var links = &kind{
	name: "links", bit: TableLinks, family: afUnspec,
	get: rtlink.RTM_GETLINK, new: rtlink.RTM_NEWLINK, del: rtlink.RTM_DELLINK, multicast: rtlink.RTNLGRP_LINK,
	layout: layout{
		header: 16,
		key:    []part{{size: 4, at: 4, width: 4, number: true}},
		drop: []uint16{
			iflaStats, iflaStats64, iflaCarrierChanges, iflaCarrierUpCount, iflaCarrierDownCount,
			iflaMap,    // of interest to drivers of ISA cards; some events lack it
			iflaAfSpec, // counters of IPv6, and settings that change without a message
			iflaEvent,  // why the message was sent
			// That of a bridge follows its ports without a message.
			iflaTSOMaxSize,
		},
	}.complete(),
	request: func(uint8, uint32) []byte {
		return appendAttribute(make([]byte, 16), iflaExtMask, native.AppendUint32(nil, rtextFilterSkipStats))
	},
	single:  true,
	clean:   cleanLink,
	apply:   applySingle,
	changed: linkChanged,
}

// cleanLink clears ifi_change, and removes what runs inside of bridges and bonds.
func cleanLink(value []byte) []byte {
	clear(value[12:16])
	out := value[:16]
	for attrs := value[16:]; len(attrs) > 0; {
		a, rest, err := wire.NextAttr(attrs)
		if err != nil {
			break
		}
		if a.Type == iflaLinkinfo {
			out = appendLinkinfo(out[:len(out):len(out)], a.Value)
		} else {
			out = append(out, attrs[:len(attrs)-len(rest)]...)
		}
		attrs = rest
	}
	return out
}

// running lists the attributes of IFLA_INFO_DATA or IFLA_INFO_SLAVE_DATA that change
// without a message, by the kind of the link or of its master.
var running = map[uint16]map[string][]uint16{
	iflaInfoData: {
		// Identifiers and state of the spanning tree, timers, the state of the
		// multicast querier, and the number of learnt entries.
		"bridge": {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 47, 48},
		"bond":   {23}, // what LACP has found out
	},
	iflaInfoSlaveData: {
		// Link failures, the aggregator and the states of LACP.
		"bond": {3, 6, 7, 8},
	},
}

// appendLinkinfo appends IFLA_LINKINFO without what changes without a message.
func appendLinkinfo(dst, info []byte) []byte {
	var kind, master string
	if a, ok := attribute(info, iflaInfoKind); ok {
		kind = wire.Attr{Value: a}.String()
	}
	if a, ok := attribute(info, iflaInfoSlaveKind); ok {
		master = wire.Attr{Value: a}.String()
	}
	var nest []byte
	for a, err := range wire.Attrs(info) {
		if err != nil {
			break
		}
		switch a.Type {
		case iflaInfoXstats:
			continue
		case iflaInfoData:
			nest = appendWithout(nest, a, running[iflaInfoData][kind])
		case iflaInfoSlaveData:
			// What a bridge knows about its port is announced in messages of
			// AF_BRIDGE only (br_ifinfo_notify in net/bridge/br_netlink.c).
			if master == "bridge" {
				continue
			}
			nest = appendWithout(nest, a, running[iflaInfoSlaveData][master])
		default:
			nest = appendAttribute(nest, a.Type, a.Value)
		}
	}
	return appendAttribute(dst, iflaLinkinfo, nest)
}

// appendWithout appends a nest without the attributes of these types.
func appendWithout(dst []byte, nest wire.Attr, types []uint16) []byte {
	return appendAttribute(dst, nest.Type, without(nest, types))
}

// without returns the attributes in a nest that have other types than these.
func without(nest wire.Attr, types []uint16) []byte {
	var content []byte
	for a, err := range nest.Attrs() {
		if err != nil {
			return nest.Value // not a nest in this kind
		}
		if !slices.Contains(types, a.Type) {
			content = appendAttribute(content, a.Type, a.Value)
		}
	}
	return content
}

// linkFlags returns ifi_flags of a group of links, 0 if the link is not there.
func linkFlags(g group) uint32 {
	if v := g.first(); v != nil {
		return native.Uint32(v[ifinfomsgFlags:])
	}
	return 0
}

// linkAttribute returns an integer attribute of a link, 0 if it is missing.
func linkAttribute(g group, typ uint16) uint32 {
	v := g.first()
	if v == nil {
		return 0
	}
	a, _ := attribute(v[16:], typ)
	return integer(a)
}

// linkChanged finds what goes with a link.
func linkChanged(m *Mirror, t *table, key []byte, old, new group) {
	link := keyNumber(key)
	if len(new) == 0 {
		m.linkGone(link)
		return
	}
	const carrier = iffRunning | iffLowerUp
	was, is := linkFlags(old), linkFlags(new)
	switch {
	case was&iffUp != 0 && is&iffUp == 0,
		len(old) > 0 && linkAttribute(old, iflaMaster) != linkAttribute(new, iflaMaster):
		// IPv4 routes of a link that is down go without a message (fib_sync_down_dev in
		// net/ipv4/fib_semantics.c), those of IPv6 and its addresses, too, with
		// skip_notify_on_dev_down. A link that joins a VRF loses its routes.
		m.wantByLink(TableRoutes, link, LinkDown)
		m.want(m.table(TableAddrs6), LinkDown)
		m.want(m.table(TableNexthops), LinkDown)
	case len(old) > 0 && is&carrier == 0:
		// Next hops of a link without a carrier go without a message
		// (nh_netdev_event in net/ipv4/nexthop.c). That can be some time after the first
		// message in which the link has none: when the next one says that the
		// operational state has followed (linkwatch_do_dev in net/core/link_watch.c).
		if n := m.table(TableNexthops); n != nil && n.some(func(v []byte) bool { return n.kind.uses(v, link) }) {
			m.want(n, LinkDown)
		}
	case len(old) == 0 && hasZeroLink(new):
		// The first message of a veth has IFLA_LINK 0 where its peer does not exist
		// yet, and no message corrects that.
		m.want(t, NewLink)
	}
}

func hasZeroLink(g group) bool {
	a, found := attribute(g.first()[16:], iflaLink)
	return found && integer(a) == 0
}

// linkGone removes what cannot be there without the link. RTM_DELLINK is the last
// message about a link; the addresses, neighbours, next hops and routes that were not
// announced before are gone.
func (m *Mirror) linkGone(link uint32) {
	prefix := binary.BigEndian.AppendUint32(nil, link)
	for _, bit := range []Tables{TableAddrs4, TableAddrs6, TableNeighs4, TableNeighs6} {
		if t := m.table(bit); t != nil {
			m.removeImplied(t, t.under(prefix))
			if t.pass != nil {
				m.want(t, LinkDown)
			}
		}
	}
	for _, bit := range []Tables{TableNexthops, TableRoutes4} {
		if t := m.table(bit); t != nil {
			m.removeMatching(t, LinkDown, func(v []byte) bool { return t.kind.uses(v, link) })
		}
	}
	m.wantByLink(TableRoutes6, link, LinkDown)
	m.want(m.table(TableNexthops), LinkDown)
}
