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
// When the field is sent, it takes what it lacks from the first unknown attribute of its
// type, which is not sent then. So if such an attribute comes again, all of them are kept.

// hasRest reports whether a field may lack something of an attribute.
func (a *Attr) hasRest() bool {
	return a.Flags&Multi == 0 && (a.Kind == Struct || a.Kind == Indexed || a.Kind == SubMessage)
}

// keepOther keeps an attribute that the field of a does not have, of those in b, in the
// struct at x.
func (s *Set) keepOther(x Place, a *Attr, b []byte, r rawAttr) {
	if a.hasRest() && a.present(x) && !s.keeps(x, a.Type) {
		first := cutAttr(b)
		for first.typ() != a.Type {
			b = first.next(b)
			first = cutAttr(b)
		}
		s.keep(x, first)
	}
	s.keep(x, r)
}

// keeps reports whether the unknown attributes of the struct at x have one of a type.
func (s *Set) keeps(x Place, typ uint16) bool {
	kept, _ := s.unknown(x)
	return slices.ContainsFunc(kept, func(r rawAttr) bool { return r.typ() == typ })
}

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

// rest removes the attribute of a type that a field was read from, and returns it. It is
// nil if there is none.
func (k *kept) rest(typ uint16) rawAttr {
	if !k.has(typ) {
		return nil
	}
	r := k.attrs[0]
	k.attrs = k.attrs[1:]
	return r
}
