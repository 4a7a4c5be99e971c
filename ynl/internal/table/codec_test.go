package table_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/internal/table"
)

func encode(x *thing) ([]byte, error) {
	var b wire.Builder
	table.Encode(&family, setThing, x, &b)
	p, err := b.Encode()
	return bytes.Clone(p), err
}

func decode(t testing.TB, p []byte) *thing {
	t.Helper()
	x := new(thing)
	if err := table.Decode(&family, setThing, x, p); err != nil {
		t.Fatalf("%x: %v", p, err)
	}
	return x
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// A golden is a value, its bytes and its JSON object.
type golden struct {
	name  string
	value thing
	bytes []byte // after the header, which is that of hdr{Family: 2}
	json  string // the members after those of the header
}

var leaf5 = leaf{ID: some[uint32](5)}

func goldens() []golden {
	id5 := attr(0, uint32(5))
	return []golden{
		{"nothing", thing{}, nil, ``},
		{"string", thing{Name: some("x<\"")}, attr(1, "x<\"\x00"), `"name":"x\u003c\""`},
		{"empty string", thing{Name: some("")}, attr(1, "\x00"), `"name":""`},
		{"flag", thing{Flag: true}, attr(2), `"flag":true`},
		{"u8", thing{U8: some[uint8](0)}, attr(3, uint8(0)), `"u8":0`},
		{"u16 in big endian", thing{BE16: some[uint16](0x102)}, attr(4, "\x01\x02"), `"be16":258`},
		{"enum", thing{Color: some[color](40)}, attr(5, uint8(40)), `"color":"blue"`},
		{"enum, unnamed", thing{Color: some[color](41)}, attr(5, uint8(41)), `"color":41`},
		{"flags", thing{Bits: some[bits](5)}, attr(6, uint32(5)), `"bits":["up","seen"]`},
		{"flags, unnamed", thing{Bits: some[bits](0x31)}, attr(6, uint32(0x31)), `"bits":["up",48]`},
		{"no flags", thing{Bits: some[bits](0)}, attr(6, uint32(0)), `"bits":[]`},
		{"enum as flags", thing{Mask: some[uint32](6)}, attr(7, uint32(6)), `"mask":["red","green"]`},
		{"s16", thing{S16: some[int16](-2)}, attr(8, int16(-2)), `"s16":-2`},
		{"u64", thing{U64: some[uint64](1<<64 - 1)}, attr(9, uint64(1<<64-1)), `"u64":18446744073709551615`},
		{"uint in 4 bytes", thing{Uint: some[uint64](7)}, attr(10, uint32(7)), `"uint":7`},
		{"uint in 8 bytes", thing{Uint: some[uint64](1 << 32)}, attr(10, uint64(1<<32)), `"uint":4294967296`},
		{"sint in 4 bytes", thing{Sint: some[int64](-7)}, attr(11, int32(-7)), `"sint":-7`},
		{"sint in 8 bytes", thing{Sint: some[int64](-1 << 40)}, attr(11, int64(-1<<40)), `"sint":-1099511627776`},
		{"no bytes", thing{Data: []byte{}}, attr(12), `"data":""`},
		{"bytes", thing{Data: []byte{1, 0xab}}, attr(12, "\x01\xab"), `"data":"01ab"`},
		{"MAC", thing{MAC: net.HardwareAddr{1, 2, 3, 4, 5, 6}}, attr(13, "\x01\x02\x03\x04\x05\x06"), `"mac":"01:02:03:04:05:06"`},
		{"UUID", thing{UUID: []byte("0123456789abcdef")}, attr(14, "0123456789abcdef"), `"uuid":"30313233-3435-3637-3839-616263646566"`},
		{"address", thing{Addr: ip("10.0.0.1")}, attr(15, "\x0a\x00\x00\x01"), `"addr":"10.0.0.1"`},
		{"address, IPv4", thing{Addr4: ip("10.0.0.1")}, attr(16, "\x0a\x00\x00\x01"), `"addr4":"10.0.0.1"`},
		{"address, IPv6", thing{Addr6: ip("2001:db8::1")}, attr(17, "\x20\x01\x0d\xb8", make([]byte, 11), uint8(1)), `"addr6":"2001:db8::1"`},
		{"via IPv4", thing{Via: ip("10.0.0.1")}, attr(18, uint16(2), "\x0a\x00\x00\x01"), `"via":"10.0.0.1"`},
		{"via IPv6", thing{Via: ip("::1")}, attr(18, uint16(10), make([]byte, 15), uint8(1)), `"via":"::1"`},
		{
			"struct", thing{Stats: some(stats{1, 2, [6]byte{1, 2, 3, 4, 5, 6}, [2]uint16{1, 2}, ip("10.0.0.3"), pair{7, -8}})},
			attr(19, uint64(1), uint64(2), "\x01\x02\x03\x04\x05\x06", "\x00\x01\x00\x02", "\x0a\x00\x00\x03", "\x00\x00", uint16(7), int16(-8), "\x00\x00\x00\x00"),
			`"stats":{"in":1,"out":2,"mac":"01:02:03:04:05:06","ports":[1,2],"addr":"10.0.0.3","pair":{"a":7,"b":-8}}`,
		},
		{"struct with a list", thing{Sel: some(sel{2, 9, []pair{{1, 2}, {3, -4}}})}, attr(20, "\x02\x09\x00\x00", uint16(1), int16(2), uint16(3), int16(-4)), `"sel":{"count":2,"off":9,"pairs":[{"a":1,"b":2},{"a":3,"b":-4}]}`},
		{"struct without its list", thing{Sel: some(sel{})}, attr(20, "\x00\x00\x00\x00"), `"sel":{"count":0,"off":0,"pairs":[]}`},
		{"bitfield", thing{Field: some(bitfield{1, 3})}, attr(21, uint32(1), uint32(3)), `"field":{"value":["up"],"selector":["up","busy"]}`},
		{"array", thing{Array: []uint16{1, 0x203}}, attr(22, "\x00\x01\x02\x03"), `"array":[1,515]`},
		{"empty array", thing{Array: []uint16{}}, attr(22), `"array":[]`},
		{"array of structs", thing{Structs: []pair{{1, 2}, {3, 4}}}, attr(23, uint16(1), int16(2), uint16(3), int16(4)), `"structs":[{"a":1,"b":2},{"a":3,"b":4}]`},
		{"empty array of structs", thing{Structs: []pair{}}, attr(23), `"structs":[]`},
		{"nest", thing{Leaf: &leaf{Leaf: &leaf{}}}, attr(24|nested, attr(7|nested)), `"leaf":{"in-leaf":{}}`},
		{"nest with a header", thing{Self: &thing{hdr: hdr{Family: 1}, U8: some[uint8](1)}}, attr(25, msg(1, attr(3, uint8(1)))), `"self":{"hdr-family":1,"hdr-color":0,"hdr-index":0,"hdr-flags":[],"hdr-port":0,"u8":1}`},
		{"numbers", thing{Numbers: []uint32{1, 2}}, bytesOf(attr(26, uint32(1)), attr(26, uint32(2))), `"numbers":[1,2]`},
		{"strings", thing{Names: []string{"", "b"}}, bytesOf(attr(27, "\x00"), attr(27, "b\x00")), `"names":["","b"]`},
		{"nests", thing{Leaves: []leaf{leaf5, {}}}, bytesOf(attr(28|nested, id5), attr(28|nested)), `"leaves":[{"id":5},{}]`},
		{"structs", thing{Pairs: []pair{{1, 2}}}, attr(29, uint16(1), int16(2)), `"pairs":[{"a":1,"b":2}]`},
		{"indexed from 0", thing{Addrs: []netip.Addr{ip("1.1.1.1"), ip("2.2.2.2")}}, attr(30|nested, attr(0, "\x01\x01\x01\x01"), attr(1, "\x02\x02\x02\x02")), `"addrs":["1.1.1.1","2.2.2.2"]`},
		{"indexed from 1", thing{List: []leaf{{}, leaf5}}, attr(31|nested, attr(1|nested), attr(2|nested, id5)), `"list":[{},{"id":5}]`},
		{"indexed, empty", thing{List: []leaf{}}, attr(31 | nested), `"list":[]`},
		{"not numbered", thing{Same: []leaf{leaf5, {}}}, attr(53|nested, attr(0|nested, id5), attr(0|nested)), `"same":[{"id":5},{}]`},
		{"with index", thing{Indexed: []indexed{{3, leaf5}, {1, leaf{}}}}, attr(32|nested, attr(3|nested, id5), attr(1|nested)), `"indexed":[{"index":3,"id":5},{"index":1}]`},
		{
			"types as values", thing{Policy: []policy{{1, 2, leaf5}, {3, 4, leaf{}}}},
			bytesOf(attr(33|nested, attr(1|nested, attr(2|nested, id5))), attr(33|nested, attr(3|nested, attr(4|nested)))),
			`"policy":[{"policy-id":1,"attr-id":2,"id":5},{"policy-id":3,"attr-id":4}]`,
		},
		{"type and number", thing{Counts: []count{{6, 7}}}, attr(34|nested, attr(6, uint64(7))), `"counts":[{"count-id":6,"value":7}]`},
		{
			"records", thing{Hops: []hop{{hopHdr{1, 2, -3}, thing{U8: some[uint8](1)}}, {hopHdr{}, thing{}}}},
			attr(35, uint16(16), "\x01\x02", int32(-3), attr(3, uint8(1)), uint16(8), "\x00\x00", int32(0)),
			`"hops":[{"hop-flags":1,"hop-hops":2,"hop-index":-3,"u8":1},{"hop-flags":0,"hop-hops":0,"hop-index":0}]`,
		},
		{"no records", thing{Hops: []hop{}}, attr(35), `"hops":[]`},
		{"kind alone", thing{Kind: some("empty")}, attr(36, "empty\x00"), `"kind":"empty"`},
		{"set with a header", thing{Kind: some("alpha"), Options: &alpha{pair: pair{1, 2}, ID: some[uint32](3)}}, bytesOf(attr(36, "alpha\x00"), attr(37, uint16(1), int16(2), attr(1, uint32(3)))), `"kind":"alpha","options":{"a":1,"b":2,"id":3}`},
		{"set", thing{Kind: some("beta"), Options: &beta{ID: some[uint16](3)}}, bytesOf(attr(36, "beta\x00"), attr(37|nested, attr(1, uint16(3)))), `"kind":"beta","options":{"id":3}`},
		{"struct as a sub-message", thing{Kind: some("pair"), More: &pair{1, 2}}, bytesOf(attr(36, "pair\x00"), attr(38, uint16(1), int16(2))), `"kind":"pair","more":{"a":1,"b":2}`},
		{"list as a sub-message", thing{Kind: some("sel"), Options: &sel{1, 0, []pair{{1, 2}}}}, bytesOf(attr(36, "sel\x00"), attr(37, "\x01\x00\x00\x00", uint16(1), int16(2))), `"kind":"sel","options":{"count":1,"off":0,"pairs":[{"a":1,"b":2}]}`},
		{"no type", thing{Kind: some("gamma"), Options: &raw{1, 2}}, bytesOf(attr(36, "gamma\x00"), attr(37, "\x01\x02")), `"kind":"gamma","options":"0102"`},
		{"no content, but with some", thing{Kind: some("empty"), Options: &raw{}}, bytesOf(attr(36, "empty\x00"), attr(37)), `"kind":"empty","options":""`},
		{"no kind", thing{Options: &raw{1}}, attr(37, "\x01"), `"options":"01"`},
		{"selected by an enum", thing{Level: some[color](1), Value: &beta{}}, bytesOf(attr(39, "\x00\x01"), attr(40|nested)), `"level":"red","value":{}`},
		{"selected by a number", thing{Level: some[color](7), Value: &beta{}}, bytesOf(attr(39, "\x00\x07"), attr(40|nested)), `"level":7,"value":{}`},
		{"attributes of a kind of two forms", thing{Level: some[color](8), Value: &beta{ID: some[uint16](3)}}, bytesOf(attr(39, "\x00\x08"), attr(40|nested, attr(1, uint16(3)))), `"level":8,"value":{"id":3}`},
		{"nothing of a kind of two forms", thing{Level: some[color](8), Value: &beta{}}, bytesOf(attr(39, "\x00\x08"), attr(40|nested)), `"level":8,"value":{}`},
		{"struct of a kind of two forms", thing{Level: some[color](8), Value: &pair{1, 2}}, bytesOf(attr(39, "\x00\x08"), attr(40, uint16(1), int16(2))), `"level":8,"value":{"a":1,"b":2}`},
		{"selected by the set around", thing{Kind: some("beta"), Deep: &deep{Options: &beta{}}}, bytesOf(attr(36, "beta\x00"), attr(42|nested, attr(1|nested))), `"kind":"beta","deep":{"options":{}}`},
		{"s8", thing{S8: some[int8](-1)}, attr(43, int8(-1)), `"s8":-1`},
		{"enum of 64 bits", thing{Wide: some[wide](1 << 32)}, attr(44, uint64(1<<32)), `"wide":"far"`},
		{"s32 in big endian", thing{BE32: some[int32](-2)}, attr(45, "\xff\xff\xff\xfe"), `"be32":-2`},
		{"u64 in big endian", thing{BE64: some[uint64](0x102)}, attr(46, "\x00\x00\x00\x00\x00\x00\x01\x02"), `"be64":258`},
		{"byte strings", thing{Bytes: [][]byte{{}, {1}}}, bytesOf(attr(48), attr(48, "\x01")), `"bytes":["","01"]`},
		{"enums", thing{Colors: []color{1, 40}}, bytesOf(attr(49, "\x01"), attr(49, "\x28")), `"colors":["red","blue"]`},
		{"addresses with their family", thing{Vias: []netip.Addr{ip("1.1.1.1")}}, attr(50, uint16(2), "\x01\x01\x01\x01"), `"vias":["1.1.1.1"]`},
		{"far type", thing{Status: some[uint32](1)}, attr(60, uint32(1)), `"status":1`},
		{"unknown", thing{Unknown: bytesOf(attr(55|0xc000, "abc"), attr(70))}, bytesOf(attr(55|0xc000, "abc"), attr(70)), `"unknown":[{"type":49207,"value":"616263"},{"type":70,"value":""}]`},
		{"unknown between others", thing{U32: some[uint32](1), Status: some[uint32](2), Unknown: attr(55)}, bytesOf(attr(47, uint32(1)), attr(55), attr(60, uint32(2))), `"u32":1,"status":2,"unknown":[{"type":55,"value":""}]`},
	}
}

const headerJSON = `{"hdr-family":2,"hdr-color":0,"hdr-index":0,"hdr-flags":[],"hdr-port":0`

func TestGolden(t *testing.T) {
	for _, tt := range goldens() {
		t.Run(tt.name, func(t *testing.T) {
			x := &tt.value
			x.Family = 2
			p := msg(2, tt.bytes)
			if got, err := encode(x); err != nil || !bytes.Equal(got, p) {
				t.Errorf("encoded: %v\n%x, want\n%x", err, got, p)
			}
			if got := decode(t, p); !reflect.DeepEqual(got, x) {
				t.Errorf("decoded:\n%+v, want\n%+v", got, x)
			}
			text := headerJSON
			if tt.json != "" {
				text += "," + tt.json
			}
			text += "}"
			if got, err := table.MarshalJSON(&family, setThing, x); err != nil || string(got) != text {
				t.Errorf("JSON: %v\n%s, want\n%s", err, got, text)
			}
			got := new(thing)
			if err := table.UnmarshalJSON(&family, setThing, got, []byte(text)); err != nil || !reflect.DeepEqual(got, x) {
				t.Errorf("of JSON: %v\n%+v, want\n%+v", err, got, x)
			}
		})
	}
}

func TestNewMessage(t *testing.T) {
	if got, ok := family.NewMessage(setLeaf).(*leaf); !ok || !reflect.DeepEqual(got, &leaf{}) {
		t.Errorf("%T", got)
	}
}

// All goldens together are a message, too, and the header has its place.
func TestHeader(t *testing.T) {
	x := &thing{hdr: hdr{Family: 10, Color: 40, Index: -5, Flags: 6, Port: 0x102}, Addr: ip("::1")}
	want := append(bytesOf(uint8(10), uint8(40), "\x00\x00", int32(-5), uint32(6), "\x01\x02\x00\x00"), attr(15, make([]byte, 15), uint8(1))...)
	if got, err := encode(x); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%x, want\n%x", err, got, want)
	}
	if got := decode(t, want); !reflect.DeepEqual(got, x) {
		t.Errorf("%+v, want\n%+v", got, x)
	}
	if got, err := encode(nil); err != nil || !bytes.Equal(got, make([]byte, 16)) {
		t.Errorf("nil: %x, %v", got, err)
	}
	// The last attribute may lack its padding, and the message everything after the header.
	if got := decode(t, append(make([]byte, 14), attr(1, "ab\x00")[:0]...)); !reflect.DeepEqual(got, &thing{}) {
		t.Errorf("%+v", got)
	}
	if got := decode(t, msg(0, attr(1, "ab\x00")[:7])); got.Name.Value != "ab" {
		t.Errorf("%+v", got)
	}
}

