package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
)

func TestNextAttr(t *testing.T) {
	a := func(length, typ uint16, rest string) []byte { return native(length, typ, rest) }
	for _, tt := range []struct {
		name string
		in   []byte
		want wire.Attr
		rest string
		bad  bool
	}{
		{name: "nothing", in: nil, bad: true},
		{name: "header cut", in: a(4, 1, "")[:3], bad: true},
		{name: "header alone", in: a(4, 1, ""), want: wire.Attr{Type: 1}},
		{name: "length 0", in: a(0, 1, ""), bad: true},
		{name: "length below header", in: a(3, 1, "abcd"), bad: true},
		{name: "value", in: a(8, 1, "abcd"), want: wire.Attr{Type: 1, Value: []byte("abcd")}},
		{name: "padding", in: a(5, 1, "aXYZnext"), want: wire.Attr{Type: 1, Value: []byte("a")}, rest: "next"},
		{name: "padding missing", in: a(5, 1, "a"), want: wire.Attr{Type: 1, Value: []byte("a")}},
		{name: "padding cut", in: a(5, 1, "a\x00\x00"), want: wire.Attr{Type: 1, Value: []byte("a")}},
		{name: "cut by one byte", in: a(9, 1, "abcd"), bad: true},
		{name: "longest length", in: a(0xffff, 1, "abcd"), bad: true},
		{name: "nested", in: a(4, 0x8001, ""), want: wire.Attr{Type: 1, Nested: true}},
		{name: "network order", in: a(4, 0x4001, ""), want: wire.Attr{Type: 1, NetByteOrder: true}},
		{name: "all bits", in: a(4, 0xffff, ""), want: wire.Attr{Type: 0x3fff, Nested: true, NetByteOrder: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rest, err := wire.NextAttr(tt.in)
			if !sameAttr(got, tt.want) || string(rest) != tt.rest {
				t.Errorf("got %#v, rest %q", got, rest)
			}
			if tt.bad != (err != nil) || tt.bad != errors.Is(err, wire.ErrMalformed) {
				t.Errorf("err = %v", err)
			}
			if cap(got.Value) != len(got.Value) {
				t.Errorf("value of %d bytes has capacity %d", len(got.Value), cap(got.Value))
			}
			if tt.bad && rest != nil {
				t.Errorf("rest = %q after an error", rest)
			}
		})
	}
}

func sameAttr(a, b wire.Attr) bool {
	return a.Type == b.Type && a.Nested == b.Nested && a.NetByteOrder == b.NetByteOrder && bytes.Equal(a.Value, b.Value)
}

func TestNextAttrErrorText(t *testing.T) {
	const want = "wire: malformed: attribute of 9 bytes in 8"
	if _, _, err := wire.NextAttr(native(uint16(9), uint16(1), "abcd")); err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
}

func TestAttrs(t *testing.T) {
	one := native(uint16(5), uint16(1), "a\x00\x00\x00")
	two := native(uint16(8), uint16(2), "abcd")
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, ""},
		{"two", native(one, two), "1:a 2:abcd "},
		{"last without padding", native(two, one[:5]), "2:abcd 1:a "},
		{"stops at a bad length", native(one, uint16(2), uint16(7), two), "1:a ! "},
		{"stops at odd bytes", native(one, two, "\x00"), "1:a 2:abcd ! "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := walk(wire.Attrs(tt.in)); got != tt.want {
				t.Errorf("function: got %q, want %q", got, tt.want)
			}
			if got := walk((wire.Attr{Value: tt.in}).Attrs()); got != tt.want {
				t.Errorf("method: got %q, want %q", got, tt.want)
			}
		})
	}
}

// walk prints what an iterator yields.
func walk(seq func(func(wire.Attr, error) bool)) string {
	var s strings.Builder
	for a, err := range seq {
		if err != nil {
			s.WriteString("! ")
			continue
		}
		fmt.Fprintf(&s, "%d:%s ", a.Type, a.Value)
	}
	return s.String()
}

