package wire

// Decoder reads attributes in order and keeps the first error, so that a loop checks it
// once, at its end:
//
//	var h unix.IfInfomsg
//	attrs, err := m.Struct(&h)
//	if err != nil {
//		return err
//	}
//	d := wire.NewDecoder(attrs)
//	for d.Next() {
//		switch d.Type() {
//		case unix.IFLA_IFNAME:
//			link.Name = d.String()
//		case unix.IFLA_MTU:
//			link.MTU = d.Uint32()
//		case unix.IFLA_LINKINFO:
//			d.Nest(func() {
//				for d.Next() {
//					...
//				}
//			})
//		}
//	}
//	return d.Err()
//
// The getters are those of [Attr]: the integers take a value of exactly their size, in
// the machine's byte order or in big endian if their name ends in BE. For a value of
// another size they return 0, and the loop ends with an error that wraps
// [ErrMalformed]. They may be called any number of times between two calls of Next.
// Before the first and after the last attribute they return those of an attribute of
// type 0 without a value.
//
// The zero value has no attributes. A Decoder must not be used by two goroutines at
// once. Only String and errors allocate.
type Decoder struct {
	attr Attr
	rest []byte // the bytes after attr
	err  error
}

// NewDecoder returns a Decoder for the attributes in b: a message's payload after the
// family's header, or a nest's value. Values alias b.
func NewDecoder(b []byte) Decoder { return Decoder{rest: b} }

// Next advances to the next attribute, and reports whether there is one. There is none
// after an error.
func (d *Decoder) Next() bool {
	if len(d.rest) == 0 || d.err != nil {
		d.attr = Attr{}
		return false
	}
	d.attr, d.rest, d.err = NextAttr(d.rest)
	return d.err == nil
}

// Nest lets f read the attributes in the value, with d. Afterwards d is back at the
// nest, wherever f stopped. [NLA_F_NESTED] need not be set. An error ends the loop in f
// and the one around it.
func (d *Decoder) Nest(f func()) {
	// NB: f gets no Decoder as an argument, which would be allocated.
	attr, rest := d.attr, d.rest
	d.attr, d.rest = Attr{}, attr.Value
	f()
	d.attr, d.rest = attr, rest
}

// Err returns the first error, and nil if there is none.
func (d *Decoder) Err() error { return d.err }

// Fail ends the loop with an error of the caller, such as that of a value out of range,
// unless there is one already. A nil error has no effect.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Attr returns the attribute itself.
func (d *Decoder) Attr() Attr { return d.attr }

// Type returns the attribute's type, without the flags.
func (d *Decoder) Type() uint16 { return d.attr.Type }

// Bytes returns the value. It aliases the buffer that is read.
func (d *Decoder) Bytes() []byte { return d.attr.Value }

// String returns a copy of the value up to its first NUL, or all of it if there
// is none.
func (d *Decoder) String() string { return d.attr.String() }

// Uint8 returns the value of a 1-byte attribute.
func (d *Decoder) Uint8() uint8 { return got(d, Attr.Uint8) }

// Uint16 returns the value of a 2-byte attribute.
func (d *Decoder) Uint16() uint16 { return got(d, Attr.Uint16) }

// Uint32 returns the value of a 4-byte attribute.
func (d *Decoder) Uint32() uint32 { return got(d, Attr.Uint32) }

// Uint64 returns the value of an 8-byte attribute.
func (d *Decoder) Uint64() uint64 { return got(d, Attr.Uint64) }

// Uint16BE returns the value of a 2-byte attribute in big endian.
func (d *Decoder) Uint16BE() uint16 { return got(d, Attr.Uint16BE) }

// Uint32BE returns the value of a 4-byte attribute in big endian.
func (d *Decoder) Uint32BE() uint32 { return got(d, Attr.Uint32BE) }

// Uint64BE returns the value of an 8-byte attribute in big endian.
func (d *Decoder) Uint64BE() uint64 { return got(d, Attr.Uint64BE) }

// Int8 is [Decoder.Uint8] for a signed value.
func (d *Decoder) Int8() int8 { return int8(d.Uint8()) }

// Int16 is [Decoder.Uint16] for a signed value.
func (d *Decoder) Int16() int16 { return int16(d.Uint16()) }

// Int32 is [Decoder.Uint32] for a signed value.
func (d *Decoder) Int32() int32 { return int32(d.Uint32()) }

// Int64 is [Decoder.Uint64] for a signed value.
func (d *Decoder) Int64() int64 { return int64(d.Uint64()) }

// Int16BE is [Decoder.Uint16BE] for a signed value.
func (d *Decoder) Int16BE() int16 { return int16(d.Uint16BE()) }

// Int32BE is [Decoder.Uint32BE] for a signed value.
func (d *Decoder) Int32BE() int32 { return int32(d.Uint32BE()) }

// Int64BE is [Decoder.Uint64BE] for a signed value.
func (d *Decoder) Int64BE() int64 { return int64(d.Uint64BE()) }

// Uint returns the value of an attribute of the kernel's type uint, see
// [Attr.Uint].
func (d *Decoder) Uint() uint64 { return got(d, Attr.Uint) }

// Int returns the value of an attribute of the kernel's type sint, see
// [Attr.Int].
func (d *Decoder) Int() int64 { return got(d, Attr.Int) }

// got returns the result of a getter and keeps its error.
func got[T any](d *Decoder, get func(Attr) (T, error)) T {
	v, err := get(d.attr)
	d.Fail(err)
	return v
}
