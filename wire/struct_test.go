package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// ifInfo is struct ifinfomsg of linux/rtnetlink.h.
type ifInfo struct {
	Family uint8
	_      uint8
	Type   uint16
	Index  int32
	Flags  uint32
	Change uint32
}

func TestStructIsLaidOutAsInMemory(t *testing.T) {
	h := ifInfo{Family: 2, Type: 1, Index: -3, Flags: 0x1043, Change: 1}
	want := []byte{2, 0}
	want = binary.NativeEndian.AppendUint16(want, 1)
	want = binary.NativeEndian.AppendUint32(want, 0xfffffffd)
	want = binary.NativeEndian.AppendUint32(want, 0x1043)
	want = binary.NativeEndian.AppendUint32(want, 1)
	for _, v := range []any{h, &h, want} {
		var b wire.Builder
		b.Struct(v)
		b.Uint32(4, 7)
		got, err := b.Encode()
		if err != nil || !bytes.Equal(got[:len(want)], want) {
			t.Fatalf("%T: % x, %v; want % x", v, got, err, want)
		}
		back := ifInfo{Flags: 99}
		attrs, err := wire.Message{Payload: got}.Struct(&back)
		if err != nil || back != h || !bytes.Equal(attrs, got[len(want):]) {
			t.Errorf("%+v, attributes % x, %v; want %+v, % x", back, attrs, err, h, got[len(want):])
		}
	}
}

// The attributes begin after the padding, or there are none.
func TestStructIsPadded(t *testing.T) {
	type genmsg struct{ Family uint8 }
	var b wire.Builder
	b.Struct(genmsg{17})
	b.Flag(3)
	got, err := b.Encode()
	if want := []byte{17, 0, 0, 0}; err != nil || !bytes.Equal(got[:4], want) {
		t.Fatalf("% x, %v; want % x first", got, err, want)
	}
	for n, rest := range map[int]int{len(got): 4, 4: 0, 3: 0, 1: 0} {
		var h genmsg
		attrs, err := wire.Message{Payload: got[:n]}.Struct(&h)
		if err != nil || h.Family != 17 || len(attrs) != rest {
			t.Errorf("%d bytes: %+v, %d bytes of attributes, %v; want %d", n, h, len(attrs), err, rest)
		}
	}
}

func TestStructInAStruct(t *testing.T) {
	type entry struct{ Key, Value [2]uint8 }
	type table struct {
		Len     uint32
		Entries [2]entry
	}
	want := table{2, [2]entry{{[2]uint8{1, 2}, [2]uint8{3, 4}}, {[2]uint8{5, 6}, [2]uint8{7, 8}}}}
	var b wire.Builder
	b.Struct(&want)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got table
	if attrs, err := (wire.Message{Payload: payload}).Struct(&got); err != nil || got != want || len(attrs) != 0 {
		t.Errorf("%+v, % x, %v; want %+v", got, attrs, err, want)
	}
}

func TestPayloadShorterThanItsStruct(t *testing.T) {
	for n := range 16 {
		h := ifInfo{Index: 5}
		attrs, err := wire.Message{Payload: make([]byte, n)}.Struct(&h)
		if !errors.Is(err, wire.ErrMalformed) || attrs != nil || h.Index != 5 {
			t.Errorf("%d bytes: %+v, % x, %v; want ErrMalformed and h as it was", n, h, attrs, err)
		}
	}
}

// Only a struct whose bytes in memory are those on the wire can be read and written.
func TestStructOfAnotherType(t *testing.T) {
	var none *ifInfo
	for _, x := range []struct {
		v    any
		want string
	}{
		{nil, "got <nil>"},
		{none, "got *wire_test.ifInfo"},
		{7, "got int"},
		{"text", "got string"},
		{&[]byte{1}, "got *[]uint8"},
		{&struct{ Name string }{}, "field without a fixed size"},
		{&struct{ N int }{}, "field without a fixed size"},
		{&struct{ P *uint8 }{}, "field without a fixed size"},
		{&struct {
			A uint8
			B uint32
		}{}, "3 bytes of padding without a field"},
		{&struct{ n uint32 }{}, "unexported field n"},
		{&struct{ A [2]struct{ n uint32 } }{}, "unexported field A.n"},
	} {
		var b wire.Builder
		b.Struct(x.v)
		b.Uint32(1, 1)
		got, err := b.Encode()
		if err == nil || got != nil || !strings.HasPrefix(err.Error(), "wire: Builder.Struct: ") || !strings.Contains(err.Error(), x.want) {
			t.Errorf("Builder %T: % x, %v; want an error with %q", x.v, got, err, x.want)
		}
		b.Reset()
		b.Struct(ifInfo{})
		if _, err := b.Encode(); err != nil {
			t.Errorf("after Reset: %v", err)
		}
		_, err = wire.Message{Payload: make([]byte, 64)}.Struct(x.v)
		if err == nil || !strings.HasPrefix(err.Error(), "wire: Message.Struct: ") || !strings.Contains(err.Error(), x.want) {
			t.Errorf("Message %T: %v; want an error with %q", x.v, err, x.want)
		}
	}
	if _, err := (wire.Message{Payload: make([]byte, 64)}).Struct(ifInfo{}); err == nil {
		t.Error("a struct that is no pointer could be filled")
	}
}

func TestStructKeepsTheFirstError(t *testing.T) {
	var b wire.Builder
	b.String(1, "a\x00b")
	b.Struct(3)
	if _, err := b.Encode(); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Error(err)
	}
}
