package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// native concatenates its arguments: integers in the machine's byte order, strings and
// byte slices unchanged.
func native(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		if s, ok := p.(string); ok {
			p = []byte(s)
		}
		var err error
		if b, err = binary.Append(b, binary.NativeEndian, p); err != nil {
			panic(err)
		}
	}
	return b
}

// header lays out a message header.
func header(length uint32, typ netlink.MessageType, flags netlink.Flags, seq, port uint32) []byte {
	return native(length, typ, flags, seq, port)
}

func TestDecode(t *testing.T) {
	h := func(length uint32) wire.Header {
		return wire.Header{Length: length, Type: 20, Flags: 5, Seq: 7, PortID: 9}
	}
	bytesOf := func(length uint32, rest string) []byte {
		return append(header(length, 20, 5, 7, 9), rest...)
	}
	for _, tt := range []struct {
		name    string
		in      []byte
		header  wire.Header
		payload string
		rest    string
		bad     bool
	}{
		{name: "nothing", in: nil, bad: true},
		{name: "header cut", in: bytesOf(16, "")[:15], bad: true},
		{name: "header alone", in: bytesOf(16, ""), header: h(16)},
		{name: "length 0", in: bytesOf(0, "abcd"), header: h(0), bad: true},
		{name: "length below header", in: bytesOf(15, "abcd"), header: h(15), bad: true},
		{name: "payload", in: bytesOf(20, "abcd"), header: h(20), payload: "abcd"},
		{name: "padding", in: bytesOf(17, "a\x00\x00\x00next"), header: h(17), payload: "a", rest: "next"},
		{name: "padding is not checked", in: bytesOf(18, "abXYnext"), header: h(18), payload: "ab", rest: "next"},
		{name: "padding missing", in: bytesOf(17, "a"), header: h(17), payload: "a"},
		{name: "padding cut", in: bytesOf(17, "a\x00\x00"), header: h(17), payload: "a"},
		{name: "next message", in: bytesOf(20, "abcdnext"), header: h(20), payload: "abcd", rest: "next"},
		{name: "cut by one byte", in: bytesOf(21, "abcd"), header: h(21), payload: "abcd", bad: true},
		{name: "length beyond int32", in: bytesOf(1<<31, "abcd"), header: h(1 << 31), payload: "abcd", bad: true},
		{name: "largest length", in: bytesOf(1<<32-1, "abcd"), header: h(1<<32 - 1), payload: "abcd", bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Nothing of the earlier message may remain.
			m := wire.Message{
				Header:  wire.Header{Length: 1, Type: 2, Flags: 3, Seq: 4, PortID: 5},
				Payload: []byte("stale"),
			}
			rest, err := m.Decode(tt.in)
			if m.Header != tt.header || string(m.Payload) != tt.payload || string(rest) != tt.rest {
				t.Errorf("got %+v, rest %q", m, rest)
			}
			if tt.bad != (err != nil) || tt.bad != errors.Is(err, wire.ErrMalformed) {
				t.Errorf("err = %v", err)
			}
			if cap(m.Payload) != len(m.Payload) {
				t.Errorf("payload of %d bytes has capacity %d", len(m.Payload), cap(m.Payload))
			}
			if tt.bad && rest != nil {
				t.Errorf("rest = %q after an error", rest)
			}
		})
	}
}

// The text of an error describes the bytes that it is about.
func TestDecodeErrorText(t *testing.T) {
	for _, tt := range []struct {
		in   []byte
		want string
	}{
		{make([]byte, 3), "wire: malformed: message header of 16 bytes in 3"},
		{header(8, 20, 0, 0, 0), "wire: malformed: message of 8 bytes in 16"},
		{header(1<<32-1, 20, 0, 0, 0), "wire: malformed: message of 4294967295 bytes in 16"},
	} {
		if _, err := new(wire.Message).Decode(tt.in); err == nil || err.Error() != tt.want {
			t.Errorf("err = %v, want %s", err, tt.want)
		}
	}
}

// An append to a payload must not overwrite the next message.
func TestDecodeAppendToPayload(t *testing.T) {
	b := append(header(20, 1, 0, 0, 0), "abcd"...)
	b = append(b, header(16, 2, 0, 0, 0)...)
	before := bytes.Clone(b)
	var m wire.Message
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	_ = append(m.Payload, 0xff)
	if !bytes.Equal(b, before) {
		t.Error("the buffer has changed")
	}
	m.Payload[0] = 'X'
	if b[16] != 'X' {
		t.Error("the payload does not alias the buffer")
	}
}

