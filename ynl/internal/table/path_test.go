package table_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// The path of an attribute is found by the only U32 with the value 0xabcdef.
func TestPath(t *testing.T) {
	mark := attr(99, uint32(0xabcdef))
	green := msg(0, attr(41|nested, mark))
	green[1] = 2
	for _, tt := range []struct {
		request []byte
		want    string
	}{
		{msg(0, attr(3, "\x01"), attr(47, uint32(0xabcdef))), "T_U32"},
		{msg(0, attr(52, uint32(0xabcdef))), "T__OLD"},
		{msg(0, mark), "99"},
		{msg(0, attr(98|nested, attr(97, "\x01"), mark)), "98 > 99"},
		{msg(0, attr(24|nested, attr(7|nested, attr(0, uint32(0xabcdef))))), "T_LEAF > in-leaf > id"},
		{msg(0, attr(25, msg(0, attr(47, uint32(0xabcdef))))), "T_SELF > T_U32"},
		{msg(0, attr(31|nested, attr(1), attr(2|nested, attr(0, uint32(0xabcdef))))), "T_LIST > 2 > id"},
		{msg(0, attr(30|nested, attr(1, uint32(0xabcdef)))), "T_ADDRS > 1"},
		{msg(0, attr(33|nested, attr(1|nested, attr(2|nested, attr(0, uint32(0xabcdef)))))), "T_POLICY > 1 > 2 > id"},
		{msg(0, attr(34|nested, attr(6, uint32(0xabcdef)))), "T_COUNTS > 6"},
		{msg(0, attr(35, uint16(13), "\x00\x00", int32(0), attr(3, "\x01"), uint16(16), "\x00\x00", int32(0), attr(47, uint32(0xabcdef)))), "T_HOPS > T_U32"},
		{msg(0, attr(36, "beta\x00"), attr(37|nested, attr(1, uint32(0xabcdef)))), "T_OPTIONS > B_ID"},
		{msg(0, attr(37|nested, attr(1, uint32(0xabcdef))), attr(36, "alpha\x00")), ""},
		{msg(0, attr(39, "\x00\x08"), attr(40|nested, attr(1, uint32(0xabcdef)))), "T_VALUE > B_ID"},
		{msg(0, attr(36, "alpha\x00"), attr(37, uint32(0), attr(1, uint32(0xabcdef)))), "T_OPTIONS > A_ID"},
		{msg(0, attr(36, "beta\x00"), attr(42|nested, attr(1|nested, attr(1, uint32(0xabcdef))))), "T_DEEP > D_OPTIONS > B_ID"},
		{msg(0, attr(36, "gamma\x00"), attr(37|nested, attr(1, uint32(0xabcdef)))), "T_OPTIONS > 1"},
		{green, "T_AF > 99"},
		{msg(0, attr(12, "x", uint32(0xabcdef))), ""},
		{msg(0, attr(35, uint16(99), "\x00\x00", int32(0), attr(47, uint32(0xabcdef)))), ""},
		{msg(0, attr(35, uint16(0), "\x00\x00", int32(0), attr(47, uint32(0xabcdef)))), ""},
	} {
		at := bytes.Index(tt.request, bytesOf(uint32(0xabcdef))) - 4
		x := wire.ExtAck{HasOffset: true, Offset: uint32(20 + at)}
		if got := family.Path(setThing, tt.request, x, 20); got != tt.want {
			t.Errorf("offset %d of %x: %q, want %q", at, tt.request, got, tt.want)
		}
	}
}

func TestPathOfMissing(t *testing.T) {
	request := msg(0, attr(24|nested, attr(7|nested)), attr(31|nested, attr(1|nested)))
	for _, tt := range []struct {
		ext  wire.ExtAck
		want string
	}{
		{wire.ExtAck{}, ""},
		{wire.ExtAck{HasMissingType: true, MissingType: 47}, "T_U32"},
		{wire.ExtAck{HasMissingType: true, MissingType: 1 << 14}, ""},
		{wire.ExtAck{HasMissingType: true, MissingType: 0, HasMissingNest: true, MissingNest: 16 + 16}, "T_LEAF > id"},
		{wire.ExtAck{HasMissingType: true, MissingType: 7, HasMissingNest: true, MissingNest: 16 + 20}, "T_LEAF > in-leaf > in-leaf"},
		{wire.ExtAck{HasMissingType: true, MissingType: 7, HasMissingNest: true, MissingNest: 16 + 24}, "T_LIST > 7"},
		{wire.ExtAck{HasMissingType: true, MissingType: 7, HasMissingNest: true, MissingNest: 16 + 28}, "T_LIST > 1 > in-leaf"},
		{wire.ExtAck{HasMissingType: true, MissingType: 7, HasMissingNest: true, MissingNest: 16 + 18}, ""},
		{wire.ExtAck{HasOffset: true, Offset: 4}, ""},
		{wire.ExtAck{HasOffset: true, Offset: 18}, ""},
		{wire.ExtAck{HasOffset: true, Offset: 1 << 31}, ""},
	} {
		if got := family.Path(setThing, request, tt.ext, 16); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.ext, got, tt.want)
		}
	}
	if got := family.Path(setThing, request[:4], wire.ExtAck{HasOffset: true, Offset: 32}, 16); got != "" {
		t.Errorf("short request: %q", got)
	}
}

