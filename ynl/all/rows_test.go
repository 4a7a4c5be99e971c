package all_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/all"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// A checker compares the rows of a family with the Go types that they describe. The
// engine reads and writes memory by the rows alone.
type checker struct {
	*testing.T
	f  *table.Family
	at string // the row that is being looked at
}

func (c *checker) errorf(format string, args ...any) {
	c.Helper()
	c.Errorf(c.at+": "+format, args...)
}

// TestRows checks every row of every family.
func TestRows(t *testing.T) {
	for _, family := range all.Families {
		t.Run(family.Name(), func(t *testing.T) {
			c := &checker{T: t, f: family.Rows}
			for i := range c.f.Sets {
				c.set(&c.f.Sets[i])
			}
			for i := range c.f.Structs {
				c.layout(&c.f.Structs[i])
			}
			for i := range c.f.Elements {
				c.at = "element"
				e := &c.f.Elements[i]
				if e.Size != elemType(e.Type).Size() || e.Grow == nil {
					c.errorf("row of %T: size %d, want %d; Grow is nil: %v", e.Type, e.Size, elemType(e.Type).Size(), e.Grow == nil)
				}
			}
			c.messages()
			c.operations(family)
		})
	}
}

// elemType returns T of a (*T)(nil).
func elemType(pointer any) reflect.Type { return reflect.TypeOf(pointer).Elem() }

var (
	attrsType    = reflect.TypeFor[ynl.Attrs]()
	addrType     = reflect.TypeFor[netip.Addr]()
	messageType  = reflect.TypeFor[ynl.Message]()
	bitfieldType = reflect.TypeFor[ynl.Bitfield32]()
)

// fieldAt returns the field of a struct at an offset.
func (c *checker) fieldAt(t reflect.Type, off uintptr) reflect.StructField {
	c.Helper()
	for f := range fields(t) {
		// A field of size 0 would have the offset of the next one.
		if f.Offset == off && f.Type.Size() > 0 {
			return f
		}
	}
	c.Fatalf("%s: %v has no field at offset %d", c.at, t, off)
	panic("unreachable")
}

// fields yields the fields of a struct.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// ref returns the item of a list that a reference means.
func ref[T any](c *checker, list []T, n uint16) *T {
	c.Helper()
	if n == 0 || int(n) > len(list) {
		c.Fatalf("%s: reference %d into a list of %d", c.at, n, len(list))
	}
	return &list[n-1]
}

func (c *checker) setType(n uint16) reflect.Type    { return elemType(ref(c, c.f.Sets, n).Type) }
func (c *checker) structType(n uint16) reflect.Type { return elemType(ref(c, c.f.Structs, n).Type) }

// set checks that each field of a set's type has one row, and each row its field.
func (c *checker) set(s *table.Set) {
	t := elemType(s.Type)
	c.at = t.String()
	if s.Size != t.Size() || s.New == nil {
		c.errorf("size %d, want %d; New is nil: %v", s.Size, t.Size(), s.New == nil)
	}
	if !reflect.TypeOf(s.Type).Implements(messageType) {
		c.errorf("%T is no message", s.Type)
	}
	rows := map[string]bool{c.fieldAt(t, s.Unknown).Name: true}
	if f := c.fieldAt(t, s.Unknown); f.Type != attrsType {
		c.errorf("field %s keeps the unknown attributes, but has the type %v", f.Name, f.Type)
	}
	if s.Header != 0 {
		f := c.fieldAt(t, s.HeadOff)
		if f.Type != c.structType(s.Header) || !f.Anonymous {
			c.errorf("field %s of type %v is the header, embedded: %v", f.Name, f.Type, f.Anonymous)
		}
		rows[f.Name] = true
	}
	for i := range s.Attrs {
		a := &s.Attrs[i]
		c.at = t.String() + ", attribute " + a.Name
		if i > 0 && a.Type <= s.Attrs[i-1].Type {
			c.errorf("type %d after %d", a.Type, s.Attrs[i-1].Type)
		}
		if a.Kind == table.Unused || a.Kind == table.Pad {
			continue
		}
		f := c.fieldAt(t, a.Off)
		if rows[f.Name] {
			c.errorf("field %s has two rows", f.Name)
		}
		rows[f.Name] = true
		c.attr(a, f)
	}
	c.at = t.String()
	for f := range fields(t) {
		if !rows[f.Name] {
			c.errorf("field %s has no row", f.Name)
		}
	}
	c.marks(s)
}

