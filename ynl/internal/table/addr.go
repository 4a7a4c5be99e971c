package table

import "net/netip"

// Address families that say which length an address has.
const (
	afINET  = 2
	afINET6 = 10
)

// addrLen returns the bytes of an address with the hint, 0 if it may have 4 or 16.
func (h Hint) addrLen() int {
	switch h {
	case IPv4:
		return 4
	case IPv6:
		return 16
	}
	return 0
}

// readAddr reads an address of 4 or 16 bytes.
func readAddr(x Place, v []byte) bool {
	switch len(v) {
	case 4:
		*x.addr() = netip.AddrFrom4([4]byte(v))
	case 16:
		*x.addr() = netip.AddrFrom16([16]byte(v))
	default:
		return false
	}
	return true
}

// readVia reads an address family and an address of it.
func readVia(x Place, v []byte) bool {
	if len(v) < 2 {
		return false
	}
	family, v := ne.Uint16(v), v[2:]
	return (family == afINET && len(v) == 4 || family == afINET6 && len(v) == 16) && readAddr(x, v)
}

// copyAddr copies the bytes of addr to v.
func copyAddr(v []byte, addr netip.Addr) {
	if addr.Is4() {
		b := addr.As4()
		copy(v, b[:])
		return
	}
	b := addr.As16()
	copy(v, b[:])
}

// addressFamily returns the address family in the header of the message, 0 if there is
// none.
func (w *walk) addressFamily() uint64 {
	sc := &w.scopes[0]
	if !sc.header {
		return 0
	}
	h := &w.f.Structs[sc.set.Header-1]
	for i := range h.Members {
		if m := &h.Members[i]; m.Flags&AddressFamily != 0 {
			return sc.at.at(sc.set.HeadOff + m.Off).uint(m.Width)
		}
	}
	return 0
}

// checkAddr reports whether an address can be sent with the hint, or in a message of its
// address family.
func (e *encoder) checkAddr(a *Attr, addr netip.Addr, hint Hint) bool {
	want := hint.addrLen()
	if want == 0 {
		switch e.addressFamily() {
		case afINET:
			want = 4
		case afINET6:
			want = 16
		}
	}
	switch {
	case addr.Zone() != "":
		e.fail(a, "address %v: the zone cannot be sent", addr)
	case want != 0 && want*8 != addr.BitLen():
		e.fail(a, "address %v of %d bytes, want %d", addr, addr.BitLen()/8, want)
	default:
		return true
	}
	return false
}

// writeVia appends an attribute with an address family and an address of it.
func (e *encoder) writeVia(a *Attr, typ uint16, addr netip.Addr) {
	hint, family := IPv4, uint16(afINET)
	if addr.Is6() {
		hint, family = IPv6, afINET6
	}
	if e.checkAddr(a, addr, hint) {
		v := e.b.Reserve(typ, 2+addr.BitLen()/8)
		ne.PutUint16(v, family)
		copyAddr(v[2:], addr)
	}
}
