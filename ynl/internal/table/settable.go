package table

import (
	"slices"

	"github.com/nlmux/netlink/wire"
)

// Settable returns a copy of x without what the marks of the rows say that a request must
// not carry. If x cannot be encoded the copy has all of x, and shares its memory.
func Settable[T any](f *Family, set uint16, x *T) *T {
	var b wire.Builder
	sc := scope{set: &f.Sets[set-1], at: placeOf(x), settable: true}
	e := encoder{f, &b}
	e.message(sc)
	y := new(T)
	if message, err := b.Encode(); err == nil {
		sc.at = placeOf(y)
		if f.decode(sc, message) == nil {
			return y
		}
	}
	*y = *x
	return y
}

// leftOut reports whether a request must not have the attribute a.
func (sc *scope) leftOut(a *Attr) bool {
	return a.Flags&ReadOnly != 0 || slices.ContainsFunc(sc.set.Excludes, func(x Exclusion) bool {
		return x.Then == a.Type && sc.set.find(x.If).present(sc.at)
	})
}

// readOnly returns the bits of an attribute that a request must not have.
func (s *Set) readOnly(a *Attr) (mask uint64) {
	for _, b := range s.ReadOnlyBits {
		if b.Type == a.Type {
			mask |= b.Mask
		}
	}
	return mask
}

// writeSettable appends an attribute of a type with the value sc, unless the marks left
// nothing of it.
func (e *encoder) writeSettable(sc *scope, typ uint16) {
	var b wire.Builder
	inner := encoder{e.f, &b}
	inner.writeSet(sc)
	v, err := b.Encode()
	e.b.Fail(err)
	if (len(v) > 0 || sc.isEmpty()) && e.checkLen(sc.up, sc.via, len(v)) {
		e.b.Bytes(typ, v)
	}
}

// isEmpty reports whether sc has no attribute.
func (sc *scope) isEmpty() bool {
	for i := range sc.set.Attrs {
		if sc.set.Attrs[i].present(sc.at) {
			return false
		}
	}
	return len(*sc.at.at(sc.set.Unknown).bytes()) == 0
}
