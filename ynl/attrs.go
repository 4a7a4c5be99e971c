package ynl

import (
	"iter"

	"github.com/nlmux/netlink/wire"
)

// Attrs are attributes as they are in a message: those for which a type has no field.
// The zero value has none. Decoding keeps in it what it does not know, and encoding
// sends it after the fields.
type Attrs []byte

// All returns an iterator over the attributes: the type with its flags, such as
// [wire.NLA_F_NESTED], and the value, which aliases a. It ends at bytes that are no
// attribute.
func (a Attrs) All() iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for attr, err := range wire.Attrs(a) {
			if err != nil || !yield(rawType(attr), attr.Value) {
				return
			}
		}
	}
}

// rawType returns the type of an attribute with its flags.
func rawType(a wire.Attr) uint16 {
	typ := a.Type
	if a.Nested {
		typ |= wire.NLA_F_NESTED
	}
	if a.NetByteOrder {
		typ |= wire.NLA_F_NET_BYTEORDER
	}
	return typ
}

// Add appends an attribute with a copy of the value. typ is sent as given, with its
// flags. Add panics if the value has more than the 65,531 bytes that an attribute can
// hold.
func (a *Attrs) Add(typ uint16, value []byte) {
	var b wire.Builder
	b.Raw(*a)
	b.Bytes(typ, value)
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	*a = p
}
