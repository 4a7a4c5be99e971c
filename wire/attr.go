package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
)

// Flags in the type field of an attribute (include/uapi/linux/netlink.h).
const (
	NLA_F_NESTED        uint16 = 1 << 15 // the value is a list of attributes
	NLA_F_NET_BYTEORDER uint16 = 1 << 14 // the value is a big-endian integer

	attrTypeMask = ^(NLA_F_NESTED | NLA_F_NET_BYTEORDER)
)

// attrHeaderLen is the size of struct nlattr in bytes.
const attrHeaderLen = 4

// Attr is one attribute, struct nlattr with its value.
//
// The integer getters take a value of exactly their size and read it in the machine's
// byte order, or in big endian if their name ends in BE. A value of another size is an
// error that wraps [ErrMalformed]. They ignore NetByteOrder: nf_tables, for example,
// sends big-endian integers without the flag.
type Attr struct {
	Type         uint16 // without the flags
	Nested       bool   // NLA_F_NESTED; older families do not set it
	NetByteOrder bool   // NLA_F_NET_BYTEORDER; not every family sets it
	// Value is the bytes after the header, without padding. It aliases the buffer that
	// was read; its capacity is its length.
	Value []byte
}

// NextAttr reads the attribute at the head of b and returns it and the bytes after its
// padding. The value aliases b. The last attribute may lack its padding. NextAttr
// allocates only for an error, which wraps [ErrMalformed]; then the attribute is zero
// and rest is nil.
func NextAttr(b []byte) (a Attr, rest []byte, err error) {
	if len(b) < attrHeaderLen {
		return Attr{}, nil, &lengthError{"attribute header", attrHeaderLen, len(b)}
	}
	n := int(binary.NativeEndian.Uint16(b[0:]))
	if n < attrHeaderLen || n > len(b) {
		return Attr{}, nil, &lengthError{"attribute", int64(n), len(b)}
	}
	typ := binary.NativeEndian.Uint16(b[2:])
	a = Attr{
		Type:         typ & attrTypeMask,
		Nested:       typ&NLA_F_NESTED != 0,
		NetByteOrder: typ&NLA_F_NET_BYTEORDER != 0,
		Value:        b[attrHeaderLen:n:n],
	}
	return a, skipPadding(b[n:], n), nil
}

// Attrs returns an iterator over the attributes in b: a message's payload after the
// family's header, or a nest's value. Their values alias b. It ends after the last
// attribute, or after yielding the first error of [NextAttr], since nothing after a
// wrong length can be found.
func Attrs(b []byte) iter.Seq2[Attr, error] {
	return func(yield func(Attr, error) bool) {
		for rest := b; len(rest) > 0; {
			var a Attr
			var err error
			a, rest, err = NextAttr(rest)
			if !yield(a, err) {
				return
			}
		}
	}
}

// Attrs returns an iterator over the attributes in a's value, like the function
// [Attrs]. Nested need not be set.
func (a Attr) Attrs() iter.Seq2[Attr, error] { return Attrs(a.Value) }

// Bytes returns the value. It aliases the buffer that was read: use [bytes.Clone] to
// keep it.
func (a Attr) Bytes() []byte { return a.Value }

// String returns a copy of the value up to its first NUL, or all of it if there
// is none.
func (a Attr) String() string {
	s, _, _ := bytes.Cut(a.Value, []byte{0})
	return string(s)
}

// Format prints, with %v, the type, the flags that are set and the bytes of the value,
// such as "type 3: 6c 6f 00". With %s and %q it prints [Attr.String].
func (a Attr) Format(f fmt.State, verb rune) {
	if verb == 's' || verb == 'q' {
		fmt.Fprintf(f, fmt.FormatString(f, verb), a.String())
		return
	}
	fmt.Fprintf(f, "type %d", a.Type)
	if a.Nested {
		fmt.Fprint(f, " nested")
	}
	if a.NetByteOrder {
		fmt.Fprint(f, " big-endian")
	}
	fmt.Fprintf(f, ": % x", a.Value)
}

