package names

import (
	"strconv"
	"strings"

	"github.com/nlmux/netlink/wire"
)

// attrHeaderLen is the size of struct nlattr in bytes.
const attrHeaderLen = 4

// maxType is the greatest type of an attribute, without the flags in it.
const maxType = 1<<14 - 1

// maxDepth is the maximum number of attributes in each other. The kernel's are about half
// as deep; deeper ones are taken for other data.
const maxDepth = 16

// Path returns the names of the attribute that x is about and of those around it, such as
// "IFLA_LINKINFO > IFLA_INFO_KIND". A type without a name is its number. The path is ""
// if x is about no attribute, or the size of the request's header is unknown.
//
// It is [wire.ExtAck.Path] with names, and with what the names say of headers within
// attributes. payload is that of the request.
func (r Request) Path(payload []byte, x wire.ExtAck) string {
	switch {
	case r.table == "", x.HasMissingType && x.MissingType > maxType:
	case x.HasMissingType && !x.HasMissingNest:
		name, _ := r.table.look(r.in, uint16(x.MissingType))
		return name
	case x.HasMissingType:
		if path, in := r.trace(payload, x.MissingNest); path != nil {
			name, _ := r.table.look(in, uint16(x.MissingType))
			return strings.Join(append(path, name), " > ")
		}
	case x.HasOffset:
		path, _ := r.trace(payload, x.Offset)
		return strings.Join(path, " > ")
	}
	return ""
}

// look returns the name of an attribute in c, or its number, and what is in its value.
func (t table) look(c content, typ uint16) (string, content) {
	if c.keys > 0 {
		return strconv.Itoa(int(typ)), content{place: c.place, keys: c.keys - 1}
	}
	name, in := t.find(c.place, typ)
	if name == "" {
		name = strconv.Itoa(int(typ))
	}
	return name, in
}

// trace returns the names of the attribute at an offset of the message with this payload
// and of those around it, and what is in its value. The path is nil if no attribute
// begins there.
func (r Request) trace(payload []byte, offset uint32) (path []string, in content) {
	in = r.in
	b, at := payload, int(offset)-wire.HeaderLen
	for len(path) < maxDepth {
		head, attrs, within := in.cut(b, at)
		// A nest that is unknown may be no nest.
		if within < 0 || len(path) > 0 && !areAttrs(attrs) {
			return nil, content{}
		}
		a, begin, ok := around(attrs, within)
		if !ok {
			return nil, content{}
		}
		var name string
		name, in = r.table.look(in, a.Type)
		if in.chosen {
			in = r.table.choose(in.place, head, attrs)
		}
		path = append(path, name)
		if begin == within {
			return path, in
		}
		b, at = a.Value, within-begin-attrHeaderLen
	}
	return nil, content{}
}

// cut returns the header and the attributes in the value b, for records those of the
// record around an offset. It also returns the offset in the attributes, which is negative
// if it is in none.
func (c content) cut(b []byte, at int) (head, attrs []byte, within int) {
	if c.records {
		r, begin, ok := around(b, at) // a record begins with its length as an attribute does
		if !ok {
			return nil, nil, -1
		}
		at -= begin
		b = b[begin:][:attrHeaderLen+len(r.Value)]
	}
	if c.header > len(b) {
		return nil, nil, -1
	}
	return b[:c.header], b[c.header:], at - c.header
}

// around returns the attribute of b that contains the byte at, and its offset.
func around(b []byte, at int) (a wire.Attr, begin int, ok bool) {
	for a, err := range wire.Attrs(b) {
		if err != nil || at < begin {
			break
		}
		end := begin + attrHeaderLen + len(a.Value)
		if at < end {
			return a, begin, true
		}
		begin = end + -end&3
	}
	return wire.Attr{}, 0, false
}

// areAttrs reports whether b is a valid list of attributes.
func areAttrs(b []byte) bool {
	for _, err := range wire.Attrs(b) {
		if err != nil {
			return false
		}
	}
	return true
}
