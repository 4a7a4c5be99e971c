package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// encode returns what f builds.
func encode(t *testing.T, f func(*wire.Builder)) []byte {
	t.Helper()
	var b wire.Builder
	f(&b)
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBuilder(t *testing.T) {
	attr := func(length, typ uint16, rest ...any) []byte {
		return append(native(length, typ), native(rest...)...)
	}
	type B = wire.Builder
	for _, tt := range []struct {
		name  string
		build func(*B)
		want  []byte
	}{
		{"nothing", func(*B) {}, nil},
		{"Struct", func(b *B) { b.Struct([]byte("abcde")) }, []byte("abcde\x00\x00\x00")},
		{"Raw", func(b *B) { b.Raw([]byte("abcdef")) }, []byte("abcdef\x00\x00")},
		{"Bytes", func(b *B) { b.Bytes(5, []byte("abc")) }, attr(7, 5, "abc\x00")},
		{"Bytes empty", func(b *B) { b.Bytes(5, nil) }, attr(4, 5)},
		{"String", func(b *B) { b.String(5, "abc") }, attr(8, 5, "abc\x00")},
		{"String padded", func(b *B) { b.String(5, "ab") }, attr(7, 5, "ab\x00\x00")},
		{"String empty", func(b *B) { b.String(5, "") }, attr(5, 5, "\x00\x00\x00\x00")},
		{"Flag", func(b *B) { b.Flag(5) }, attr(4, 5)},
		{"Uint8", func(b *B) { b.Uint8(5, 0xfe) }, attr(5, 5, "\xfe\x00\x00\x00")},
		{"Uint16", func(b *B) { b.Uint16(5, 0xfedc) }, attr(6, 5, uint16(0xfedc), "\x00\x00")},
		{"Uint32", func(b *B) { b.Uint32(5, 0xfedcba98) }, attr(8, 5, uint32(0xfedcba98))},
		{"Uint64", func(b *B) { b.Uint64(5, 0xfedcba9876543210) }, attr(12, 5, uint64(0xfedcba9876543210))},
		{"Uint16BE", func(b *B) { b.Uint16BE(5, 0xfedc) }, attr(6, 5, "\xfe\xdc\x00\x00")},
		{"Uint32BE", func(b *B) { b.Uint32BE(5, 0xfedcba98) }, attr(8, 5, "\xfe\xdc\xba\x98")},
		{"Uint64BE", func(b *B) { b.Uint64BE(5, 0xfedcba9876543210) }, attr(12, 5, "\xfe\xdc\xba\x98\x76\x54\x32\x10")},
		{"Int8", func(b *B) { b.Int8(5, -2) }, attr(5, 5, "\xfe\x00\x00\x00")},
		{"Int16", func(b *B) { b.Int16(5, -300) }, attr(6, 5, int16(-300), "\x00\x00")},
		{"Int32", func(b *B) { b.Int32(5, -70000) }, attr(8, 5, int32(-70000))},
		{"Int64", func(b *B) { b.Int64(5, -1<<40) }, attr(12, 5, int64(-1<<40))},
		{"Int16BE", func(b *B) { b.Int16BE(5, -2) }, attr(6, 5, "\xff\xfe\x00\x00")},
		{"Int32BE", func(b *B) { b.Int32BE(5, -2) }, attr(8, 5, "\xff\xff\xff\xfe")},
		{"Int64BE", func(b *B) { b.Int64BE(5, -2) }, attr(12, 5, "\xff\xff\xff\xff\xff\xff\xff\xfe")},
		{"Uint in 4", func(b *B) { b.Uint(5, 1<<32-1) }, attr(8, 5, uint32(1<<32-1))},
		{"Uint in 8", func(b *B) { b.Uint(5, 1<<32) }, attr(12, 5, uint64(1<<32))},
		{"Int in 4", func(b *B) { b.Int(5, -1<<31) }, attr(8, 5, int32(-1<<31))},
		{"Int in 8, low", func(b *B) { b.Int(5, -1<<31-1) }, attr(12, 5, int64(-1<<31-1))},
		{"Int in 8, high", func(b *B) { b.Int(5, 1<<31) }, attr(12, 5, int64(1<<31))},
		{"flags in a type", func(b *B) { b.Uint16BE(5|wire.NLA_F_NET_BYTEORDER, 1) }, attr(6, 0x4005, "\x00\x01\x00\x00")},
		{"Extend", func(b *B) { copy(b.Extend(5), "abcde") }, []byte("abcde\x00\x00\x00")},
		{"Extend by nothing", func(b *B) { b.Extend(0) }, nil},
		{"Reserve", func(b *B) { copy(b.Reserve(5, 6), "abcdef") }, attr(10, 5, "abcdef\x00\x00")},
		{"Reserve nothing", func(b *B) { b.Reserve(5, 0) }, attr(4, 5)},
		{"Extend, not filled in", func(b *B) { b.Flag(5); b.Extend(4); b.Flag(6) }, native(uint16(4), uint16(5), uint32(0), uint16(4), uint16(6))},
		{"Fail with nil", func(b *B) { b.Fail(nil); b.Flag(5) }, attr(4, 5)},
		{"Open", func(b *B) { b.Close(b.Open(5)) }, attr(4, 5)},
		{
			"Open in Nest in Open", func(b *B) {
				m := b.Open(5 | wire.NLA_F_NESTED)
				b.Nest(2, func(b *B) {
					inner := b.Open(3)
					b.Uint8(1, 7)
					b.Close(inner)
				})
				b.Close(m)
				b.Flag(6)
			},
			native(
				uint16(20), uint16(0x8005),
				uint16(16), uint16(0x8002),
				uint16(12), uint16(3),
				uint16(5), uint16(1), "\x07\x00\x00\x00",
				uint16(4), uint16(6),
			),
		},
		{"Nest empty", func(b *B) { b.Nest(5, func(*B) {}) }, attr(4, 0x8005)},
		{
			// The length of the nest includes its last attribute's padding.
			"Nest", func(b *B) {
				b.Struct([]byte("head"))
				b.Nest(5, func(b *B) {
					b.Uint8(1, 7)
					b.Nest(2|wire.NLA_F_NESTED, func(b *B) { b.Uint16(3, 8) })
				})
				b.Flag(6)
			},
			native(
				"head",
				uint16(24), uint16(0x8005),
				uint16(5), uint16(1), "\x07\x00\x00\x00",
				uint16(12), uint16(0x8002),
				uint16(6), uint16(3), uint16(8), "\x00\x00",
				uint16(4), uint16(6),
			),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := encode(t, tt.build); !bytes.Equal(got, tt.want) {
				t.Errorf("got  %x\nwant %x", got, tt.want)
			}
			// After Reset, a used Builder returns the same bytes.
			var b wire.Builder
			b.Raw(bytes.Repeat([]byte{0xff}, 256))
			b.String(1, "\x00")
			b.Reset()
			tt.build(&b)
			if got, err := b.Encode(); err != nil || !bytes.Equal(got, tt.want) || b.Len() != len(tt.want) {
				t.Errorf("after Reset: got %x of %d bytes, %v", got, b.Len(), err)
			}
		})
	}
}

