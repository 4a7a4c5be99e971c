package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxValueLen is the maximum size of an attribute's value in bytes: its length field
// has 16 bits and counts its header.
const maxValueLen = math.MaxUint16 - attrHeaderLen

// errOpenNest reports a nest that was not closed in its turn: its function panicked, or
// called Encode or Reset.
var errOpenNest = errors.New("wire: nest is not closed")

// Builder encodes the payload of a message: a family's header and attributes, in the
// order of the calls. Its zero value is ready for use. [Builder.Reset] makes it ready
// again and keeps its memory. A Builder must not be used by two goroutines at once.
//
// A type is sent as given. Add the flags [NLA_F_NESTED] and [NLA_F_NET_BYTEORDER] to it
// for a family that requires them, as ipset requires the latter. Only [Builder.Nest]
// sets a flag.
//
// The first error sticks: later calls add nothing, and [Builder.Encode] returns it. A
// value of more than 65,531 bytes is an error. [Builder.Fail] adds an error of the
// caller.
type Builder struct {
	buf  []byte
	open int // offset after the header of the innermost open nest, 0 if none
	err  error
}

// Reset discards the payload and the error, and keeps the memory.
func (b *Builder) Reset() {
	b.buf, b.open, b.err = b.buf[:0], 0, nil
}

