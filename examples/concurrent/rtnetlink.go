//go:build linux

package main

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// entry is the part of an rtnetlink message that this program uses.
type entry struct {
	table  string
	family byte
	bits   byte // of the prefix
	index  uint32
	id     uint32 // of the routing table
	label  string // of a link
	addr   netip.Addr
	kind   byte // of a route
}

// decode reads links, addresses, routes and neighbours, also from events.
func decode(m wire.Message) (e entry, ok bool) {
	var attrs []byte
	var err error
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		var h unix.IfInfomsg
		attrs, err = m.Struct(&h)
		e = entry{table: "link", family: h.Family, index: uint32(h.Index)}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		var h unix.IfAddrmsg
		attrs, err = m.Struct(&h)
		e = entry{table: "address", family: h.Family, bits: h.Prefixlen, index: h.Index}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		var h unix.RtMsg
		attrs, err = m.Struct(&h)
		e = entry{table: "route", family: h.Family, bits: h.Dst_len, id: uint32(h.Table), kind: h.Type}
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		var h unix.NdMsg
		attrs, err = m.Struct(&h)
		e = entry{table: "neighbour", family: h.Family, index: uint32(h.Ifindex)}
	default:
		return e, false
	}
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch (attribute{e.table, d.Type()}) {
		case attribute{"link", unix.IFLA_IFNAME}:
			e.label = d.String()
		case attribute{"address", unix.IFA_ADDRESS}, attribute{"route", unix.RTA_DST}, attribute{"neighbour", unix.NDA_DST}:
			e.addr, _ = netip.AddrFromSlice(d.Bytes())
		case attribute{"route", unix.RTA_OIF}:
			e.index = d.Uint32()
		case attribute{"route", unix.RTA_TABLE}:
			e.id = d.Uint32()
		}
	}
	if err != nil || d.Err() != nil {
		return e, false
	}
	if e.table == "route" && !e.addr.IsValid() {
		e.addr = netip.IPv4Unspecified()
		if e.family == unix.AF_INET6 {
			e.addr = netip.IPv6Unspecified()
		}
	}
	return e, true
}

// attribute is a type of attribute, with another meaning in each table.
type attribute struct {
	table string
	typ   uint16
}

// key returns a key that is unique in the entry's table.
func key(m wire.Message) string {
	e, ok := decode(m)
	if !ok {
		return fmt.Sprintf("type %d: %x", m.Header.Type, m.Payload)
	}
	switch e.table {
	case "link":
		return fmt.Sprintf("link %d %s", e.index, e.label)
	case "address":
		return fmt.Sprintf("address %v/%d dev %d", e.addr, e.bits, e.index)
	case "route":
		return fmt.Sprintf("route %v/%d table %d type %d dev %d", e.addr, e.bits, e.id, e.kind, e.index)
	}
	return fmt.Sprintf("neighbour %v dev %d", e.addr, e.index)
}

// question returns the request for the entry m of a dump.
func question(m wire.Message) (lookup, bool) {
	e, ok := decode(m)
	if !ok || e.table != "link" && !e.addr.IsValid() {
		return lookup{}, false
	}
	l := lookup{name: key(m)}
	var h any
	addr := uint16(0)
	switch {
	case e.table == "link":
		l.typ, h = unix.RTM_GETLINK, &unix.IfInfomsg{Family: e.family, Index: int32(e.index)}
	case e.table == "neighbour":
		l.typ, h, addr = unix.RTM_GETNEIGH, &unix.NdMsg{Family: e.family, Ifindex: int32(e.index)}, unix.NDA_DST
	case e.table == "address" && e.family == unix.AF_INET6:
		l.typ, addr = unix.RTM_GETADDR, unix.IFA_ADDRESS
		h = &unix.IfAddrmsg{Family: e.family, Prefixlen: e.bits, Index: e.index}
	default:
		// The kernel has no look-up of a single IPv4 address. Request the route that
		// covers it.
		l.typ, addr = unix.RTM_GETROUTE, unix.RTA_DST
		h = &unix.RtMsg{Family: e.family, Dst_len: uint8(e.addr.BitLen()), Flags: unix.RTM_F_FIB_MATCH}
	}
	var b wire.Builder
	b.Struct(h)
	if addr != 0 {
		b.Bytes(addr, e.addr.AsSlice())
	}
	payload, err := b.Encode()
	l.payload = payload
	return l, err == nil
}

// isSteady reports whether an entry stays during the requests: churn does not change
// it, and it is not a neighbour that the kernel creates for a multicast packet and
// removes.
func isSteady(m wire.Message) bool {
	e, _ := decode(m)
	return !churnNet.Contains(e.addr) && (e.table != "neighbour" || !e.addr.IsMulticast())
}

// groups are the multicast groups that the watcher joins.
var groups = map[uint32]string{
	unix.RTNLGRP_LINK:        "link",
	unix.RTNLGRP_NEIGH:       "neigh",
	unix.RTNLGRP_IPV4_IFADDR: "ipv4-ifaddr",
	unix.RTNLGRP_IPV6_IFADDR: "ipv6-ifaddr",
	unix.RTNLGRP_IPV4_ROUTE:  "ipv4-route",
	unix.RTNLGRP_IPV6_ROUTE:  "ipv6-route",
}

// isDelete reports whether an event announces a deleted entry.
func isDelete(t netlink.MessageType) bool { return (t-netlink.NLMSG_MIN_TYPE)&3 == 1 }
