package ethtool

import (
	"encoding/binary"

	"github.com/nlmux/netlink/ynl"
)

// Dev returns the header of a request about the device with a name. A dump of all devices
// has an empty header; before Linux 5.13 the kernel refuses one without.
func Dev(name string) *Header { return &Header{DevName: ynl.Some(name)} }

// A bitset has two forms on the wire. The one that the kernel sends by default lists bits by
// index and name, in Bits: all that are known, each with its value, or only those that are
// set if Nomask is true. The other one, compact, comes if the request's header has the flag
// ETHTOOL_FLAG_COMPACT_BITSETS: a bitmap in Value, and in Mask which bits are known.

// Names returns the names of the bits that are set, in the order of their indices. A
// compact bitset has no names.
func (b *Bitset) Names() []string {
	var names []string
	for _, bit := range b.list() {
		if b.isSet(&bit) {
			names = append(names, bit.Name.Value)
		}
	}
	return names
}

// Has reports whether the bit with a name is set. A compact bitset has no names.
func (b *Bitset) Has(name string) bool {
	for _, bit := range b.list() {
		if bit.Name.Value == name {
			return b.isSet(&bit)
		}
	}
	return false
}

// HasIndex reports whether the bit with an index is set.
func (b *Bitset) HasIndex(i uint32) bool {
	for _, bit := range b.list() {
		if bit.Index.Set && bit.Index.Value == i {
			return b.isSet(&bit)
		}
	}
	if b == nil || uint64(len(b.Value)) < 4*(uint64(i)/32+1) {
		return false
	}
	return binary.NativeEndian.Uint32(b.Value[i/32*4:])&(1<<(i%32)) != 0
}

// Set makes the bitset of a request change the bit with a name, beside others that it
// changes already, and returns it. The bitset must not be compact.
func (b *Bitset) Set(name string, on bool) *Bitset {
	if b.Bits == nil {
		b.Bits = &BitsetBits{}
	}
	for i := range b.Bits.Bit {
		if bit := &b.Bits.Bit[i]; bit.Name.Value == name {
			bit.Value = on
			return b
		}
	}
	b.Bits.Bit = append(b.Bits.Bit, BitsetBit{Name: ynl.Some(name), Value: on})
	return b
}

// list returns the bits of a bitset that is not compact.
func (b *Bitset) list() []BitsetBit {
	if b == nil || b.Bits == nil {
		return nil
	}
	return b.Bits.Bit
}

// isSet reports whether a bit of the list is set.
func (b *Bitset) isSet(bit *BitsetBit) bool { return b.Nomask || bit.Value }
