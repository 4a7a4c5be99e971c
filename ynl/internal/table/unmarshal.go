package table

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object, of which the members that have been read are removed.
type object map[string]json.RawMessage

// UnmarshalJSON reads what [MarshalJSON] returns into x. It reads numbers in place of
// the names of an enum and of flags, too. A member that the set does not have is an
// error.
func UnmarshalJSON[T any](f *Family, set uint16, x *T, data []byte) error {
	return f.unmarshal(set, placeOf(x), data)
}

// UnmarshalStruct reads what [MarshalStruct] returns into x.
func UnmarshalStruct[T any](f *Family, ref uint16, x *T, data []byte) error {
	return f.unmarshalStruct(ref, placeOf(x), data)
}

// UnmarshalElement reads what [MarshalElement] returns into x.
func UnmarshalElement[T any](f *Family, element uint16, x *T, data []byte) error {
	return f.unmarshalElement(element, placeOf(x), data)
}

func (f *Family) unmarshalStruct(ref uint16, x Place, data []byte) error {
	u := unmarshaler{walk{f: f}}
	return u.layout(&f.Structs[ref-1], x, data)
}

func (f *Family) unmarshalElement(element uint16, x Place, data []byte) error {
	u := unmarshaler{walk{f: f}}
	return u.element(f.elementAttr(element), x, data)
}

func readObject(data []byte) (o object, err error) {
	err = json.Unmarshal(data, &o)
	return o, err
}

