package table

import (
	"net/netip"

	"github.com/nlmux/netlink/wire"
)

// appendElem appends an element of kind k with the value v to the slice at x, and
// reports whether the value is as described.
func (f *Family) appendElem(sc *scope, a *Attr, k Kind, x Place, v []byte) bool {
	n := x.slice().len
	if !f.readValue(sc, a, k, f.grow(a, k, x), v) {
		x.slice().truncate(n)
		return false
	}
	return true
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

// readList reads an attribute of kind Indexed, TypeValue or Records into the slice at x,
// and reports whether all of its elements are as described.
func (f *Family) readList(sc *scope, a *Attr, x Place, r rawAttr) bool {
	n := x.slice().len
	ok := false
	switch a.Kind {
	case Indexed:
		if ok = f.readIndexed(sc, a, x, r); ok {
			x.makeEmpty()
		}
	case TypeValue:
		ok = f.readTypeValue(sc, a, x, r.value(), nil) && x.slice().len > n
	case Records:
		if ok = f.readRecords(sc, a, x, r.value()); ok {
			x.makeEmpty()
		}
	}
	if !ok {
		x.slice().truncate(n)
	}
	return ok
}

func (f *Family) readIndexed(sc *scope, a *Attr, x Place, r rawAttr) bool {
	renumbered := false
	number := a.First
	for b := []byte(r.value()); len(b) > 0; number++ {
		var e rawAttr
		if e, b = cutAttr(b); e == nil {
			return false
		}
		var elem Place
		if a.Element != 0 {
			el := &f.Elements[a.Element-1]
			elem = el.Grow(x)
			*elem.at(el.Keys[0].Off).u16() = e.typ()
			elem = elem.at(el.Value)
		} else {
			elem = f.grow(a, a.elem(), x)
			renumbered = renumbered || e.typ() != number
		}
		if !f.readValue(sc, a, a.elem(), elem, e.value()) {
			return false
		}
	}
	if renumbered {
		sc.set.keep(sc.at, r)
	}
	return true
}

// readTypeValue reads nests in nests. keys are the types of those around b.
func (f *Family) readTypeValue(sc *scope, a *Attr, x Place, b []byte, keys []uint16) bool {
	el := &f.Elements[a.Element-1]
	if len(keys) < len(el.Keys) {
		for len(b) > 0 {
			var r rawAttr
			if r, b = cutAttr(b); r == nil || !f.readTypeValue(sc, a, x, r.value(), append(keys, r.typ())) {
				return false
			}
		}
		return true
	}
	elem := el.Grow(x)
	for i, k := range el.Keys {
		*elem.at(k.Off).u16() = keys[i]
	}
	return f.readValue(sc, a, a.elem(), elem.at(el.Value), b)
}

// elem returns the kind of the elements of a list of kind Indexed or TypeValue.
func (a *Attr) elem() Kind {
	if a.Elem == 0 {
		return Nest
	}
	return a.Elem
}

func (f *Family) readRecords(sc *scope, a *Attr, x Place, b []byte) bool {
	el := &f.Elements[a.Element-1]
	l := &f.Structs[el.Struct-1]
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
		f.readStruct(l, elem.at(el.StructAt), b[:head])
		if !f.readNest(sc, a, a.Ref, false, elem.at(el.Value), b[min(align(head), n):n]) {
			return false
		}
		b = b[min(align(n), len(b)):]
	}
	return true
}

func (e *encoder) writeIndexed(sc *scope, a *Attr, s *slice, k *kept) {
	var numbers []uint16
	if a.Element == 0 {
		numbers = k.numbers(a.Type, a.First)
	}
	n := e.open(a.Type | wire.NLA_F_NESTED)
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
		if !e.checkNumber(sc, a, number) {
			return
		}
		e.writeValue(sc, a, a.elem(), number, x)
		number++
	}
	e.close(sc, a, n)
}

func (e *encoder) writeTypeValue(sc *scope, a *Attr, s *slice) {
	el := &e.f.Elements[a.Element-1]
	for i := range s.len {
		e.writeKeys(sc, a, el.Keys, s.elem(i, el.Size), a.Type)
	}
}

// writeKeys appends the attribute typ with attributes in each other that have the
// types of the keys in the element x, the last with its value.
func (e *encoder) writeKeys(sc *scope, a *Attr, keys []Key, x Place, typ uint16) {
	if len(keys) == 0 {
		e.writeValue(sc, a, a.elem(), typ, x.at(e.f.Elements[a.Element-1].Value))
		return
	}
	n := e.open(typ | wire.NLA_F_NESTED)
	if key := *x.at(keys[0].Off).u16(); e.checkNumber(sc, a, key) {
		e.writeKeys(sc, a, keys[1:], x, key)
	}
	e.close(sc, a, n)
}

// checkNumber reports whether an attribute can have the type n.
func (e *encoder) checkNumber(sc *scope, a *Attr, n uint16) bool {
	if n > typeMask {
		e.fail(sc, a, "number %d, at most %d fits", n, typeMask)
	}
	return n <= typeMask
}

// writeRecords appends records. A record begins with its length in 2 bytes as an attribute
// does, so it is one that has the next 2 bytes of its struct as its type.
func (e *encoder) writeRecords(sc *scope, a *Attr, s *slice) {
	el := &e.f.Elements[a.Element-1]
	l := &e.f.Structs[el.Struct-1]
	head := make([]byte, l.Wire)
	n := e.open(a.Type)
	for i := range s.len {
		x := s.elem(i, el.Size)
		clear(head)
		e.writeStruct(sc, a, l, x.at(el.StructAt), head)
		record := e.open(ne.Uint16(head[2:]))
		e.b.Raw(head[headerLen:])
		in := sc.inner(a, &e.f.Sets[a.Ref-1], x.at(el.Value), false)
		e.writeSet(&in)
		e.close(sc, a, record)
	}
	e.close(sc, a, n)
}
