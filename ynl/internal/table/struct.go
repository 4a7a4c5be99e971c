package table

import (
	"fmt"

	"github.com/nlmux/netlink/wire"
)

// DecodeStruct reads the payload of a sub-message into x, which is of the type of the
// struct. The payload may be shorter or longer.
func DecodeStruct[T any](f *Family, ref uint16, x *T, payload []byte) error {
	return f.decodeStruct(&f.Structs[ref-1], placeOf(x), payload)
}

func (f *Family) decodeStruct(l *Layout, x Place, v []byte) error {
	if l.isLonger(v) {
		v = v[:l.Wire]
	}
	if !f.readStruct(l, x, v) {
		return fmt.Errorf("%s: %w: %d bytes with a list", l.Name, wire.ErrMalformed, len(v))
	}
	return nil
}

// EncodeStruct appends x, which is of the type of the struct, to b. A nil x is a zero
// struct. What does not fit on the wire makes b fail.
func EncodeStruct[T any](f *Family, ref uint16, x *T, b *wire.Builder) {
	f.encodeStruct(&f.Structs[ref-1], placeOf(x), b)
}

func (f *Family) encodeStruct(l *Layout, x Place, b *wire.Builder) {
	if x.isNil() {
		x = l.New()
	}
	e := encoder{walk{f: f, scopes: []scope{{set: &Set{Name: l.Name}}}}, b}
	e.writeStruct(nil, l, x, b.Extend(f.structLen(l, x)))
}

// list returns the member that is the rest of the struct as a list, nil if there is none.
func (l *Layout) list() *Member {
	if n := len(l.Members); n > 0 && l.Members[n-1].Kind == Records {
		return &l.Members[n-1]
	}
	return nil
}

// isLonger reports whether v has more than the struct. A list may have any size.
func (l *Layout) isLonger(v []byte) bool { return len(v) > int(l.Wire) && l.list() == nil }

// readStruct reads v into the struct at x, and reports whether v is as described: it may
// be shorter, but is longer only by a list. x is unchanged if it is not.
func (f *Family) readStruct(l *Layout, x Place, v []byte) bool {
	if len(v) < int(l.Wire) {
		v = append(make([]byte, 0, l.Wire), v...)[:l.Wire]
	}
	if len(v) > int(l.Wire) || l.list() != nil {
		if !f.readTail(l, x, v) {
			return false
		}
	}
	for i := 0; i < len(l.Members); i++ {
		m := &l.Members[i]
		p := x.at(m.Off)
		switch {
		case m.Run != 0:
			copy(p.array(int(m.Run)), v[m.At:])
			i += m.skip()
		case m.Kind == U8:
			p.setUint(m.Width, uint64(v[m.At]))
		case m.Kind == U32 && m.Width == 4 && m.Flags&BigEndian == 0:
			*p.u32() = ne.Uint32(v[m.At:])
		default:
			f.readMember(m, p, v[m.At:])
		}
	}
	return true
}

// skip returns the number of members in a run, without its first.
func (m *Member) skip() int { return int(m.Run)/int(m.Width) - 1 }

// readTail reads the list after the struct. The number of its elements must be that which
// the struct says.
func (f *Family) readTail(l *Layout, x Place, v []byte) bool {
	list := l.list()
	if list == nil {
		return false
	}
	elem := &f.Structs[list.Ref-1]
	n := (len(v) - int(l.Wire)) / int(elem.Wire)
	return l.count(v, n) == n && f.readStructs(elem, x.at(list.Off), v[l.Wire:])
}

// readStructs appends structs, one after the other in v, to the slice at x, and reports
// whether there is nothing else in v.
func (f *Family) readStructs(l *Layout, x Place, v []byte) bool {
	n := int(l.Wire)
	if len(v)%n != 0 {
		return false
	}
	for ; len(v) > 0; v = v[n:] {
		f.readStruct(l, l.Grow(x), v[:n])
	}
	return true
}

// writeStructs fills the zero bytes v with the structs in s.
func (e *encoder) writeStructs(a *Attr, l *Layout, s *slice, v []byte) {
	for i := range s.len {
		e.writeStruct(a, l, s.elem(i, l.Size), v[i*int(l.Wire):])
	}
}

// count returns the number of elements that the struct v says that its list has, n if it
// does not say.
func (l *Layout) count(v []byte, n int) int {
	for i := range l.Members {
		if m := &l.Members[i]; m.Flags&Count != 0 {
			u, _ := integer(m.Kind, m.Flags, v[m.At:][:sizes[m.Kind]])
			return int(u)
		}
	}
	return n
}