// Every offset in every golden has a path or none, and no panic.
func TestPathAnywhere(t *testing.T) {
	for _, tt := range goldens() {
		p := msg(2, tt.bytes)
		paths := map[string]bool{}
		for at := range len(p) + 4 {
			paths[family.Path(setThing, p, wire.ExtAck{HasOffset: true, Offset: uint32(at)}, 0)] = true
		}
		if len(tt.bytes) > 0 && len(paths) < 2 {
			t.Errorf("%s: no path in %x", tt.name, p)
		}
	}
}

func TestNewMessage(t *testing.T) {
	if got, ok := family.NewMessage(setLeaf).(*leaf); !ok || !reflect.DeepEqual(got, &leaf{}) {
		t.Errorf("%T", got)
	}
}

func TestEnum(t *testing.T) {
	for _, tt := range []struct {
		enum  uint16
		value uint64
		want  string
	}{
		{enumColor, 2, "green"},
		{enumColor, 3, "3"},
		{enumBits, 0, "none"},
		{enumBits, 1, "up"},
		{enumBits, 6, "busy|seen"},
		{enumBits, 0x31, "up|0x30"},
		{enumBits, 0x30, "0x30"},
		{enumWide, 1 << 32, "far"},
		{enumWide, 1 << 40, "1099511627776"},
	} {
		if got := family.EnumString(tt.enum, tt.value); got != tt.want {
			t.Errorf("%d of %d: %q, want %q", tt.value, tt.enum, got, tt.want)
		}
		if got, err := family.ParseEnum(tt.enum, family.EnumText(tt.enum, tt.value)); err != nil || got != tt.value {
			t.Errorf("%q: %d, %v, want %d", tt.want, got, err, tt.value)
		}
	}
	for _, text := range []string{"", "pink", "-1", "4294967296"} {
		if v, err := family.ParseEnum(enumColor, []byte(text)); err == nil {
			t.Errorf("%q is %d", text, v)
		}
	}
}

func TestSettable(t *testing.T) {
	x := &thing{
		hdr: hdr{Family: 2, Flags: 7}, Name: some("x"), Bits: some[bits](7), Status: some[uint32](1), First: some[uint32](1), Second: some[uint32](2),
		Hops:    []hop{{hopHdr{Flags: 3}, thing{Status: some[uint32](1), U8: some[uint8](1)}}},
		Leaf:    &leaf{},              // was empty
		Sealed:  &leaf5,               // is empty without its mark
		Leaves:  []leaf{leaf5, {}},    // elements stay
		Self:    &thing{Leaf: &leaf5}, // has a header
		Data:    []byte("abc"),
		Options: &beta{ID: some[uint16](3)},
		Unknown: bytesOf(attr(55, "abc"), attr(60, "odd")),
	}
	want := &thing{
		hdr: hdr{Family: 2, Flags: 5}, Name: some("x"), Bits: some[bits](3), First: some[uint32](1),
		Hops: []hop{{hopHdr{Flags: 2}, thing{U8: some[uint8](1), hooked: true}}},
		Leaf: &leaf{}, Leaves: []leaf{{}, {}}, Self: &thing{hooked: true}, Data: []byte("abc"),
		Kind: some("beta"), Options: &beta{ID: some[uint16](3)}, Unknown: attr(55, "abc"), hooked: true,
	}
	got := table.Settable(&family, setThing, x)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	got.Data[0], got.Hops[0].Flags = 'x', 9
	if x.Data[0] != 'a' || x.Hops[0].Flags != 3 {
		t.Error("the copy shares memory")
	}
	// What cannot be encoded is copied as it is: Encode says why.
	bad := &thing{Status: some[uint32](1), Color: some[color](300), Leaf: &leaf{}}
	if got := table.Settable(&family, setThing, bad); got == bad || !reflect.DeepEqual(got, bad) {
		t.Errorf("%+v, want %+v", got, bad)
	}
	inner := &thing{Self: &thing{Color: some[color](300)}}
	if got := table.Settable(&family, setThing, inner); !reflect.DeepEqual(got, inner) {
		t.Errorf("%+v, want %+v", got, inner)
	}
	if got := table.Settable[thing](&family, setThing, nil); got != nil {
		t.Errorf("nil: %+v", got)
	}
}
