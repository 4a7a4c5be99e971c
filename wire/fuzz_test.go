package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// inside fails t unless part is the bytes of b from offset at on, and its capacity ends
// with it.
func inside(t *testing.T, b []byte, at int, part []byte) {
	t.Helper()
	if cap(part) != len(part) {
		t.Fatalf("%d bytes with capacity %d", len(part), cap(part))
	}
	if len(part) > 0 && &part[0] != &b[at] {
		t.Fatalf("does not alias the buffer at %d", at)
	}
}

// Messages that are read and written again are equal.
func FuzzMessages(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var read []wire.Message
		var written []byte
		at, stopped := 0, false
		for m, err := range wire.Messages(b) {
			if stopped {
				t.Fatal("continues after an error")
			}
			if err != nil {
				if !errors.Is(err, wire.ErrMalformed) {
					t.Fatal(err)
				}
				stopped = true
			}
			inside(t, b, at+wire.HeaderLen, m.Payload)
			if err == nil {
				at = min(at+wire.HeaderLen+(len(m.Payload)+3)&^3, len(b))
				read = append(read, m)
				written = wire.AppendMessage(written, m)
			}
		}
		if !stopped && at != len(b) {
			t.Fatalf("ends at %d of %d bytes without an error", at, len(b))
		}
		if len(read) > len(b)/wire.HeaderLen {
			t.Fatalf("%d messages in %d bytes", len(read), len(b))
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the input has changed")
		}

		i := 0
		var again []byte
		for m, err := range wire.Messages(written) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Header != read[i].Header || !bytes.Equal(m.Payload, read[i].Payload) {
				t.Fatalf("message %d: got %+v, want %+v", i, m, read[i])
			}
			i++
			again = wire.AppendMessage(again, m.Clone())
		}
		if i != len(read) || !bytes.Equal(again, written) {
			t.Fatalf("%d messages of %d, written as %x and then %x", i, len(read), written, again)
		}
	})
}

// Attributes that are read and built again are equal.
func FuzzAttrs(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		readAttrs(t, b, 0)
		if !bytes.Equal(b, before) {
			t.Fatal("the input has changed")
		}
	})
}

func readAttrs(t *testing.T, b []byte, depth int) {
	var read []wire.Attr
	var build wire.Builder
	at, stopped := 0, false
	d := wire.NewDecoder(b)
	for a, err := range wire.Attrs(b) {
		if stopped {
			t.Fatal("continues after an error")
		}
		if ok := d.Next(); ok != (err == nil) || !sameAttr(d.Attr(), a) || fmt.Sprint(d.Err()) != fmt.Sprint(err) {
			t.Fatalf("Decoder: %+v, %v; Attrs: %+v, %v", d.Attr(), d.Err(), a, err)
		}
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) || !reflect.DeepEqual(a, wire.Attr{}) {
				t.Fatal(a, err)
			}
			stopped = true
			continue
		}
		inside(t, b, at+4, a.Value)
		at = min(at+4+(len(a.Value)+3)&^3, len(b))
		read = append(read, a)
		typ := a.Type
		if a.Nested {
			typ |= wire.NLA_F_NESTED
		}
		if a.NetByteOrder {
			typ |= wire.NLA_F_NET_BYTEORDER
		}
		build.Bytes(typ, a.Value)
		readValue(t, a)
		if depth < 4 {
			readAttrs(t, a.Value, depth+1)
		}
	}
	if d.Next() {
		t.Fatalf("Decoder continues with %+v", d.Attr())
	}
	if !stopped && at != len(b) {
		t.Fatalf("ends at %d of %d bytes without an error", at, len(b))
	}
	if len(read) > len(b)/4 {
		t.Fatalf("%d attributes in %d bytes", len(read), len(b))
	}

	p, err := build.Encode()
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for a, err := range wire.Attrs(p) {
		if err != nil || !sameAttr(a, read[i]) {
			t.Fatalf("attribute %d: got %+v, %v, want %+v", i, a, err, read[i])
		}
		i++
	}
	if i != len(read) {
		t.Fatalf("%d attributes of %d", i, len(read))
	}
}

// readValue calls every getter of a.
func readValue(t *testing.T, a wire.Attr) {
	for _, g := range getters {
		fits := false
		for _, n := range g.sizes {
			fits = fits || n == len(a.Value)
		}
		if _, err := g.get(a); fits != (err == nil) || !fits && !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("%s of %d bytes: %v", g.name, len(a.Value), err)
		}
	}
	s := a.String()
	if !bytes.HasPrefix(a.Bytes(), []byte(s)) || bytes.IndexByte([]byte(s), 0) >= 0 {
		t.Fatalf("%x is string %q", a.Value, s)
	}
	// A string that the Builder writes is read back.
	var b wire.Builder
	b.String(a.Type, s)
	p, err := b.Encode()
	if len(s) > 65530 {
		if err == nil {
			t.Fatalf("no error for a string of %d bytes", len(s))
		}
		return
	}
	if again, _, nextErr := wire.NextAttr(p); err != nil || nextErr != nil || again.String() != s {
		t.Fatalf("string %q: %v, %v, got %q", s, err, nextErr, again.String())
	}
}

// ParseAck and DecodeAck agree, and their results share no memory with the buffer.
func FuzzAck(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		for m, err := range wire.Messages(b) {
			if err == nil {
				readAck(t, m)
			}
		}
	})
}

func readAck(t *testing.T, m wire.Message) {
	a, err := wire.DecodeAck(m)
	kerr, parseErr := wire.ParseAck(m)
	if (err == nil) != (parseErr == nil) {
		t.Fatalf("DecodeAck: %v, ParseAck: %v", err, parseErr)
	}
	isAck := m.Header.Type == netlink.NLMSG_ERROR || m.Header.Type == netlink.NLMSG_DONE
	if err != nil {
		if kerr != nil || errors.Is(err, wire.ErrMalformed) != isAck {
			t.Fatalf("type %d: ParseAck = %v, %v", uint16(m.Header.Type), kerr, parseErr)
		}
		return
	}
	if !isAck || a.Seq != m.Header.Seq || a.Errno > math.MaxInt32 {
		t.Fatalf("%+v of %+v", a, m)
	}
	if x := a.Ext; len(x.Message)+len(x.Cookie)+len(x.Policy) > len(m.Payload) {
		t.Fatalf("%+v of %d bytes", x, len(m.Payload))
	}
	if (kerr == nil) != (a.Errno == 0) {
		t.Fatalf("ParseAck = %v, DecodeAck = %+v", kerr, a)
	}
	code := int32(0) // a DONE may have none
	if len(m.Payload) > 0 {
		code = int32(binary.NativeEndian.Uint32(m.Payload))
	}
	if a.Code != max(code, 0) || int64(a.Errno) != -int64(min(code, 0)) {
		t.Fatalf("code %d is read as %+v", code, a)
	}
	if kerr == nil {
		return
	}
	text := kerr.Error()
	for i := range m.Payload {
		m.Payload[i] ^= 0xff
	}
	same := reflect.DeepEqual(asAck(kerr), a) && kerr.Error() == text
	for i := range m.Payload {
		m.Payload[i] ^= 0xff
	}
	now, err := wire.DecodeAck(m)
	if err != nil || !same || !reflect.DeepEqual(now, a) {
		t.Fatalf("the buffer shows in the result: %v\nwas %+v\nis  %+v", err, now, a)
	}
}
