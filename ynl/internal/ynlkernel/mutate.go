//go:build linux

package ynlkernel

import (
	"bytes"
	"slices"
	"testing"

	"github.com/nlmux/netlink/ynl"
)

// Mutate changes each attribute of a message, at any depth, as an older or newer kernel
// would: it cuts it short, lengthens it, gives it another number. It fails the test unless
// each of these messages can be decoded, and is the same after encoding.
func Mutate(t testing.TB, f *ynl.Family, c Capture, header int) {
	t.Helper()
	attrs, ok := cut(c.Payload[header:])
	if !ok {
		t.Fatalf("message type %d, %x: not attributes", c.Type, c.Payload)
	}
	for changed := range mutations(attrs) {
		m := Capture{c.Type, slices.Concat(c.Payload[:header], join(changed))}
		if err := lossless(f, m, header); err != nil {
			t.Errorf("message type %d, %x\nmade from %x\n%v", m.Type, m.Payload, c.Payload, err)
			return
		}
	}
}

// mutations yields lists of attributes in which one has been changed.
func mutations(list []attr) func(yield func([]attr) bool) {
	return func(yield func([]attr) bool) {
		for i, a := range list {
			for changed := range changes(a) {
				l := slices.Clone(list)
				l[i] = changed
				if !yield(l) {
					return
				}
			}
		}
	}
}

// unused is a number that no set of attributes has.
const unused = 0x3ffe

// changes yields what becomes of an attribute.
func changes(a attr) func(yield func(attr) bool) {
	return func(yield func(attr) bool) {
		flags := a.typ &^ 0x3fff
		n := len(a.value)
		list := []attr{
			{a.typ, append(bytes.Clone(a.value), 0)},
			{a.typ, append(bytes.Clone(a.value), 0, 0, 0, 0)},
			{a.typ, append(bytes.Clone(a.value), 1, 2, 3, 4, 5, 6, 7, 8)},
			{flags | unused, a.value},
			{flags | (number(a) + 1), a.value},
		}
		for _, short := range []int{1, 2, 4, n / 2, n} {
			if 0 < short && short <= n {
				list = append(list, attr{a.typ, a.value[:n-short]})
			}
		}
		for _, changed := range list {
			if !yield(changed) {
				return
			}
		}
		inner, ok := cut(a.value)
		if !ok {
			return
		}
		for changed := range mutations(inner) {
			if !yield(attr{a.typ, join(changed)}) {
				return
			}
		}
	}
}
