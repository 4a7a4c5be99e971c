package all_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// A target is a type of messages.
type target struct {
	f   *table.Family
	set uint16
}

func targets() []target {
	var list []target
	for _, family := range all.Families {
		for i := range family.Rows.Sets {
			list = append(list, target{family.Rows, uint16(i) + 1})
		}
	}
	return list
}

func (t target) new() ynl.Message { return t.f.NewMessage(t.set).(ynl.Message) }

// FuzzDecode decodes any bytes as a message of any type. What was decoded and is encoded
// again has the same fields when it is decoded, and the same bytes when that is encoded.
func FuzzDecode(f *testing.F) {
	list := targets()
	for which := range list {
		for seed := range uint64(2) {
			f.Add(uint16(which), randomPayload(f, list[which], seed))
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, payload []byte) {
		checkFixpoint(t, list[int(which)%len(list)], payload)
	})
}

// FuzzJSON reads any text as a message of any type. What was read and is written again is
// the same text when that is read and written.
func FuzzJSON(f *testing.F) {
	list := targets()
	for which, of := range list {
		f.Add(uint16(which), []byte(asJSON(newRandom(f, of, 3).message(of))))
	}
	f.Fuzz(func(t *testing.T, which uint16, text []byte) {
		of := list[int(which)%len(list)]
		x, y := of.new(), of.new()
		if json.Unmarshal(text, x) != nil {
			return
		}
		once, err := json.Marshal(x)
		if err != nil {
			return // such as unknown attributes that cannot be cut apart
		}
		if err := json.Unmarshal(once, y); err != nil {
			t.Fatalf("%T: %v\n%s\n%s", x, err, text, once)
		}
		if twice := asJSON(y); twice != string(once) {
			t.Fatalf("%T\n%s\n%s\n%s", x, text, once, twice)
		}
	})
}

// TestMutations is FuzzDecode for what chance does to messages of every type: bytes are
// changed, left out and added, and attributes change their length and type.
func TestMutations(t *testing.T) {
	for _, of := range targets() {
		t.Run(elemType(of.f.Sets[of.set-1].Type).String(), func(t *testing.T) {
			r := newRandom(t, of, 7)
			payload := randomPayload(t, of, 7)
			for range 60 {
				checkFixpoint(t, of, r.mutate(payload))
			}
		})
	}
}

// mutate returns a changed copy of a payload.
func (r *random) mutate(payload []byte) []byte {
	p := bytes.Clone(payload)
	for range 1 + r.IntN(4) {
		switch at := r.IntN(len(p) + 1); {
		case at == len(p):
			p = append(p, r.bytes()...)
		case r.IntN(4) == 0:
			p = p[:at]
		case r.IntN(2) == 0:
			p[at] = byte(r.Uint32())
		default:
			// Attributes begin at multiples of 4 with their length and type.
			p[at&^3] += byte(r.IntN(9)) - 4
		}
	}
	return p
}

// checkFixpoint decodes a payload and encodes it, and does so again with the result.
func checkFixpoint(t *testing.T, of target, payload []byte) {
	t.Helper()
	x := of.new()
	original := bytes.Clone(payload)
	if err := x.Decode(payload); err != nil {
		if !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%T: the error %v is not ErrMalformed\n%x", x, err, payload)
		}
		return
	}
	if !bytes.Equal(payload, original) {
		t.Fatalf("%T: Decode changed the payload", x)
	}
	var b wire.Builder
	x.Encode(&b)
	once, err := b.Encode()
	if err != nil {
		return // such as an address of the other family
	}
	once = bytes.Clone(once)
	y := of.new()
	if err := y.Decode(once); err != nil {
		t.Fatalf("%T: decoded again: %v\n%x\n%x", x, err, payload, once)
	}
	b.Reset()
	y.Encode(&b)
	if twice, err := b.Encode(); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%T: encoded again: %v\n%x\n%x", x, err, once, twice)
	}
	for _, m := range []ynl.Message{x, y} {
		dropUnknown(reflect.ValueOf(m))
	}
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("%T: decoded again\n%s\n%x\n%x", x, diff(x, y), payload, once)
	}
	z := of.new()
	if err := json.Unmarshal([]byte(asJSON(x)), z); err != nil {
		t.Fatalf("%T: %v\n%s", x, err, asJSON(x))
	}
}

// dropUnknown removes the unknown attributes of a value. An attribute of which the field
// has not all is among them as it came, which may be with other padding than it is sent.
func dropUnknown(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		dropUnknown(v.Elem())
	case reflect.Slice:
		if v.Type() == attrsType {
			v.SetZero()
			return
		}
		for i := range v.Len() {
			dropUnknown(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				dropUnknown(v.Field(i))
			}
		}
	}
}

// randomPayload returns a message with random values.
func randomPayload(t testing.TB, of target, seed uint64) []byte {
	t.Helper()
	var b wire.Builder
	newRandom(t, of, seed).message(of).Encode(&b)
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(payload)
}
