package table_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink/ynl/internal/table"
)

// What UnmarshalJSON reads beside what MarshalJSON writes.
func TestUnmarshal(t *testing.T) {
	for _, tt := range []struct {
		json string
		want thing
	}{
		{`{}`, thing{}},
		{`null`, thing{}},
		{`{"name":null,"numbers":null,"leaf":null}`, thing{}},
		{`{"color":40}`, thing{Color: some[color](40)}},
		{`{"color":"0x28"}`, thing{Color: some[color](40)}},
		{`{"bits":5}`, thing{Bits: some[bits](5)}},
		{`{"bits":"seen"}`, thing{Bits: some[bits](4)}},
		{`{"bits":["up",4,"0x8"]}`, thing{Bits: some[bits](13)}},
		{`{"mask":["green",1]}`, thing{Mask: some[uint32](5)}},
		{`{"flag":false}`, thing{}},
		{`{"mac":"010203-04 05"}`, thing{MAC: []byte{1, 2, 3, 4, 5}}},
		{`{"hdr-flags":["busy"],"hdr-color":"red"}`, thing{hdr: hdr{Flags: 2, Color: 1}}},
		{`{"field":{"selector":3}}`, thing{Field: some(bitfield{0, 3})}},
		{`{"options":{"id":3},"kind":"beta"}`, thing{Kind: some("beta"), Options: &beta{ID: some[uint16](3)}}},
		{`{"af":{},"hdr-color":"green"}`, thing{hdr: hdr{Color: 2}, AF: &beta{}}},
		{`{"numbers":[]}`, thing{Numbers: []uint32{}}},
	} {
		got := new(thing)
		if err := table.UnmarshalJSON(&family, setThing, got, []byte(tt.json)); err != nil || !reflect.DeepEqual(got, &tt.want) {
			t.Errorf("%s: %v\n%+v, want\n%+v", tt.json, err, got, &tt.want)
		}
	}
	// A list replaces the one that was there.
	x := &thing{Numbers: []uint32{1, 2}}
	if err := table.UnmarshalJSON(&family, setThing, x, []byte(`{"numbers":[3]}`)); err != nil || !reflect.DeepEqual(x.Numbers, []uint32{3}) {
		t.Errorf("%v, %v", x.Numbers, err)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	deep := strings.Repeat(`{"in-leaf":`, 70) + "{}" + strings.Repeat("}", 70)
	for _, tt := range []struct{ json, want string }{
		{`[]`, "json: cannot unmarshal array into Go value of type table.object"},
		{`{"b":1,"a":1}`, `unknown name "a"`},
		{`{"u8":256}`, "u8: 256 is out of range"},
		{`{"u8":-1}`, `u8: "-1" is no value`},
		{`{"u8":1.5}`, `u8: "1.5" is no value`},
		{`{"u8":{}}`, `u8: "{}" is no value`},
		{`{"s16":40000}`, "s16: 40000 is out of range"},
		{`{"color":"pink"}`, `color: "pink" is no value`},
		{`{"mask":["blue"]}`, "mask: blue is out of range"},
		{`{"name":1}`, "name: json: cannot unmarshal number into Go value of type string"},
		{`{"flag":1}`, "flag: json: cannot unmarshal number into Go value of type bool"},
		{`{"data":"0"}`, "data: encoding/hex: odd length hex string"},
		{`{"data":0}`, "data: json: cannot unmarshal number into Go value of type string"},
		{`{"addr":0}`, "addr: json: cannot unmarshal number into Go value of type string"},
		{`{"addr":"x"}`, `addr: ParseAddr("x"): unable to parse IP`},
		{`{"stats":{"mac":"01"}}`, "stats: mac: 1 bytes, want 6"},
		{`{"stats":{"ports":[1]}}`, "stats: ports: 1 elements, want 2"},
		{`{"stats":{"ports":[1,"x"]}}`, `stats: ports: "x" is no value`},
		{`{"stats":{"ports":1}}`, "stats: ports: json: cannot unmarshal number into Go value of type []json.RawMessage"},
		{`{"stats":{"pair":{"c":1}}}`, `stats: pair: unknown name "c"`},
		{`{"stats":[]}`, "stats: json: cannot unmarshal array into Go value of type table.object"},
		{`{"sel":{"pairs":[{},{"a":"x"}]}}`, `sel: pairs: element 1: a: "x" is no value`},
		{`{"field":[]}`, "field: json: cannot unmarshal array into Go value of type table.object"},
		{`{"field":{"value":"x"}}`, `field: value: "x" is no value`},
		{`{"array":1}`, "array: json: cannot unmarshal number into Go value of type []json.RawMessage"},
		{`{"array":[1,"x"]}`, `array: element 1: "x" is no value`},
		{`{"leaf":[]}`, "leaf: json: cannot unmarshal array into Go value of type table.object"},
		{`{"leaf":{"x":1}}`, `leaf: unknown name "x"`},
		{`{"leaf":` + deep + `}`, "leaf: " + strings.Repeat("in-leaf: ", 64) + "more than 64 sets in each other"},
		{`{"indexed":[[]]}`, "indexed: element 0: json: cannot unmarshal array into Go value of type table.object"},
		{`{"indexed":[{"index":-1}]}`, "indexed: element 0: index: json: cannot unmarshal number -1 into Go value of type uint16"},
		{`{"indexed":[{"x":1}]}`, `indexed: element 0: unknown name "x"`},
		{`{"hops":[{"hop-hops":256}]}`, "hops: element 0: hop-hops: 256 is out of range"},
		{`{"counts":[{"value":"x"}]}`, `counts: element 0: value: "x" is no value`},
		{`{"options":{}}`, "options: kind is absent"},
		{`{"kind":"empty","options":{}}`, `options: kind "empty" has no type`},
		{`{"kind":"beta","options":{"id":"x"}}`, `options: id: "x" is no value`},
		{`{"kind":"pair","options":{"a":"x"}}`, `options: a: "x" is no value`},
		{`{"level":8,"value":{"id":1,"a":1}}`, `value: unknown name "id"`},
		{`{"level":8,"value":1}`, "value: json: cannot unmarshal number into Go value of type table.object"},
		{`{"kind":"pair","options":"x"}`, "options: encoding/hex: invalid byte: U+0078 'x'"},
		{`{"unknown":1}`, "unknown: json: cannot unmarshal number into Go value of type []struct { Type uint16; Value string }"},
		{`{"unknown":[{"type":1,"value":"x"}]}`, "unknown: encoding/hex: invalid byte: U+0078 'x'"},
		{`{"unknown":[{"type":1,"value":"` + strings.Repeat("00", 65532) + `"}]}`, "unknown: value of 65532 bytes, at most 65531 fit"},
		{`{"hdr-index":"x"}`, `hdr-index: "x" is no value`},
	} {
		if err := table.UnmarshalJSON(&family, setThing, new(thing), []byte(tt.json)); err == nil || err.Error() != tt.want {
			t.Errorf("%.80s: %v, want %s", tt.json, err, tt.want)
		}
	}
}

func TestMarshalErrors(t *testing.T) {
	cyclic := &leaf{}
	cyclic.Leaf = cyclic
	for _, tt := range []struct {
		value thing
		want  string
	}{
		{thing{Leaf: cyclic}, "more than 64 sets in each other"},
		{thing{Unknown: []byte{1}}, "unknown attributes cannot be cut apart"},
		{thing{Value: &stray{}}, "thing: T_VALUE: *table_test.stray is not one of its types"},
	} {
		if text, err := table.MarshalJSON(&family, setThing, &tt.value); err == nil || err.Error() != tt.want {
			t.Errorf("%s, %v, want %s", text, err, tt.want)
		}
	}
}

// A kind that is implied by the type of the value is written, since it is needed to read
// the value.
func TestMarshalKind(t *testing.T) {
	for _, tt := range []struct {
		value thing
		want  string
	}{
		{thing{Options: &beta{}}, `"kind":"beta","options":{}}`},
		{thing{Options: &pair{}}, `"options":{"a":0,"b":0}}`}, // of two kinds
		{thing{Options: (*beta)(nil)}, `"kind":"beta","options":null}`},
	} {
		if text, err := table.MarshalJSON(&family, setThing, &tt.value); err != nil || !strings.HasSuffix(string(text), tt.want) {
			t.Errorf("%s, %v, want ...%s", text, err, tt.want)
		}
	}
}

// Structs and elements have JSON of their own.
func TestMarshalParts(t *testing.T) {
	parts := []struct {
		json      string
		marshal   func() ([]byte, error)
		unmarshal func(data []byte) (any, error)
		want      any
	}{
		{
			`{"a":1,"b":-2}`, func() ([]byte, error) { return table.MarshalStruct(&family, structPair, &pair{1, -2}) },
			func(data []byte) (any, error) {
				x := new(pair)
				return x, table.UnmarshalStruct(&family, structPair, x, data)
			}, &pair{1, -2},
		},
		{
			`{"index":3,"id":5}`, func() ([]byte, error) { return table.MarshalElement(&family, elementIndexed, &indexed{3, leaf5}) },
			func(data []byte) (any, error) {
				x := new(indexed)
				return x, table.UnmarshalElement(&family, elementIndexed, x, data)
			}, &indexed{3, leaf5},
		},
		{
			`{"count-id":3,"value":4}`, func() ([]byte, error) { return table.MarshalElement(&family, elementCount, &count{3, 4}) },
			func(data []byte) (any, error) {
				x := new(count)
				return x, table.UnmarshalElement(&family, elementCount, x, data)
			}, &count{3, 4},
		},
		{
			`{"hop-flags":1,"hop-hops":0,"hop-index":0,"u8":1}`,
			func() ([]byte, error) {
				return table.MarshalElement(&family, elementHop, &hop{hopHdr{Flags: 1}, thing{U8: some[uint8](1)}})
			},
			func(data []byte) (any, error) {
				x := new(hop)
				return x, table.UnmarshalElement(&family, elementHop, x, data)
			}, &hop{hopHdr{Flags: 1}, thing{U8: some[uint8](1)}},
		},
	}
	for _, tt := range parts {
		if text, err := tt.marshal(); err != nil || string(text) != tt.json {
			t.Errorf("%s, %v, want %s", text, err, tt.json)
		}
		if x, err := tt.unmarshal([]byte(tt.json)); err != nil || !reflect.DeepEqual(x, tt.want) {
			t.Errorf("%+v, %v, want %+v", x, err, tt.want)
		}
		if _, err := tt.unmarshal([]byte(`{"x":1}`)); err == nil || err.Error() != `unknown name "x"` {
			t.Errorf("%v, want an unknown name", err)
		}
	}
	for _, null := range []func() ([]byte, error){
		func() ([]byte, error) { return table.MarshalJSON[thing](&family, setThing, nil) },
		func() ([]byte, error) { return table.MarshalStruct[pair](&family, structPair, nil) },
		func() ([]byte, error) { return table.MarshalElement[count](&family, elementCount, nil) },
	} {
		if text, err := null(); err != nil || string(text) != "null" {
			t.Errorf("%s, %v, want null", text, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, tt := range goldens() {
		f.Add([]byte(`{` + tt.json + `}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		x := new(thing)
		if table.UnmarshalJSON(&family, setThing, x, text) != nil {
			return
		}
		once, err := table.MarshalJSON(&family, setThing, x)
		if err != nil {
			t.Fatal(err)
		}
		y := new(thing)
		if err := table.UnmarshalJSON(&family, setThing, y, once); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, once)
		}
		if twice, err := table.MarshalJSON(&family, setThing, y); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s\n%s", err, text, once, twice)
		}
	})
}
