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
	return f.marshal(set, placeOf(x))
}

// MarshalStruct returns the JSON object for x, of the type of the struct.
func MarshalStruct[T any](f *Family, ref uint16, x *T) ([]byte, error) {
	return f.marshalStruct(ref, placeOf(x))
}

// MarshalElement returns the JSON object for x, of the type of the element.
func MarshalElement[T any](f *Family, element uint16, x *T) ([]byte, error) {
	return f.marshalElement(element, placeOf(x))
}

// The functions above are inlined, so that a program has none for each type.

func (f *Family) marshal(set uint16, x Place) ([]byte, error) {
	return f.marshalWith(x, func(m *marshaler) {
		m.scopes = m.scopes[:1]
		m.scopes[0].message(f, set, x)
		m.open('{')
		m.fields()
		m.close('}')
	})
}

func (f *Family) marshalStruct(ref uint16, x Place) ([]byte, error) {
	return f.marshalWith(x, func(m *marshaler) { m.layout(&f.Structs[ref-1], x) })
}

func (f *Family) marshalElement(element uint16, x Place) ([]byte, error) {
	return f.marshalWith(x, func(m *marshaler) { m.element(f.elementAttr(element), x) })
}

// marshalWith returns what do appends for x, null if x is nil.
func (f *Family) marshalWith(x Place, do func(m *marshaler)) ([]byte, error) {
	if x.isNil() {
		return []byte("null"), nil
	}
	m := marshaler{walk: walk{f: f, scopes: make([]scope, 0, 8)}}
	do(&m)
	return m.b, m.err
}

// elementAttr returns the attribute with elements of an element's row.
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
	walk
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

func (m *marshaler) open(c byte)  { m.b = append(m.b, c) }
func (m *marshaler) close(c byte) { m.b = append(m.b, c) }

func (m *marshaler) string(s string) {
	b, err := json.Marshal(s)
	m.fail(err)
	m.b = append(m.b, b...)
}

// set appends an object for the set, which is at x in the value of the attribute a.
func (m *marshaler) set(a *Attr, set uint16, x Place, header bool) {
	m.open('{')
	m.setFields(a, set, x, header)
	m.close('}')
}

// setFields appends what is in the set to an object.
func (m *marshaler) setFields(a *Attr, set uint16, x Place, header bool) {
	if !m.push(a, &m.f.Sets[set-1], x, header) {
		m.fail(errDeep)
		return
	}
	m.fields()
	m.pop()
}

var errDeep = fmt.Errorf("more than %d sets in each other", maxDepth)

// fields appends what is in the innermost set to an object.
func (m *marshaler) fields() {
	s, x := m.top().set, m.top().at
	if m.top().header {
		m.members(&m.f.Structs[s.Header-1], x.at(s.HeadOff))
	}
	for i := range s.Attrs {
		a := &s.Attrs[i]
		switch {
		case a.present(x):
			m.name(a.Name)
			m.attr(a, x.at(a.Off))
		case a.Flags&Selects != 0:
			if fm, err := m.implied(a.Name); fm != nil && err == nil {
				m.name(a.Name)
				m.string(fm.Value)
			}
		}
	}
	if unknown := *x.at(s.Unknown).bytes(); unknown != nil {
		m.name(unknownName)
		m.unknown(unknown)
	}
}

// unknownName is the name of the list of attributes that a set does not know.
const unknownName = "unknown"

func (m *marshaler) unknown(b []byte) {
	m.open('[')
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil {
			m.fail(errors.New("unknown attributes cannot be cut apart"))
			return
		}
		m.comma('[')
		m.b = fmt.Appendf(m.b, `{"type":%d,"value":"%x"}`, r.rawType(), r.value())
		b = r.next(b)
	}
	m.close(']')
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
		m.open('[')
		for i := range int(mb.Len) / int(sizes[mb.Elem]) {
			m.comma('[')
			m.integer(mb.Elem, mb.Flags, mb.Enum, mb.Width, x.at(uintptr(i)*uintptr(mb.Width)))
		}
		m.close(']')
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
	m.open('{')
	m.members(l, x)
	m.close('}')
}