// The length field has 16 bits: one byte too many is an error, not a short
// attribute.
func TestBuilderLimit(t *testing.T) {
	const limit = 65531
	type B = wire.Builder
	for _, tt := range []struct {
		name  string
		build func(b *B, n int)
		most  int
		over  string
	}{
		{
			"Bytes", func(b *B, n int) { b.Bytes(5, make([]byte, n)) }, limit,
			"wire: attribute type 5: value of 65532 bytes, at most 65531 fit",
		},
		{
			"String", func(b *B, n int) { b.String(5, strings.Repeat("x", n)) }, limit - 1,
			"wire: attribute type 5: value of 65532 bytes, at most 65531 fit",
		},
		{
			"Reserve", func(b *B, n int) { b.Reserve(5, n) }, limit,
			"wire: attribute type 5: value of 65532 bytes, at most 65531 fit",
		},
		{
			// A nest's content is a multiple of 4.
			"Nest of one", func(b *B, n int) { b.Nest(5, func(b *B) { b.Bytes(1, make([]byte, n)) }) }, 65528 - 4,
			"wire: attribute type 5: value of 65532 bytes, at most 65531 fit",
		},
		{
			"Nest of many", func(b *B, n int) {
				b.Nest(5|wire.NLA_F_NET_BYTEORDER, func(b *B) {
					for range n {
						b.Flag(1)
					}
				})
			}, 65528 / 4,
			"wire: attribute type 5: value of 65532 bytes, at most 65531 fit",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b B
			tt.build(&b, tt.most)
			p, err := b.Encode()
			if err != nil {
				t.Fatal(err)
			}
			a, rest, err := wire.NextAttr(p)
			if err != nil || len(rest) != 0 || a.Type != 5 {
				t.Errorf("largest: type %d, %d bytes left, %v", a.Type, len(rest), err)
			}
			b.Reset()
			tt.build(&b, tt.most+1)
			if p, err := b.Encode(); p != nil || err == nil || err.Error() != tt.over {
				t.Errorf("one more: %d bytes, %v", len(p), err)
			}
		})
	}
	t.Run("far beyond", func(t *testing.T) {
		var b B
		b.Bytes(5, make([]byte, 1<<16+4)) // would wrap to 8
		if _, err := b.Encode(); err == nil {
			t.Error("no error")
		}
	})
}

func TestBuilderStringWithNUL(t *testing.T) {
	var b wire.Builder
	b.String(5, "a\x00b")
	const want = `wire: attribute type 5: NUL in string "a\x00b"`
	if _, err := b.Encode(); err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
}