// Uint8 returns the value of a 1-byte attribute.
func (a Attr) Uint8() (uint8, error) {
	if len(a.Value) != 1 {
		return 0, a.sizeError("1")
	}
	return a.Value[0], nil
}

// Uint16 returns the value of a 2-byte attribute.
func (a Attr) Uint16() (uint16, error) {
	if len(a.Value) != 2 {
		return 0, a.sizeError("2")
	}
	return binary.NativeEndian.Uint16(a.Value), nil
}

// Uint32 returns the value of a 4-byte attribute.
func (a Attr) Uint32() (uint32, error) {
	if len(a.Value) != 4 {
		return 0, a.sizeError("4")
	}
	return binary.NativeEndian.Uint32(a.Value), nil
}

// Uint64 returns the value of an 8-byte attribute.
func (a Attr) Uint64() (uint64, error) {
	if len(a.Value) != 8 {
		return 0, a.sizeError("8")
	}
	return binary.NativeEndian.Uint64(a.Value), nil
}

// Uint16BE returns the value of a 2-byte attribute in big endian.
func (a Attr) Uint16BE() (uint16, error) {
	if len(a.Value) != 2 {
		return 0, a.sizeError("2")
	}
	return binary.BigEndian.Uint16(a.Value), nil
}

// Uint32BE returns the value of a 4-byte attribute in big endian.
func (a Attr) Uint32BE() (uint32, error) {
	if len(a.Value) != 4 {
		return 0, a.sizeError("4")
	}
	return binary.BigEndian.Uint32(a.Value), nil
}

// Uint64BE returns the value of an 8-byte attribute in big endian.
func (a Attr) Uint64BE() (uint64, error) {
	if len(a.Value) != 8 {
		return 0, a.sizeError("8")
	}
	return binary.BigEndian.Uint64(a.Value), nil
}

// Int8 is [Attr.Uint8] for a signed value.
func (a Attr) Int8() (int8, error) {
	v, err := a.Uint8()
	return int8(v), err
}

// Int16 is [Attr.Uint16] for a signed value.
func (a Attr) Int16() (int16, error) {
	v, err := a.Uint16()
	return int16(v), err
}

// Int32 is [Attr.Uint32] for a signed value.
func (a Attr) Int32() (int32, error) {
	v, err := a.Uint32()
	return int32(v), err
}

// Int64 is [Attr.Uint64] for a signed value.
func (a Attr) Int64() (int64, error) {
	v, err := a.Uint64()
	return int64(v), err
}

// Int16BE is [Attr.Uint16BE] for a signed value.
func (a Attr) Int16BE() (int16, error) {
	v, err := a.Uint16BE()
	return int16(v), err
}

// Int32BE is [Attr.Uint32BE] for a signed value.
func (a Attr) Int32BE() (int32, error) {
	v, err := a.Uint32BE()
	return int32(v), err
}

// Int64BE is [Attr.Uint64BE] for a signed value.
func (a Attr) Int64BE() (int64, error) {
	v, err := a.Uint64BE()
	return int64(v), err
}

// Uint returns the value of an attribute of the kernel's type uint, which has 4 or 8
// bytes (nla_put_uint in include/net/netlink.h).
func (a Attr) Uint() (uint64, error) {
	switch len(a.Value) {
	case 4:
		return uint64(binary.NativeEndian.Uint32(a.Value)), nil
	case 8:
		return binary.NativeEndian.Uint64(a.Value), nil
	}
	return 0, a.sizeError("4 or 8")
}

// Int returns the value of an attribute of the kernel's type sint, which has 4 or 8
// bytes (nla_put_sint in include/net/netlink.h).
func (a Attr) Int() (int64, error) {
	switch len(a.Value) {
	case 4:
		return int64(int32(binary.NativeEndian.Uint32(a.Value))), nil
	case 8:
		return int64(binary.NativeEndian.Uint64(a.Value)), nil
	}
	return 0, a.sizeError("4 or 8")
}

// sizeError reports a value that is not want bytes long.
func (a Attr) sizeError(want string) error {
	return fmt.Errorf("%w: attribute type %d has %d bytes, want %s", ErrMalformed, a.Type, len(a.Value), want)
}
