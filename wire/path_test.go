package wire_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// TestGoldenPaths: an answer that is not capped contains the request.
func TestGoldenPaths(t *testing.T) {
	for _, tt := range []struct {
		name   string
		golden string
		header int
		want   []uint16
	}{
		{"top level", goldenLongName, 16, []uint16{3}},
		{"nests without their flag", goldenNest, 16, []uint16{18, 2, 1}},
		{"after the header in a nest", goldenNestHeader, 16, []uint16{18, 2, 1, 4}},
		{"missing in a nest", goldenMissingInNest, 4, []uint16{7, 2}},
		{"no explanation", goldenNoDevice, 16, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := only(t, unhex(t, tt.golden))
			refusal, err := wire.ParseAck(m)
			if err != nil || refusal == nil {
				t.Fatal(refusal, err)
			}
			var request wire.Message
			if _, err := request.Decode(m.Payload[4:]); err != nil {
				t.Fatal(err)
			}
			if got := refusal.Ext.Path(request, tt.header); !slices.Equal(got, tt.want) {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// at is an explanation that points to an offset.
func at(offset uint32) wire.ExtAck { return wire.ExtAck{Offset: offset, HasOffset: true} }

func TestPath(t *testing.T) {
	missing := func(typ uint32) wire.ExtAck { return wire.ExtAck{MissingType: typ, HasMissingType: true} }
	missingIn := func(nest, typ uint32) wire.ExtAck {
		return wire.ExtAck{MissingType: typ, HasMissingType: true, MissingNest: nest, HasMissingNest: true}
	}
	// After a message header of 16 bytes and a family's of 4.
	request := native(
		"head",
		uint16(7), uint16(1), "abc\x00", // 20
		uint16(24), uint16(0x8002), // 28
		uint16(4), uint16(3), // 32
		uint16(12), uint16(4), // 36, a nest without its flag
		uint16(8), uint16(0x4005), "\x00\x00\x00\x07", // 40
		uint16(4), uint16(6), // 48
		uint16(8), uint16(7), uint32(0xffffffff), // 52
	)
	for _, tt := range []struct {
		name   string
		ext    wire.ExtAck
		header int
		want   []uint16
	}{
		{"nothing", wire.ExtAck{}, 4, nil},
		{"first", at(20), 4, []uint16{1}},
		{"nest", at(28), 4, []uint16{2}},
		{"in a nest", at(32), 4, []uint16{2, 3}},
		{"nest in a nest", at(36), 4, []uint16{2, 4}},
		{"deepest", at(40), 4, []uint16{2, 4, 5}},
		{"after a nest in a nest", at(48), 4, []uint16{2, 6}},
		{"last", at(52), 4, []uint16{7}},

		{"message header", at(0), 4, nil},
		{"before the header", at(15), 4, nil},
		{"header", at(16), 4, nil},
		{"in an attribute's header", at(21), 4, nil},
		{"in a value", at(24), 4, nil},
		{"padding", at(27), 4, nil},
		{"in a nest's header", at(30), 4, nil},
		{"a number's bytes", at(56), 4, nil},
		{"end", at(60), 4, nil},
		{"beyond the end", at(61), 4, nil},
		{"far beyond the end", at(math.MaxUint32), 4, nil},

		{"header padded", at(20), 1, []uint16{1}},
		{"no header", at(20), 0, nil},
		{"longer header", at(28), 12, []uint16{2}},
		{"header as long as the payload", at(60), 44, nil},
		{"header beyond the payload", at(60), 45, nil},
		{"endless header", at(60), math.MaxInt, nil},
		{"negative header", at(20), -4, nil},

		{"missing", missing(9), 4, []uint16{9}},
		{"missing in a nest", missingIn(28, 9), 4, []uint16{2, 9}},
		{"missing in a nest in a nest", missingIn(36, 9), 4, []uint16{2, 4, 9}},
		{"missing in no nest", missingIn(21, 9), 4, nil},
		{"missing with the largest type", missing(0x3fff), 4, []uint16{0x3fff}},
		{"missing with no type", missing(0x4000), 4, nil},
		{"missing beside an offset", wire.ExtAck{Offset: 20, HasOffset: true, MissingType: 9, HasMissingType: true}, 4, []uint16{9}},
		{"nest without a missing type", wire.ExtAck{MissingNest: 28, HasMissingNest: true}, 4, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.ext.Path(wire.Message{Payload: request}, tt.header); !slices.Equal(got, tt.want) {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestPathInDamagedRequests: an attribute is found at the kernel's offset, and the
// kernel reads past the end of no list.
func TestPathInDamagedRequests(t *testing.T) {
	one := native(uint16(8), uint16(1), "abcd")
	short := native(uint16(3), uint16(1), "abcd")
	nest := func(content ...[]byte) []byte {
		var b wire.Builder
		b.Bytes(2, slices.Concat(content...))
		p, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	deep := func(n int) []byte {
		var p []byte
		for range n {
			p = nest(p)
		}
		return p
	}
	for _, tt := range []struct {
		name    string
		request []byte
		header  int
		offset  uint32
		want    []uint16
	}{
		{"after the damage", native(short, one), 0, 24, nil},
		{"before the damage", native(one, short), 0, 16, []uint16{1}},
		{"the damage", native(one, short), 0, 24, nil},
		{"trailing bytes", native(one, "\x00"), 0, 24, nil},
		{"in a damaged nest", nest(one, short), 0, 20, nil},
		{"in a nest of bytes", nest([]byte("abcdefgh")), 0, 20, nil},
		{"empty nest", nest(), 0, 20, nil},
		{"header in a nest", native("headhead", nest([]byte("headhead"), one)), 8, 36, []uint16{2, 1}},
		{"header and damage in a nest", native("headhead", nest([]byte("headhead"), one, short)), 8, 36, nil},
		{"header that a nest begins with", native("headhead", nest([]byte("headhead"), one)), 8, 28, nil},
		{"header longer than the nest", native("headhead", nest([]byte("head"))), 8, 28, nil},
		{"deep", deep(16), 0, 16 + 15*4, slices.Repeat([]uint16{2}, 16)},
		{"too deep", deep(17), 0, 16 + 16*4, nil},
		{"nothing", nil, 0, 16, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := at(tt.offset).Path(wire.Message{Payload: tt.request}, tt.header); !slices.Equal(got, tt.want) {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// paths returns the path of each attribute by its offset in the message, found by
// walking all of them.
func paths(payload []byte, header int) map[uint32][]uint16 {
	found := make(map[uint32][]uint16)
	if header >= 0 && header <= len(payload) {
		header = (header + 3) &^ 3
		collect(found, payload, min(header, len(payload)), header, nil)
	}
	return found
}

// collect adds the attributes of payload from an offset on, up to malformed bytes.
func collect(found map[uint32][]uint16, payload []byte, from, header int, above []uint16) {
	if len(above) == 16 {
		return
	}
	for a := range wire.Attrs(payload[from:]) {
		if a.Value == nil {
			return // malformed
		}
		path := append(slices.Clone(above), a.Type)
		found[uint32(wire.HeaderLen+from)] = path
		// The value's bytes and everything before them.
		inside, upTo := from+4, payload[:from+4+len(a.Value)]
		if !whole(upTo[inside:]) {
			if inside += header; inside > len(upTo) || !whole(upTo[inside:]) {
				inside = len(upTo)
			}
		}
		collect(found, upTo, inside, header, path)
		from += (4 + len(a.Value) + 3) &^ 3
	}
}

// whole reports whether b is attributes to its end.
func whole(b []byte) bool {
	for _, err := range wire.Attrs(b) {
		if err != nil {
			return false
		}
	}
	return true
}

// An attribute is found at its offset, and at no other.
func FuzzPath(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte, header int, offset uint32) {
		before := slices.Clone(payload)
		request := wire.Message{Payload: payload}
		want := paths(payload, header)
		for o := range uint32(min(len(payload), 512) + wire.HeaderLen + 4) {
			if got := at(o).Path(request, header); !slices.Equal(got, want[o]) {
				t.Fatalf("offset %d: got %d, want %d", o, got, want[o])
			}
		}
		if got := at(offset).Path(request, header); !slices.Equal(got, want[offset]) {
			t.Fatalf("offset %d: got %d, want %d", offset, got, want[offset])
		}
		missing := wire.ExtAck{MissingType: 5, HasMissingType: true, MissingNest: offset, HasMissingNest: true}
		inNest := want[offset]
		if inNest != nil {
			inNest = append(slices.Clone(inNest), 5)
		}
		if got := missing.Path(request, header); !slices.Equal(got, inNest) {
			t.Fatalf("missing at offset %d: got %d, want %d", offset, got, inNest)
		}
		if !slices.Equal(payload, before) {
			t.Fatal("the request has changed")
		}
	})
}
