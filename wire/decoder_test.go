package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// decoderGetters are the integer getters of Decoder, by their names in getters.
var decoderGetters = map[string]func(*wire.Decoder) any{
	"Uint8":    func(d *wire.Decoder) any { return d.Uint8() },
	"Uint16":   func(d *wire.Decoder) any { return d.Uint16() },
	"Uint32":   func(d *wire.Decoder) any { return d.Uint32() },
	"Uint64":   func(d *wire.Decoder) any { return d.Uint64() },
	"Uint16BE": func(d *wire.Decoder) any { return d.Uint16BE() },
	"Uint32BE": func(d *wire.Decoder) any { return d.Uint32BE() },
	"Uint64BE": func(d *wire.Decoder) any { return d.Uint64BE() },
	"Int8":     func(d *wire.Decoder) any { return d.Int8() },
	"Int16":    func(d *wire.Decoder) any { return d.Int16() },
	"Int32":    func(d *wire.Decoder) any { return d.Int32() },
	"Int64":    func(d *wire.Decoder) any { return d.Int64() },
	"Int16BE":  func(d *wire.Decoder) any { return d.Int16BE() },
	"Int32BE":  func(d *wire.Decoder) any { return d.Int32BE() },
	"Int64BE":  func(d *wire.Decoder) any { return d.Int64BE() },
	"Uint":     func(d *wire.Decoder) any { return d.Uint() },
	"Int":      func(d *wire.Decoder) any { return d.Int() },
}

// TestDecoderGetters: each returns the result of Attr's getter, and keeps its error.
func TestDecoderGetters(t *testing.T) {
	if len(decoderGetters) != len(getters) {
		t.Fatalf("%d getters, Attr has %d", len(decoderGetters), len(getters))
	}
	value := []byte("\xfe\xdc\xba\x98\x76\x54\x32\x10\x01")
	for _, g := range getters {
		for n := range len(value) + 1 {
			a := wire.Attr{Type: 7, Value: value[:n]}
			want, wantErr := g.get(a)
			d := wire.NewDecoder(encode(t, func(b *wire.Builder) { b.Bytes(a.Type, a.Value) }))
			if !d.Next() || d.Type() != 7 {
				t.Fatal(d.Type(), d.Err())
			}
			got, err := decoderGetters[g.name](&d), d.Err()
			if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) || (err != nil) != errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s of %d bytes: %v, %v; want %v, %v", g.name, n, got, err, want, wantErr)
			}
		}
	}
}

// decoded prints what a Decoder yields; [ ] mark a nest, ! an error.
func decoded(d *wire.Decoder, nests ...uint16) string {
	var s strings.Builder
	for d.Next() {
		if len(nests) > 0 && d.Type() == nests[0] {
			d.Nest(func() { fmt.Fprintf(&s, "[ %s] ", decoded(d, nests[1:]...)) })
			continue
		}
		fmt.Fprintf(&s, "%d:%s ", d.Type(), d.String())
	}
	if d.Err() != nil {
		s.WriteString("! ")
	}
	return s.String()
}

func TestDecoder(t *testing.T) {
	one := native(uint16(5), uint16(1), "a\x00\x00\x00")
	two := native(uint16(8), uint16(2), "abcd")
	bad := native(uint16(2), uint16(7))
	nest := func(typ uint16, content ...any) []byte {
		return encode(t, func(b *wire.Builder) { b.Bytes(typ, native(content...)) })
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, ""},
		{"two", native(one, two), "1:a 2:abcd "},
		{"last without padding", native(two, one[:5]), "2:abcd 1:a "},
		{"stops at a bad length", native(one, bad, two), "1:a ! "},
		{"stops at odd bytes", native(one, two, "\x00"), "1:a 2:abcd ! "},
		{"nest", native(one, nest(8, two, one), two), "1:a [ 2:abcd 1:a ] 2:abcd "},
		{"empty nest", native(nest(8), two), "[ ] 2:abcd "},
		{"nest in a nest", native(nest(8, nest(9, one), two), two), "[ [ 1:a ] 2:abcd ] 2:abcd "},
		{"error in a nest", native(nest(8, one, bad), two), "[ 1:a ! ] ! "},
		{"error in a nest in a nest", native(nest(8, nest(9, one, bad), two), two), "[ [ 1:a ! ] ! ] ! "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := wire.NewDecoder(tt.in)
			if got := decoded(&d, 8, 9); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if err := d.Err(); err != nil && !errors.Is(err, wire.ErrMalformed) {
				t.Error(err)
			}
			if d.Next() || d.Type() != 0 || d.Bytes() != nil {
				t.Errorf("continues with %+v", d.Attr())
			}
		})
	}
	var d wire.Decoder
	if d.Next() || d.Err() != nil {
		t.Errorf("the zero value has %+v, %v", d.Attr(), d.Err())
	}
}

