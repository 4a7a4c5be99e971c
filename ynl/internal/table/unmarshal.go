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
	s := &f.Sets[set-1]
	return f.unmarshalSet(&scope{set: s, at: placeOf(x), header: s.Header != 0}, data)
}

// UnmarshalStruct reads what [MarshalStruct] returns into x.
func UnmarshalStruct[T any](f *Family, ref uint16, x *T, data []byte) error {
	return f.unmarshalStruct(&f.Structs[ref-1], placeOf(x), data)
}

// UnmarshalElement reads what [MarshalElement] returns into x.
func UnmarshalElement[T any](f *Family, element uint16, x *T, data []byte) error {
	return f.unmarshalElement(nil, f.elementAttr(element), placeOf(x), data)
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

func (f *Family) unmarshalSet(sc *scope, data []byte) error {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	if err := f.unmarshalFields(sc, o); err != nil {
		return err
	}
	return o.done()
}

// unmarshalFields reads the members of the object that are in sc.
func (f *Family) unmarshalFields(sc *scope, o object) error {
	if sc.depth > maxDepth {
		return errDeep
	}
	if sc.header {
		if err := f.unmarshalMembers(&f.Structs[sc.set.Header-1], sc.at.at(sc.set.HeadOff), o); err != nil {
			return err
		}
	}
	// A nest may need another's value to be read.
	for _, nests := range []bool{false, true} {
		for i := range sc.set.Attrs {
			a := &sc.set.Attrs[i]
			if a.Kind <= Pad || a.Kind >= Nest != nests {
				continue
			}
			if err := o.take(a.Name, func(data []byte) error { return f.unmarshalAttr(sc, a, data) }); err != nil {
				return err
			}
		}
	}
	return o.take("unknown", func(data []byte) error { return unmarshalUnknown(sc, data) })
}

func unmarshalUnknown(sc *scope, data []byte) error {
	var list []struct {
		Type  uint16
		Value string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	kept := sc.at.at(sc.set.Unknown).bytes()
	*kept = []byte{}
	for _, x := range list {
		v, err := hex.DecodeString(x.Value)
		if err != nil {
			return err
		}
		if len(v) > maxValueLen {
			return fmt.Errorf("value of %d bytes, at most %d fit", len(v), maxValueLen)
		}
		r := ne.AppendUint16(ne.AppendUint16(nil, uint16(headerLen+len(v))), x.Type)
		sc.set.keep(sc.at, append(r, v...))
	}
	return nil
}

func (f *Family) unmarshalStruct(l *Layout, x Place, data []byte) error {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	if err := f.unmarshalMembers(l, x, o); err != nil {
		return err
	}
	return o.done()
}

// unmarshalMembers reads the members of the object that are members of the struct at x.
func (f *Family) unmarshalMembers(l *Layout, x Place, o object) error {
	for i := range l.Members {
		m := &l.Members[i]
		if err := o.take(m.Name, func(data []byte) error { return f.unmarshalMember(m, x.at(m.Off), data) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *Family) unmarshalMember(m *Member, x Place, data []byte) error {
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
			if err := f.unmarshalInteger(m.Elem, m.Flags, m.Enum, m.Width, x.at(uintptr(i)*uintptr(m.Width)), e); err != nil {
				return err
			}
		}
		return nil
	case Addr:
		return json.Unmarshal(data, x.addr())
	case Struct:
		return f.unmarshalStruct(&f.Structs[m.Ref-1], x, data)
	case Records:
		err := f.unmarshalStructs(&f.Structs[m.Ref-1], x, data)
		x.slice().truncate(x.slice().len) // as decoded, an empty list is nil
		return err
	}
	return f.unmarshalInteger(m.Kind, m.Flags, m.Enum, m.Width, x, data)
}

func (f *Family) unmarshalStructs(l *Layout, x Place, data []byte) error {
	return unmarshalList(x, data, func(e []byte) error { return f.unmarshalStruct(l, l.Grow(x), e) })
}

// unmarshalList empties the slice at x and calls add with each element of a list.
func unmarshalList(x Place, data []byte, add func(data []byte) error) error {
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

// unmarshalAttr reads the value of the attribute a of sc.
func (f *Family) unmarshalAttr(sc *scope, a *Attr, data []byte) error {
	x := sc.at.at(a.Off)
	switch {
	case a.Flags&Multi != 0:
		return unmarshalList(x, data, func(e []byte) error { return f.unmarshalValue(sc, a, a.Kind, f.grow(a, a.Kind, x), e) })
	case a.Kind == Nest:
		inner := f.Sets[a.Ref-1].New()
		if err := f.unmarshalValue(sc, a, Nest, inner, data); err != nil {
			return err
		}
		*x.ref() = inner
		return nil
	case a.Element != 0:
		el := &f.Elements[a.Element-1]
		return unmarshalList(x, data, func(e []byte) error { return f.unmarshalElement(sc, a, el.Grow(x), e) })
	case a.Kind == Indexed:
		return unmarshalList(x, data, func(e []byte) error {
			return f.unmarshalValue(sc, a, a.elem(), f.grow(a, a.elem(), x), e)
		})
	case a.Kind == SubMessage:
		return f.unmarshalSubMessage(sc, a, x, data)
	}
	if err := f.unmarshalValue(sc, a, a.Kind, x, data); err != nil {
		return err
	}
	if a.Kind < Addr && a.Kind != Flag {
		*x.at(a.Set).bool() = true
	}
	return nil
}

func (f *Family) unmarshalElement(sc *scope, a *Attr, x Place, data []byte) error {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	el := &f.Elements[a.Element-1]
	for _, k := range el.Keys {
		if err := o.take(k.Name, func(data []byte) error { return json.Unmarshal(data, x.at(k.Off).u16()) }); err != nil {
			return err
		}
	}
	if el.Struct != 0 {
		if err := f.unmarshalMembers(&f.Structs[el.Struct-1], x.at(el.StructAt), o); err != nil {
			return err
		}
	}
	var err error
	if k := a.elem(); k == Nest {
		in := sc.inner(a, &f.Sets[a.Ref-1], x.at(el.Value), false)
		err = f.unmarshalFields(&in, o)
	} else {
		err = o.take("value", func(data []byte) error { return f.unmarshalValue(sc, a, k, x.at(el.Value), data) })
	}
	if err != nil {
		return err
	}
	return o.done()
}

// unmarshalSubMessage reads a sub-message of the format that the selector says. A string
// is one without a type.
func (f *Family) unmarshalSubMessage(sc *scope, a *Attr, x Place, data []byte) error {
	c := &f.SubMessages[a.Ref-1]
	if data[0] == '"' {
		v, err := parseBytes(data)
		if err == nil {
			c.Store(x, f.newRaw(v))
		}
		return err
	}
	sel, ok := f.selected(sc, c.Selector)
	if !ok {
		return fmt.Errorf("%s is absent", c.Selector)
	}
	fm := c.format(sel)
	switch {
	case fm == nil || f.typ(fm) == nil:
		return fmt.Errorf("%s %q has no type", c.Selector, sel.text)
	case fm.Set == 0:
		l := &f.Structs[fm.Struct-1]
		inner := l.New()
		if err := f.unmarshalStruct(l, inner, data); err != nil {
			return err
		}
		c.Store(x, inner.pointer(l.Type))
	default:
		s := &f.Sets[fm.Set-1]
		in := sc.inner(a, s, s.New(), fm.Struct != 0)
		if err := f.unmarshalSet(&in, data); err != nil {
			return err
		}
		c.Store(x, in.at.pointer(s.Type))
	}
	return nil
}

// unmarshalValue reads a value of kind k into x.
func (f *Family) unmarshalValue(sc *scope, a *Attr, k Kind, x Place, data []byte) error {
	switch k {
	case Flag:
		return json.Unmarshal(data, x.bool())
	case String:
		return json.Unmarshal(data, x.text())
	case Struct:
		return f.unmarshalStruct(&f.Structs[a.Ref-1], x, data)
	case Bitfield32:
		return f.unmarshalBitfield(a, x, data)
	case Addr, Via:
		return unmarshalAddr(x, data)
	case Binary:
		v, err := parseBytes(data)
		*x.bytes() = v
		return err
	case Array:
		if a.Elem == Struct {
			return f.unmarshalStructs(&f.Structs[a.Ref-1], x, data)
		}
		return unmarshalList(x, data, func(e []byte) error {
			return f.unmarshalInteger(a.Elem, a.Flags, a.Enum, a.Width, x.growInt(a.Width), e)
		})
	case Nest:
		in := sc.inner(a, &f.Sets[a.Ref-1], x, a.Flags&Header != 0)
		return f.unmarshalSet(&in, data)
	}
	return f.unmarshalInteger(k, a.Flags, a.Enum, a.Width, x, data)
}

func unmarshalAddr(x Place, data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	addr, err := netip.ParseAddr(s)
	*x.addr() = addr
	return err
}

func (f *Family) unmarshalBitfield(a *Attr, x Place, data []byte) error {
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	for i, name := range []string{"value", "selector"} {
		err := o.take(name, func(data []byte) error {
			return f.unmarshalInteger(U32, a.Flags, a.Enum, 4, x.at(uintptr(4*i)), data)
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

// unmarshalInteger reads an integer: a number, a name of its enum, or a list of both.
func (f *Family) unmarshalInteger(k Kind, flags Flags, enum uint16, width uint8, x Place, data []byte) error {
	var list []json.RawMessage
	if data[0] != '[' {
		list = []json.RawMessage{data}
	} else if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	var u uint64
	for _, e := range list {
		v, err := f.parseInteger(k, flags, enum, width, e)
		if err != nil {
			return err
		}
		u |= v
	}
	x.setUint(width, u)
	return nil
}

func (f *Family) parseInteger(k Kind, flags Flags, enum uint16, width uint8, data []byte) (uint64, error) {
	text := string(bytes.Trim(data, `"`))
	if enum != 0 {
		e := &f.Enums[enum-1]
		if v, ok := e.value(text); ok {
			return Entry{Value: v}.mask(flags&Mask != 0), nil
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