func (m *marshaler) layouts(l *Layout, s *slice) {
	m.open('[')
	for i := range s.len {
		m.comma('[')
		m.layout(l, s.elem(i, l.Size))
	}
	m.close(']')
}

// attr appends the value of the attribute a, which is present, in the field x.
func (m *marshaler) attr(a *Attr, x Place) {
	switch {
	case a.Flags&Multi != 0:
		m.list(a, a.Kind, x.slice())
	case a.Kind == Nest:
		m.value(a, Nest, *x.ref())
	case a.Kind == Indexed || a.Kind == TypeValue || a.Kind == Records:
		m.list(a, a.elem(), x.slice())
	case a.Kind == SubMessage:
		m.subMessage(a, x)
	default:
		m.value(a, a.Kind, x)
	}
}

func (m *marshaler) list(a *Attr, k Kind, s *slice) {
	m.open('[')
	size := m.f.size(a, k)
	for i := range s.len {
		m.comma('[')
		if x := s.elem(i, size); a.Element != 0 {
			m.element(a, x)
		} else {
			m.value(a, k, x)
		}
	}
	m.close(']')
}

// element appends an object for the element at x of the attribute a.
func (m *marshaler) element(a *Attr, x Place) {
	el := &m.f.Elements[a.Element-1]
	m.open('{')
	for _, k := range el.Keys {
		m.name(k.Name)
		m.b = strconv.AppendUint(m.b, uint64(*x.at(k.Off).u16()), 10)
	}
	if el.Struct != 0 {
		m.members(&m.f.Structs[el.Struct-1], x.at(el.StructAt))
	}
	if k := a.elem(); k == Nest {
		m.setFields(a, a.Ref, x.at(el.Value), false)
	} else {
		m.name("value")
		m.value(a, k, x.at(el.Value))
	}
	m.close('}')
}

func (m *marshaler) subMessage(a *Attr, x Place) {
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
			m.set(a, fm.Set, p, fm.Struct != 0)
		default:
			m.layout(&m.f.Structs[fm.Struct-1], p)
		}
		return
	}
	m.fail(fmt.Errorf("%s: %T is not one of its types", m.path(a), v))
}

// value appends a value of kind k.
func (m *marshaler) value(a *Attr, k Kind, x Place) {
	switch k {
	case Flag:
		m.b = strconv.AppendBool(m.b, *x.bool())
	case String:
		m.string(*x.text())
	case Struct:
		m.layout(&m.f.Structs[a.Ref-1], x)
	case Bitfield32:
		m.open('{')
		m.name("value")
		m.integer(U32, a.Flags, a.Enum, 4, x)
		m.name("selector")
		m.integer(U32, a.Flags, a.Enum, 4, x.at(4))
		m.close('}')
	case Addr, Via:
		m.addr(x)
	case Binary:
		m.bytes(a.Hint, *x.bytes())
	case Array:
		m.array(a, x.slice())
	case Nest:
		m.set(a, a.Ref, x, a.Flags&Header != 0)
	default:
		m.integer(k, a.Flags, a.Enum, a.Width, x)
	}
}

func (m *marshaler) array(a *Attr, s *slice) {
	if a.Elem == Struct {
		m.layouts(&m.f.Structs[a.Ref-1], s)
		return
	}
	m.open('[')
	for i := range s.len {
		m.comma('[')
		m.integer(a.Elem, a.Flags, a.Enum, a.Width, s.elem(i, uintptr(a.Width)))
	}
	m.close(']')
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
	m.open('[')
	for _, name := range names {
		m.comma('[')
		m.string(name)
	}
	if rest != 0 {
		m.comma('[')
		m.b = strconv.AppendUint(m.b, rest, 10)
	}
	m.close(']')
}