// marks checks that marks are of attributes that are there.
func (c *checker) marks(s *table.Set) {
	has := func(typ uint16) bool {
		return slices.ContainsFunc(s.Attrs, func(a table.Attr) bool { return a.Type == typ })
	}
	for _, n := range s.KernelNames {
		if !has(n.Type) || n.Name == "" {
			c.errorf("kernel name %q of attribute %d", n.Name, n.Type)
		}
	}
	for _, b := range s.ReadOnlyBits {
		if !has(b.Type) || b.Mask == 0 {
			c.errorf("read-only bits %#x of attribute %d", b.Mask, b.Type)
		}
	}
	for _, e := range s.Excludes {
		if !has(e.If) || !has(e.Then) || e.If == e.Then {
			c.errorf("attribute %d excludes %d", e.If, e.Then)
		}
	}
}

// attr checks the row of an attribute against its field.
func (c *checker) attr(a *table.Attr, f reflect.StructField) {
	t := f.Type
	switch {
	case a.Kind == table.Nest && a.Flags&table.Multi == 0:
		c.want(t, reflect.PointerTo(c.setType(a.Ref)))
		return
	case a.Kind == table.SubMessage:
		c.choice(ref(c, c.f.SubMessages, a.Ref), t)
		return
	case a.Element != 0:
		c.element(a, ref(c, c.f.Elements, a.Element), t)
		return
	case a.Kind == table.Indexed:
		c.value(a, a.Elem, c.sliceOf(t))
		return
	case a.Flags&table.Multi != 0:
		t = c.sliceOf(t)
	case optional(a.Kind):
		t = c.opt(a, t)
	}
	c.value(a, a.Kind, t)
}

// optional reports whether a value of a kind is in an Opt.
func optional(k table.Kind) bool {
	return integer(k) || k == table.String || k == table.Struct || k == table.Bitfield32
}

func integer(k table.Kind) bool { return k >= table.U8 && k <= table.Sint }

func (c *checker) want(got, want reflect.Type) {
	c.Helper()
	if got != want {
		c.errorf("the field has the type %v, want %v", got, want)
	}
}

func (c *checker) sliceOf(t reflect.Type) reflect.Type {
	c.Helper()
	if t.Kind() != reflect.Slice {
		c.Fatalf("%s: the field has the type %v, want a slice", c.at, t)
	}
	return t.Elem()
}

// opt returns T of an Opt[T].
func (c *checker) opt(a *table.Attr, t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct || t.NumField() != 2 || t.Field(0).Name != "Value" || t.Field(1).Name != "Set" {
		c.Fatalf("%s: the field has the type %v, want an Opt", c.at, t)
	}
	if a.Set != t.Field(1).Offset {
		c.errorf("Opt.Set has the offset %d, want %d", a.Set, t.Field(1).Offset)
	}
	return t.Field(0).Type
}

// value checks the type of one value of an attribute.
func (c *checker) value(a *table.Attr, k table.Kind, t reflect.Type) {
	switch {
	case integer(k):
		c.integer(k, a.Width, a.Enum, a.Flags, t)
	case k == table.Flag:
		c.want(t, reflect.TypeFor[bool]())
	case k == table.String:
		c.want(t, reflect.TypeFor[string]())
	case k == table.Addr, k == table.Via:
		c.want(t, addrType)
	case k == table.Bitfield32:
		c.want(t, bitfieldType)
	case k == table.Binary:
		if c.sliceOf(t).Kind() != reflect.Uint8 {
			c.errorf("the field has the type %v, want bytes", t)
		}
	case k == table.Struct:
		c.want(t, c.structType(a.Ref))
		c.grown(a, ref(c, c.f.Structs, a.Ref).Grow == nil)
	case k == table.Nest:
		c.want(t, c.setType(a.Ref))
		c.grown(a, ref(c, c.f.Sets, a.Ref).Grow == nil)
	case k == table.Array && a.Elem == table.Struct:
		c.want(c.sliceOf(t), c.structType(a.Ref))
		c.grown(a, ref(c, c.f.Structs, a.Ref).Grow == nil)
	case k == table.Array:
		c.integer(a.Elem, a.Width, a.Enum, a.Flags, c.sliceOf(t))
	default:
		c.errorf("kind %d", k)
	}
}

