//go:build linux

package ynlkernel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/wire"
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
		if err := lossless(f, m, header); err != nil && !expected(f, m, header) {
			t.Errorf("message type %d, in which %s: %v", m.Type, strings.Join(differ(c.Payload[header:], m.Payload[header:], ""), "; "), err)
			return
		}
	}
}

// expected reports whether a message is one of those that do not stay the same: an address
// that has the size of another family is decoded, but not encoded, and an attribute that
// is kept as unknown comes after those of its number that are not.
func expected(f *ynl.Family, c Capture, header int) bool {
	m, err := f.Decode(c.Type, c.Payload)
	if err != nil || m == nil {
		return false
	}
	var b wire.Builder
	m.Encode(&b)
	p, err := b.Encode()
	if err != nil {
		return strings.Contains(err.Error(), ": address ")
	}
	return slices.Equal(sorted(c.Payload[header:]), sorted(p[header:]))
}

// sorted returns the attributes at all depths, as text and in order.
func sorted(b []byte) (list []string) {
	attrs, _ := cut(b)
	for _, a := range attrs {
		if inner := sorted(a.value); len(inner) > 0 {
			list = append(list, fmt.Sprintf("%d: %q", number(a), inner))
		} else {
			list = append(list, fmt.Sprintf("%d: %x", number(a), bytes.TrimRight(a.value, "\x00")))
		}
	}
	slices.Sort(list)
	return list
}

// mutations yields lists of attributes in which one has been changed.
func mutations(list []attr) func(yield func([]attr) bool) {
	return func(yield func([]attr) bool) {
		for i, a := range list {
			for changed := range changes(a, free(list)) {
				l := slices.Clone(list)
				l[i] = changed
				if !yield(l) {
					return
				}
			}
		}
	}
}

// free returns the smallest number that none of the attributes has.
func free(list []attr) (n uint16) {
	for n = 1; slices.ContainsFunc(list, func(a attr) bool { return number(a) == n }); n++ {
	}
	return n
}

// unused is a number that no set of attributes has.
const unused = 0x3ffe

// changes yields what becomes of an attribute. other is the number of another one.
func changes(a attr, other uint16) func(yield func(attr) bool) {
	return func(yield func(attr) bool) {
		flags := a.typ &^ 0x3fff
		n := len(a.value)
		list := []attr{
			{a.typ, append(bytes.Clone(a.value), 0)},
			{a.typ, append(bytes.Clone(a.value), 0, 0, 0, 0)},
			{a.typ, append(bytes.Clone(a.value), 1, 2, 3, 4, 5, 6, 7, 8)},
			{flags | unused, a.value},
			{other, a.value},
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
