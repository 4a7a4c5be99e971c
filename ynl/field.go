package ynl

import (
	"cmp"

	"github.com/nlmux/netlink/ynl/internal/table"
)

// Field describes a member of the JSON of a message: a member of its header, or an
// attribute. It is for tools.
//
// A set of attributes may contain itself, and many are in several places. So a set, a
// struct and an enumeration are described where they come first. After that Again is
// true, and there is only their name, in Of.
type Field struct {
	Name string `json:"name"`

	// Type is "u8" to "u64", "s8" to "s64", "uint", "sint", "flag", "string", "binary",
	// "mac", "uuid", "ipv4", "ipv6", "address", "bitfield32", "struct", "nest" or
	// "sub-message". With List it is that of the elements.
	Type string `json:"type"`
	List bool   `json:"list,omitempty"`
	Len  int    `json:"len,omitempty"` // in a struct: the number of bytes, or of elements

	Of            string   `json:"of,omitempty"`              // name of the struct, of the nest's set, or of the integer's enumeration
	Again         bool     `json:"again,omitempty"`           // what Of names is described before this field
	Values        []Value  `json:"values,omitempty"`          // of the enumeration
	Flags         bool     `json:"flags,omitempty"`           // the integer is a list of values
	ReadOnly      bool     `json:"read-only,omitempty"`       // the methods Settable leave it out
	ReadOnlyFlags []string `json:"read-only-flags,omitempty"` // values that they leave out

	Fields   []Field `json:"fields,omitempty"`   // of the struct or of the nest; with Again only those before the attributes of the set
	Selector string  `json:"selector,omitempty"` // of a sub-message: the field that says which of Kinds it is
	Kinds    []Kind  `json:"kinds,omitempty"`
}

// Value is an entry of an enumeration.
type Value struct {
	Name   string `json:"name"`
	Number uint64 `json:"number"` // of flags: the bits
}

// Kind is what a sub-message is if its selector has a value. If there are several Kinds for
// a value, the first that has all names of an object is meant.
type Kind struct {
	Value  string  `json:"value"`
	Of     string  `json:"of,omitempty"` // name of the set, or of the struct if there is no set; empty if the kind has no content
	Again  bool    `json:"again,omitempty"`
	Fields []Field `json:"fields,omitempty"`
}

// RequestFields returns what a request of the operation may have. The list is the
// caller's own. It is empty for a notification.
func (o *Op) RequestFields() []Field {
	if o.Request() == 0 {
		return nil
	}
	return describe(o.Family, o.Row.Set)
}

// ReplyFields returns what a reply or a notification may have. The list is the caller's
// own. It is empty if the kernel only acknowledges.
func (o *Op) ReplyFields() []Field {
	if o.Reply() == 0 {
		return nil
	}
	return describe(o.Family, cmp.Or(o.Row.ReplySet, o.Row.Set))
}

func describe(f *table.Family, set uint16) []Field {
	d := describer{f, make(map[any]bool)}
	return d.set(set, f.Sets[set-1].Header).fields
}

// describer makes Fields of rows.
type describer struct {
	f    *table.Family
	seen map[any]bool // sets, structs and enumerations that were described: pointers to their rows
}

// again reports whether row was described before.
func (d describer) again(row any) bool {
	seen := d.seen[row]
	d.seen[row] = true
	return seen
}

// content describes a set or a struct.
type content struct {
	of     string
	again  bool
	fields []Field
}

// set describes a set with the struct before its attributes.
func (d describer) set(ref, header uint16) content {
	s := &d.f.Sets[ref-1]
	c := content{of: s.Name, again: d.again(s)}
	if header != 0 && (!c.again || header != s.Header) {
		c.fields = d.members(header)
	}
	if c.again {
		return c
	}
	for i := range s.Attrs {
		if a := &s.Attrs[i]; a.Kind != table.Unused && a.Kind != table.Pad {
			c.fields = append(c.fields, d.attr(s, a))
		}
	}
	return c
}

func (d describer) layout(ref uint16) content {
	l := &d.f.Structs[ref-1]
	c := content{of: l.Name, again: d.again(l)}
	if !c.again {
		c.fields = d.members(ref)
	}
	return c
}

// have sets what x has.
func (x *Field) have(c content) {
	x.Of, x.Again, x.Fields = c.of, c.again, append(x.Fields, c.fields...)
}

func (d describer) members(ref uint16) (fields []Field) {
	l := &d.f.Structs[ref-1]
	for i := range l.Members {
		fields = append(fields, d.member(&l.Members[i]))
	}
	return fields
}

func (d describer) member(m *table.Member) Field {
	x := Field{Name: m.Name}
	kind := m.Kind
	switch m.Kind {
	case table.Array:
		kind, x.List, x.Len = m.Elem, true, int(m.Len)/bytesOf(m.Elem)
	case table.Records:
		kind, x.List = table.Struct, true
	case table.Binary:
		x.Len = int(m.Len)
	}
	x.ReadOnly = m.ReadOnly != 0 && m.ReadOnly == 1<<(8*bytesOf(kind))-1
	if !x.ReadOnly {
		x.ReadOnlyFlags = d.names(m.Enum, m.ReadOnly)
	}
	d.value(&x, kind, m.Hint, m.Flags, m.Ref, m.Enum)
	return x
}

