package table

import (
	"slices"

	"github.com/nlmux/netlink/wire"
)

// The unknown attributes of a value are in wire form, padded, with all 16 bits of their
// types. When it is sent they are among the others in the order of their types.
//
// An attribute of which the field has not all is kept as unknown, too: a struct that is
// longer than described, and elements with other numbers than they would be sent with.
// What the field lacks is sent with it.

// keep adds an attribute to the unknown ones of the struct at x.
func (s *Set) keep(x Place, r rawAttr) {
	kept := x.at(s.Unknown).bytes()
	*kept = append(*kept, r...)
	*kept = append(*kept, make([]byte, align(len(r))-len(r))...)
}

// unknown returns the unknown attributes of the struct at x in ascending order of their
// types. ok is false if they cannot be cut apart.
func (s *Set) unknown(x Place) (kept []rawAttr, ok bool) {
	for b := *x.at(s.Unknown).bytes(); len(b) > 0; {
		r := cutAttr(b)
		if r == nil {
			return nil, false
		}
		kept = append(kept, r)
		b = r.next(b)
	}
	slices.SortStableFunc(kept, func(a, b rawAttr) int { return int(a.typ()) - int(b.typ()) })
	return kept, true
}

// kept are the unknown attributes that are still to be sent.
type kept struct {
	b     *wire.Builder
	attrs []rawAttr
}

// writeBefore appends those of types below typ. The other methods of kept are about
// attributes of a type that is the lowest then.
func (k *kept) writeBefore(typ uint16) {
	for len(k.attrs) > 0 && k.attrs[0].typ() < typ {
		k.b.Raw(k.attrs[0])
		k.attrs = k.attrs[1:]
	}
}

// has reports whether there is an attribute of a type.
func (k *kept) has(typ uint16) bool { return len(k.attrs) > 0 && k.attrs[0].typ() == typ }

// drop removes the attributes of a type.
func (k *kept) drop(typ uint16) {
	for k.has(typ) {
		k.attrs = k.attrs[1:]
	}
}

// tail removes an attribute with a value of more than n bytes and returns its type, with
// the flags, and the bytes after them. Without one it returns typ and nil.
func (k *kept) tail(typ uint16, n int) (uint16, []byte) {
	if !k.has(typ) || len(k.attrs[0].value()) <= n {
		return typ, nil
	}
	r := k.attrs[0]
	k.attrs = k.attrs[1:]
	return ne.Uint16(r[2:]), r.value()[n:]
}

// numbers removes an attribute with elements that are not numbered from first on and
// returns its type, with the flags, and their numbers. Without one it returns typ, as that
// of a nest, and nil.
func (k *kept) numbers(typ, first uint16) (uint16, []uint16) {
	nested := typ | wire.NLA_F_NESTED
	if !k.has(typ) {
		return nested, nil
	}
	var numbers []uint16
	r := k.attrs[0]
	renumbered := false
	for b := r.value(); len(b) > 0; first++ {
		e := cutAttr(b)
		if e == nil {
			return nested, nil
		}
		renumbered = renumbered || e.typ() != first
		numbers = append(numbers, e.typ())
		b = e.next(b)
	}
	if !renumbered {
		return nested, nil
	}
	k.attrs = k.attrs[1:]
	return ne.Uint16(r[2:]), numbers
}
