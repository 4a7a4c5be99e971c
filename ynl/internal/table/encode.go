package table

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/nlmux/netlink/wire"
)

// Encode appends the message x, its header included, to b. x is of the type of the set;
// nil is an empty message. The attributes are in ascending order of their types. What
// does not fit on the wire makes b fail with an error that names the attribute.
func Encode[T any](f *Family, set uint16, x *T, b *wire.Builder) {
	f.encode(set, placeOf(x), b, false)
}

// encoder appends a message to b. What cannot be encoded fails b.
type encoder struct {
	walk
	b *wire.Builder
}

func (f *Family) encode(set uint16, x Place, b *wire.Builder, settable bool) {
	if x.isNil() {
		x = f.Sets[set-1].New()
	}
	var array few
	array[0].message(f, set, x)
	var e encoder
	e.f, e.scopes, e.settable, e.b = f, array[:1], settable, b
	e.writeScope()
}

// writeSet appends the set, which is at x in the value of the attribute a, with its
// header if it has one there.
func (e *encoder) writeSet(a *Attr, set uint16, x Place, header bool) {
	if !e.push(a, &e.f.Sets[set-1], x, header) {
		e.fail(a, "more than %d sets in each other", maxDepth)
		return
	}
	e.writeScope()
	e.pop()
}

// writeScope appends the innermost set.
func (e *encoder) writeScope() {
	sc := e.top()
	s, x := sc.set, sc.at
	if sc.header {
		l := &e.f.Structs[s.Header-1]
		e.writeStruct(nil, l, x.at(s.HeadOff), e.b.Extend(int(l.Wire)))
	}
	kept := kept{e.b, nil}
	if !x.at(s.Unknown).ref().isNil() {
		kept.attrs = e.unknown(s, x)
	}
	for i := range s.Attrs {
		a := &s.Attrs[i]
		switch {
		case e.settable && s.leftOut(a, x):
			kept.writeBefore(a.Type)
			kept.drop(a.Type)
		case a.present(x):
			kept.writeBefore(a.Type)
			e.writeAttr(a, x.at(a.Off), &kept)
		case a.Flags&Selects != 0:
			kept.writeBefore(a.Type)
			e.writeSelector(a)
		}
	}
	kept.writeBefore(typeMask + 1)
}

// unknown returns the unknown attributes of the struct at x in the order of their types.
func (e *encoder) unknown(s *Set, x Place) []rawAttr {
	attrs, ok := s.unknown(x)
	if !ok {
		e.fail(nil, "%w: Unknown cannot be cut into attributes", wire.ErrMalformed)
	}
	return attrs
}

// fail makes the Builder fail with an error about the attribute a of the innermost set, or
// about the set.
func (e *encoder) fail(a *Attr, format string, args ...any) {
	e.b.Fail(fmt.Errorf("%s: %w", e.path(a), fmt.Errorf(format, args...)))
}

// checkLen reports whether an attribute can have a value of n bytes.
func (e *encoder) checkLen(a *Attr, n int) bool {
	if n > maxValueLen {
		e.fail(a, "value of %d bytes, at most %d fit", n, maxValueLen)
	}
	return n <= maxValueLen
}

// nest is an attribute that has begun.
type nest struct {
	mark  wire.Mark
	start int
}

// open begins an attribute with others in it.
func (e *encoder) open(typ uint16) nest {
	m := e.b.Open(typ)
	return nest{m, e.b.Len()}
}

// close ends n, which is a part of the attribute a.
func (e *encoder) close(a *Attr, n nest) {
	if e.checkLen(a, e.b.Len()-n.start) {
		e.b.Close(n.mark)
	}
}

