package table

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/nlmux/netlink/wire"
)

// Decode reads a message, its header included, into x, which must be zero and of the
// type of the set. x shares no memory with the message.
//
// A header that is too short and attributes that cannot be cut apart are errors that
// wrap [wire.ErrMalformed]. Any other attribute that is not as described is kept as
// unknown.
func Decode[T any](f *Family, set uint16, x *T, message []byte) error {
	return f.decode(scope{set: &f.Sets[set-1], at: placeOf(x)}, message)
}

func (f *Family) decode(sc scope, b []byte) error {
	if h := sc.set.Header; h != 0 {
		l := &f.Structs[h-1]
		if len(b) < int(l.Wire) {
			return fmt.Errorf("%s: %s: %w: %d bytes, want %d", sc.set.Name, l.Name, wire.ErrMalformed, len(b), l.Wire)
		}
		b = f.readHeader(&sc, l, b)
	}
	if rest := f.readAttrs(&sc, b); len(rest) > 0 {
		return sc.malformed(rest)
	}
	return nil
}

// malformed returns the error for attributes that cannot be cut apart from b on.
func (sc *scope) malformed(b []byte) error {
	path := sc.path(nil)
	if len(b) >= headerLen {
		typ := rawAttr(b).typ()
		if a := sc.set.find(typ); a != nil {
			path = sc.path(a)
		} else {
			path = fmt.Sprintf("%s: attribute %d", path, typ)
		}
	}
	_, _, err := wire.NextAttr(b)
	return fmt.Errorf("%s: %w", path, err)
}

// readHeader reads the header of sc from b, which is long enough, and returns the
// attributes after it.
func (f *Family) readHeader(sc *scope, l *Layout, b []byte) (attrs []byte) {
	sc.header = true
	n := int(l.Wire)
	f.readStruct(l, sc.at.at(sc.set.HeadOff), b[:n])
	return b[min(align(n), len(b)):]
}

// readNest reads a nest of the set into the struct at x, and reports whether it can be cut
// apart.
func (f *Family) readNest(up *scope, a *Attr, set uint16, header bool, x Place, b []byte) bool {
	sc := up.inner(a, &f.Sets[set-1], x, header)
	if sc.depth > maxDepth {
		return false
	}
	if header {
		l := &f.Structs[sc.set.Header-1]
		if len(b) < int(l.Wire) {
			return false
		}
		b = f.readHeader(&sc, l, b)
	}
	return len(f.readAttrs(&sc, b)) == 0
}

// readAttrs reads attributes into the struct of sc. It returns what it cannot cut apart.
func (f *Family) readAttrs(sc *scope, b []byte) (rest []byte) {
	var late []byte // from the first attribute on that may need another's value to be read
	for len(b) > 0 {
		r, next := cutAttr(b)
		if r == nil {
			return b
		}
		switch a := sc.set.find(r.typ()); {
		case a == nil || a.Kind == Unused:
			sc.set.keep(sc.at, r)
		case a.Kind >= Nest:
			if late == nil {
				late = b
			}
		case !f.readAttr(sc, a, r):
			sc.set.keep(sc.at, r)
		}
		b = next
	}
	if late != nil {
		f.readNests(sc, late)
	}
	if sc.settable && sc.set.Hook != nil {
		sc.set.Hook(sc.at)
	}
	return nil
}

// readNests reads the attributes in b that have others in them.
func (f *Family) readNests(sc *scope, b []byte) {
	for len(b) > 0 {
		var r rawAttr
		r, b = cutAttr(b)
		if a := sc.set.find(r.typ()); a != nil && a.Kind >= Nest && !f.readNested(sc, a, r) {
			sc.set.keep(sc.at, r)
		}
	}
}

// readAttr reads an attribute without others in it, and reports whether its value is as
// described and the first.
func (f *Family) readAttr(sc *scope, a *Attr, r rawAttr) bool {
	x, v := sc.at.at(a.Off), r.value()
	switch {
	case a.Kind == Pad:
		return true
	case a.Flags&Multi != 0:
		return f.appendElem(sc, a, a.Kind, x, v)
	case a.present(sc.at):
		return false
	case a.Kind == Struct:
		if l := &f.Structs[a.Ref-1]; l.list() == nil && len(v) > int(l.Wire) {
			v = v[:l.Wire]
			sc.set.keep(sc.at, r)
		}
	}
	ok := f.readValue(sc, a, a.Kind, x, v)
	if ok && a.Kind < Addr {
		*x.at(a.Set).bool() = true
	}
	return ok
}

