package names

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// protocol is the place of a protocol's requests.
type protocol struct {
	family netlink.Family
	place  int
}

// family is the place of a generic family's commands.
type family struct {
	name  string
	place int
}

// table has texts that refer to each other, each in a line. The package comment describes
// them.
type table string

// line returns the text with a place.
func (t table) line(place int) string {
	text := string(t)
	for range place {
		text = text[strings.IndexByte(text, '\n')+1:]
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// content is what a value consists of. The zero value is attributes without names.
type content struct {
	place   int  // of the names of the attributes, 0 if they are unknown
	header  int  // bytes before them
	keys    int  // levels of attributes with numbers as types around them
	records bool // the value is records, each with the header
	chosen  bool // the place is that of a choice
}

// find returns the name of a type in the text of a place, and what is in its value. The
// name is "" if the text does not have the type.
func (t table) find(place int, typ uint16) (string, content) {
	prefix, fields, _ := strings.Cut(t.line(place), " ")
	next := 1
	for field := range strings.FieldsSeq(fields) {
		if number, ok := strings.CutPrefix(field, "@"); ok {
			next, _ = strconv.Atoi(number)
			continue
		}
		if next == int(typ) {
			name, text, _ := strings.Cut(field, ">")
			return prefix + name, parseContent(text)
		}
		next++
	}
	return "", content{}
}

// parseContent reads a reference to a set or a choice.
func parseContent(text string) content {
	place, header, _ := strings.Cut(text, "+")
	c := content{
		keys:    strings.Count(place, "#"),
		records: strings.HasPrefix(place, "*"),
		chosen:  strings.HasPrefix(place, "?"),
	}
	c.place, _ = strconv.Atoi(strings.TrimLeft(place, "#*?"))
	c.header, _ = strconv.Atoi(header)
	return c
}

// choose returns what a choice refers to, for a value in a set with the bytes head before
// the attributes.
func (t table) choose(choice int, head, attrs []byte) content {
	selector, formats, _ := strings.Cut(t.line(choice), " ")
	number, formats, _ := strings.Cut(formats, " ")
	at, _ := strconv.Atoi(number)
	value := selected(selector, at, head, attrs)
	for format := range strings.FieldsSeq(formats) {
		if v, text, _ := strings.Cut(format, ":"); v == value {
			return parseContent(text)
		}
	}
	return content{}
}

// selected returns the value of a selector, "" if it is absent. It is the attribute of
// type at, or the byte of the header at this offset.
func selected(selector string, at int, head, attrs []byte) string {
	if selector == "header" {
		if at >= len(head) {
			return ""
		}
		return strconv.Itoa(int(head[at]))
	}
	var value []byte
	for a := range wire.Attrs(attrs) {
		if int(a.Type) == at {
			value = a.Value // the kernel takes the last one
		}
	}
	switch selector {
	case "native":
		return integer(binary.NativeEndian, value)
	case "network":
		return integer(binary.BigEndian, value)
	}
	text, _, _ := bytes.Cut(value, []byte{0})
	return string(text)
}

// integer returns the decimal digits of an integer of 1, 2 or 4 bytes.
func integer(order binary.ByteOrder, b []byte) string {
	switch len(b) {
	case 1:
		return strconv.Itoa(int(b[0]))
	case 2:
		return strconv.Itoa(int(order.Uint16(b)))
	case 4:
		return strconv.FormatUint(uint64(order.Uint32(b)), 10)
	}
	return ""
}
