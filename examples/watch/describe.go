//go:build linux

package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// describe describes a message in words, and learns a link's name from it.
func (l names) describe(m wire.Message) string {
	text, err := "", error(nil)
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		text, err = l.link(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		text, err = l.address(m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		text, err = l.route(m)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		text, err = l.neighbour(m)
	default:
		text = fmt.Sprintf("message type %d", uint16(m.Header.Type))
	}
	if err != nil {
		return fmt.Sprintf("message type %d: %v", uint16(m.Header.Type), err)
	}
	// The types of an object are in the order NEW, DEL, GET, SET.
	if (m.Header.Type-netlink.NLMSG_MIN_TYPE)%4 == 1 {
		return "gone  " + text
	}
	return "new   " + text // or changed
}

func (l names) link(m wire.Message) (string, error) {
	var h unix.IfInfomsg
	attrs, err := m.Struct(&h)
	if err != nil {
		return "", err
	}
	var name string
	var mtu uint32
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case unix.IFLA_IFNAME:
			name = d.String()
		case unix.IFLA_MTU:
			mtu = d.Uint32()
		}
	}
	if err := d.Err(); err != nil {
		return "", err
	}
	l[uint32(h.Index)] = name
	state := "down"
	if h.Flags&unix.IFF_UP != 0 {
		state = "up"
	}
	return fmt.Sprintf("%s index %d mtu %d %s", name, h.Index, mtu, state), nil
}

func (l names) address(m wire.Message) (string, error) {
	var h unix.IfAddrmsg
	attrs, err := m.Struct(&h)
	if err != nil {
		return "", err
	}
	var local, address netip.Addr
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case unix.IFA_LOCAL:
			local = ip(d.Bytes())
		case unix.IFA_ADDRESS:
			address = ip(d.Bytes())
		}
	}
	// On a point-to-point link IFA_ADDRESS is the peer's. IPv6 has IFA_LOCAL
	// nowhere else.
	return fmt.Sprintf("%v/%d dev %s", cmp.Or(local, address), h.Prefixlen, l[h.Index]), d.Err()
}

func (l names) route(m wire.Message) (string, error) {
	var h unix.RtMsg
	attrs, err := m.Struct(&h)
	if err != nil {
		return "", err
	}
	dst, via, dev, table := "default", "", "", ""
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case unix.RTA_DST:
			dst = fmt.Sprintf("%v/%d", ip(d.Bytes()), h.Dst_len)
		case unix.RTA_GATEWAY:
			via = fmt.Sprintf(" via %v", ip(d.Bytes()))
		case unix.RTA_OIF:
			dev = " dev " + l[d.Uint32()]
		case unix.RTA_TABLE:
			if t := d.Uint32(); t != unix.RT_TABLE_MAIN {
				table = fmt.Sprintf(" table %d", t)
			}
		}
	}
	return dst + via + dev + table, d.Err()
}

// neighbourStates are the names of NUD_*, by bit.
var neighbourStates = []string{"incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent"}

func (l names) neighbour(m wire.Message) (string, error) {
	var h unix.NdMsg
	attrs, err := m.Struct(&h)
	if err != nil {
		return "", err
	}
	var dst netip.Addr
	mac := ""
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case unix.NDA_DST:
			dst = ip(d.Bytes())
		case unix.NDA_LLADDR:
			mac = fmt.Sprintf(" lladdr %v", net.HardwareAddr(d.Bytes()))
		}
	}
	text := fmt.Sprintf("%v dev %s%s", dst, l[uint32(h.Ifindex)], mac)
	for bit, name := range neighbourStates {
		if h.State&(1<<bit) != 0 {
			text += " " + name
		}
	}
	return text, d.Err()
}

func ip(b []byte) netip.Addr {
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
