//go:build linux

package ynlkernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// A Capture is a message as the kernel sent it.
type Capture struct {
	Type    uint16
	Payload []byte
}

// Dump returns the messages of a dump. It ends the test if there is none.
func (s *Sandbox) Dump(t testing.TB, op *ynl.Op, req ynl.Message) []Capture {
	t.Helper()
	p := Encode(t, req)
	var list []Capture
	for m, err := range s.Conn.Dump(kerneltest.Patient(t), netlink.MessageType(op.Request()), p) {
		if err != nil {
			t.Fatalf("%s: %v", op.Name(), err)
		}
		list = append(list, Capture{uint16(m.Header.Type), bytes.Clone(m.Payload)})
	}
	if len(list) == 0 {
		t.Fatalf("%s: the dump is empty", op.Name())
	}
	return list
}

// Encode returns the payload of a message. It ends the test if the message cannot be
// encoded.
func Encode(t testing.TB, m ynl.Message) []byte {
	t.Helper()
	var b wire.Builder
	m.Encode(&b)
	p, err := b.Encode()
	if err != nil {
		t.Fatalf("encode %T: %v", m, err)
	}
	return p
}

// Lossless fails the test if a message changes when it is decoded and encoded. header is
// the size of the fixed header.
func Lossless(t testing.TB, f *ynl.Family, c Capture, header int) {
	t.Helper()
	if err := lossless(f, c, header); err != nil {
		t.Errorf("message type %d, %s: %v", c.Type, hexOf(c.Payload), err)
	}
}

func lossless(f *ynl.Family, c Capture, header int) error {
	m, err := f.Decode(c.Type, c.Payload)
	if err != nil || m == nil {
		return fmt.Errorf("decode: %v, %v", m, err)
	}
	var b wire.Builder
	m.Encode(&b)
	p, err := b.Encode()
	switch {
	case err != nil:
		return fmt.Errorf("encode: %w", err)
	case !bytes.Equal(p[:header], c.Payload[:header]):
		return fmt.Errorf("header %x became %x", c.Payload[:header], p[:header])
	}
	if diff := differ(c.Payload[header:], p[header:], ""); diff != nil {
		return fmt.Errorf("attributes differ: %s", strings.Join(diff, "; "))
	}
	return nil
}

// differ says how the attributes in b differ from those in a. They may be in another
// order, padding attributes without content may be missing, nests may have got the flag
// that says that they are such, strings end with one NUL, and structs are complete.
func differ(a, b []byte, path string) []string {
	if same(a, b) {
		return nil
	}
	// Next hops can look like attributes.
	hops, isHops := differHops(a, b, path)
	if isHops && hops == nil {
		return nil
	}
	x, ok1 := cut(a)
	y, ok2 := cut(b)
	switch {
	case ok1 && ok2:
		return differAttrs(x, y, path)
	case isHops:
		return hops
	}
	return []string{fmt.Sprintf("%s: %s became %s", path, hexOf(a), hexOf(b))}
}

func differAttrs(x, y []attr, path string) (diff []string) {
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && number(x[0]) < number(y[0]):
			if len(x[0].value) > 0 {
				diff = append(diff, fmt.Sprintf("%s.%d: %s is lost", path, number(x[0]), hexOf(x[0].value)))
			}
			x = x[1:]
		case len(x) == 0 || number(y[0]) < number(x[0]):
			diff = append(diff, fmt.Sprintf("%s.%d: %s is new", path, number(y[0]), hexOf(y[0].value)))
			y = y[1:]
		default:
			at := fmt.Sprintf("%s.%d", path, number(x[0]))
			if lost := x[0].typ &^ y[0].typ; lost != 0 {
				diff = append(diff, fmt.Sprintf("%s: flag %#x is lost", at, lost))
			}
			diff = append(diff, differ(x[0].value, y[0].value, at)...)
			x, y = x[1:], y[1:]
		}
	}
	return diff
}

// same reports whether values are the same, but for the NULs at the end of a string, the
// zeros at the end of a struct that an older kernel had cut short, and the size of an
// integer that has 4 bytes or 8 (uint).
func same(a, b []byte) bool {
	if rest, ok := bytes.CutPrefix(b, a); ok && len(b) >= 4 && len(bytes.Trim(rest, "\x00")) == 0 {
		return true
	}
	if len(a) == 8 && len(b) == 4 {
		return binary.NativeEndian.Uint64(a) == uint64(binary.NativeEndian.Uint32(b))
	}
	text, ok := bytes.CutSuffix(b, []byte{0})
	return bytes.Equal(a, b) || ok && bytes.Equal(bytes.TrimRight(a, "\x00"), text)
}

// differHops is differ for lists of struct rtnexthop with attributes. It reports whether
// they are such.
func differHops(a, b []byte, path string) (diff []string, ok bool) {
	x, ok1 := cutHops(a)
	y, ok2 := cutHops(b)
	if !ok1 || !ok2 || len(x) != len(y) {
		return nil, false
	}
	for i := range x {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !bytes.Equal(x[i][2:hopSize], y[i][2:hopSize]) { // without the length
			diff = append(diff, fmt.Sprintf("%s: %x became %x", at, x[i][:hopSize], y[i][:hopSize]))
		}
		diff = append(diff, differ(x[i][hopSize:], y[i][hopSize:], at)...)
	}
	return diff, true
}

// hexOf returns the beginning of b, and its size if that is not all.
func hexOf(b []byte) string {
	const most = 32
	if len(b) > most {
		return fmt.Sprintf("%x... (%d bytes)", b[:most], len(b))
	}
	return fmt.Sprintf("%x", b)
}

const hopSize = 8 // struct rtnexthop

func cutHops(b []byte) (hops [][]byte, ok bool) {
	for len(b) >= hopSize {
		n := int(binary.NativeEndian.Uint16(b))
		if n < hopSize || n > len(b) {
			return nil, false
		}
		hops = append(hops, b[:n])
		b = b[min(align(n), len(b)):]
	}
	return hops, len(b) == 0 && len(hops) > 0
}

// attr is an attribute as it is on the wire.
type attr struct {
	typ   uint16 // with its flags
	value []byte
}

func number(a attr) uint16 { return a.typ & 0x3fff }

func align(n int) int { return (n + 3) &^ 3 }

// cut returns attributes in ascending order of their numbers. It reports whether b consists
// of nothing else.
func cut(b []byte) (list []attr, ok bool) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return nil, false
		}
		list = append(list, attr{binary.NativeEndian.Uint16(b[2:]), b[4:n]})
		b = b[min(align(n), len(b)):]
	}
	slices.SortStableFunc(list, func(a, b attr) int { return int(number(a)) - int(number(b)) })
	return list, len(b) == 0
}

// join is the reverse of cut.
func join(list []attr) []byte {
	var b []byte
	for _, a := range list {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(a.value)))
		b = binary.NativeEndian.AppendUint16(b, a.typ)
		b = append(b, a.value...)
		b = append(b, make([]byte, align(len(b))-len(b))...)
	}
	return b
}