// names returns the names of flags in a mask.
func (d describer) names(enum uint16, mask uint64) (names []string) {
	if enum == 0 || mask == 0 {
		return nil
	}
	for _, e := range d.f.Enums[enum-1].Entries {
		if e.Value != 0 && e.Value&^mask == 0 {
			names = append(names, e.Name)
		}
	}
	return names
}

// bytesOf returns the size on the wire of an integer from U8 to S64, and 8 of others.
func bytesOf(k table.Kind) int {
	if k > table.S64 {
		return 8
	}
	return 1 << ((k - table.U8) % 4)
}

func (d describer) attr(s *table.Set, a *table.Attr) Field {
	x := Field{Name: a.Name, ReadOnly: a.Flags&table.ReadOnly != 0, List: a.Flags&table.Multi != 0}
	for _, b := range s.ReadOnlyBits {
		if b.Type == a.Type {
			x.ReadOnlyFlags = d.names(a.Enum, b.Mask)
		}
	}
	kind := a.Kind
	switch a.Kind {
	case table.Array, table.Indexed, table.TypeValue, table.Records:
		kind, x.List = cmp.Or(a.Elem, table.Nest), true
	}
	switch {
	case a.Element != 0:
		d.element(&x, a, kind)
	case kind == table.Nest:
		x.Type = "nest"
		x.have(d.set(a.Ref, d.header(a)))
	case kind == table.SubMessage:
		d.subMessage(&x, &d.f.SubMessages[a.Ref-1])
	default:
		d.value(&x, kind, a.Hint, a.Flags, a.Ref, a.Enum)
	}
	return x
}

// header returns the struct before the attributes of a nest, 0 if there is none.
func (d describer) header(a *table.Attr) uint16 {
	if a.Flags&table.Header == 0 {
		return 0
	}
	return d.f.Sets[a.Ref-1].Header
}

// element describes the elements of a list that have more than a value.
func (d describer) element(x *Field, a *table.Attr, kind table.Kind) {
	el := &d.f.Elements[a.Element-1]
	x.Type = "nest"
	for _, k := range el.Keys {
		x.Fields = append(x.Fields, Field{Name: k.Name, Type: "u16"})
	}
	if kind == table.Nest {
		x.have(d.set(a.Ref, el.Struct))
		return
	}
	value := Field{Name: "value"}
	d.value(&value, kind, a.Hint, a.Flags, a.Ref, a.Enum)
	x.Fields = append(x.Fields, value)
}

func (d describer) subMessage(x *Field, c *table.Choice) {
	x.Type, x.Selector = "sub-message", c.Selector
	for i := range c.Formats {
		fm := &c.Formats[i]
		var c content
		switch {
		case fm.Set != 0:
			c = d.set(fm.Set, fm.Struct)
		case fm.Struct != 0:
			c = d.layout(fm.Struct)
		}
		x.Kinds = append(x.Kinds, Kind{fm.Value, c.of, c.again, c.fields})
	}
}

// kindNames are the types of fields that are not in [describer.value].
var kindNames = [...]string{
	table.Flag: "flag", table.String: "string", table.Bitfield32: "bitfield32", table.Via: "address",
	table.U8: "u8", table.U16: "u16", table.U32: "u32", table.U64: "u64", table.Uint: "uint",
	table.S8: "s8", table.S16: "s16", table.S32: "s32", table.S64: "s64", table.Sint: "sint",
}

// value describes a value that has no attributes.
func (d describer) value(x *Field, kind table.Kind, hint table.Hint, flags table.Flags, ref, enum uint16) {
	switch kind {
	case table.Struct:
		x.Type = "struct"
		x.have(d.layout(ref))
	case table.Addr:
		x.Type = [...]string{table.NoHint: "address", table.IPv4: "ipv4", table.IPv6: "ipv6"}[hint]
	case table.Binary:
		x.Type = [...]string{table.NoHint: "binary", table.Hex: "binary", table.IPv4: "binary", table.IPv6: "binary", table.MAC: "mac", table.UUID: "uuid"}[hint]
	default:
		x.Type = kindNames[kind]
	}
	if enum != 0 {
		d.enum(x, &d.f.Enums[enum-1], flags&table.Mask != 0)
	}
}

// enum adds the entries of an enumeration. mask says that they are numbers of bits.
func (d describer) enum(x *Field, e *table.Enum, mask bool) {
	x.Of, x.Flags, x.Again = e.Name, e.Flags || mask, d.again(e)
	if x.Again {
		return
	}
	for _, entry := range e.Entries {
		if mask {
			entry.Value = 1 << entry.Value
		}
		x.Values = append(x.Values, Value{entry.Name, entry.Value})
	}
}