// What is not as described is kept, and sent again.
func TestTolerant(t *testing.T) {
	kept := func(p []byte) thing { return thing{Unknown: p} }
	pairs := attr(20, "\x03\x00\x00\x00", uint16(1), int16(2))
	longStats := attr(19, uint64(1), make([]byte, 32), "more")
	longPair := attr(37, uint16(1), int16(2), "\x00\x00more")
	renumbered := attr(31|nested, attr(4|nested), attr(9|nested))
	for _, tt := range []struct {
		name    string
		payload []byte
		want    thing
		again   []byte // sent, if it differs
	}{
		{"no such type", attr(55|nested, "x"), kept(attr(55|nested, "x")), nil},
		{"unused", attr(52, "x"), kept(attr(52, "x")), nil},
		{"pad", attr(51), thing{}, []byte{}},
		{"pad with content", attr(51, "x"), kept(attr(51, "x")), nil},
		{"string without NUL", attr(1, "ab"), thing{Name: some("ab")}, attr(1, "ab\x00")},
		{"string with many NULs", attr(1, "ab\x00\x00\x00"), thing{Name: some("ab")}, attr(1, "ab\x00")},
		{"string with NUL inside", attr(1, "a\x00b\x00"), kept(attr(1, "a\x00b\x00")), nil},
		{"flag with a value", attr(2, "x"), kept(attr(2, "x")), nil},
		{"u8 of 2 bytes", attr(3, uint16(1)), kept(attr(3, uint16(1))), nil},
		{"u32 of 8 bytes", attr(47, uint64(1)), kept(attr(47, uint64(1))), nil},
		{"u32 without value", attr(47), kept(attr(47)), nil},
		{"uint of 2 bytes", attr(10, uint16(1)), kept(attr(10, uint16(1))), nil},
		{"uint of 8 bytes for few", attr(10, uint64(1)), thing{Uint: some[uint64](1)}, attr(10, uint32(1))},
		{"address of 5 bytes", attr(15, "12345"), kept(attr(15, "12345")), nil},
		{"via of 1 byte", attr(18, "1"), kept(attr(18, "1")), nil},
		{"via of a family without addresses", attr(18, uint16(17), "1234"), kept(attr(18, uint16(17), "1234")), nil},
		{"via IPv4 of 16 bytes", attr(18, uint16(2), make([]byte, 16)), kept(attr(18, uint16(2), make([]byte, 16))), nil},
		{"shorter struct", attr(19, uint64(7)), thing{Stats: some(stats{In: 7, Addr: ip("0.0.0.0")})}, attr(19, uint64(7), make([]byte, 32))},
		{"longer struct", longStats, thing{Stats: some(stats{In: 1, Addr: ip("0.0.0.0")}), Unknown: longStats}, nil},
		{"list of another size", attr(20, "\x00\x00\x00\x00\x00"), kept(attr(20, "\x00\x00\x00\x00\x00")), nil},
		{"list of another number", pairs, kept(pairs), nil},
		{"bitfield of 4 bytes", attr(21, uint32(1)), kept(attr(21, uint32(1))), nil},
		{"array of odd size", attr(22, "123"), kept(attr(22, "123")), nil},
		{"array of structs of odd size", attr(23, "12345"), kept(attr(23, "12345")), nil},
		{"nest that cannot be cut", attr(24|nested, uint16(9), uint16(0)), kept(attr(24|nested, uint16(9), uint16(0))), nil},
		{"nest with 1 byte", attr(24, "\x00"), kept(attr(24, "\x00")), nil},
		{"nest with a short header", attr(25, "1234"), kept(attr(25, "1234")), nil},
		{"inner nest that cannot be cut", attr(24|nested, attr(7, "1")), thing{Leaf: kept(attr(7, "1")).leaf()}, nil},
		{"one of several", bytesOf(attr(26, uint32(1)), attr(26, "1")), thing{Numbers: []uint32{1}, Unknown: attr(26, "1")}, nil},
		{"one of one", attr(26, "1"), kept(attr(26, "1")), nil},
		{"one of several structs", bytesOf(attr(29, uint64(1)), attr(29, uint32(0))), thing{Pairs: []pair{{}}, Unknown: attr(29, uint64(1))}, bytesOf(attr(29, uint32(0)), attr(29, uint64(1)))},
		{"one of several nests", bytesOf(attr(28|nested), attr(28|nested, "1")), thing{Leaves: []leaf{{}}, Unknown: attr(28|nested, "1")}, nil},
		{"element of another size", attr(30|nested, attr(0, uint32(0)), attr(1, "1")), kept(attr(30|nested, attr(0, uint32(0)), attr(1, "1"))), nil},
		{"indexed that cannot be cut", attr(30|nested, "1"), kept(attr(30|nested, "1")), nil},
		{"other numbers", renumbered, thing{List: []leaf{{}, {}}, Unknown: renumbered}, nil},
		{"values of types that cannot be cut", attr(33|nested, attr(1|nested, "1")), kept(attr(33|nested, attr(1|nested, "1"))), nil},
		{"values of types without an end", attr(33|nested, attr(1|nested)), kept(attr(33|nested, attr(1|nested))), nil},
		{"short record", attr(35, uint16(8), "123"), kept(attr(35, uint16(8), "123")), nil},
		{"record longer than the rest", attr(35, uint16(12), "\x00\x00", int32(0)), kept(attr(35, uint16(12), "\x00\x00", int32(0))), nil},
		{"record that cannot be cut", attr(35, uint16(9), "\x00\x00", int32(0), "1"), kept(attr(35, uint16(9), "\x00\x00", int32(0), "1")), nil},
		{"record without its padding", attr(35, uint16(13), "\x00\x00", int32(0), uint16(5), uint16(3), "1"), thing{Hops: []hop{{Thing: thing{U8: some[uint8]('1')}}}}, attr(35, uint16(16), "\x00\x00", int32(0), attr(3, "1"))},
		{"kind after its value", bytesOf(attr(37|nested, attr(1, uint16(3))), attr(36, "beta\x00")), thing{Kind: some("beta"), Options: &beta{ID: some[uint16](3)}}, bytesOf(attr(36, "beta\x00"), attr(37|nested, attr(1, uint16(3))))},
		{"sub-message that cannot be cut", bytesOf(attr(36, "beta\x00"), attr(37|nested, "1")), thing{Kind: some("beta"), Unknown: attr(37|nested, "1")}, nil},
		{"sub-message with a short header", bytesOf(attr(36, "alpha\x00"), attr(37, "1")), thing{Kind: some("alpha"), Unknown: attr(37, "1")}, nil},
		{"sub-message with a list of another number", bytesOf(attr(36, "sel\x00"), attr(37, "\x01\x00\x00\x00")), thing{Kind: some("sel"), Unknown: attr(37, "\x01\x00\x00\x00")}, nil},
		{"longer struct as a sub-message", bytesOf(attr(36, "pair\x00"), longPair), thing{Kind: some("pair"), Options: &pair{1, 2}, Unknown: longPair}, nil},
		{"attributes in the place of a struct", bytesOf(attr(36, "pair\x00"), attr(37, attr(1, "x"))), thing{Kind: some("pair"), Options: ptr(raw(attr(1, "x")))}, nil},
		{"twice", bytesOf(attr(47, uint32(1)), attr(47, uint32(2))), thing{U32: some[uint32](1), Unknown: attr(47, uint32(2))}, nil},
		{"nest twice", bytesOf(attr(24|nested), attr(24|nested, attr(0, uint32(5)))), thing{Leaf: &leaf{}, Unknown: attr(24|nested, attr(0, uint32(5)))}, nil},
		{"address twice", bytesOf(attr(15, "1234"), attr(15, "5678"), attr(18, uint16(2), "1234"), attr(18)), thing{Addr: ip("49.50.51.52"), Via: ip("49.50.51.52"), Unknown: bytesOf(attr(15, "5678"), attr(18))}, nil},
		{"bytes twice", bytesOf(attr(12), attr(12, "x")), thing{Data: []byte{}, Unknown: attr(12, "x")}, nil},
		{
			"struct twice, the second longer", bytesOf(attr(3, "\x01"), attr(19, uint64(7)), longStats),
			thing{U8: some[uint8](1), Stats: some(stats{In: 7, Addr: ip("0.0.0.0")}), Unknown: bytesOf(attr(19, uint64(7)), longStats)}, nil,
		},
		{
			"list twice, the second with other numbers", bytesOf(attr(31|nested, attr(1|nested)), renumbered),
			thing{List: []leaf{{}}, Unknown: bytesOf(attr(31|nested, attr(1|nested)), renumbered)}, nil,
		},
		{
			"list twice, the first malformed", bytesOf(attr(31|nested, "1"), attr(31|nested, attr(1|nested))),
			kept(bytesOf(attr(31|nested, "1"), attr(31|nested, attr(1|nested)))), nil,
		},
		{
			"set as a sub-message twice", bytesOf(attr(36, "beta\x00"), attr(37|nested), attr(37|nested, attr(1, uint16(3)))),
			thing{Kind: some("beta"), Options: &beta{}, Unknown: bytesOf(attr(37|nested), attr(37|nested, attr(1, uint16(3))))}, nil,
		},
		{
			"raw sub-message twice", bytesOf(attr(36, "gamma\x00"), attr(37, "x"), attr(37, "y")),
			thing{Kind: some("gamma"), Options: ptr(raw("x")), Unknown: bytesOf(attr(37, "x"), attr(37, "y"))}, nil,
		},
		{
			"struct as a sub-message twice", bytesOf(attr(36, "pair\x00"), attr(37, "1234"), attr(37, "5678")),
			thing{Kind: some("pair"), Options: &pair{ne.Uint16([]byte("12")), int16(ne.Uint16([]byte("34")))}, Unknown: bytesOf(attr(37, "1234"), attr(37, "5678"))}, nil,
		},
		{"list with index twice", bytesOf(attr(32|nested, attr(3|nested)), attr(32|nested, attr(4|nested))), thing{Indexed: []indexed{{Index: 3}}, Unknown: bytesOf(attr(32|nested, attr(3|nested)), attr(32|nested, attr(4|nested)))}, nil},
		{"out of order", bytesOf(attr(47, uint32(1)), attr(3, "\x01")), thing{U8: some[uint8](1), U32: some[uint32](1)}, bytesOf(attr(3, "\x01"), attr(47, uint32(1)))},
		{"unknown out of order", bytesOf(attr(58), attr(57), attr(58, "x")), kept(bytesOf(attr(58), attr(57), attr(58, "x"))), bytesOf(attr(57), attr(58), attr(58, "x"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := decode(t, msg(0, tt.payload))
			if !reflect.DeepEqual(x, &tt.want) {
				t.Errorf("decoded\n%+v, want\n%+v", x, &tt.want)
			}
			again := tt.again
			if again == nil {
				again = tt.payload
			}
			if got, err := encode(x); err != nil || !bytes.Equal(got, msg(0, again)) {
				t.Errorf("sent: %v\n%x, want\n%x", err, got, msg(0, again))
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func (x thing) leaf() *leaf { return &leaf{Unknown: x.Unknown} }

// A changed field is sent in place of what was kept of a longer attribute.
func TestChangeLonger(t *testing.T) {
	x := decode(t, msg(0, attr(19|nested, uint64(1), make([]byte, 32), "more"), attr(31|nested, attr(4|nested), attr(9|nested))))
	x.Stats.Value.In = 2
	x.List = append(x.List, leaf5)
	want := msg(0, attr(19|nested, uint64(2), make([]byte, 32), "more"), attr(31|nested, attr(4|nested), attr(9|nested), attr(10|nested, attr(0, uint32(5)))))
	if got, err := encode(x); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%x, want\n%x", err, got, want)
	}
}

func TestDecodeCopies(t *testing.T) {
	p := msg(0, attr(12, "abc"), attr(48, "abc"), attr(36, "x\x00"), attr(37, "abc"), attr(55, "abc"))
	x := decode(t, p)
	clear(p)
	if string(x.Data)+string(x.Bytes[0])+string(*x.Options.(*raw)) != "abcabcabc" || !bytes.Equal(x.Unknown, attr(55, "abc")) {
		t.Errorf("changed with the message: %+v", x)
	}
}

func TestMalformed(t *testing.T) {
	for _, tt := range []struct {
		payload []byte
		want    string
	}{
		{make([]byte, 13), "thing: hdr: wire: malformed: 13 bytes, want 14"},
		{msg(0, attr(3, "\x01"), uint16(9), uint16(5)), "thing: T_COLOR: "},
		{msg(0, uint16(3), uint16(52)), "thing: T__OLD: "},
		{msg(0, uint16(3), uint16(99)), "thing: attribute 99: "},
		{msg(0, uint16(9)), "thing: "},
	} {
		err := table.Decode(&family, setThing, new(thing), tt.payload)
		if !errors.Is(err, wire.ErrMalformed) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%x: %v, want %s...", tt.payload, err, tt.want)
		}
	}
}

func TestStrict(t *testing.T) {
	long := make([]byte, 65532)
	deepest := &thing{}
	for range 70 {
		deepest = &thing{Self: deepest}
	}
	cyclic := &leaf{}
	cyclic.Leaf = cyclic
	for _, tt := range []struct {
		name  string
		value thing
		want  string
	}{
		{"enum", thing{Color: some[color](256)}, "thing: T_COLOR: 256 does not fit into 1 byte"},
		{"member", thing{hdr: hdr{Color: 256}}, "thing: hdr.hdr-color: 256 does not fit into 1 byte"},
		{"selector of 2 bytes", thing{Level: some[color](1 << 16)}, "thing: T_LEVEL: 65536 does not fit into 2 bytes"},
		{"enums", thing{Colors: []color{1, 300}}, "thing: T_COLORS: 300 does not fit into 1 byte"},
		{"NUL", thing{Name: some("a\x00")}, `thing: T_NAME: NUL in string "a\x00"`},
		{"NUL in a list", thing{Names: []string{"a\x00"}}, `thing: T_NAMES: NUL in string "a\x00"`},
		{"long string", thing{Name: some(strings.Repeat("x", 65531))}, "thing: T_NAME: value of 65532 bytes, at most 65531 fit"},
		{"long bytes", thing{Data: long}, "thing: T_DATA: value of 65532 bytes, at most 65531 fit"},
		{"long sub-message", thing{Options: ptr(raw(long))}, "thing: T_OPTIONS: value of 65532 bytes, at most 65531 fit"},
		{"long array", thing{Array: make([]uint16, 1<<15)}, "thing: T_ARRAY: value of 65536 bytes, at most 65531 fit"},
		{"long list of structs", thing{Structs: make([]pair, 1<<14)}, "thing: T_STRUCTS: value of 65536 bytes, at most 65531 fit"},
		{"long nest", thing{Self: &thing{Data: long[:65000], MAC: long[:1000]}}, "thing: T_SELF: value of 66024 bytes, at most 65531 fit"},
		{"too deep", *deepest, "thing: " + strings.Repeat("T_SELF > ", 64) + "T_SELF: more than 64 sets in each other"},
		{"cycle", thing{Leaf: cyclic}, "thing: T_LEAF > " + strings.Repeat("in-leaf > ", 63) + "in-leaf: more than 64 sets in each other"},
		{"IPv6 for IPv4", thing{hdr: hdr{Family: 2}, Addr: ip("::1")}, "thing: T_ADDR: address ::1 of 16 bytes, want 4"},
		{"mapped IPv4 for IPv4", thing{hdr: hdr{Family: 2}, Addr: ip("::ffff:10.0.0.1")}, "thing: T_ADDR: address ::ffff:10.0.0.1 of 16 bytes, want 4"},
		{"IPv4 for IPv6", thing{hdr: hdr{Family: 10}, Addr: ip("10.0.0.1")}, "thing: T_ADDR: address 10.0.0.1 of 4 bytes, want 16"},
		{"IPv6 with a hint", thing{Addr4: ip("::1")}, "thing: T_ADDR4: address ::1 of 16 bytes, want 4"},
		{"IPv4 with a hint", thing{Addr6: ip("1.1.1.1")}, "thing: T_ADDR6: address 1.1.1.1 of 4 bytes, want 16"},
		{"zone", thing{Addr: ip("fe80::1%eth0")}, "thing: T_ADDR: address fe80::1%eth0: the zone cannot be sent"},
		{"zone in via", thing{Via: ip("fe80::1%eth0")}, "thing: T_VIA: address fe80::1%eth0: the zone cannot be sent"},
		{"address in a hop", thing{hdr: hdr{Family: 2}, Hops: []hop{{Thing: thing{Addr: ip("::1")}}}}, "thing: T_HOPS > T_ADDR: address ::1 of 16 bytes, want 4"},
		{"address in a member", thing{Stats: some(stats{Addr: ip("::1")})}, "thing: T_STATS: address ::1 of 16 bytes, want 4"},
		{"count", thing{Sel: some(sel{Count: 1, Pairs: make([]pair, 2)})}, "thing: T_SEL: sel.count is 1, and the list has 2 elements"},
		{"long list", thing{Sel: some(sel{Pairs: make([]pair, 256)})}, "thing: T_SEL: sel.count: a list of 256 elements is too long"},
		{"index", thing{Indexed: []indexed{{Index: 1 << 14}}}, "thing: T_INDEXED: number 16384, at most 16383 fits"},
		{"key", thing{Policy: []policy{{ID: 1 << 14}}}, "thing: T_POLICY: number 16384, at most 16383 fits"},
		{"unknown", thing{Leaf: &leaf{Unknown: []byte{1}}}, "thing: T_LEAF: wire: malformed: Unknown cannot be cut into attributes"},
		{"ambiguous kind", thing{Options: &pair{}}, `thing: T_KIND: kind is absent, and *table_test.pair can be "pair", "two"`},
		{"contradiction", thing{Kind: some("alpha"), Options: &beta{}}, `thing: T_OPTIONS: kind is "alpha", which *table_test.beta is not for`},
		{"contradiction of two", thing{Options: &alpha{}, More: &beta{}}, `thing: T_MORE: kind is "alpha", which *table_test.beta is not for`},
		{"kind without a type", thing{Kind: some("empty"), Options: &beta{}}, `thing: T_OPTIONS: kind is "empty", which *table_test.beta is not for`},
		{"kind of nothing", thing{Kind: some("gamma"), Options: &beta{}}, `thing: T_OPTIONS: kind is "gamma", which *table_test.beta is not for`},
		{"type of nothing", thing{Value: &stray{}}, `thing: T_LEVEL: *table_test.stray is not one of its types`},
		{"type of another kind", thing{Level: some[color](8), Value: &sel{}}, `thing: T_VALUE: level is "8", which *table_test.sel is not for`},
		{"value of nothing", thing{Value: &sel{}}, `thing: T_LEVEL: "pink" is no color`},
		{"header's number", thing{AF: &beta{}}, `thing: T_AF: hdr-color is "0", which *table_test.beta is not for`},
		{"kind in the set around", thing{Deep: &deep{Options: &beta{}}}, `thing: T_DEEP > D_OPTIONS: kind is absent`},
		{"nil pointer", thing{Options: (*beta)(nil)}, `thing: T_OPTIONS: nil *table_test.beta`},
		{"in a sub-message", thing{Kind: some("beta"), Options: &beta{Unknown: []byte{1}}}, "thing: T_OPTIONS: wire: malformed: Unknown cannot be cut into attributes"},
	} {
		if p, err := encode(&tt.value); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %x, %v, want %s", tt.name, p, err, tt.want)
		}
	}
}

// The kind is that of the value's type where it is absent.
func TestImpliedKind(t *testing.T) {
	for _, tt := range []struct {
		value thing
		want  []byte
	}{
		{thing{Options: &beta{}}, bytesOf(attr(36, "beta\x00"), attr(37|nested))},
		{thing{Options: &alpha{}, More: &alpha{}}, bytesOf(attr(36, "alpha\x00"), attr(37, uint32(0)), attr(38, uint32(0)))},
		{thing{Value: &alpha{}}, bytesOf(attr(39, "\x00\x28"), attr(40|nested))},
		{thing{Value: &beta{}}, bytesOf(attr(39, "\x00\x07"), attr(40|nested))},
		{thing{Options: &raw{1}, More: &beta{}}, bytesOf(attr(36, "beta\x00"), attr(37, "\x01"), attr(38|nested))},
		{thing{hdr: hdr{Color: 2}, AF: &beta{}}, attr(41 | nested)},
		{thing{hdr: hdr{Color: 9}, AF: &alpha{}}, attr(41 | nested)},
		{thing{Sel: some(sel{Pairs: []pair{{1, 2}}})}, attr(20, "\x01\x00\x00\x00", uint16(1), int16(2))},
	} {
		want := msg(0, tt.want)
		want[1] = byte(tt.value.hdr.Color)
		if got, err := encode(&tt.value); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: %v\n%x, want\n%x", tt.value, err, got, want)
		}
	}
}

// No depth is too deep to decode.
func TestDeep(t *testing.T) {
	p := attr(7)
	for range 3000 {
		p = attr(7, p)
	}
	x := decode(t, msg(0, attr(24, p)))
	got, err := encode(x)
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for l := x.Leaf; l != nil; l = l.Leaf {
		depth++
	}
	if depth != 64 || len(got) != 16+4+len(p) {
		t.Errorf("%d nests, %d bytes, want 64 and %d", depth, len(got), 16+4+len(p))
	}
}

func TestStructs(t *testing.T) {
	encode := func(x *sel) ([]byte, error) {
		var b wire.Builder
		table.EncodeStruct(&family, structSel, x, &b)
		return b.Encode()
	}
	want := bytesOf("\x01\x07\x00\x00", uint16(1), int16(2))
	x := &sel{Off: 7, Pairs: []pair{{1, 2}}}
	if got, err := encode(x); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
	if got, err := encode(nil); err != nil || !bytes.Equal(got, make([]byte, 4)) {
		t.Errorf("nil: %x, %v", got, err)
	}
	if _, err := encode(&sel{Count: 3}); err == nil || err.Error() != "sel: sel.count is 3, and the list has 0 elements" {
		t.Error(err)
	}
	got := new(sel)
	if err := table.DecodeStruct(&family, structSel, got, want); err != nil || !reflect.DeepEqual(got, &sel{1, 7, x.Pairs}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := table.DecodeStruct(&family, structSel, got, want[:6]); !errors.Is(err, wire.ErrMalformed) {
		t.Error(err)
	}
	var p pair
	if err := table.DecodeStruct(&family, structPair, &p, append(want[4:], "more"...)); err != nil || p != (pair{1, 2}) {
		t.Errorf("longer: %v, %v", p, err)
	}
	if err := table.DecodeStruct(&family, structPair, &p, nil); err != nil || p != (pair{}) {
		t.Errorf("shorter: %v, %v", p, err)
	}
}

func TestAllocations(t *testing.T) {
	x := thing{hdr: hdr{Family: 2}, U32: some[uint32](1), Addr: ip("10.0.0.1"), Stats: some(stats{Addr: ip("1.1.1.1")}), Field: some(bitfield{1, 1})}
	var b wire.Builder
	p, _ := encode(&x)
	var y thing
	for name, f := range map[string]func(){
		"Encode": func() {
			b.Reset()
			table.Encode(&family, setThing, &x, &b)
		},
		"Decode": func() {
			y = thing{}
			if err := table.Decode(&family, setThing, &y, p); err != nil {
				t.Fatal(err)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, tt := range goldens() {
		f.Add(msg(2, tt.bytes))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		x := new(thing)
		if err := table.Decode(&family, setThing, x, p); err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		once, err := encode(x)
		if err != nil {
			if !strings.Contains(err.Error(), "address") {
				t.Fatal(err)
			}
			return // of another length than the hint or the header says
		}
		if twice, err := encode(decode(t, once)); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%x\n%x\n%x", err, p, once, twice)
		}
		text, err := table.MarshalJSON(&family, setThing, x)
		if err != nil {
			t.Fatal(err)
		}
		y := new(thing)
		if err := table.UnmarshalJSON(&family, setThing, y, text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		table.Settable(&family, setThing, x)
	})
}