func TestAttrsBreak(t *testing.T) {
	n := 0
	for range wire.Attrs(make4(3)) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d attributes before the break, want 2", n)
	}
}

// make4 returns n attributes without value.
func make4(n int) []byte {
	return bytes.Repeat(native(uint16(4), uint16(1)), n)
}

// getters calls every integer getter by name.
var getters = []struct {
	name  string
	sizes []int
	get   func(wire.Attr) (any, error)
}{
	{"Uint8", []int{1}, func(a wire.Attr) (any, error) { return a.Uint8() }},
	{"Uint16", []int{2}, func(a wire.Attr) (any, error) { return a.Uint16() }},
	{"Uint32", []int{4}, func(a wire.Attr) (any, error) { return a.Uint32() }},
	{"Uint64", []int{8}, func(a wire.Attr) (any, error) { return a.Uint64() }},
	{"Uint16BE", []int{2}, func(a wire.Attr) (any, error) { return a.Uint16BE() }},
	{"Uint32BE", []int{4}, func(a wire.Attr) (any, error) { return a.Uint32BE() }},
	{"Uint64BE", []int{8}, func(a wire.Attr) (any, error) { return a.Uint64BE() }},
	{"Int8", []int{1}, func(a wire.Attr) (any, error) { return a.Int8() }},
	{"Int16", []int{2}, func(a wire.Attr) (any, error) { return a.Int16() }},
	{"Int32", []int{4}, func(a wire.Attr) (any, error) { return a.Int32() }},
	{"Int64", []int{8}, func(a wire.Attr) (any, error) { return a.Int64() }},
	{"Int16BE", []int{2}, func(a wire.Attr) (any, error) { return a.Int16BE() }},
	{"Int32BE", []int{4}, func(a wire.Attr) (any, error) { return a.Int32BE() }},
	{"Int64BE", []int{8}, func(a wire.Attr) (any, error) { return a.Int64BE() }},
	{"Uint", []int{4, 8}, func(a wire.Attr) (any, error) { return a.Uint() }},
	{"Int", []int{4, 8}, func(a wire.Attr) (any, error) { return a.Int() }},
}

func TestAttrIntegers(t *testing.T) {
	const big = "\xfe\xdc\xba\x98\x76\x54\x32\x10"
	want := map[string][]struct {
		value []byte
		want  any
	}{
		"Uint8":    {{[]byte{0xfe}, uint8(0xfe)}},
		"Uint16":   {{native(uint16(0xfedc)), uint16(0xfedc)}},
		"Uint32":   {{native(uint32(0xfedcba98)), uint32(0xfedcba98)}},
		"Uint64":   {{native(uint64(0xfedcba9876543210)), uint64(0xfedcba9876543210)}},
		"Uint16BE": {{[]byte(big[:2]), uint16(0xfedc)}},
		"Uint32BE": {{[]byte(big[:4]), uint32(0xfedcba98)}},
		"Uint64BE": {{[]byte(big), uint64(0xfedcba9876543210)}},
		"Int8":     {{[]byte{0xfe}, int8(-2)}},
		"Int16":    {{native(int16(-300)), int16(-300)}},
		"Int32":    {{native(int32(-70000)), int32(-70000)}},
		"Int64":    {{native(int64(-1 << 40)), int64(-1 << 40)}},
		"Int16BE":  {{[]byte{0xff, 0xfe}, int16(-2)}},
		"Int32BE":  {{[]byte{0xff, 0xff, 0xff, 0x38}, int32(-200)}},
		"Int64BE":  {{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x38}, int64(-200)}},
		"Uint":     {{native(uint32(0xfedcba98)), uint64(0xfedcba98)}, {native(uint64(1 << 40)), uint64(1 << 40)}},
		"Int":      {{native(int32(-70000)), int64(-70000)}, {native(int64(-1 << 40)), int64(-1 << 40)}},
	}
	for _, g := range getters {
		t.Run(g.name, func(t *testing.T) {
			if len(want[g.name]) != len(g.sizes) {
				t.Fatal("a size has no case")
			}
			for _, tt := range want[g.name] {
				got, err := g.get(wire.Attr{Type: 5, Value: tt.value})
				if err != nil || got != tt.want {
					t.Errorf("%x: got %v, %v, want %v", tt.value, got, err, tt.want)
				}
			}
		})
	}
}

