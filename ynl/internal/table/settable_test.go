package table_test

import (
	"reflect"
	"testing"

	"github.com/nlmux/netlink/ynl/internal/table"
)

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
