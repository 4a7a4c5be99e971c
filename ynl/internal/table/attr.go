package table

import (
	"encoding/binary"
	"slices"
)

const (
	headerLen   = 4 // of an attribute
	maxValueLen = 1<<16 - 1 - headerLen
	typeMask    = 1<<14 - 1 // of an attribute's type without its flags
)

var ne = binary.NativeEndian

// rawAttr is an attribute as it is on the wire, with its header and without padding.
type rawAttr []byte

// cutAttr returns the attribute at the head of b, nil if its header or value are
// incomplete.
func cutAttr(b []byte) rawAttr {
	if len(b) < headerLen {
		return nil
	}
	n := int(ne.Uint16(b))
	if n < headerLen || n > len(b) {
		return nil
	}
	return rawAttr(b[:n])
}

// next returns the bytes of b after r, which is at its head, and after the padding of r,
// which may be missing at the end of b.
func (r rawAttr) next(b []byte) []byte { return b[min(align(len(r)), len(b)):] }

// align returns n rounded up to the alignment of attributes.
func align(n int) int { return (n + 3) &^ 3 }

// areAttrs reports whether b can be cut into attributes.
func areAttrs(b []byte) bool {
	for len(b) > 0 {
		r := cutAttr(b)
		if r == nil {
			return false
		}
		b = r.next(b)
	}
	return true
}

// typ returns the type without its flags.
func (r rawAttr) typ() uint16 { return ne.Uint16(r[2:]) & typeMask }

// rawType returns the type with its flags.
func (r rawAttr) rawType() uint16 { return ne.Uint16(r[2:]) }

func (r rawAttr) value() []byte { return r[headerLen:] }

// guess returns the row of an attribute if the set has all types from 1 on, as most have,
// and otherwise another row or nil.
func (s *Set) guess(typ uint16) *Attr {
	if i := int(typ) - 1; uint(i) < uint(len(s.Attrs)) {
		return &s.Attrs[i]
	}
	return nil
}

// find returns the row of an attribute, nil if the set has none.
func (s *Set) find(typ uint16) *Attr {
	if a := s.guess(typ); a != nil && a.Type == typ {
		return a
	}
	return s.search(typ)
}

func (s *Set) search(typ uint16) *Attr {
	i, ok := slices.BinarySearchFunc(s.Attrs, typ, func(a Attr, typ uint16) int { return int(a.Type) - int(typ) })
	if !ok {
		return nil
	}
	return &s.Attrs[i]
}

// named returns the row of the attribute with a name, nil if the set has none.
func (s *Set) named(name string) *Attr {
	for i := range s.Attrs {
		if s.Attrs[i].Name == name {
			return &s.Attrs[i]
		}
	}
	return nil
}

// present reports whether the struct at x has the attribute.
func (a *Attr) present(x Place) bool {
	x = x.at(a.Off)
	if a.Kind >= Binary || a.Flags&Multi != 0 {
		return !x.ref().isNil()
	}
	if a.Kind >= Addr {
		return x.addr().IsValid()
	}
	return a.Kind >= Flag && *x.at(a.Set).bool()
}