// A value of any other size is an error that names type and size.
func TestAttrIntegerSizes(t *testing.T) {
	for _, g := range getters {
		t.Run(g.name, func(t *testing.T) {
			wants := strings.Trim(strings.ReplaceAll(fmt.Sprint(g.sizes), " ", " or "), "[]")
			fits := 0
			for n := range 10 {
				v, err := g.get(wire.Attr{Type: 77, Value: make([]byte, n)})
				if err == nil {
					fits++
					continue
				}
				text := fmt.Sprintf("wire: malformed: attribute type 77 has %d bytes, want %s", n, wants)
				if err.Error() != text || !errors.Is(err, wire.ErrMalformed) {
					t.Errorf("%d bytes: err = %v, want %s", n, err, text)
				}
				if fmt.Sprint(v) != "0" {
					t.Errorf("%d bytes: got %v with the error", n, v)
				}
			}
			if fits != len(g.sizes) {
				t.Errorf("%d sizes fit, want %v", fits, g.sizes)
			}
		})
	}
}

func TestAttrString(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"\x00":           "",
		"lo\x00":         "lo",
		"lo":             "lo",
		"lo\x00\x00\x00": "lo",
		"lo\x00junk":     "lo",
	} {
		if got := (wire.Attr{Value: []byte(in)}).String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Bytes aliases the buffer, String does not.
func TestAttrIsPrintedWithItsBytes(t *testing.T) {
	a := wire.Attr{Type: 3, Value: []byte("lo\x00")}
	all := wire.Attr{Type: 18, Nested: true, NetByteOrder: true}
	for _, tt := range []struct{ got, want string }{
		{fmt.Sprint(a), "type 3: 6c 6f 00"},
		{fmt.Sprintf("%+v", a), "type 3: 6c 6f 00"},
		{fmt.Sprint([]wire.Attr{a, a}), "[type 3: 6c 6f 00 type 3: 6c 6f 00]"},
		{fmt.Sprint(all), "type 18 nested big-endian: "},
		{fmt.Sprintf("%s", a), "lo"},
		{fmt.Sprintf("%q", a), `"lo"`},
		{fmt.Sprintf("%5s|%-5s|", a, a), "   lo|lo   |"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestAttrOwnership(t *testing.T) {
	b := native(uint16(8), uint16(1), "abcd")
	a, _, err := wire.NextAttr(b)
	if err != nil {
		t.Fatal(err)
	}
	s, p := a.String(), a.Bytes()
	b[4] = 'X'
	if s != "abcd" {
		t.Errorf("String() became %q", s)
	}
	if string(p) != "Xbcd" {
		t.Errorf("Bytes() = %q does not alias", p)
	}
}

func TestAttrAllocs(t *testing.T) {
	nest := native(uint16(8), uint16(1), uint32(7))
	b := native(uint16(8), uint16(2), uint32(7), uint16(4+len(nest)), uint16(0x8003), nest)
	wantAllocs(t, 0, "NextAttr", func() {
		for rest := b; len(rest) > 0; {
			a, after, err := wire.NextAttr(rest)
			if err != nil {
				t.Fatal(err)
			}
			sink += len(a.Value)
			rest = after
		}
	})
	wantAllocs(t, 0, "Attrs, nested", func() {
		for a, err := range wire.Attrs(b) {
			if err != nil {
				t.Fatal(err)
			}
			if !a.Nested {
				v, _ := a.Uint32()
				sink += int(v)
				continue
			}
			for a, err := range a.Attrs() {
				if err != nil {
					t.Fatal(err)
				}
				sink += len(a.Value)
			}
		}
	})
}