func TestMessages(t *testing.T) {
	first := append(header(17, 20, 2, 7, 9), "a\x00\x00\x00"...)
	last := header(16, 3, 2, 7, 9)
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, ""},
		{"two", append(bytes.Clone(first), last...), `20"a" 3"" `},
		{"stops at a cut header", append(bytes.Clone(first), last[:15]...), `20"a" 0""! `},
		{"stops at a bad length", append(append(bytes.Clone(first), header(4, 21, 0, 0, 0)...), last...), `20"a" 21""! `},
		{"shows what there is", append(bytes.Clone(first), append(header(99, 21, 0, 0, 0), "bc"...)...), `20"a" 21"bc"! `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for m, err := range wire.Messages(tt.in) {
				got += fmt.Sprintf("%d%q", uint16(m.Header.Type), m.Payload)
				if err != nil {
					got += "!"
				}
				got += " "
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The loop can be left and started again.
func TestMessagesBreak(t *testing.T) {
	seq := wire.Messages(append(header(16, 20, 0, 0, 0), header(16, 21, 0, 0, 0)...))
	for range 2 {
		n := 0
		for m, err := range seq {
			if err != nil || m.Header.Type != 20 {
				t.Fatalf("got %+v, %v", m, err)
			}
			n++
			break
		}
		if n != 1 {
			t.Fatalf("%d messages before the break", n)
		}
	}
}

func TestAppendMessage(t *testing.T) {
	for _, tt := range []struct{ payload, padding string }{
		{"", ""},
		{"a", "\x00\x00\x00"},
		{"ab", "\x00\x00"},
		{"abc", "\x00"},
		{"abcd", ""},
		{"abcde", "\x00\x00\x00"},
	} {
		m := wire.Message{
			Header:  wire.Header{Length: 12345, Type: 20, Flags: 0x305, Seq: 0x01020304, PortID: 0xfffefdfc},
			Payload: []byte(tt.payload),
		}
		want := append([]byte("before"), header(uint32(16+len(tt.payload)), 20, 0x305, 0x01020304, 0xfffefdfc)...)
		want = append(want, tt.payload+tt.padding...)
		// The padding is zero, whatever the memory held before.
		dirty := bytes.Repeat([]byte{0xff}, 64)
		got := wire.AppendMessage(append(dirty[:0], "before"...), m)
		if !bytes.Equal(got, want) {
			t.Errorf("payload %q:\ngot  %x\nwant %x", tt.payload, got, want)
		}
	}
}

func TestClone(t *testing.T) {
	b := append(header(20, 20, 5, 7, 9), "abcd"...)
	var m wire.Message
	if _, err := m.Decode(b); err != nil {
		t.Fatal(err)
	}
	c := m.Clone()
	clear(b)
	if c.Header != m.Header || string(c.Payload) != "abcd" {
		t.Errorf("clone is %+v", c)
	}
	// An empty payload stays different from nil.
	if (wire.Message{}).Clone().Payload != nil {
		t.Error("clone of nil is not nil")
	}
	if (wire.Message{Payload: []byte{}}).Clone().Payload == nil {
		t.Error("clone of an empty payload is nil")
	}
}

func TestMessageAllocs(t *testing.T) {
	b := wire.AppendMessage(nil, wire.Message{Payload: []byte("abcde")})
	b = wire.AppendMessage(b, wire.Message{Header: wire.Header{Type: 3}})
	wantAllocs(t, 0, "Decode", func() {
		for rest := b; len(rest) > 0; {
			var m wire.Message
			after, err := m.Decode(rest)
			if err != nil {
				t.Fatal(err)
			}
			sink += len(m.Payload)
			rest = after
		}
	})
	wantAllocs(t, 0, "Messages", func() {
		for m, err := range wire.Messages(b) {
			if err != nil {
				t.Fatal(err)
			}
			sink += len(m.Payload)
		}
	})
	m := wire.Message{Payload: []byte("abcde")}
	wantAllocs(t, 0, "AppendMessage", func() { b = wire.AppendMessage(b[:0], m) })
}

// sink keeps the measured code from being optimized away.
var sink int

// wantAllocs fails t unless f allocates n times.
func wantAllocs(t *testing.T, n float64, name string, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(100, f); got != n {
		t.Errorf("%s allocates %v times, want %v", name, got, n)
	}
}