// grown fails if a list's elements cannot be appended.
func (c *checker) grown(a *table.Attr, missing bool) {
	list := a.Flags&table.Multi != 0 || a.Kind == table.Indexed && a.Element == 0 || a.Kind == table.Array
	if list && missing {
		c.errorf("the type of the elements has no Grow")
	}
}

// integer checks a Go integer, whose size may differ from that on the wire for enums only.
func (c *checker) integer(k table.Kind, width uint8, enum uint16, flags table.Flags, t reflect.Type) {
	if t.Kind() < reflect.Int8 || t.Kind() > reflect.Uint64 || uintptr(width) != t.Size() {
		c.errorf("integer of %d bytes for a field of type %v", width, t)
	}
	signed := k >= table.S8 && k <= table.S64 || k == table.Sint
	if named := t.PkgPath() != ""; named != (enum != 0 && flags&table.Mask == 0) {
		c.errorf("the field has the type %v, its enum is %d", t, enum)
	} else if !named && signed != (t.Kind() <= reflect.Int64) {
		c.errorf("kind %d for a field of type %v", k, t)
	}
	if enum == 0 {
		return
	}
	if e := ref(c, c.f.Enums, enum); flags&table.Mask != 0 && e.Flags {
		c.errorf("the entries of %s are masks, not numbers of bits", e.Name)
	}
}

// choice checks that the types of a sub-message have the interface of the field.
func (c *checker) choice(s *table.Choice, t reflect.Type) {
	if t.Kind() != reflect.Interface {
		c.Fatalf("%s: the field has the type %v, want an interface", c.at, t)
	}
	types := []reflect.Type{reflect.TypeOf(c.f.Raw)}
	for _, format := range s.Formats {
		switch {
		case format.Set != 0:
			row := ref(c, c.f.Sets, format.Set)
			types = append(types, reflect.TypeOf(row.Type))
			if format.Struct != 0 && format.Struct != row.Header {
				c.errorf("format %s has another header than its set", format.Value)
			}
		case format.Struct != 0:
			row := ref(c, c.f.Structs, format.Struct)
			types = append(types, reflect.TypeOf(row.Type))
			if row.New == nil {
				c.errorf("format %s: the struct has no New", format.Value)
			}
		}
	}
	for _, typ := range types {
		if !typ.Implements(t) {
			c.errorf("%v is no %v", typ, t)
		}
	}
}

// element checks the type of a list's elements.
func (c *checker) element(a *table.Attr, e *table.Element, t reflect.Type) {
	t = c.sliceOf(t)
	c.want(t, elemType(e.Type))
	n := len(e.Keys) + 1
	for _, key := range e.Keys {
		c.want(c.fieldAt(t, key.Off).Type, reflect.TypeFor[uint16]())
	}
	if e.Struct != 0 {
		f := c.fieldAt(t, e.StructAt)
		c.want(f.Type, c.structType(e.Struct))
		n++
	}
	v := c.fieldAt(t, e.Value)
	if a.Elem == 0 || a.Elem == table.Nest {
		c.want(v.Type, c.setType(a.Ref))
	} else {
		c.value(a, a.Elem, v.Type)
	}
	if t.NumField() != n {
		c.errorf("%v has %d fields, its row %d", t, t.NumField(), n)
	}
}

// layout checks a struct: each field has one row, and the members are apart on the wire.
func (c *checker) layout(l *table.Layout) {
	t := elemType(l.Type)
	c.at = t.String()
	if l.Size != t.Size() {
		c.errorf("size %d, want %d", l.Size, t.Size())
	}
	rows := map[string]bool{}
	end := 0
	for i := range l.Members {
		m := &l.Members[i]
		c.at = t.String() + ", member " + m.Name
		f := c.fieldAt(t, m.Off)
		if rows[f.Name] {
			c.errorf("field %s has two rows", f.Name)
		}
		rows[f.Name] = true
		if int(m.At) < end {
			c.errorf("begins at %d, before the end of the member before at %d", m.At, end)
		}
		end = int(m.At) + c.member(m, f.Type)
		if m.Run != 0 {
			c.run(l.Members[i:])
		}
	}
	c.at = t.String()
	if end > int(l.Wire) {
		c.errorf("%d bytes on the wire, but members of %d", l.Wire, end)
	}
	for f := range fields(t) {
		if !rows[f.Name] {
			c.errorf("field %s has no row", f.Name)
		}
	}
}

