package table

import (
	"slices"

	"github.com/nlmux/netlink/wire"
)

// Settable returns a copy of x without what the marks of the rows say that a request must
// not carry. If x cannot be encoded the copy has all of x, and shares its memory.
func Settable[T any](f *Family, set uint16, x *T) *T {
	if x == nil {
		return nil
	}
	y := new(T)
	if !f.settable(set, placeOf(x), placeOf(y)) {
		*y = *x
	}
	return y
}

// settable encodes x without what is marked, and decodes that into y. It reports whether
// x can be encoded.
func (f *Family) settable(set uint16, x, y Place) bool {
	var b wire.Builder
	f.encode(set, x, &b, true)
	message, err := b.Encode()
	return err == nil && f.decode(set, y, message, true) == nil
}

// leftOut reports whether a request with the struct at x must not have the attribute a.
func (s *Set) leftOut(a *Attr, x Place) bool {
	return a.Flags&ReadOnly != 0 || slices.ContainsFunc(s.Excludes, func(e Exclusion) bool {
		return e.Then == a.Type && s.find(e.If).present(x)
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

// writeSettable appends the nest a, which is at x, unless only the marks make it empty.
func (e *encoder) writeSettable(a *Attr, x Place) {
	var b wire.Builder
	inner := encoder{e.walk, &b}
	inner.writeNest(a, a.Ref, a.Flags&Header != 0, a.Type, x)
	v, err := b.Encode()
	e.b.Fail(err)
	if len(v) > headerLen || e.f.Sets[a.Ref-1].isEmpty(x) {
		e.b.Raw(v)
	}
}

// isEmpty reports whether the struct at x has no attribute.
func (s *Set) isEmpty(x Place) bool {
	for i := range s.Attrs {
		if s.Attrs[i].present(x) {
			return false
		}
	}
	return len(*x.at(s.Unknown).bytes()) == 0
}