// take calls read with the member of a name, if there is one that is not null.
func (o object) take(name string, read func(data []byte) error) error {
	data, ok := o[name]
	delete(o, name)
	if !ok || string(data) == "null" {
		return nil
	}
	if err := read(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// done returns an error for members that were not read.
func (o object) done() error {
	if len(o) > 0 {
		return fmt.Errorf("unknown name %q", slices.Min(slices.Collect(maps.Keys(o))))
	}
	return nil
}

// unmarshaler reads JSON.
type unmarshaler struct{ walk }

func (f *Family) unmarshal(set uint16, x Place, data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	u := unmarshaler{walk{f: f, scopes: make([]scope, 1, 8)}}
	u.scopes[0].message(f, set, x)
	if err := u.fields(o); err != nil {
		return err
	}
	return o.done()
}

// set reads an object into the set, which is at x in the value of the attribute a.
func (u *unmarshaler) set(a *Attr, set uint16, x Place, header bool, data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	if err := u.setFields(a, set, x, header, o); err != nil {
		return err
	}
	return o.done()
}

// setFields reads the members of the object that are in the set.
func (u *unmarshaler) setFields(a *Attr, set uint16, x Place, header bool, o object) error {
	if !u.push(a, &u.f.Sets[set-1], x, header) {
		return errDeep
	}
	defer u.pop()
	return u.fields(o)
}

// fields reads the members of the object that are in the innermost set.
func (u *unmarshaler) fields(o object) error {
	s, x := u.top().set, u.top().at
	if u.top().header {
		if err := u.members(&u.f.Structs[s.Header-1], x.at(s.HeadOff), o); err != nil {
			return err
		}
	}
	// A nest may need another's value to be read.
	for _, nests := range []bool{false, true} {
		for i := range s.Attrs {
			a := &s.Attrs[i]
			if a.Kind <= Pad || a.Kind >= Nest != nests {
				continue
			}
			if err := o.take(a.Name, func(data []byte) error { return u.attr(a, x.at(a.Off), data) }); err != nil {
				return err
			}
		}
	}
	return o.take(unknownName, func(data []byte) error { return readUnknown(s, x, data) })
}

func readUnknown(s *Set, x Place, data []byte) error {
	var list []struct {
		Type  uint16
		Value string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*x.at(s.Unknown).bytes() = []byte{}
	for _, a := range list {
		v, err := hex.DecodeString(a.Value)
		if err != nil {
			return err
		}
		if len(v) > maxValueLen {
			return fmt.Errorf("value of %d bytes, at most %d fit", len(v), maxValueLen)
		}
		r := ne.AppendUint16(ne.AppendUint16(nil, uint16(headerLen+len(v))), a.Type)
		s.keep(x, append(r, v...))
	}
	return nil
}

func (u *unmarshaler) layout(l *Layout, x Place, data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	if err := u.members(l, x, o); err != nil {
		return err
	}
	return o.done()
}

// members reads the members of the object that are members of the struct at x.
func (u *unmarshaler) members(l *Layout, x Place, o object) error {
	for i := range l.Members {
		m := &l.Members[i]
		if err := o.take(m.Name, func(data []byte) error { return u.member(m, x.at(m.Off), data) }); err != nil {
			return err
		}
	}
	return nil
}

func (u *unmarshaler) member(m *Member, x Place, data []byte) error {
	switch m.Kind {
	case Binary:
		v, err := parseBytes(data)
		if err == nil && len(v) != int(m.Len) {
			err = fmt.Errorf("%d bytes, want %d", len(v), m.Len)
		}
		if err == nil {
			copy(x.array(int(m.Len)), v)
		}
		return err
	case Array:
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		if n := int(m.Len) / int(sizes[m.Elem]); len(list) != n {
			return fmt.Errorf("%d elements, want %d", len(list), n)
		}
		for i, e := range list {
			if err := u.integer(m.Elem, m.Flags, m.Enum, m.Width, x.at(uintptr(i)*uintptr(m.Width)), e); err != nil {
				return err
			}
		}
		return nil
	case Addr:
		return json.Unmarshal(data, x.addr())
	case Struct:
		return u.layout(&u.f.Structs[m.Ref-1], x, data)
	case Records:
		err := u.layouts(&u.f.Structs[m.Ref-1], x, data)
		x.slice().truncate(x.slice().len) // as decoded, an empty list is nil
		return err
	}
	return u.integer(m.Kind, m.Flags, m.Enum, m.Width, x, data)
}

func (u *unmarshaler) layouts(l *Layout, x Place, data []byte) error {
	return readList(x, data, func(e []byte) error { return u.layout(l, l.Grow(x), e) })
}

// readList empties the slice at x and calls add with each element of a list.
func readList(x Place, data []byte, add func(data []byte) error) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	x.slice().truncate(0)
	x.makeEmpty()
	for i, e := range list {
		if err := add(e); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// attr reads the value of the attribute a into the field x.
func (u *unmarshaler) attr(a *Attr, x Place, data []byte) error {
	switch {
	case a.Flags&Multi != 0:
		return readList(x, data, func(e []byte) error { return u.value(a, a.Kind, u.f.grow(a, a.Kind, x), e) })
	case a.Kind == Nest:
		inner := u.f.Sets[a.Ref-1].New()
		if err := u.value(a, Nest, inner, data); err != nil {
			return err
		}
		*x.ref() = inner
		return nil
	case a.Element != 0:
		el := &u.f.Elements[a.Element-1]
		return readList(x, data, func(e []byte) error { return u.element(a, el.Grow(x), e) })
	case a.Kind == Indexed:
		return readList(x, data, func(e []byte) error {
			return u.value(a, a.elem(), u.f.grow(a, a.elem(), x), e)
		})
	case a.Kind == SubMessage:
		return u.subMessage(a, x, data)
	}
	if err := u.value(a, a.Kind, x, data); err != nil {
		return err
	}
	if a.Kind < Addr && a.Kind != Flag {
		*x.at(a.Set).bool() = true
	}
	return nil
}

func (u *unmarshaler) element(a *Attr, x Place, data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	el := &u.f.Elements[a.Element-1]
	for _, k := range el.Keys {
		if err := o.take(k.Name, func(data []byte) error { return json.Unmarshal(data, x.at(k.Off).u16()) }); err != nil {
			return err
		}
	}
	if el.Struct != 0 {
		if err := u.members(&u.f.Structs[el.Struct-1], x.at(el.StructAt), o); err != nil {
			return err
		}
	}
	if k := a.elem(); k == Nest {
		err = u.setFields(a, a.Ref, x.at(el.Value), false, o)
	} else {
		err = o.take("value", func(data []byte) error { return u.value(a, k, x.at(el.Value), data) })
	}
	if err != nil {
		return err
	}
	return o.done()
}

// subMessage reads a sub-message of the format that the selector says. A string
// is one without a type.
func (u *unmarshaler) subMessage(a *Attr, x Place, data []byte) error {
	c := &u.f.SubMessages[a.Ref-1]
	if data[0] == '"' {
		v, err := parseBytes(data)
		if err == nil {
			c.Store(x, u.f.newRaw(v))
		}
		return err
	}
	sel, ok := u.selected(c.Selector)
	if !ok {
		return fmt.Errorf("%s is absent", c.Selector)
	}
	fm := c.format(sel, func(fm *Format) bool { return fm.Set != 0 && u.f.Sets[fm.Set-1].hasNames(data) })
	switch {
	case fm == nil || u.f.typ(fm) == nil:
		return fmt.Errorf("%s %q has no type", c.Selector, sel.text)
	case fm.Set == 0:
		l := &u.f.Structs[fm.Struct-1]
		inner := l.New()
		if err := u.layout(l, inner, data); err != nil {
			return err
		}
		c.Store(x, inner.pointer(l.Type))
	default:
		s := &u.f.Sets[fm.Set-1]
		inner := s.New()
		if err := u.set(a, fm.Set, inner, fm.Struct != 0, data); err != nil {
			return err
		}
		c.Store(x, inner.pointer(s.Type))
	}
	return nil
}

// hasNames reports whether all members of an object are attributes of the set.
func (s *Set) hasNames(data []byte) bool {
	o, err := readObject(data)
	for name := range o {
		if s.named(name) == nil && name != unknownName {
			return false
		}
	}
	return err == nil
}

// value reads a value of kind k into x.
func (u *unmarshaler) value(a *Attr, k Kind, x Place, data []byte) error {
	switch k {
	case Flag:
		return json.Unmarshal(data, x.bool())
	case String:
		return json.Unmarshal(data, x.text())
	case Struct:
		return u.layout(&u.f.Structs[a.Ref-1], x, data)
	case Bitfield32:
		return u.bitfield(a, x, data)
	case Addr, Via:
		return readJSONAddr(x, data)
	case Binary:
		v, err := parseBytes(data)
		*x.bytes() = v
		return err
	case Array:
		if a.Elem == Struct {
			return u.layouts(&u.f.Structs[a.Ref-1], x, data)
		}
		return readList(x, data, func(e []byte) error {
			return u.integer(a.Elem, a.Flags, a.Enum, a.Width, x.growInt(a.Width), e)
		})
	case Nest:
		return u.set(a, a.Ref, x, a.Flags&Header != 0, data)
	}
	return u.integer(k, a.Flags, a.Enum, a.Width, x, data)
}

func readJSONAddr(x Place, data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	addr, err := netip.ParseAddr(s)
	*x.addr() = addr
	return err
}

func (u *unmarshaler) bitfield(a *Attr, x Place, data []byte) error {
	o, err := readObject(data)
	if err != nil {
		return err
	}
	for i, name := range []string{"value", "selector"} {
		err := o.take(name, func(data []byte) error {
			return u.integer(U32, a.Flags, a.Enum, 4, x.at(uintptr(4*i)), data)
		})
		if err != nil {
			return err
		}
	}
	return o.done()
}

// parseBytes returns the bytes in a string of hexadecimal digits, which may be in groups.
func parseBytes(data []byte) ([]byte, error) {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	return hex.DecodeString(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
}

// integer reads an integer: a number, a name of its enum, or a list of both.
func (u *unmarshaler) integer(k Kind, flags Flags, enum uint16, width uint8, x Place, data []byte) error {
	var list []json.RawMessage
	if data[0] != '[' {
		list = []json.RawMessage{data}
	} else if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	var bits uint64
	for _, e := range list {
		v, err := u.parseInteger(k, flags, enum, width, e)
		if err != nil {
			return err
		}
		bits |= v
	}
	x.setUint(width, bits)
	return nil
}

func (u *unmarshaler) parseInteger(k Kind, flags Flags, enum uint16, width uint8, data []byte) (uint64, error) {
	text := string(bytes.Trim(data, `"`))
	if enum != 0 {
		e := &u.f.Enums[enum-1]
		if v, ok := e.value(text); ok {
			if v = (Entry{Value: v}).mask(flags&Mask != 0); !fits(U64, v, width) {
				return 0, fmt.Errorf("%s is out of range", text)
			}
			return v, nil
		}
	}
	bits := 8 * int(width)
	if k.signed() && enum == 0 {
		v, err := strconv.ParseInt(text, 0, bits)
		return uint64(v), numError(text, err)
	}
	v, err := strconv.ParseUint(text, 0, bits)
	return v, numError(text, err)
}

// numError returns a short error for a text that is no number.
func numError(text string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is out of range", text)
	}
	if err != nil {
		return fmt.Errorf("%q is no value", text)
	}
	return nil
}