// run checks that the first members are as many bytes as the run says, and are the same in
// Go as on the wire.
func (c *checker) run(members []table.Member) {
	first := members[0]
	n := 0
	for _, m := range members {
		if n == int(first.Run) {
			return
		}
		plain := integer(m.Kind) && int(m.Width) == wireSize(m.Kind) && m.Width == first.Width && m.Flags&(table.BigEndian|table.Count) == 0
		if !plain || int(m.At-first.At) != n || int(m.Off-first.Off) != n {
			c.errorf("%s is no part of the run of %d bytes", m.Name, first.Run)
		}
		n += int(m.Width)
	}
	if n != int(first.Run) {
		c.errorf("a run of %d bytes, but members of %d", first.Run, n)
	}
}

// member checks the type of a member and returns its size on the wire.
func (c *checker) member(m *table.Member, t reflect.Type) int {
	switch {
	case integer(m.Kind):
		c.integer(m.Kind, m.Width, m.Enum, m.Flags, t)
		return wireSize(m.Kind)
	case m.Kind == table.Binary:
		c.want(t, reflect.ArrayOf(int(m.Len), reflect.TypeFor[byte]()))
		return int(m.Len)
	case m.Kind == table.Array:
		if t.Kind() != reflect.Array || t.Len()*wireSize(m.Elem) != int(m.Len) {
			c.Fatalf("%s: %d bytes for a field of type %v", c.at, m.Len, t)
		}
		c.integer(m.Elem, m.Width, m.Enum, m.Flags, t.Elem())
		return int(m.Len)
	case m.Kind == table.Addr:
		c.want(t, addrType)
		if m.Hint != table.IPv4 && m.Hint != table.IPv6 {
			c.errorf("an address with the hint %d", m.Hint)
		}
		return map[table.Hint]int{table.IPv4: 4, table.IPv6: 16}[m.Hint]
	case m.Kind == table.Struct:
		c.want(t, c.structType(m.Ref))
		return int(ref(c, c.f.Structs, m.Ref).Wire)
	case m.Kind == table.Records:
		c.want(c.sliceOf(t), c.structType(m.Ref))
		if ref(c, c.f.Structs, m.Ref).Grow == nil {
			c.errorf("the struct of the list has no Grow")
		}
		return 0
	}
	c.errorf("kind %d", m.Kind)
	return 0
}

// wireSize returns the size of an integer of fixed size.
func wireSize(k table.Kind) int {
	switch k {
	case table.U8, table.S8:
		return 1
	case table.U16, table.S16:
		return 2
	case table.U32, table.S32:
		return 4
	}
	return 8
}

// messages checks the types of messages, which are found by binary search.
func (c *checker) messages() {
	for i, m := range c.f.Messages {
		c.at = "message " + m.Name
		ref(c, c.f.Sets, m.Set)
		if i > 0 && m.Type <= c.f.Messages[i-1].Type {
			c.errorf("type %d after %d", m.Type, c.f.Messages[i-1].Type)
		}
	}
}

// operations checks that what a request asks for is found when it comes.
func (c *checker) operations(family *ynl.Family) {
	for _, op := range family.Ops() {
		c.at = "operation " + op.Name()
		if op.Family != c.f {
			c.errorf("is of another family")
		}
		ref(c, c.f.Sets, op.Row.Set)
		if op.Row.ReplySet != 0 {
			ref(c, c.f.Sets, op.Row.ReplySet)
		}
		if op.Row.Reply < 0 && (op.CanDump() || !op.CanDo()) {
			c.errorf("has no reply")
		}
		found := slices.ContainsFunc(c.f.Messages, func(m table.Message) bool { return m.Type == op.Reply() })
		if op.Row.Reply >= 0 && !found {
			c.errorf("no row for a message of type %d", op.Reply())
		}
	}
}

// TestFamilies checks what a tool lists.
func TestFamilies(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range all.Families {
		if f.Name() == "" || seen[f.Name()] {
			t.Errorf("family %q is there twice, or has no name", f.Name())
		}
		seen[f.Name()] = true
	}
	packages := func(f *ynl.Family) string { return strings.NewReplacer("-", "", "_", "").Replace(f.Name()) }
	if !slices.IsSortedFunc(all.Families, func(a, b *ynl.Family) int { return strings.Compare(packages(a), packages(b)) }) {
		t.Error("the families are not sorted by the names of their packages")
	}
}
