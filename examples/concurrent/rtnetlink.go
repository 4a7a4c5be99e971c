//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// entry is the part of an rtnetlink message that this program looks at.
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
	b := m.Payload
	header, label, addr, index := 0, uint16(0), uint16(0), uint16(0)
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		e.table, header, label = "link", unix.SizeofIfInfomsg, unix.IFLA_IFNAME
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		e.table, header, addr = "address", unix.SizeofIfAddrmsg, unix.IFA_ADDRESS
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		e.table, header, addr, index = "route", unix.SizeofRtMsg, unix.RTA_DST, unix.RTA_OIF
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		e.table, header, addr = "neighbour", unix.SizeofNdMsg, unix.NDA_DST
	}
	if header == 0 || len(b) < header {
		return e, false
	}
	e.family = b[0]
	switch e.table {
	case "link", "address", "neighbour":
		e.index = binary.NativeEndian.Uint32(b[4:])
	case "route":
		e.bits, e.id, e.kind = b[1], uint32(b[4]), b[7]
	}
	if e.table == "address" {
		e.bits = b[1]
	}
	for a, err := range wire.Attrs(b[header:]) {
		if err != nil {
			return e, false
		}
		switch {
		case label != 0 && a.Type == label:
			e.label = a.String()
		case addr != 0 && a.Type == addr:
			e.addr, _ = netip.AddrFromSlice(a.Value)
		case index != 0 && a.Type == index:
			e.index, _ = a.Uint32()
		case e.table == "route" && a.Type == unix.RTA_TABLE:
			e.id, _ = a.Uint32()
		}
	}
	if e.table == "route" && !e.addr.IsValid() {
		e.addr = netip.IPv4Unspecified()
		if e.family == unix.AF_INET6 {
			e.addr = netip.IPv6Unspecified()
		}
	}
	return e, true
}

// key returns what tells an entry from all others of its table.
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

// question returns the request for the one entry that m, part of a dump, is.
func question(m wire.Message) (lookup, bool) {
	e, ok := decode(m)
	if !ok || e.table != "link" && !e.addr.IsValid() {
		return lookup{}, false
	}
	l := lookup{name: key(m)}
	var h []byte
	addr := uint16(0)
	switch {
	case e.table == "link":
		l.typ, h = unix.RTM_GETLINK, make([]byte, unix.SizeofIfInfomsg)
		binary.NativeEndian.PutUint32(h[4:], e.index)
	case e.table == "neighbour":
		l.typ, h, addr = unix.RTM_GETNEIGH, make([]byte, unix.SizeofNdMsg), unix.NDA_DST
		binary.NativeEndian.PutUint32(h[4:], e.index)
	case e.table == "address" && e.family == unix.AF_INET6:
		l.typ, h, addr = unix.RTM_GETADDR, make([]byte, unix.SizeofIfAddrmsg), unix.IFA_ADDRESS
		h[1] = e.bits
		binary.NativeEndian.PutUint32(h[4:], e.index)
	default:
		// The kernel does not look up a single IPv4 address. What it tells for
		// an address is the route that covers it.
		l.typ, h, addr = unix.RTM_GETROUTE, make([]byte, unix.SizeofRtMsg), unix.RTA_DST
		h[1] = byte(e.addr.BitLen())
		binary.NativeEndian.PutUint32(h[8:], unix.RTM_F_FIB_MATCH)
	}
	h[0] = e.family
	var b wire.Builder
	b.Struct(h)
	if addr != 0 {
		b.Bytes(addr, e.addr.AsSlice())
	}
	payload, err := b.Encode()
	l.payload = payload
	return l, err == nil
}

// isSteady reports whether an entry stays while the questions are asked: it is
// not one of those that churn changes, nor a neighbour that the kernel makes for
// a multicast packet and forgets.
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

// isDelete reports whether an event tells that an entry is gone.
func isDelete(t netlink.MessageType) bool { return (t-netlink.NLMSG_MIN_TYPE)&3 == 1 }
