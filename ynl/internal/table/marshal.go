package table

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// MarshalJSON returns the JSON object for x, of the type of the set: the members of its
// header, its attributes, and the unknown ones as a list.
func MarshalJSON[T any](f *Family, set uint16, x *T) ([]byte, error) {
	if x == nil {
		return []byte("null"), nil
	}
	s := &f.Sets[set-1]
	m := marshaler{f: f}
	m.set(&scope{set: s, at: placeOf(x), header: s.Header != 0})
	return m.b, m.err
}

// MarshalStruct returns the JSON object for x, of the type of the struct.
func MarshalStruct[T any](f *Family, ref uint16, x *T) ([]byte, error) {
	if x == nil {
		return []byte("null"), nil
	}
	m := marshaler{f: f}
	m.layout(&f.Structs[ref-1], placeOf(x))
	return m.b, m.err
}

// MarshalElement returns the JSON object for x, of the type of the element.
func MarshalElement[T any](f *Family, element uint16, x *T) ([]byte, error) {
	if x == nil {
		return []byte("null"), nil
	}
	m := marshaler{f: f}
	m.element(nil, f.elementAttr(element), placeOf(x))
	return m.b, m.err
}

// elementAttr returns the attribute whose elements are described by an element's row.
func (f *Family) elementAttr(element uint16) *Attr {
	for i := range f.Sets {
		for j := range f.Sets[i].Attrs {
			if a := &f.Sets[i].Attrs[j]; a.Element == element {
				return a
			}
		}
	}
	return nil
}

// marshaler appends JSON to b.
type marshaler struct {
	f   *Family
	b   []byte
	err error
}

func (m *marshaler) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// name begins the member of an object.
func (m *marshaler) name(name string) {
	m.comma('{')
	m.string(name)
	m.b = append(m.b, ':')
}

// comma separates what follows from what is before it, unless that is the beginning.
func (m *marshaler) comma(begin byte) {
	if m.b[len(m.b)-1] != begin {
		m.b = append(m.b, ',')
	}
}

func (m *marshaler) begin(c byte) { m.b = append(m.b, c) }
func (m *marshaler) end(c byte)   { m.b = append(m.b, c) }

func (m *marshaler) string(s string) {
	b, err := json.Marshal(s)
	m.fail(err)
	m.b = append(m.b, b...)
}

// set appends an object for sc.
func (m *marshaler) set(sc *scope) {
	m.begin('{')
	m.fields(sc)
	m.end('}')
}

// fields appends what is in sc to an object.
func (m *marshaler) fields(sc *scope) {
	if sc.depth > maxDepth {
		m.fail(errDeep)
		return
	}
	if sc.header {
		m.members(&m.f.Structs[sc.set.Header-1], sc.at.at(sc.set.HeadOff))
	}
	for i := range sc.set.Attrs {
		a := &sc.set.Attrs[i]
		switch {
		case a.present(sc.at):
			m.name(a.Name)
			m.attr(sc, a)
		case a.Flags&Selects != 0:
			if fm, err := m.f.implied(sc, a.Name); fm != nil && err == nil {
				m.name(a.Name)
				m.string(fm.Value)
			}
		}
	}
	m.unknown(sc)
}

var errDeep = fmt.Errorf("more than %d attributes in each other", maxDepth)

func (m *marshaler) unknown(sc *scope) {
	b := *sc.at.at(sc.set.Unknown).bytes()
	if b == nil {
		return
	}
	m.name("unknown")
	m.begin('[')
	for len(b) > 0 {
		var r rawAttr
		if r, b = cutAttr(b); r == nil {
			m.fail(errors.New("unknown attributes cannot be cut apart"))
			return
		}
		m.comma('[')
		m.b = fmt.Appendf(m.b, `{"type":%d,"value":"%x"}`, ne.Uint16(r[2:]), r.value())
	}
	m.end(']')
}

// members appends the members of the struct at x to an object.
func (m *marshaler) members(l *Layout, x Place) {
	for i := range l.Members {
		mb := &l.Members[i]
		m.name(mb.Name)
		m.member(mb, x.at(mb.Off))
	}
}

func (m *marshaler) member(mb *Member, x Place) {
	switch mb.Kind {
	case Binary:
		m.bytes(mb.Hint, x.array(int(mb.Len)))
	case Array:
		m.begin('[')
		for i := range int(mb.Len) / int(sizes[mb.Elem]) {
			m.comma('[')
			m.integer(mb.Elem, mb.Flags, mb.Enum, mb.Width, x.at(uintptr(i)*uintptr(mb.Width)))
		}
		m.end(']')
	case Addr:
		m.addr(x)
	case Struct:
		m.layout(&m.f.Structs[mb.Ref-1], x)
	case Records:
		m.layouts(&m.f.Structs[mb.Ref-1], x.slice())
	default:
		m.integer(mb.Kind, mb.Flags, mb.Enum, mb.Width, x)
	}
}

// layout appends an object for the struct at x.
func (m *marshaler) layout(l *Layout, x Place) {
	m.begin('{')
	m.members(l, x)
	m.end('}')
}

func (m *marshaler) layouts(l *Layout, s *slice) {
	m.begin('[')
	for i := range s.len {
		m.comma('[')
		m.layout(l, s.elem(i, l.Size))
	}
	m.end(']')
}

