package mirror

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtroute"
)

var native = binary.NativeEndian

// layout describes how a message is cut into a key and a value. The key has a fixed size
// and orders as the kernel's dumps do where that is possible.
type layout struct {
	header int      // size of the fixed header
	key    []part   // what identifies an entry, in order
	drop   []uint16 // attributes that do not count: they change without a message

	size  int             // of the key
	roles [roleCount]int8 // for each attribute: dropped, kept, or the number of a part plus one
}

// Attributes from roleCount on are kept.
const (
	roleCount = 128
	dropped   = -1
	kept      = 0
)

// part is one part of a key. Its source is an attribute, or the fixed header if the
// attribute is missing or there is none.
type part struct {
	size    int    // bytes in the key
	attr    uint16 // attribute, 0: none
	instead uint16 // attribute to read where attr is missing; it stays in the value
	at      int    // offset in the fixed header
	width   int    // bytes there, 0: none
	number  bool   // an integer in the machine's byte order, which the key has in big endian
	inverse bool   // larger numbers come first
	length  int    // offset of a prefix length in the fixed header; the attribute is there if it is not 0

	offset int // in the key
}

// complete computes the derived fields.
func (l layout) complete() layout {
	l.key = slices.Clone(l.key)
	for i := range l.key {
		p := &l.key[i]
		p.offset = l.size
		l.size += p.size
		if p.attr != 0 {
			l.roles[p.attr] = int8(i + 1)
		}
	}
	for _, a := range l.drop {
		l.roles[a] = dropped
	}
	return l
}

// split cuts a payload. It appends the key and the value to their slices and reports
// whether the payload could be cut apart.
func (l *layout) split(payload, key, value []byte) (k, v []byte, ok bool) {
	if len(payload) < l.header {
		return key, value, false
	}
	value = append(value, payload[:l.header]...)
	head := value[len(value)-l.header:]
	key = append(key, make([]byte, l.size)...)
	k = key[len(key)-l.size:]
	for i := range l.key {
		p := &l.key[i]
		p.put(k, head[p.at:p.at+p.width])
		for j := p.at; j < p.at+p.width; j++ { // clear is slow for few bytes
			head[j] = 0
		}
	}
	start := len(value) - l.header
	var found uint32
	for rest := payload[l.header:]; len(rest) >= 4; {
		n := int(native.Uint16(rest))
		if n < 4 || n > len(rest) {
			return key, value, false
		}
		padded := min((n+3)&^3, len(rest))
		role := int8(kept)
		if t := native.Uint16(rest[2:]) &^ (wire.NLA_F_NESTED | wire.NLA_F_NET_BYTEORDER); t < roleCount {
			role = l.roles[t]
		}
		switch {
		case role > 0:
			l.key[role-1].put(k, rest[4:n])
			found |= 1 << role
		case role == kept:
			value = append(value, rest[:padded]...)
		}
		rest = rest[padded:]
	}
	for i := range l.key {
		if p := &l.key[i]; p.instead != 0 && found&(2<<i) == 0 {
			if a, ok := attribute(value[start+l.header:], p.instead); ok {
				p.put(k, a)
			}
		}
	}
	return key, value, true
}

// put writes the part into the key k.
func (p *part) put(k, v []byte) {
	dst := k[p.offset : p.offset+p.size]
	switch {
	case p.number:
		binary.BigEndian.PutUint32(dst, integer(v))
	case copy(dst, v) < p.size:
		clear(dst[min(len(v), p.size):])
	}
	if p.inverse {
		invert(dst)
	}
}

// join appends a payload with the content of key and value, with the attributes of the
// key at the end.
func (l *layout) join(dst, key, value []byte) []byte {
	dst = append(dst, value...)
	start := len(dst) - len(value)
	head := dst[start : start+l.header]
	for i := range l.key {
		l.key[i].putHeader(head, key)
	}
	attrs := value[l.header:]
	for i := range l.key {
		p := &l.key[i]
		var buf [4 * 4]byte
		v := p.value(buf[:], key)
		if p.present(dst[start:], attrs, v) {
			dst = appendAttribute(dst, p.attr, v)
		}
	}
	return dst
}

// value returns the part of key as the kernel has it, in buf.
func (p *part) value(buf, key []byte) []byte {
	v := buf[:p.size]
	copy(v, key[p.offset:])
	if p.inverse {
		invert(v)
	}
	if p.number {
		native.PutUint32(v, binary.BigEndian.Uint32(v))
	}
	return v
}

// putHeader writes the part of key to its place in the fixed header.
func (p *part) putHeader(head, key []byte) {
	var buf [4 * 4]byte
	v := p.value(buf[:], key)
	if p.number && p.width == 1 {
		u := native.Uint32(v)
		if u > 0xff {
			u = rtroute.RT_TABLE_COMPAT // as the kernel does (fib_dump_info in net/ipv4/fib_semantics.c)
		}
		v = []byte{byte(u)}
	}
	copy(head[p.at:p.at+p.width], v)
}

// present reports whether the kernel's message has the attribute of the part.
func (p *part) present(payload, attrs, v []byte) bool {
	switch {
	case p.attr == 0:
		return false
	case p.length != 0:
		return payload[p.length] != 0
	case p.instead != 0:
		a, found := attribute(attrs, p.instead)
		return !found || !bytes.Equal(a, v)
	}
	return len(bytes.Trim(v, "\x00")) > 0
}

// integer returns the value of an integer of 1, 2 or 4 bytes, 0 for other sizes.
func integer(v []byte) uint32 {
	switch len(v) {
	case 1:
		return uint32(v[0])
	case 2:
		return uint32(native.Uint16(v))
	case 4:
		return native.Uint32(v)
	}
	return 0
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// attribute returns the value of the first attribute of that type.
func attribute(attrs []byte, typ uint16) (value []byte, found bool) {
	for len(attrs) >= 4 {
		a, rest, err := wire.NextAttr(attrs)
		if err != nil {
			return nil, false
		}
		if a.Type == typ {
			return a.Value, true
		}
		attrs = rest
	}
	return nil, false
}

// appendAttribute appends an attribute and its padding.
func appendAttribute(dst []byte, typ uint16, value []byte) []byte {
	dst = native.AppendUint16(dst, uint16(4+len(value)))
	dst = native.AppendUint16(dst, typ)
	dst = append(dst, value...)
	return append(dst, make([]byte, -len(value)&3)...)
}

// keyNumber returns the number that a key begins with: the index of a link, or an id.
func keyNumber(key []byte) uint32 { return binary.BigEndian.Uint32(key) }
