//go:build linux

package torture

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/wire"
)

// class is the kind of an object.
type class uint8

const (
	anAddress class = iota
	aRoute
	aLink
	classes
)

func (c class) String() string { return [...]string{"address", "route", "link"}[c] }

// The types that create and remove an object of a class, the refusals if it exists or
// does not exist, and the group of its events.
var (
	creates = [classes]netlink.MessageType{unix.RTM_NEWADDR, unix.RTM_NEWROUTE, unix.RTM_NEWLINK}
	removes = [classes]netlink.MessageType{unix.RTM_DELADDR, unix.RTM_DELROUTE, unix.RTM_DELLINK}
	absent  = [classes]syscall.Errno{unix.EADDRNOTAVAIL, unix.ESRCH, unix.ENODEV}
	groupOf = [classes]uint32{unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_LINK}
)

// key names an object.
type key struct {
	class class
	owner uint16
	n     uint8
}

// ownerNone is an owner that is no worker: the other process.
const ownerNone = 4000

func (k key) String() string { return fmt.Sprintf("%v %d of worker %d", k.class, k.n, k.owner) }

// ip is the address of an address, and the destination of a route.
func (k key) ip() [4]byte {
	return [4]byte{10 + 10*byte(k.class), byte(k.owner >> 8), byte(k.owner), k.n}
}

// name is the name of a link.
func (k key) name() string { return fmt.Sprintf("own%d.%d", k.owner, k.n) }

// object is an object in the kernel that only one worker changes.
type object struct {
	key
	gen   uint32 // how often it was made; the kernel keeps it as a metric
	there bool
	known bool // there and gen are the kernel's state
}

// payload is the payload that creates or removes the object of generation gen.
func (o *object) payload(gen uint32) []byte {
	var b wire.Builder
	ip := o.ip()
	switch o.class {
	case anAddress:
		b.Struct(unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: 32, Index: kerneltest.LoIndex})
		b.Bytes(unix.IFA_LOCAL, ip[:])
		b.Bytes(unix.IFA_ADDRESS, ip[:])
		b.Uint32(unix.IFA_RT_PRIORITY, gen)
	case aRoute:
		b.Struct(unix.RtMsg{
			Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
		})
		b.Bytes(unix.RTA_DST, ip[:])
		b.Uint32(unix.RTA_OIF, kerneltest.LoIndex)
		b.Uint32(unix.RTA_PRIORITY, gen)
	case aLink:
		b.Struct(unix.IfInfomsg{})
		b.String(unix.IFLA_IFNAME, o.name())
		b.Nest(unix.IFLA_LINKINFO, func(b *wire.Builder) { b.String(unix.IFLA_INFO_KIND, "veth") })
	}
	return mustEncode(&b)
}

// question returns the request for this object.
func (o *object) question() (netlink.MessageType, []byte) {
	var b wire.Builder
	if o.class == aLink {
		b.Struct(unix.IfInfomsg{})
		b.String(unix.IFLA_IFNAME, o.name())
		return unix.RTM_GETLINK, mustEncode(&b)
	}
	// A look-up of the address finds its entry in the local table.
	ip := o.ip()
	b.Struct(unix.RtMsg{Family: unix.AF_INET, Dst_len: 32, Flags: unix.RTM_F_FIB_MATCH})
	b.Bytes(unix.RTA_DST, ip[:])
	return unix.RTM_GETROUTE, mustEncode(&b)
}

// unfound is the errno of a request for a missing object.
func (o *object) unfound() syscall.Errno {
	if o.class == aLink {
		return unix.ENODEV
	}
	return unix.ENETUNREACH
}

func mustEncode(b *wire.Builder) []byte {
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return p
}

// sight is the state of an object in a message.
type sight struct {
	key
	gen uint32
	typ netlink.MessageType
}

// sighting reads a message about an object. ok is false for any other message.
func sighting(m wire.Message) (s sight, ok bool) {
	s.typ = m.Header.Type
	p := m.Payload
	switch s.typ {
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(p) < unix.SizeofIfAddrmsg || p[0] != unix.AF_INET {
			return s, false
		}
		return s, s.read(p[unix.SizeofIfAddrmsg:], anAddress, unix.IFA_LOCAL, unix.IFA_RT_PRIORITY)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		if len(p) < unix.SizeofRtMsg || p[0] != unix.AF_INET {
			return s, false
		}
		// An address's entry in the local table is no change, but answers a request.
		of := aRoute
		if p[7] == unix.RTN_LOCAL {
			of = anAddress
		}
		return s, s.read(p[unix.SizeofRtMsg:], of, unix.RTA_DST, unix.RTA_PRIORITY)
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if len(p) < unix.SizeofIfInfomsg || p[0] != unix.AF_UNSPEC {
			return s, false
		}
		for a, err := range wire.Attrs(p[unix.SizeofIfInfomsg:]) {
			if err == nil && a.Type == unix.IFLA_IFNAME {
				n, _ := fmt.Sscanf(a.String(), "own%d.%d", &s.owner, &s.n)
				s.class = aLink
				return s, n == 2
			}
		}
	}
	return s, false
}

// read takes key and generation of an address or a route from attributes.
func (s *sight) read(attrs []byte, of class, ip, metric uint16) bool {
	found := false
	for a, err := range wire.Attrs(attrs) {
		switch {
		case err != nil:
			return false
		case a.Type == ip && len(a.Value) == 4:
			s.class, s.owner, s.n = of, binary.BigEndian.Uint16(a.Value[1:]), a.Value[3]
			found = a.Value[0] == 10+10*byte(of)
		case a.Type == metric && len(a.Value) == 4:
			s.gen = binary.NativeEndian.Uint32(a.Value)
		}
	}
	return found
}
