package rtaddr

import (
	"net/netip"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
)

// At returns an address of a link, with the length of the network that the link is in. It
// is complete as a request of NewAddr or DelAddr.
func At(index int32, p netip.Prefix) *Addr {
	return &Addr{
		Ifaddrmsg: Ifaddrmsg{Family: af.Of(p.Addr()), Prefixlen: uint8(max(p.Bits(), 0)), Index: uint32(index)},
		Local:     p.Addr(),
		Address:   p.Addr(),
	}
}

// On returns a request of DumpAddr for the addresses of one link. The kernel only looks at
// the link if the Conn has strict checking (client.WithStrictChecking); otherwise the dump
// has the addresses of all links.
func On(index int32) *Addr { return &Addr{Ifaddrmsg: Ifaddrmsg{Index: uint32(index)}} }

// IP returns the address of the link: Local, or Address if there is no Local, as in IPv6
// without a peer.
func (a *Addr) IP() netip.Addr {
	if a.Local.IsValid() {
		return a.Local
	}
	return a.Address
}

// Prefix returns the address of the link with the length of its network. If the link has a
// peer, the length is that of the peer's network.
func (a *Addr) Prefix() netip.Prefix { return netip.PrefixFrom(a.IP(), int(a.Prefixlen)) }

// Peer returns the address at the other end of the link. It is not valid if there is none.
func (a *Addr) Peer() netip.Addr {
	if !a.Local.IsValid() || a.Local == a.Address {
		return netip.Addr{}
	}
	return a.Address
}

// Forever is a lifetime that does not end.
const Forever = 0xffffffff

// SetLifetimes sets the lifetimes of the address in seconds: after preferred it is
// deprecated, after valid the kernel removes it. It returns a.
func (a *Addr) SetLifetimes(preferred, valid uint32) *Addr {
	a.Cacheinfo = ynl.Some(IfaCacheinfo{IfaPrefered: preferred, IfaValid: valid})
	return a
}