// writeAttr appends the attribute a of the innermost set, which is present, with the
// value of the field x.
func (e *encoder) writeAttr(a *Attr, x Place, k *kept) {
	switch {
	case a.Flags&Multi != 0:
		s := x.slice()
		size := e.f.size(a, a.Kind)
		for i := range s.len {
			e.writeValue(a, a.Kind, a.Type, s.elem(i, size))
		}
	case a.Kind < Nest && a.Kind != Struct:
		e.writeValue(a, a.Kind, a.Type, x)
	case a.Kind == Struct:
		e.writeStructAttr(a, &e.f.Structs[a.Ref-1], x, k.rest(a.Type))
	case a.Kind == Nest && e.settable:
		e.writeSettable(a, *x.ref())
	case a.Kind == Nest:
		e.writeValue(a, Nest, a.Type, *x.ref())
	case a.Kind == Indexed:
		e.writeIndexed(a, x.slice(), k)
	case a.Kind == TypeValue:
		e.writeTypeValue(a, x.slice())
	case a.Kind == Records:
		e.writeRecords(a, x.slice())
	case a.Kind == SubMessage:
		e.writeSubMessage(a, x, k.rest(a.Type))
	}
}

// writeValue appends an attribute of a type with the value of kind k at x.
func (e *encoder) writeValue(a *Attr, k Kind, typ uint16, x Place) {
	switch k {
	case U32, S32:
		if a.Width != 4 || a.Flags&BigEndian != 0 || e.settable {
			e.writeInteger(a, k, typ, x.integer(k, a.Width))
			return
		}
		e.b.Uint32(typ, *x.u32())
	case Addr:
		if addr := *x.addr(); e.checkAddr(a, addr, a.Hint) {
			copyAddr(e.b.Reserve(typ, addr.BitLen()/8), addr)
		}
	case Flag:
		e.b.Flag(typ)
	case String:
		e.writeString(a, typ, *x.text())
	case Struct:
		e.writeStructValue(a, &e.f.Structs[a.Ref-1], typ, x)
	case Bitfield32:
		v := e.b.Reserve(typ, 8)
		ne.PutUint32(v, *x.u32())
		ne.PutUint32(v[4:], *x.at(4).u32())
	case Via:
		e.writeVia(a, typ, *x.addr())
	case Binary:
		if v := *x.bytes(); e.checkLen(a, len(v)) {
			e.b.Bytes(typ, v)
		}
	case Array:
		e.writeArray(a, typ, x.slice())
	case Nest:
		e.writeNest(a, a.Ref, a.Flags&Header != 0, typ, x)
	default:
		e.writeInteger(a, k, typ, x.integer(k, a.Width))
	}
}

func (e *encoder) writeString(a *Attr, typ uint16, s string) {
	if strings.IndexByte(s, 0) >= 0 {
		e.fail(a, "NUL in string %q", s)
		return
	}
	if e.checkLen(a, len(s)+1) {
		e.b.String(typ, s)
	}
}

func (e *encoder) writeInteger(a *Attr, k Kind, typ uint16, u uint64) {
	if e.settable {
		u &^= e.top().set.readOnly(a)
	}
	switch k {
	case Uint:
		e.b.Uint(typ, u)
		return
	case Sint:
		e.b.Int(typ, int64(u))
		return
	}
	n := sizes[k]
	if !fits(k, u, n) {
		e.fail(a, "%s", tooWide(k, u, n))
		return
	}
	writeInteger(a.Flags, e.b.Reserve(typ, int(n)), u)
}

// tooWide returns the text of an error about an integer that n bytes cannot hold.
func tooWide(k Kind, u uint64, n uint8) string {
	s := strconv.FormatUint(u, 10)
	if k.signed() {
		s = strconv.FormatInt(int64(u), 10)
	}
	unit := "bytes"
	if n == 1 {
		unit = "byte"
	}
	return fmt.Sprintf("%s does not fit into %d %s", s, n, unit)
}