// readMember reads the head of v into the field x.
func (f *Family) readMember(m *Member, x Place, v []byte) {
	var u uint64
	switch m.Kind {
	case U8, U16, U32, U64, S8, S16, S32, S64:
		u, _ = integer(m.Kind, m.Flags, v[:sizes[m.Kind]])
	case Binary:
		copy(x.array(int(m.Len)), v)
		return
	case Array:
		n := int(sizes[m.Elem])
		for i := range int(m.Len) / n {
			u, _ := integer(m.Elem, m.Flags, v[i*n:][:n])
			x.at(uintptr(i)*uintptr(m.Width)).setUint(m.Width, u)
		}
		return
	case Addr:
		readAddr(x, v[:m.Hint.addrLen()])
		return
	case Struct:
		l := &f.Structs[m.Ref-1]
		f.readStruct(l, x, v[:l.Wire])
		return
	default: // the list
		return
	}
	x.setUint(m.Width, u)
}

// structLen returns the size on the wire of the struct at x.
func (f *Family) structLen(l *Layout, x Place) int {
	n := int(l.Wire)
	if list := l.list(); list != nil {
		n += x.at(list.Off).slice().len * int(f.Structs[list.Ref-1].Wire)
	}
	return n
}

// writeStruct fills the zero bytes v with the struct at x. a is the attribute that it is,
// nil for the header of the set.
func (e *encoder) writeStruct(a *Attr, l *Layout, x Place, v []byte) {
	list := l.list()
	for i := 0; i < len(l.Members); i++ {
		m := &l.Members[i]
		switch p := x.at(m.Off); {
		case m.Run != 0 && !e.settable:
			copy(v[m.At:], p.array(int(m.Run)))
			i += m.skip()
		case m == list:
			e.writeStructs(a, &e.f.Structs[m.Ref-1], p.slice(), v[l.Wire:])
		case m.Flags&Count != 0:
			e.writeCount(a, l, m, p.integer(m.Kind, m.Width), uint64(x.at(list.Off).slice().len), v[m.At:])
		case m.Kind == U8 && m.Width == 4 && *p.u32() < 1<<8 && !e.settable:
			v[m.At] = uint8(*p.u32())
		default:
			e.writeMember(a, l, m, p, v[m.At:])
		}
	}
}

// writeCount writes the number n of elements of a list, which the member may have.
func (e *encoder) writeCount(a *Attr, l *Layout, m *Member, u, n uint64, v []byte) {
	switch {
	case u != 0 && u != n:
		e.fail(a, "%s.%s is %d, and the list has %d elements", l.Name, m.Name, u, n)
	case !fits(m.Kind, n, sizes[m.Kind]):
		e.fail(a, "%s.%s: a list of %d elements is too long", l.Name, m.Name, n)
	default:
		writeInteger(m.Flags, v[:sizes[m.Kind]], n)
	}
}

func (e *encoder) writeMember(a *Attr, l *Layout, m *Member, x Place, v []byte) {
	switch m.Kind {
	case Binary:
		copy(v, x.array(int(m.Len)))
	case Array:
		n := sizes[m.Elem]
		for i := range int(m.Len) / int(n) {
			u := x.at(uintptr(i)*uintptr(m.Width)).integer(m.Elem, m.Width)
			if !fits(m.Elem, u, n) {
				e.tooWide(a, l, m, u, n)
				return
			}
			writeInteger(m.Flags, v[i*int(n):][:n], u)
		}
	case Addr:
		if addr := *x.addr(); addr.IsValid() && e.checkAddr(a, addr, m.Hint) {
			copyAddr(v, addr)
		}
	case Struct:
		e.writeStruct(a, &e.f.Structs[m.Ref-1], x, v)
	default:
		u, n := x.integer(m.Kind, m.Width), sizes[m.Kind]
		if e.settable {
			u &^= m.ReadOnly
		}
		if m.Width > n && !fits(m.Kind, u, n) {
			e.tooWide(a, l, m, u, n)
			return
		}
		writeInteger(m.Flags, v[:n], u)
	}
}

func (e *encoder) tooWide(a *Attr, l *Layout, m *Member, u uint64, n uint8) {
	e.fail(a, "%s.%s: %s", l.Name, m.Name, tooWide(m.Kind, u, n))
}
