package table

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nlmux/netlink/wire"
)

// encoder appends a value to b. What cannot be encoded fails b.
type encoder struct {
	f *Family
	b *wire.Builder
}

// Encode appends the message x, its header included, to b. x is of the type of the set;
// nil is an empty message. The attributes are in ascending order of their types. What
// does not fit on the wire makes b fail with an error that names the attribute.
func Encode[T any](f *Family, set uint16, x *T, b *wire.Builder) {
	if x == nil {
		x = new(T)
	}
	e := encoder{f, b}
	e.message(scope{set: &f.Sets[set-1], at: placeOf(x)})
}

func (e *encoder) message(sc scope) {
	sc.header = sc.set.Header != 0
	e.writeSet(&sc)
}

// writeSet appends the header of sc, if it has one here, and its attributes.
func (e *encoder) writeSet(sc *scope) {
	if sc.header {
		l := &e.f.Structs[sc.set.Header-1]
		e.writeStruct(sc, nil, l, sc.at.at(sc.set.HeadOff), e.b.Extend(int(l.Wire)))
	}
	kept := e.newKept(sc)
	for i := range sc.set.Attrs {
		a := &sc.set.Attrs[i]
		switch {
		case sc.settable && sc.leftOut(a):
			kept.writeBefore(a.Type)
			kept.drop(a.Type)
		case a.present(sc.at):
			kept.writeBefore(a.Type)
			e.writeAttr(sc, a, &kept)
		case a.Flags&Selects != 0:
			kept.writeBefore(a.Type)
			e.writeSelector(sc, a)
		}
	}
	kept.writeBefore(typeMask + 1)
}

// kept are the unknown attributes that are still to be sent.
type kept struct {
	b     *wire.Builder
	attrs []rawAttr
}

func (e *encoder) newKept(sc *scope) kept {
	attrs, ok := sc.set.unknown(sc.at)
	if !ok {
		e.fail(sc, nil, "Unknown: %w: it cannot be cut into attributes", wire.ErrMalformed)
	}
	return kept{e.b, attrs}
}

// writeBefore appends those of types below typ.
func (k *kept) writeBefore(typ uint16) {
	for len(k.attrs) > 0 && k.attrs[0].typ() < typ {
		k.b.Raw(k.attrs[0])
		k.attrs = k.attrs[1:]
	}
}

// drop removes those of a type. Those of lower types must have been sent.
func (k *kept) drop(typ uint16) {
	for len(k.attrs) > 0 && k.attrs[0].typ() == typ {
		k.attrs = k.attrs[1:]
	}
}

// An attribute of which the field has not all is kept as unknown, too: a struct that is
// longer than described, and elements with other numbers than they would be sent with.
// The next methods return what the field lacks, and drop the attribute.

// tail returns what an attribute has after n bytes.
func (k *kept) tail(typ uint16, n int) []byte {
	if len(k.attrs) == 0 || k.attrs[0].typ() != typ || len(k.attrs[0].value()) <= n {
		return nil
	}
	v := k.attrs[0].value()
	k.attrs = k.attrs[1:]
	return v[n:]
}

// numbers returns the numbers of the elements of an attribute, if they are not ascending
// from first on.
func (k *kept) numbers(typ, first uint16) (numbers []uint16) {
	if len(k.attrs) == 0 || k.attrs[0].typ() != typ {
		return nil
	}
	ascending := true
	for b := k.attrs[0].value(); len(b) > 0; {
		var r rawAttr
		if r, b = cutAttr(b); r == nil {
			return nil
		}
		ascending = ascending && r.typ() == first+uint16(len(numbers))
		numbers = append(numbers, r.typ())
	}
	if ascending {
		return nil
	}
	k.attrs = k.attrs[1:]
	return numbers
}

