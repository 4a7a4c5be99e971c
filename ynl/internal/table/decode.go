package table

import (
	"bytes"
	"fmt"

	"github.com/nlmux/netlink/wire"
)

// Decode reads a message, its header included, into x, which must be zero and of the
// type of the set. x shares no memory with the message.
//
// A header that is too short and attributes that cannot be cut apart are errors that
// wrap [wire.ErrMalformed]. Any other attribute that is not as described is kept as
// unknown.
func Decode[T any](f *Family, set uint16, x *T, message []byte) error {
	return f.decode(set, placeOf(x), message, false)
}

// decoder reads a message.
type decoder struct{ walk }

func (f *Family) decode(set uint16, x Place, b []byte, settable bool) error {
	var array few
	array[0].message(f, set, x)
	var d decoder
	d.f, d.scopes, d.settable = f, array[:1], settable
	if sc := d.top(); sc.header {
		l := &f.Structs[sc.set.Header-1]
		if len(b) < int(l.Wire) {
			return fmt.Errorf("%s: %s: %w: %d bytes, want %d", sc.set.Name, l.Name, wire.ErrMalformed, len(b), l.Wire)
		}
		b = d.readHeader(l, b)
	}
	if rest := d.readAttrs(b); len(rest) > 0 {
		return d.malformed(rest)
	}
	return nil
}

// malformed returns the error for attributes that cannot be cut apart from b on.
func (d *decoder) malformed(b []byte) error {
	path := d.path(nil)
	if len(b) >= headerLen {
		typ := rawAttr(b).typ()
		if a := d.top().set.find(typ); a != nil {
			path = d.path(a)
		} else {
			path = fmt.Sprintf("%s: attribute %d", path, typ)
		}
	}
	_, _, err := wire.NextAttr(b)
	return fmt.Errorf("%s: %w", path, err)
}

// readHeader reads the header from b, which is long enough, and returns the attributes
// after it.
func (d *decoder) readHeader(l *Layout, b []byte) (attrs []byte) {
	n := int(l.Wire)
	sc := d.top()
	d.f.readStruct(l, sc.at.at(sc.set.HeadOff), b[:n])
	return b[min(align(n), len(b)):]
}

// readNest reads a nest of the set into the struct at x, and reports whether it can be cut
// apart.
func (d *decoder) readNest(a *Attr, set uint16, header bool, x Place, b []byte) bool {
	if !d.push(a, &d.f.Sets[set-1], x, header) {
		return false
	}
	defer d.pop()
	if header {
		l := &d.f.Structs[d.top().set.Header-1]
		if len(b) < int(l.Wire) {
			return false
		}
		b = d.readHeader(l, b)
	}
	return len(d.readAttrs(b)) == 0
}

// readAttrs reads attributes into the innermost struct. It returns what it cannot cut
// apart.
func (d *decoder) readAttrs(b []byte) (rest []byte) {
	s, x := d.top().set, d.top().at
	all := b
	var nests []byte // from the first nest on
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil {
			return b
		}
		typ := r.typ()
		a := s.guess(typ)
		if a == nil || a.Type != typ {
			a = s.search(typ)
		}
		switch {
		case a == nil || a.Kind == Unused:
			s.keep(x, r)
		case a.Kind == U32 && len(r) == headerLen+4 && a.Width == 4 && a.Flags&(Multi|BigEndian) == 0 && !*x.at(a.Off + a.Set).bool():
			// The most frequent attribute, read as readAttr does, which is slower.
			*x.at(a.Off).u32() = ne.Uint32(r.value())
			*x.at(a.Off + a.Set).bool() = true
		case a.Kind == Addr && a.Flags&Multi == 0:
			if p := x.at(a.Off); p.addr().IsValid() || !readAddr(p, r.value()) {
				s.keepOther(x, a, all, r)
			}
		case a.Kind >= Nest:
			if nests == nil {
				nests = b
			}
		case !d.readAttr(a, x.at(a.Off), r):
			s.keepOther(x, a, all, r)
		}
		b = r.next(b)
	}
	if nests != nil {
		d.readNests(s, x, nests)
	}
	if d.settable && s.Hook != nil {
		s.Hook(x)
	}
	return nil
}

// readNests reads the attributes in b that have others in them, after those that have
// none: a nest may need another's value to be read.
func (d *decoder) readNests(s *Set, x Place, b []byte) {
	all := b
	for len(b) > 0 {
		r := cutAttr(b)
		if a := s.find(r.typ()); a != nil && a.Kind >= Nest && !d.readNested(a, x.at(a.Off), r) {
			s.keepOther(x, a, all, r)
		}
		b = r.next(b)
	}
}

// taken reports whether an attribute of a's type is unknown that the field would take for
// what it lacks: an earlier one, which could not be read.
func (d *decoder) taken(a *Attr) bool {
	sc := d.top()
	return a.hasRest() && !sc.at.at(sc.set.Unknown).ref().isNil() && sc.set.keeps(sc.at, a.Type)
}

// keep keeps an attribute of the innermost set as unknown.
func (d *decoder) keep(r rawAttr) {
	sc := d.top()
	sc.set.keep(sc.at, r)
}