// Encode returns the payload, or the first error. The bytes belong to the Builder and
// are valid until its next use; a request that is sent before then needs no copy. The
// payload includes the padding of its last attribute.
func (b *Builder) Encode() ([]byte, error) {
	if b.err == nil && b.open != 0 {
		b.err = errOpenNest
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.buf[:len(b.buf):len(b.buf)], nil
}

// Len returns the number of bytes that were appended, with padding.
func (b *Builder) Len() int { return len(b.buf) }

// Fail sets the error that [Builder.Encode] returns, unless there is one already. It is
// for a caller that finds a value that cannot be encoded. A nil err has no effect.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Extend appends n zero bytes, padded to 4 bytes, and returns the n bytes. The caller
// fills them in before the next call of a method; it is for a fixed header that is
// encoded in place. After an error the bytes are not part of a payload.
func (b *Builder) Extend(n int) []byte {
	if b.err != nil {
		return make([]byte, n)
	}
	start := len(b.buf)
	padded := n + -n&3
	b.buf = slices.Grow(b.buf, padded)[:start+padded]
	clear(b.buf[start:])
	return b.buf[start : start+n : start+n]
}

// Reserve appends an attribute with a value of n zero bytes, and returns them to be
// filled in as those of [Builder.Extend].
func (b *Builder) Reserve(typ uint16, n int) []byte {
	b.header(typ, n)
	return b.Extend(n)
}

// Raw appends encoded bytes, such as attributes of another message. They are copied and
// padded to 4 bytes.
func (b *Builder) Raw(p []byte) {
	if b.err != nil {
		return
	}
	b.buf = appendPadding(append(b.buf, p...), len(p))
}

// Bytes appends an attribute with the value p, which is copied.
func (b *Builder) Bytes(typ uint16, p []byte) {
	if b.header(typ, len(p)) {
		b.Raw(p)
	}
}

// String appends an attribute with the value s and a terminating NUL. A NUL in
// s is an error, because the kernel's string would end there.
func (b *Builder) String(typ uint16, s string) {
	if b.err == nil && strings.IndexByte(s, 0) >= 0 {
		b.err = fmt.Errorf("wire: attribute type %d: NUL in string %q", typ&attrTypeMask, s)
	}
	if b.header(typ, len(s)+1) {
		b.buf = append(b.buf, s...)
		b.buf = append(b.buf, 0)
		b.buf = appendPadding(b.buf, len(s)+1)
	}
}

// Flag appends an attribute without a value, whose presence is its value.
func (b *Builder) Flag(typ uint16) { b.header(typ, 0) }

// Nest appends an attribute with the value that f appends to b, and sets
// [NLA_F_NESTED]. After an error it does not call f. If f panics, or calls Encode or
// Reset, the nest stays open, and Encode returns an error until Reset.
func (b *Builder) Nest(typ uint16, f func(b *Builder)) {
	if m := b.Open(typ | NLA_F_NESTED); b.err == nil {
		f(b)
		b.Close(m)
	}
}

// Mark is a nest that [Builder.Open] began.
type Mark struct {
	start int // offset after its header
	outer int // Builder.open before it
}

// Open begins an attribute with the value that is appended until [Builder.Close]. It is
// [Builder.Nest] without a function, and sets no flag of the type.
func (b *Builder) Open(typ uint16) Mark {
	if !b.header(typ, 0) {
		return Mark{}
	}
	m := Mark{start: len(b.buf), outer: b.open}
	b.open = m.start
	return m
}

// Close ends the nest m. Nests in it must be closed before, and it must not be closed
// already: that is an error that sticks.
func (b *Builder) Close(m Mark) {
	if b.err != nil {
		return
	}
	if m.start == 0 || b.open != m.start {
		b.err = errOpenNest
		return
	}
	b.open = m.outer
	header := b.buf[m.start-attrHeaderLen:]
	typ := binary.NativeEndian.Uint16(header[2:])
	if n := len(b.buf) - m.start; b.fits(typ, n) {
		binary.NativeEndian.PutUint16(header, uint16(attrHeaderLen+n))
	}
}

// header appends the header of an attribute with a value of n bytes. It reports whether
// the value may be appended.
func (b *Builder) header(typ uint16, n int) bool {
	if !b.fits(typ, n) {
		return false
	}
	b.buf = binary.NativeEndian.AppendUint16(b.buf, uint16(attrHeaderLen+n))
	b.buf = binary.NativeEndian.AppendUint16(b.buf, typ)
	return true
}

// fits reports whether there is no error and a value of n bytes is small enough.
func (b *Builder) fits(typ uint16, n int) bool {
	if b.err == nil && n > maxValueLen {
		b.err = fmt.Errorf("wire: attribute type %d: value of %d bytes, at most %d fit", typ&attrTypeMask, n, maxValueLen)
	}
	return b.err == nil
}

// Uint8 appends a 1-byte attribute.
func (b *Builder) Uint8(typ uint16, v uint8) {
	if b.header(typ, 1) {
		b.buf = append(b.buf, v, 0, 0, 0)
	}
}

// Uint16 appends a 2-byte attribute.
func (b *Builder) Uint16(typ uint16, v uint16) {
	if b.header(typ, 2) {
		b.buf = append(binary.NativeEndian.AppendUint16(b.buf, v), 0, 0)
	}
}

// Uint32 appends a 4-byte attribute.
func (b *Builder) Uint32(typ uint16, v uint32) {
	if b.header(typ, 4) {
		b.buf = binary.NativeEndian.AppendUint32(b.buf, v)
	}
}

// Uint64 appends an 8-byte attribute, aligned to 4 bytes like any other.
func (b *Builder) Uint64(typ uint16, v uint64) {
	if b.header(typ, 8) {
		b.buf = binary.NativeEndian.AppendUint64(b.buf, v)
	}
}

// Uint16BE appends a 2-byte attribute in big endian.
func (b *Builder) Uint16BE(typ uint16, v uint16) {
	if b.header(typ, 2) {
		b.buf = append(binary.BigEndian.AppendUint16(b.buf, v), 0, 0)
	}
}

// Uint32BE appends a 4-byte attribute in big endian.
func (b *Builder) Uint32BE(typ uint16, v uint32) {
	if b.header(typ, 4) {
		b.buf = binary.BigEndian.AppendUint32(b.buf, v)
	}
}

// Uint64BE appends an 8-byte attribute in big endian.
func (b *Builder) Uint64BE(typ uint16, v uint64) {
	if b.header(typ, 8) {
		b.buf = binary.BigEndian.AppendUint64(b.buf, v)
	}
}

// Int8 is [Builder.Uint8] for a signed value.
func (b *Builder) Int8(typ uint16, v int8) { b.Uint8(typ, uint8(v)) }

// Int16 is [Builder.Uint16] for a signed value.
func (b *Builder) Int16(typ uint16, v int16) { b.Uint16(typ, uint16(v)) }

// Int32 is [Builder.Uint32] for a signed value.
func (b *Builder) Int32(typ uint16, v int32) { b.Uint32(typ, uint32(v)) }

// Int64 is [Builder.Uint64] for a signed value.
func (b *Builder) Int64(typ uint16, v int64) { b.Uint64(typ, uint64(v)) }

// Int16BE is [Builder.Uint16BE] for a signed value.
func (b *Builder) Int16BE(typ uint16, v int16) { b.Uint16BE(typ, uint16(v)) }

// Int32BE is [Builder.Uint32BE] for a signed value.
func (b *Builder) Int32BE(typ uint16, v int32) { b.Uint32BE(typ, uint32(v)) }

// Int64BE is [Builder.Uint64BE] for a signed value.
func (b *Builder) Int64BE(typ uint16, v int64) { b.Uint64BE(typ, uint64(v)) }

// Uint appends an attribute of the kernel's type uint: 4 bytes if v fits them,
// otherwise 8.
func (b *Builder) Uint(typ uint16, v uint64) {
	if v == uint64(uint32(v)) {
		b.Uint32(typ, uint32(v))
	} else {
		b.Uint64(typ, v)
	}
}

// Int appends an attribute of the kernel's type sint: 4 bytes if v fits them,
// otherwise 8.
func (b *Builder) Int(typ uint16, v int64) {
	if v == int64(int32(v)) {
		b.Int32(typ, int32(v))
	} else {
		b.Int64(typ, v)
	}
}
