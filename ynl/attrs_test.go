package ynl_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// list returns the attributes as text.
func list(a ynl.Attrs) (list []string) {
	for typ, value := range a.All() {
		list = append(list, fmt.Sprintf("%#x %q", typ, value))
	}
	return list
}

func TestAttrs(t *testing.T) {
	var a ynl.Attrs
	a.Add(1, []byte("abc"))
	value := []byte("de")
	a.Add(2|wire.NLA_F_NESTED, value)
	value[0] = 'X' // which Add has copied
	a.Add(3|wire.NLA_F_NET_BYTEORDER, nil)
	if got, want := fmt.Sprint(list(a)), `[0x1 "abc" 0x8002 "de" 0x4003 ""]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}

	var b wire.Builder
	b.Bytes(1, []byte("abc"))
	b.Bytes(2|wire.NLA_F_NESTED, []byte("de"))
	b.Flag(3 | wire.NLA_F_NET_BYTEORDER)
	if want, err := b.Encode(); err != nil || !bytes.Equal(a, want) {
		t.Errorf("%x, want %x, %v", a, want, err)
	}
	for typ := range a.All() {
		if typ != 1 {
			t.Errorf("type %#x after the end", typ)
		}
		break
	}
}

// The iterator ends at bytes that are no attribute.
func TestAttrsThatCannotBeRead(t *testing.T) {
	var a ynl.Attrs
	a.Add(1, []byte("abcd"))
	for n := range a {
		if got := list(a[:n]); len(got) != 0 {
			t.Errorf("%d bytes: %s", n, got)
		}
	}
	if got := fmt.Sprint(list(append(a, 9, 9))); got != `[0x1 "abcd"]` {
		t.Error(got)
	}
}

func TestAttrsLimit(t *testing.T) {
	var a ynl.Attrs
	a.Add(1, make([]byte, 65531))
	defer func() {
		if r := fmt.Sprint(recover()); r != "wire: attribute type 2: value of 65532 bytes, at most 65531 fit" || len(a) != 65536 {
			t.Errorf("%s, %d bytes", r, len(a))
		}
	}()
	a.Add(2, make([]byte, 65532))
}
