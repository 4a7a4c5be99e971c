package table

import "encoding/binary"

// sizes has the bytes that integers of a kind have on the wire, 0 for Uint and Sint.
var sizes = [...]uint8{U8: 1, U16: 2, U32: 4, U64: 8, S8: 1, S16: 2, S32: 4, S64: 8, Sint: 0}

func (k Kind) signed() bool { return S8 <= k && k <= S64 || k == Sint }

// integer returns the integer v of kind k, and whether v has a size of that kind. A
// negative one has its sign in all 64 bits.
func integer(k Kind, flags Flags, v []byte) (u uint64, ok bool) {
	if n := int(sizes[k]); n != len(v) && (n != 0 || len(v) != 4 && len(v) != 8) {
		return 0, false
	}
	big := flags&BigEndian != 0
	switch len(v) {
	case 1:
		u = uint64(v[0])
	case 2:
		u = uint64(ne.Uint16(v))
		if big {
			u = uint64(binary.BigEndian.Uint16(v))
		}
	case 4:
		u = uint64(ne.Uint32(v))
		if big {
			u = uint64(binary.BigEndian.Uint32(v))
		}
	case 8:
		u = ne.Uint64(v)
		if big {
			u = binary.BigEndian.Uint64(v)
		}
	}
	if k.signed() {
		u = extend(u, uint8(len(v)))
	}
	return u, true
}

// writeInteger fills v with the lower bytes of u.
func writeInteger(flags Flags, v []byte, u uint64) {
	big := flags&BigEndian != 0
	switch {
	case len(v) == 1:
		v[0] = uint8(u)
	case len(v) == 2 && big:
		binary.BigEndian.PutUint16(v, uint16(u))
	case len(v) == 2:
		ne.PutUint16(v, uint16(u))
	case len(v) == 4 && big:
		binary.BigEndian.PutUint32(v, uint32(u))
	case len(v) == 4:
		ne.PutUint32(v, uint32(u))
	case big:
		binary.BigEndian.PutUint64(v, u)
	default:
		ne.PutUint64(v, u)
	}
}

// extend returns the lower n bytes of u, with their sign in the others.
func extend(u uint64, n uint8) uint64 {
	s := 64 - 8*n
	return uint64(int64(u<<s) >> s)
}

// fits reports whether n bytes hold the integer u of kind k.
func fits(k Kind, u uint64, n uint8) bool {
	if k.signed() {
		return extend(u, n) == u
	}
	return n >= 8 || u>>(8*n) == 0
}

// integer returns the integer of width bytes at x, of kind k on the wire. Where the kind
// is signed its highest bit is the sign, though the type of an enum is unsigned.
func (x Place) integer(k Kind, width uint8) uint64 {
	u := x.uint(width)
	if k.signed() {
		u = extend(u, width)
	}
	return u
}
