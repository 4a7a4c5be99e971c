package table

import (
	"net/netip"

	"github.com/nlmux/netlink/wire"
)

// elem returns the kind of the values in a list of kind Indexed, TypeValue or Records.
func (a *Attr) elem() Kind {
	if a.Elem == 0 {
		return Nest
	}
	return a.Elem
}

// grow appends a zero element of kind k to the slice at x and returns its place.
func (f *Family) grow(a *Attr, k Kind, x Place) Place {
	switch k {
	case Nest:
		return f.Sets[a.Ref-1].Grow(x)
	case Struct:
		return f.Structs[a.Ref-1].Grow(x)
	case String:
		return Grow[string](x)
	case Binary:
		return Grow[[]byte](x)
	case Addr, Via:
		return Grow[netip.Addr](x)
	}
	return x.growInt(a.Width)
}

// size returns the size of an element of kind k in the slice of the attribute a.
func (f *Family) size(a *Attr, k Kind) uintptr {
	switch {
	case a.Element != 0:
		return f.Elements[a.Element-1].Size
	case k == Nest:
		return f.Sets[a.Ref-1].Size
	case k == Struct:
		return f.Structs[a.Ref-1].Size
	case k == String:
		return stringSize
	case k == Binary:
		return sliceSize
	case k == Addr || k == Via:
		return addrSize
	}
	return uintptr(a.Width)
}

// appendElem appends an element of kind k with the value v to the slice at x, and
// reports whether the value is as described.
func (d *decoder) appendElem(a *Attr, k Kind, x Place, v []byte) bool {
	n := x.slice().len
	if !d.readValue(a, k, d.f.grow(a, k, x), v) {
		x.slice().truncate(n)
		return false
	}
	return true
}

// readList reads an attribute of kind Indexed, TypeValue or Records into the slice at x,
// and reports whether all of its elements are as described.
func (d *decoder) readList(a *Attr, x Place, r rawAttr) bool {
	n := x.slice().len
	ok := false
	switch a.Kind {
	case Indexed:
		ok = d.readIndexed(a, x, r)
	case TypeValue:
		ok = d.readTypeValue(a, x, r.value(), nil) && x.slice().len > n
	case Records:
		ok = d.readRecords(a, x, r.value())
	}
	if !ok {
		x.slice().truncate(n)
		return false
	}
	x.makeEmpty()
	return true
}

func (d *decoder) readIndexed(a *Attr, x Place, r rawAttr) bool {
	renumbered := false
	number := a.First
	for b := r.value(); len(b) > 0; number = a.after(number) {
		e := cutAttr(b)
		if e == nil {
			return false
		}
		b = e.next(b)
		var elem Place
		if a.Element != 0 {
			el := &d.f.Elements[a.Element-1]
			elem = el.Grow(x)
			*elem.at(el.Keys[0].Off).u16() = e.typ()
			elem = elem.at(el.Value)
		} else {
			elem = d.f.grow(a, a.elem(), x)
			renumbered = renumbered || e.typ() != number
		}
		if !d.readValue(a, a.elem(), elem, e.value()) {
			return false
		}
	}
	if renumbered {
		d.keep(r)
	}
	return true
}

// after returns the number of the element after the one with a number.
func (a *Attr) after(number uint16) uint16 {
	if a.Flags&Unnumbered != 0 {
		return number
	}
	return number + 1
}

// readTypeValue reads attributes in each other. keys are the types of those around b.
func (d *decoder) readTypeValue(a *Attr, x Place, b []byte, keys []uint16) bool {
	el := &d.f.Elements[a.Element-1]
	if len(keys) == len(el.Keys) {
		elem := el.Grow(x)
		for i, k := range el.Keys {
			*elem.at(k.Off).u16() = keys[i]
		}
		return d.readValue(a, a.elem(), elem.at(el.Value), b)
	}
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil || !d.readTypeValue(a, x, r.value(), append(keys, r.typ())) {
			return false
		}
		b = r.next(b)
	}
	return true
}

func (d *decoder) readRecords(a *Attr, x Place, b []byte) bool {
	el := &d.f.Elements[a.Element-1]
	l := &d.f.Structs[el.Struct-1]
	head := int(l.Wire)
	for len(b) > 0 {
		if len(b) < head {
			return false
		}
		n := int(ne.Uint16(b))
		if n < head || n > len(b) {
			return false
		}
		elem := el.Grow(x)
		d.f.readStruct(l, elem.at(el.StructAt), b[:head])
		if !d.readNest(a, a.Ref, false, elem.at(el.Value), b[min(align(head), n):n]) {
			return false
		}
		b = b[min(align(n), len(b)):]
	}
	return true
}

// writeIndexed appends a nest of numbered elements.
func (e *encoder) writeIndexed(a *Attr, s *slice, k *kept) {
	typ := a.Type | wire.NLA_F_NESTED
	var numbers []uint16
	if r := k.rest(a.Type); r != nil {
		typ, numbers = r.rawType(), types(r.value())
	}
	n := e.open(typ)
	size := e.f.size(a, a.elem())
	number := a.First
	for i := range s.len {
		x := s.elem(i, size)
		if a.Element != 0 {
			el := &e.f.Elements[a.Element-1]
			number = *x.at(el.Keys[0].Off).u16()
			x = x.at(el.Value)
		} else if i < len(numbers) {
			number = numbers[i]
		}
		if !e.checkNumber(a, number) {
			return
		}
		e.writeValue(a, a.elem(), number, x)
		number = a.after(number)
	}
	e.close(a, n)
}

// types returns the types of the attributes in b.
func types(b []byte) (types []uint16) {
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil {
			return nil
		}
		types = append(types, r.typ())
		b = r.next(b)
	}
	return types
}

// checkNumber reports whether an attribute can have the type n.
func (e *encoder) checkNumber(a *Attr, n uint16) bool {
	if n > typeMask {
		e.fail(a, "number %d, at most %d fits", n, typeMask)
	}
	return n <= typeMask
}

// writeTypeValue appends, for each element, attributes in each other with its keys as
// types.
func (e *encoder) writeTypeValue(a *Attr, s *slice) {
	el := &e.f.Elements[a.Element-1]
	for i := range s.len {
		e.writeKeys(a, el.Keys, s.elem(i, el.Size), a.Type)
	}
}

// writeKeys appends the attribute typ with attributes in each other that have the types of
// the keys in the element x. The last has its value.
func (e *encoder) writeKeys(a *Attr, keys []Key, x Place, typ uint16) {
	if len(keys) == 0 {
		e.writeValue(a, a.elem(), typ, x.at(e.f.Elements[a.Element-1].Value))
		return
	}
	n := e.open(typ | wire.NLA_F_NESTED)
	if key := *x.at(keys[0].Off).u16(); e.checkNumber(a, key) {
		e.writeKeys(a, keys[1:], x, key)
	}
	e.close(a, n)
}

// writeRecords appends records. A record begins with its length in 2 bytes as an
// attribute does, so it is sent as one with the next 2 bytes of its struct as its type.
func (e *encoder) writeRecords(a *Attr, s *slice) {
	el := &e.f.Elements[a.Element-1]
	l := &e.f.Structs[el.Struct-1]
	head := make([]byte, l.Wire)
	n := e.open(a.Type)
	for i := range s.len {
		x := s.elem(i, el.Size)
		clear(head)
		e.writeStruct(a, l, x.at(el.StructAt), head)
		record := e.open(ne.Uint16(head[2:]))
		e.b.Raw(head[headerLen:])
		e.writeSet(a, a.Ref, x.at(el.Value), false)
		e.close(a, record)
	}
	e.close(a, n)
}