// readAttr reads an attribute without others in it into the field x, and reports whether
// its value is as described and the first.
func (d *decoder) readAttr(a *Attr, x Place, r rawAttr) bool {
	v := r.value()
	switch {
	case a.Flags&Multi != 0:
		return d.appendElem(a, a.Kind, x, v)
	case a.Kind == Pad:
		return len(v) == 0
	case a.Kind >= Binary:
		return x.ref().isNil() && d.readValue(a, a.Kind, x, v)
	case a.Kind == Via:
		return !x.addr().IsValid() && readVia(x, v)
	}
	set := x.at(a.Set).bool()
	if *set || d.taken(a) {
		return false
	}
	if a.Kind == Struct {
		if l := &d.f.Structs[a.Ref-1]; l.isLonger(v) {
			v = v[:l.Wire]
			d.keep(r)
		}
	}
	ok := d.readValue(a, a.Kind, x, v)
	*set = ok
	return ok
}

// readValue reads a value of kind k into x, and reports whether it is as described.
func (d *decoder) readValue(a *Attr, k Kind, x Place, v []byte) bool {
	switch k {
	case U32, S32:
		if len(v) != 4 || a.Width != 4 || a.Flags&BigEndian != 0 {
			return readInteger(a, k, x, v)
		}
		*x.u32() = ne.Uint32(v)
	case Addr:
		return readAddr(x, v)
	case Struct:
		return d.f.readStruct(&d.f.Structs[a.Ref-1], x, v)
	case Flag:
		*x.bool() = len(v) == 0
		return len(v) == 0
	case String:
		return readString(x, v)
	case Bitfield32:
		if len(v) != 8 {
			return false
		}
		*x.u32(), *x.at(4).u32() = ne.Uint32(v), ne.Uint32(v[4:])
	case Via:
		return readVia(x, v)
	case Binary:
		*x.bytes() = append(make([]byte, 0, len(v)), v...)
	case Array:
		return d.readArray(a, x, v)
	case Nest:
		return d.readNest(a, a.Ref, a.Flags&Header != 0, x, v)
	default:
		return readInteger(a, k, x, v)
	}
	return true
}

func readInteger(a *Attr, k Kind, x Place, v []byte) bool {
	u, ok := integer(k, a.Flags, v)
	if !ok || !fits(k, u, a.Width) {
		return false
	}
	x.setUint(a.Width, u)
	return true
}

// readString reads a text up to its end or to a NUL, which only more of them may follow.
func readString(x Place, v []byte) bool {
	text, tail, _ := bytes.Cut(v, []byte{0})
	if !isZero(tail) {
		return false
	}
	*x.text() = string(text)
	return true
}

func (d *decoder) readArray(a *Attr, x Place, v []byte) bool {
	if a.Elem == Struct {
		if !d.f.readStructs(&d.f.Structs[a.Ref-1], x, v) {
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
		u, _ := integer(a.Elem, a.Flags, v[i*n:][:n])
		s.elem(i, uintptr(a.Width)).setUint(a.Width, u)
	}
	return true
}

// readNested reads an attribute with others in it into the field x, and reports whether it
// is as described and the first.
func (d *decoder) readNested(a *Attr, x Place, r rawAttr) bool {
	switch {
	case a.Flags&Multi != 0:
		return d.appendElem(a, a.Kind, x, r.value())
	case a.Kind == TypeValue:
		return d.readList(a, x, r)
	case !x.ref().isNil() || d.taken(a):
		return false
	case a.Kind == SubMessage:
		return d.readSubMessage(a, x, r)
	case a.Kind == Nest:
		inner := d.f.Sets[a.Ref-1].New()
		if !d.readValue(a, Nest, inner, r.value()) {
			return false
		}
		*x.ref() = inner
		return true
	}
	return d.readList(a, x, r)
}

func (d *decoder) readSubMessage(a *Attr, x Place, r rawAttr) bool {
	c, v := &d.f.SubMessages[a.Ref-1], r.value()
	sel, ok := d.selected(c.Selector)
	fm := c.format(sel, func(fm *Format) bool { return fm.Set != 0 && areAttrs(v) })
	switch {
	case !ok || fm == nil || d.f.typ(fm) == nil:
		c.Store(x, d.f.newRaw(v))
	case fm.Set != 0:
		s := &d.f.Sets[fm.Set-1]
		inner := s.New()
		if !d.readNest(a, fm.Set, fm.Struct != 0, inner, v) {
			return false
		}
		c.Store(x, inner.pointer(s.Type))
	default:
		return d.readStructMessage(c, &d.f.Structs[fm.Struct-1], x, r)
	}
	return true
}

// readStructMessage reads a sub-message that is a struct. A longer one that consists of
// attributes has another format.
func (d *decoder) readStructMessage(c *Choice, l *Layout, x Place, r rawAttr) bool {
	v := r.value()
	if l.isLonger(v) {
		if areAttrs(v) {
			c.Store(x, d.f.newRaw(v))
			return true
		}
		v = v[:l.Wire]
		d.keep(r)
	}
	inner := l.New()
	if !d.f.readStruct(l, inner, v) {
		return false
	}
	c.Store(x, inner.pointer(l.Type))
	return true
}
