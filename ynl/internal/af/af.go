// Package af has the address families of Linux, for every GOOS: package syscall has those
// of the system that it is built for.
package af

import "net/netip"

// The families that headers of rtnetlink messages have.
const (
	Unspec = 0
	Inet   = 2
	Bridge = 7
	Inet6  = 10
	MPLS   = 28
)

// Of returns the family of an address, Unspec if it is not valid. An IPv4 address that is
// mapped into IPv6 is one of IPv6.
func Of(ip netip.Addr) uint8 {
	switch {
	case ip.Is4():
		return Inet
	case ip.Is6():
		return Inet6
	}
	return Unspec
}

// Unspecified returns the address with all bits 0, which is not valid if the family is
// neither Inet nor Inet6.
func Unspecified(family uint8) netip.Addr {
	switch family {
	case Inet:
		return netip.IPv4Unspecified()
	case Inet6:
		return netip.IPv6Unspecified()
	}
	return netip.Addr{}
}

// Prefix returns the prefix with an address of a message, which leaves out the address if
// all its bits are 0, and a length of its header.
func Prefix(family uint8, ip netip.Addr, bits uint8) netip.Prefix {
	if !ip.IsValid() {
		ip = Unspecified(family)
	}
	return netip.PrefixFrom(ip, int(bits))
}