// Encode returns the first error, whatever comes after it.
func TestBuilderFirstErrorSticks(t *testing.T) {
	var b wire.Builder
	b.String(5, "\x00")
	_, first := b.Encode()
	b.Raw([]byte("abcd"))
	b.String(6, "\x00")
	b.Bytes(7, make([]byte, 1<<16))
	b.Uint32(8, 1)
	b.Nest(9, func(*wire.Builder) { t.Error("Nest calls its function after an error") })
	b.Close(b.Open(10))
	b.Fail(errors.New("another"))
	for n, p := range map[int][]byte{5: b.Extend(5), 6: b.Reserve(11, 6)} {
		if !bytes.Equal(p, make([]byte, n)) {
			t.Errorf("after an error, %d bytes to fill in are %x", n, p)
		}
	}
	if p, err := b.Encode(); first == nil || err != first || p != nil {
		t.Errorf("got %x, %v, want %v", p, err, first)
	}
	b.Reset()
	b.Flag(1)
	if p, err := b.Encode(); err != nil || len(p) != 4 {
		t.Errorf("after Reset: %x, %v", p, err)
	}
}

// The error of a caller is returned as it is, from inside a nest as well.
func TestBuilderFail(t *testing.T) {
	var b wire.Builder
	mine := errors.New("mine")
	b.Nest(1, func(b *wire.Builder) { b.Fail(mine) })
	b.String(2, "\x00")
	if p, err := b.Encode(); err != mine || p != nil {
		t.Errorf("%x, %v, want %v", p, err, mine)
	}
}

func TestBuilderErrorInNest(t *testing.T) {
	var b wire.Builder
	b.Nest(1, func(b *wire.Builder) {
		b.Nest(2, func(b *wire.Builder) { b.String(3, "\x00") })
	})
	if _, err := b.Encode(); err == nil || !strings.Contains(err.Error(), "type 3") {
		t.Errorf("err = %v", err)
	}
}

// Encode refuses a nest that is not closed.
func TestBuilderOpenNest(t *testing.T) {
	type B = wire.Builder
	panicking := func(b *B) {
		defer func() { _ = recover() }()
		b.Nest(1, func(b *B) {
			b.Flag(2)
			panic("in a nest")
		})
	}
	for _, tt := range []struct {
		name  string
		build func(*B)
	}{
		{"Encode", func(b *B) { b.Nest(1, func(b *B) { _, _ = b.Encode() }) }},
		{"Reset", func(b *B) { b.Nest(1, func(b *B) { b.Reset() }) }},
		{"Reset, then shorter", func(b *B) {
			b.Raw(make([]byte, 64))
			b.Nest(1, func(b *B) { b.Reset(); b.Flag(1) })
		}},
		{"panic", panicking},
		{"panic, then another nest", func(b *B) { panicking(b); b.Nest(3, func(*B) {}) }},
		{"Open", func(b *B) { b.Open(1) }},
		{"Open in Nest", func(b *B) { b.Nest(1, func(b *B) { b.Open(2) }) }},
		{"Close of the outer nest", func(b *B) { m := b.Open(1); b.Open(2); b.Close(m) }},
		{"Close twice", func(b *B) { m := b.Open(1); b.Close(m); b.Close(m) }},
		{"Close without Open", func(b *B) { b.Close(wire.Mark{}) }},
		{"Reset between Open and Close", func(b *B) { m := b.Open(1); b.Reset(); b.Close(m) }},
		{"panic in an inner nest", func(b *B) { b.Nest(3, panicking) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b B
			tt.build(&b)
			if p, err := b.Encode(); err == nil || err.Error() != "wire: nest is not closed" {
				t.Errorf("got %x, %v", p, err)
			}
			b.Reset()
			b.Nest(1, func(b *B) { b.Flag(2) })
			if p, err := b.Encode(); err != nil || len(p) != 8 {
				t.Errorf("after Reset: %x, %v", p, err)
			}
		})
	}
}

// The Builder copies its arguments, and an append to its payload does not write into
// its memory.
func TestBuilderOwnership(t *testing.T) {
	var b wire.Builder
	b.Raw(make([]byte, 256))
	b.Reset()
	value := []byte("abcd")
	b.Bytes(1, value)
	value[0] = 'X'
	p, err := b.Encode()
	if err != nil || string(p[4:]) != "abcd" {
		t.Fatalf("got %q, %v", p, err)
	}
	if cap(p) != len(p) {
		t.Errorf("payload of %d bytes has capacity %d", len(p), cap(p))
	}
}

func TestBuilderAllocs(t *testing.T) {
	var b wire.Builder
	header, fixed := &ifInfo{Index: 1}, []byte("head")
	wantAllocs(t, 0, "a reused Builder", func() {
		b.Reset()
		b.Struct(header)
		b.String(1, "name")
		b.Uint32(2, 7)
		b.Uint16BE(6, 8)
		b.Int(7, -9)
		b.Nest(3, func(b *wire.Builder) {
			b.Bytes(4, fixed)
			b.Nest(8, func(b *wire.Builder) { b.Flag(5) })
		})
		m := b.Open(9)
		copy(b.Extend(4), fixed)
		copy(b.Reserve(10, 4), fixed)
		b.Close(m)
		p, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		sink += len(p)
	})
}
