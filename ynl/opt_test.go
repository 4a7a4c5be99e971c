package ynl_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nlmux/netlink/ynl"
)

func TestOpt(t *testing.T) {
	var absent ynl.Opt[uint32]
	if v, ok := absent.Get(); v != 0 || ok || absent.Or(7) != 7 || !absent.IsZero() || absent.String() != "-" {
		t.Errorf("absent: %d, %v, %d, %v, %s", v, ok, absent.Or(7), absent.IsZero(), absent)
	}
	zero := ynl.U32(0)
	if v, ok := zero.Get(); v != 0 || !ok || zero.Or(7) != 0 || zero.IsZero() || zero.String() != "0" {
		t.Errorf("zero: %d, %v, %d, %v, %s", v, ok, zero.Or(7), zero.IsZero(), zero)
	}
	if got := fmt.Sprint(ynl.Some("eth0"), ynl.U8(1), ynl.U16(2), ynl.U64(3), ynl.S8(-1), ynl.S16(-2), ynl.S32(-3), ynl.S64(-4)); got != "eth0 1 2 3 -1 -2 -3 -4" {
		t.Error(got)
	}
}

func TestOptJSON(t *testing.T) {
	type message struct {
		Name ynl.Opt[string] `json:"name,omitzero"`
		Size ynl.Opt[uint16] `json:"size"`
	}
	for text, m := range map[string]message{
		`{"size":null}`:             {},
		`{"name":"","size":0}`:      {ynl.Some(""), ynl.U16(0)},
		`{"name":"eth0","size":17}`: {ynl.Some("eth0"), ynl.U16(17)},
	} {
		b, err := json.Marshal(m)
		if err != nil || string(b) != text {
			t.Errorf("%s, %v, want %s", b, err, text)
		}
		got := message{ynl.Some("old"), ynl.U16(1)}
		if m.Name.IsZero() {
			got.Name = m.Name // which the text does not mention
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != m {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	o := ynl.U8(1)
	if err := json.Unmarshal([]byte("256"), &o); err == nil || o != ynl.U8(1) {
		t.Errorf("256 in a byte: %v, %v", o, err)
	}
}
