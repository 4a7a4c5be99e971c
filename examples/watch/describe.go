//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// describe tells in words what a message says, and learns a link's name from it.
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
	attrs, err := decode(m, &h)
	if err != nil {
		return "", err
	}
	name := attrs[unix.IFLA_IFNAME].String()
	l[uint32(h.Index)] = name
	mtu, _ := attrs[unix.IFLA_MTU].Uint32()
	state := "down"
	if h.Flags&unix.IFF_UP != 0 {
		state = "up"
	}
	return fmt.Sprintf("%s index %d mtu %d %s", name, h.Index, mtu, state), nil
}

func (l names) address(m wire.Message) (string, error) {
	var h unix.IfAddrmsg
	attrs, err := decode(m, &h)
	// On a point-to-point link IFA_ADDRESS is the peer's. IPv6 has IFA_LOCAL
	// nowhere else.
	own, ok := attrs[unix.IFA_LOCAL]
	if !ok {
		own = attrs[unix.IFA_ADDRESS]
	}
	return fmt.Sprintf("%v/%d dev %s", ip(own), h.Prefixlen, l[h.Index]), err
}

func (l names) route(m wire.Message) (string, error) {
	var h unix.RtMsg
	attrs, err := decode(m, &h)
	text := "default"
	if dst, ok := attrs[unix.RTA_DST]; ok {
		text = fmt.Sprintf("%v/%d", ip(dst), h.Dst_len)
	}
	if via, ok := attrs[unix.RTA_GATEWAY]; ok {
		text += fmt.Sprintf(" via %v", ip(via))
	}
	if index, err := attrs[unix.RTA_OIF].Uint32(); err == nil {
		text += " dev " + l[index]
	}
	if table, err := attrs[unix.RTA_TABLE].Uint32(); err == nil && table != unix.RT_TABLE_MAIN {
		text += fmt.Sprintf(" table %d", table)
	}
	return text, err
}

// neighbourStates are the names of NUD_*, by bit.
var neighbourStates = []string{"incomplete", "reachable", "stale", "delay", "probe", "failed", "noarp", "permanent"}

func (l names) neighbour(m wire.Message) (string, error) {
	var h unix.NdMsg
	attrs, err := decode(m, &h)
	text := fmt.Sprintf("%v dev %s", ip(attrs[unix.NDA_DST]), l[uint32(h.Ifindex)])
	if mac, ok := attrs[unix.NDA_LLADDR]; ok {
		text += fmt.Sprintf(" lladdr %v", net.HardwareAddr(mac.Value))
	}
	for bit, name := range neighbourStates {
		if h.State&(1<<bit) != 0 {
			text += " " + name
		}
	}
	return text, err
}

// decode reads the header before the attributes and returns those by type.
func decode(m wire.Message, header any) (map[uint16]wire.Attr, error) {
	n, err := binary.Decode(m.Payload, binary.NativeEndian, header)
	if err != nil {
		return nil, err
	}
	attrs := make(map[uint16]wire.Attr)
	for a, err := range wire.Attrs(m.Payload[n:]) {
		if err != nil {
			return nil, err
		}
		attrs[a.Type] = a
	}
	return attrs, nil
}

func ip(a wire.Attr) netip.Addr {
	addr, _ := netip.AddrFromSlice(a.Value)
	return addr
}