func (e *encoder) writeArray(a *Attr, typ uint16, s *slice) {
	if a.Elem == Struct {
		l := &e.f.Structs[a.Ref-1]
		if n := s.len * int(l.Wire); e.checkLen(a, n) {
			e.writeStructs(a, l, s, e.b.Reserve(typ, n))
		}
		return
	}
	n := sizes[a.Elem]
	if !e.checkLen(a, s.len*int(n)) {
		return
	}
	v := e.b.Reserve(typ, s.len*int(n))
	for i := range s.len {
		u := s.elem(i, uintptr(a.Width)).integer(a.Elem, a.Width)
		if !fits(a.Elem, u, n) {
			e.fail(a, "element %d: %s", i, tooWide(a.Elem, u, n))
			return
		}
		writeInteger(a.Flags, v[i*int(n):][:n], u)
	}
}

// writeStructAttr appends the attribute a with the struct at x. r is the attribute that it
// was read from if that was kept, otherwise nil.
func (e *encoder) writeStructAttr(a *Attr, l *Layout, x Place, r rawAttr) {
	if r != nil {
		e.writeStructAs(a, l, x, r)
		return
	}
	e.writeStructValue(a, l, a.Type, x)
}

// writeStructValue appends an attribute of a type with the struct at x.
func (e *encoder) writeStructValue(a *Attr, l *Layout, typ uint16, x Place) {
	if n := e.f.structLen(l, x); e.checkLen(a, n) {
		e.writeStruct(a, l, x, e.b.Reserve(typ, n))
	}
}

// writeStructAs appends the attribute a with the struct at x and with the size of r, which
// it was read from: with what r has after the struct, or without zeros that r lacks.
func (e *encoder) writeStructAs(a *Attr, l *Layout, x Place, r rawAttr) {
	v := make([]byte, e.f.structLen(l, x))
	e.writeStruct(a, l, x, v)
	if l.list() == nil {
		old := r.value()
		if n := len(v); len(old) > n {
			v = append(v, old[n:]...)
		} else if isZero(v[len(old):]) {
			v = v[:len(old)]
		}
	}
	if e.checkLen(a, len(v)) {
		e.b.Bytes(r.rawType(), v)
	}
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// writeNest appends an attribute of a type with the set at x.
func (e *encoder) writeNest(a *Attr, set uint16, header bool, typ uint16, x Place) {
	if !header {
		typ |= wire.NLA_F_NESTED // the value consists of attributes only
	}
	n := e.open(typ)
	e.writeSet(a, set, x, header)
	e.close(a, n)
}

// writeSelector appends the selector a, which is absent, with the value that is meant by
// the type of a sub-message.
func (e *encoder) writeSelector(a *Attr) {
	fm, err := e.implied(a.Name)
	switch {
	case err != nil:
		e.fail(a, "%w", err)
	case fm == nil:
	case a.Kind == String:
		e.writeString(a, a.Type, fm.Value)
	default:
		u, err := e.f.selectorValue(a.Enum, fm)
		if err != nil {
			e.fail(a, "%w", err)
			return
		}
		e.writeInteger(a, a.Kind, a.Type, u)
	}
}

// writeSubMessage appends the sub-message a. r is the attribute that it was read from if
// that was kept, otherwise nil.
func (e *encoder) writeSubMessage(a *Attr, x Place, r rawAttr) {
	c := &e.f.SubMessages[a.Ref-1]
	v := c.Load(x)
	p := pointee(v)
	if p.isNil() {
		e.fail(a, "nil %T", v)
		return
	}
	if e.f.isRaw(v) {
		if raw := *p.bytes(); e.checkLen(a, len(raw)) {
			e.b.Bytes(a.Type, raw)
		}
		return
	}
	fm, err := e.formatFor(c, v)
	switch {
	case err != nil:
		e.fail(a, "%w", err)
	case fm.Set == 0:
		e.writeStructAttr(a, &e.f.Structs[fm.Struct-1], p, r)
	default:
		e.writeNest(a, fm.Set, fm.Struct != 0, a.Type, p)
	}
}