// attr appends the value of the attribute a, which is present.
func (m *marshaler) attr(sc *scope, a *Attr) {
	x := sc.at.at(a.Off)
	switch {
	case a.Flags&Multi != 0:
		m.list(sc, a, a.Kind, x.slice())
	case a.Kind == Nest:
		m.value(sc, a, Nest, *x.ref())
	case a.Kind == Indexed || a.Kind == TypeValue || a.Kind == Records:
		m.list(sc, a, a.elem(), x.slice())
	case a.Kind == SubMessage:
		m.subMessage(sc, a, x)
	default:
		m.value(sc, a, a.Kind, x)
	}
}

func (m *marshaler) list(sc *scope, a *Attr, k Kind, s *slice) {
	m.begin('[')
	size := m.f.size(a, k)
	for i := range s.len {
		m.comma('[')
		if x := s.elem(i, size); a.Element != 0 {
			m.element(sc, a, x)
		} else {
			m.value(sc, a, k, x)
		}
	}
	m.end(']')
}

// element appends an object for the element at x of the attribute a in sc.
func (m *marshaler) element(sc *scope, a *Attr, x Place) {
	el := &m.f.Elements[a.Element-1]
	m.begin('{')
	for _, k := range el.Keys {
		m.name(k.Name)
		m.b = strconv.AppendUint(m.b, uint64(*x.at(k.Off).u16()), 10)
	}
	if el.Struct != 0 {
		m.members(&m.f.Structs[el.Struct-1], x.at(el.StructAt))
	}
	if k := a.elem(); k == Nest {
		in := sc.inner(a, &m.f.Sets[a.Ref-1], x.at(el.Value), false)
		m.fields(&in)
	} else {
		m.name("value")
		m.value(sc, a, k, x.at(el.Value))
	}
	m.end('}')
}

func (m *marshaler) subMessage(sc *scope, a *Attr, x Place) {
	c := &m.f.SubMessages[a.Ref-1]
	v := c.Load(x)
	p := pointee(v)
	if p.isNil() {
		m.b = append(m.b, "null"...)
		return
	}
	if m.f.isRaw(v) {
		m.bytes(NoHint, *p.bytes())
		return
	}
	for i := range c.Formats {
		fm := &c.Formats[i]
		switch {
		case !m.f.has(fm, v):
			continue
		case fm.Set != 0:
			in := sc.inner(a, &m.f.Sets[fm.Set-1], p, fm.Struct != 0)
			m.set(&in)
		default:
			m.layout(&m.f.Structs[fm.Struct-1], p)
		}
		return
	}
	m.fail(fmt.Errorf("%s: %T is not one of its types", sc.path(a), v))
}

// value appends a value of kind k.
func (m *marshaler) value(sc *scope, a *Attr, k Kind, x Place) {
	switch k {
	case Flag:
		m.b = strconv.AppendBool(m.b, *x.bool())
	case String:
		m.string(*x.text())
	case Struct:
		m.layout(&m.f.Structs[a.Ref-1], x)
	case Bitfield32:
		m.begin('{')
		m.name("value")
		m.integer(U32, a.Flags, a.Enum, 4, x)
		m.name("selector")
		m.integer(U32, a.Flags, a.Enum, 4, x.at(4))
		m.end('}')
	case Addr, Via:
		m.addr(x)
	case Binary:
		m.bytes(a.Hint, *x.bytes())
	case Array:
		m.array(a, x.slice())
	case Nest:
		in := sc.inner(a, &m.f.Sets[a.Ref-1], x, a.Flags&Header != 0)
		m.set(&in)
	default:
		m.integer(k, a.Flags, a.Enum, a.Width, x)
	}
}

func (m *marshaler) array(a *Attr, s *slice) {
	if a.Elem == Struct {
		m.layouts(&m.f.Structs[a.Ref-1], s)
		return
	}
	m.begin('[')
	for i := range s.len {
		m.comma('[')
		m.integer(a.Elem, a.Flags, a.Enum, a.Width, s.elem(i, uintptr(a.Width)))
	}
	m.end(']')
}

func (m *marshaler) addr(x Place) {
	text, err := x.addr().MarshalText()
	m.fail(err)
	m.string(string(text))
}

// bytes appends a text of bytes.
func (m *marshaler) bytes(hint Hint, v []byte) {
	m.b = append(m.b, '"')
	for i := range v {
		switch {
		case hint == MAC && i > 0:
			m.b = append(m.b, ':')
		case hint == UUID && (i == 4 || i == 6 || i == 8 || i == 10):
			m.b = append(m.b, '-')
		}
		m.b = hex.AppendEncode(m.b, v[i:i+1])
	}
	m.b = append(m.b, '"')
}

// integer appends the integer at x, by name if it has one.
func (m *marshaler) integer(k Kind, flags Flags, enum uint16, width uint8, x Place) {
	u := x.uint(width)
	if enum != 0 {
		e := &m.f.Enums[enum-1]
		if e.Flags || flags&Mask != 0 {
			m.flags(e, u, flags&Mask != 0)
			return
		}
		if name, ok := e.name(u); ok {
			m.string(name)
			return
		}
	} else if k.signed() {
		m.b = strconv.AppendInt(m.b, int64(extend(u, width)), 10)
		return
	}
	m.b = strconv.AppendUint(m.b, u, 10)
}

// flags appends a list of the names of bits, and the number of those without a name.
func (m *marshaler) flags(e *Enum, u uint64, mask bool) {
	names, rest := e.names(u, mask)
	m.begin('[')
	for _, name := range names {
		m.comma('[')
		m.string(name)
	}
	if rest != 0 {
		m.comma('[')
		m.b = strconv.AppendUint(m.b, rest, 10)
	}
	m.end(']')
}