// readValue reads a value of kind k into x, and reports whether it is as described.
func (f *Family) readValue(sc *scope, a *Attr, k Kind, x Place, v []byte) bool {
	switch k {
	case Flag:
		*x.bool() = len(v) == 0
		return len(v) == 0
	case String:
		text, tail, _ := bytes.Cut(v, []byte{0})
		if len(bytes.Trim(tail, "\x00")) > 0 {
			return false
		}
		*x.text() = string(text)
	case Struct:
		return f.readStruct(&f.Structs[a.Ref-1], x, v)
	case Bitfield32:
		if len(v) != 8 {
			return false
		}
		*x.u32(), *x.at(4).u32() = ne.Uint32(v), ne.Uint32(v[4:])
	case Addr:
		return readAddr(x, v)
	case Via:
		return readVia(x, v)
	case Binary:
		*x.bytes() = append(make([]byte, 0, len(v)), v...)
	case Array:
		return f.readArray(a, x, v)
	case Nest:
		return f.readNest(sc, a, a.Ref, a.Flags&Header != 0, x, v)
	default:
		u, ok := readInteger(k, a.Flags, v)
		if !ok || !fits(k, u, a.Width) {
			return false
		}
		x.setUint(a.Width, u)
	}
	return true
}

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

func (f *Family) readArray(a *Attr, x Place, v []byte) bool {
	if a.Elem == Struct {
		if !f.readStructs(&f.Structs[a.Ref-1], x, v) {
			return false
		}
		x.makeEmpty()
		return true
	}
	n := int(sizes[a.Elem])
	if len(v)%n != 0 {
		return false
	}
	x.makeInts(a.Width, len(v)/n)
	s := x.slice()
	for i := range s.len {
		u, _ := readInteger(a.Elem, a.Flags, v[i*n:][:n])
		s.elem(i, uintptr(a.Width)).setUint(a.Width, u)
	}
	return true
}

// readNested reads an attribute with others in it, and reports whether it is as
// described and the first.
func (f *Family) readNested(sc *scope, a *Attr, r rawAttr) bool {
	x, v := sc.at.at(a.Off), r.value()
	switch {
	case a.Flags&Multi != 0:
		return f.appendElem(sc, a, a.Kind, x, v)
	case a.Kind == TypeValue:
		return f.readList(sc, a, x, r)
	case a.present(sc.at):
		return false
	case a.Kind == SubMessage:
		return f.readSubMessage(sc, a, x, r)
	case a.Kind == Nest:
		inner := f.Sets[a.Ref-1].New()
		if !f.readNest(sc, a, a.Ref, a.Flags&Header != 0, inner, v) {
			return false
		}
		*x.ref() = inner
		return true
	}
	return f.readList(sc, a, x, r)
}

func (f *Family) readSubMessage(sc *scope, a *Attr, x Place, r rawAttr) bool {
	c, v := &f.SubMessages[a.Ref-1], r.value()
	sel, ok := f.selected(sc, c.Selector)
	fm := c.format(sel)
	switch {
	case !ok || fm == nil || f.typ(fm) == nil:
		c.Store(x, f.newRaw(append([]byte{}, v...)))
	case fm.Set != 0:
		s := &f.Sets[fm.Set-1]
		inner := s.New()
		if !f.readNest(sc, a, fm.Set, fm.Struct != 0, inner, v) {
			return false
		}
		c.Store(x, inner.pointer(s.Type))
	default:
		l := &f.Structs[fm.Struct-1]
		inner := l.New()
		if l.list() == nil && len(v) > int(l.Wire) {
			if areAttrs(v) {
				// Another format, such as the options of an hfsc class in place of a qdisc's.
				c.Store(x, f.newRaw(append([]byte{}, v...)))
				return true
			}
			v = v[:l.Wire]
			sc.set.keep(sc.at, r)
		}
		if !f.readStruct(l, inner, v) {
			return false
		}
		c.Store(x, inner.pointer(l.Type))
	}
	return true
}