// The first error sticks, whether the Decoder or the caller finds it, and ends the loops.
func TestDecoderFirstErrorSticks(t *testing.T) {
	mine, other := errors.New("out of range"), errors.New("other")
	d := wire.NewDecoder(encode(t, func(b *wire.Builder) {
		b.Nest(1, func(b *wire.Builder) {
			b.Uint32(2, 9)
			b.Uint32(3, 9)
		})
		b.Uint32(4, 9)
	}))
	d.Next()
	d.Nest(func() {
		d.Next()
		d.Fail(nil)
		if v := d.Uint32(); v != 9 || d.Err() != nil {
			t.Errorf("%d, %v before there is an error", v, d.Err())
		}
		d.Fail(mine)
		d.Fail(other)
		if v := d.Uint8(); v != 0 {
			t.Errorf("%d from a value of another size", v)
		}
		if d.Next() {
			t.Error("the nest continues")
		}
	})
	if d.Next() || d.Err() != mine {
		t.Errorf("%v, want %v and an end", d.Err(), mine)
	}
}

// A nest need not be read to its end, and may be read twice.
func TestDecoderComesBackFromANest(t *testing.T) {
	d := wire.NewDecoder(encode(t, func(b *wire.Builder) {
		b.Nest(1, func(b *wire.Builder) {
			b.Flag(2)
			b.Flag(3)
		})
		b.Flag(4)
	}))
	d.Next()
	for range 2 {
		d.Nest(func() {
			if d.Type() != 0 || d.Bytes() != nil {
				t.Errorf("the nest begins at %+v", d.Attr())
			}
			if d.Next(); d.Type() != 2 {
				t.Errorf("the nest has type %d first, want 2", d.Type())
			}
		})
		if d.Type() != 1 || !d.Attr().Nested {
			t.Errorf("back at %+v, want type 1", d.Attr())
		}
	}
	if !d.Next() || d.Type() != 4 || d.Next() || d.Err() != nil {
		t.Errorf("ends with %+v, %v", d.Attr(), d.Err())
	}
}

// Values alias the buffer, except strings.
func TestDecoderAliases(t *testing.T) {
	b := native(uint16(8), uint16(0xc001), "abcd")
	d := wire.NewDecoder(b)
	d.Next()
	a, s := d.Attr(), d.String()
	if a.Type != 1 || !a.Nested || !a.NetByteOrder || string(a.Value) != "abcd" {
		t.Errorf("%+v", a)
	}
	b[4] = 'X'
	if string(d.Bytes()) != "Xbcd" || s != "abcd" {
		t.Errorf("bytes %q, string %q", d.Bytes(), s)
	}
}

func TestDecoderAllocs(t *testing.T) {
	b := encode(t, func(b *wire.Builder) {
		b.Uint32(1, 7)
		b.Nest(2, func(b *wire.Builder) {
			b.Uint16BE(1, 7)
			b.Nest(2, func(b *wire.Builder) { b.Bytes(1, []byte("abc")) })
		})
	})
	wantAllocs(t, 0, "a Decoder, nested", func() {
		d := wire.NewDecoder(b)
		for d.Next() {
			switch d.Type() {
			case 1:
				sink += int(d.Uint32())
			case 2:
				d.Nest(func() {
					for d.Next() {
						switch d.Type() {
						case 1:
							sink += int(d.Uint16BE())
						case 2:
							d.Nest(func() {
								for d.Next() {
									sink += len(d.Bytes())
								}
							})
						}
					}
				})
			}
		}
		if d.Err() != nil {
			t.Fatal(d.Err())
		}
	})
}
