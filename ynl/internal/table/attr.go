package table

import (
	"encoding/binary"
	"sort"
)

const (
	headerLen   = 4 // of an attribute
	maxValueLen = 1<<16 - 1 - headerLen
	typeMask    = 1<<14 - 1 // of an attribute's type without its flags
)

var ne = binary.NativeEndian

// rawAttr is an attribute as it is on the wire, with its header and without padding.
type rawAttr []byte

// cutAttr returns the attribute at the head of b and the bytes after its padding, which
// may be missing at the end of b. The attribute is nil if its header or value are
// missing.
func cutAttr(b []byte) (r rawAttr, rest []byte) {
	if len(b) < headerLen {
		return nil, nil
	}
	n := int(ne.Uint16(b))
	if n < headerLen || n > len(b) {
		return nil, nil
	}
	return rawAttr(b[:n:n]), b[min(align(n), len(b)):]
}

// align returns n rounded up to the alignment of attributes.
func align(n int) int { return (n + 3) &^ 3 }

// areAttrs reports whether b can be cut into attributes.
func areAttrs(b []byte) bool {
	for len(b) > 0 {
		var r rawAttr
		if r, b = cutAttr(b); r == nil {
			return false
		}
	}
	return true
}

// typ returns the type without its flags.
func (r rawAttr) typ() uint16 { return ne.Uint16(r[2:]) & typeMask }

func (r rawAttr) value() []byte { return r[headerLen:] }

// find returns the row of an attribute, nil if the set has none.
func (s *Set) find(typ uint16) *Attr {
	// Most sets have all types from 0 or 1 on.
	if i := int(typ) - int(s.first()); uint(i) < uint(len(s.Attrs)) && s.Attrs[i].Type == typ {
		return &s.Attrs[i]
	}
	return s.search(typ)
}

func (s *Set) first() uint16 {
	if len(s.Attrs) == 0 {
		return 0
	}
	return s.Attrs[0].Type
}

func (s *Set) search(typ uint16) *Attr {
	i := sort.Search(len(s.Attrs), func(i int) bool { return s.Attrs[i].Type >= typ })
	if i < len(s.Attrs) && s.Attrs[i].Type == typ {
		return &s.Attrs[i]
	}
	return nil
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
	switch {
	case a.Flags&Multi != 0 || a.Kind >= Binary:
		return !x.at(a.Off).ref().isNil()
	case a.Kind >= Addr:
		return x.at(a.Off).addr().IsValid()
	case a.Kind >= Flag:
		return *x.at(a.Off + a.Set).bool()
	}
	return false
}

// The unknown attributes of a value are in wire form, padded, with all 16 bits of their
// types.

// keep adds an attribute to the unknown ones of the struct at x.
func (s *Set) keep(x Place, r rawAttr) {
	kept := x.at(s.Unknown).bytes()
	*kept = append(*kept, r...)
	*kept = append(*kept, make([]byte, align(len(r))-len(r))...)
}

// unknown returns the unknown attributes of the struct at x in ascending order of their
// types. ok is false if they cannot be cut apart.
func (s *Set) unknown(x Place) (kept []rawAttr, ok bool) {
	sorted := true
	for b := *x.at(s.Unknown).bytes(); len(b) > 0; {
		var r rawAttr
		if r, b = cutAttr(b); r == nil {
			return nil, false
		}
		sorted = sorted && (len(kept) == 0 || kept[len(kept)-1].typ() <= r.typ())
		kept = append(kept, r)
	}
	if !sorted {
		sort.SliceStable(kept, func(i, j int) bool { return kept[i].typ() < kept[j].typ() })
	}
	return kept, true
}