// fail makes the Builder fail with an error about the attribute a of sc, or about sc.
func (e *encoder) fail(sc *scope, a *Attr, format string, args ...any) {
	e.b.Fail(fmt.Errorf("%s: %w", sc.path(a), fmt.Errorf(format, args...)))
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
func (e *encoder) close(sc *scope, a *Attr, n nest) {
	if e.checkLen(sc, a, e.b.Len()-n.start) {
		e.b.Close(n.mark)
	}
}

// checkLen reports whether an attribute can have a value of n bytes.
func (e *encoder) checkLen(sc *scope, a *Attr, n int) bool {
	if n > maxValueLen {
		e.fail(sc, a, "value of %d bytes, at most %d fit", n, maxValueLen)
	}
	return n <= maxValueLen
}

func tooWide(k Kind, u uint64, n uint8) string {
	s := strconv.FormatUint(u, 10)
	if k.signed() {
		s = strconv.FormatInt(int64(u), 10)
	}
	return fmt.Sprintf("%s does not fit into %d bytes", s, n)
}

// writeAttr appends the attribute a of sc, which is present.
func (e *encoder) writeAttr(sc *scope, a *Attr, k *kept) {
	x := sc.at.at(a.Off)
	switch {
	case a.Flags&Multi != 0:
		s := x.slice()
		size := e.f.size(a, a.Kind)
		for i := range s.len {
			e.writeValue(sc, a, a.Kind, a.Type, s.elem(i, size))
		}
	case a.Kind == Nest:
		e.writeNest(sc, a, a.Type, *x.ref())
	case a.Kind == Indexed:
		e.writeIndexed(sc, a, x.slice(), k)
	case a.Kind == TypeValue:
		e.writeTypeValue(sc, a, x.slice())
	case a.Kind == Records:
		e.writeRecords(sc, a, x.slice())
	case a.Kind == SubMessage:
		e.writeSubMessage(sc, a, x, k)
	case a.Kind == Struct:
		e.writeStructAttr(sc, a, &e.f.Structs[a.Ref-1], x, k)
	default:
		e.writeValue(sc, a, a.Kind, a.Type, x)
	}
}

// writeValue appends an attribute of a type with the value of kind k at x.
func (e *encoder) writeValue(sc *scope, a *Attr, k Kind, typ uint16, x Place) {
	switch k {
	case Flag:
		e.b.Flag(typ)
	case String:
		e.writeString(sc, a, typ, *x.text())
	case Struct:
		l := &e.f.Structs[a.Ref-1]
		if n := e.f.structLen(l, x); e.checkLen(sc, a, n) {
			e.writeStruct(sc, a, l, x, e.b.Reserve(typ, n))
		}
	case Bitfield32:
		v := e.b.Reserve(typ, 8)
		ne.PutUint32(v, *x.u32())
		ne.PutUint32(v[4:], *x.at(4).u32())
	case Addr:
		if addr := *x.addr(); e.checkAddr(sc, a, addr, a.Hint) {
			copyAddr(e.b.Reserve(typ, addr.BitLen()/8), addr)
		}
	case Via:
		e.writeVia(sc, a, typ, *x.addr())
	case Binary:
		if v := *x.bytes(); e.checkLen(sc, a, len(v)) {
			e.b.Bytes(typ, v)
		}
	case Array:
		e.writeArray(sc, a, typ, x.slice())
	case Nest:
		e.writeNest(sc, a, typ, x)
	default:
		e.writeInteger(sc, a, k, typ, x.integer(k, a.Width))
	}
}

func (e *encoder) writeString(sc *scope, a *Attr, typ uint16, s string) {
	if strings.IndexByte(s, 0) >= 0 {
		e.fail(sc, a, "NUL in string %q", s)
		return
	}
	if e.checkLen(sc, a, len(s)+1) {
		e.b.String(typ, s)
	}
}

func (e *encoder) writeInteger(sc *scope, a *Attr, k Kind, typ uint16, u uint64) {
	if sc.settable {
		u &^= sc.set.readOnly(a)
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
	if a.Width > n && !fits(k, u, n) {
		e.fail(sc, a, "%s", tooWide(k, u, n))
		return
	}
	writeInteger(a.Flags, e.b.Reserve(typ, int(n)), u)
}

func (e *encoder) writeArray(sc *scope, a *Attr, typ uint16, s *slice) {
	if a.Elem == Struct {
		l := &e.f.Structs[a.Ref-1]
		if n := s.len * int(l.Wire); e.checkLen(sc, a, n) {
			e.writeStructs(sc, a, l, s, e.b.Reserve(typ, n))
		}
		return
	}
	n := sizes[a.Elem]
	if !e.checkLen(sc, a, s.len*int(n)) {
		return
	}
	v := e.b.Reserve(typ, s.len*int(n))
	for i := range s.len {
		u := s.elem(i, uintptr(a.Width)).integer(a.Elem, a.Width)
		if !fits(a.Elem, u, n) {
			e.fail(sc, a, "element %d: %s", i, tooWide(a.Elem, u, n))
			return
		}
		writeInteger(a.Flags, v[i*int(n):][:n], u)
	}
}

// writeStructAttr appends the attribute a with the struct at x, and with what a longer
// struct had after it when it was read.
func (e *encoder) writeStructAttr(sc *scope, a *Attr, l *Layout, x Place, k *kept) {
	n := e.f.structLen(l, x)
	var tail []byte
	if l.list() == nil {
		tail = k.tail(a.Type, n)
	}
	if e.checkLen(sc, a, n+len(tail)) {
		v := e.b.Reserve(a.Type, n+len(tail))
		e.writeStruct(sc, a, l, x, v)
		copy(v[n:], tail)
	}
}

// writeNest appends an attribute of a type with the set of a, which is at x.
func (e *encoder) writeNest(sc *scope, a *Attr, typ uint16, x Place) {
	header := a.Flags&Header != 0
	in := sc.inner(a, &e.f.Sets[a.Ref-1], x, header)
	if !header {
		typ |= wire.NLA_F_NESTED
	}
	if sc.settable {
		e.writeSettable(&in, typ)
		return
	}
	e.writeInner(&in, typ)
}

// writeInner appends an attribute of a type with the value sc.
func (e *encoder) writeInner(sc *scope, typ uint16) {
	if sc.depth > maxDepth {
		e.fail(sc, nil, "more than %d attributes in each other", maxDepth)
		return
	}
	n := e.open(typ)
	e.writeSet(sc)
	e.close(sc.up, sc.via, n)
}

// writeSelector appends the selector a of sc, which is absent, with the value that is
// meant by the type of a sub-message.
func (e *encoder) writeSelector(sc *scope, a *Attr) {
	fm, err := e.f.implied(sc, a.Name)
	switch {
	case err != nil:
		e.fail(sc, a, "%w", err)
	case fm == nil:
	case a.Kind == String:
		e.writeString(sc, a, a.Type, fm.Value)
	default:
		u, err := e.f.selectorValue(a.Enum, fm)
		if err != nil {
			e.fail(sc, a, "%w", err)
			return
		}
		e.writeInteger(sc, a, a.Kind, a.Type, u)
	}
}

func (e *encoder) writeSubMessage(sc *scope, a *Attr, x Place, k *kept) {
	c := &e.f.SubMessages[a.Ref-1]
	v := c.Load(x)
	p := pointee(v)
	if p.isNil() {
		e.fail(sc, a, "nil %T", v)
		return
	}
	if e.f.isRaw(v) {
		if raw := *p.bytes(); e.checkLen(sc, a, len(raw)) {
			e.b.Bytes(a.Type, raw)
		}
		return
	}
	fm, err := e.f.formatFor(sc, c, v)
	switch {
	case err != nil:
		e.fail(sc, a, "%w", err)
	case fm.Set == 0:
		e.writeStructAttr(sc, a, &e.f.Structs[fm.Struct-1], p, k)
	case fm.Struct != 0:
		in := sc.inner(a, &e.f.Sets[fm.Set-1], p, true)
		e.writeInner(&in, a.Type)
	default:
		in := sc.inner(a, &e.f.Sets[fm.Set-1], p, false)
		e.writeInner(&in, a.Type|wire.NLA_F_NESTED)
	}
}
