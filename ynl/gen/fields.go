package main

import (
	"fmt"
	"slices"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// methods are the methods of the types of sets, which no field may be called.
var methods = []string{"Encode", "Decode", "Settable", "MarshalJSON", "UnmarshalJSON"}

func (g *generator) set(s *spec.Set) *set {
	t := &set{Set: s, GoName: g.name(s), Ref: g.ref("set", s), InList: g.inList[s]}
	fields := newScope(&g.errs, append([]string{"Unknown"}, methods...)...)
	header := map[string]bool{}
	if s.Header != nil {
		t.HeaderName, t.HeaderRef = g.name(s.Header), g.ref("struct", s.Header)
		fields.take(s.Pos, "header", t.HeaderName)
		for _, m := range s.Header.Members {
			if m.Type != "pad" {
				header[memberName(s.Header, m)] = true
			}
		}
	}
	attributes := slices.Clone(s.Attributes)
	slices.SortStableFunc(attributes, func(a, b *spec.Attr) int { return int(a.Number) - int(b.Number) })
	for _, a := range attributes {
		name := attrName(a)
		if !a.Dropped() {
			g.checkShadow(a, name, header[name])
			fields.take(a.Pos, fmt.Sprintf("attribute %q", a.Name), name)
		}
		t.Fields = append(t.Fields, g.field(s, a, name))
		if a.KernelName != spec.KernelName(s.KernelPrefix, a.Name) {
			t.KernelNames = append(t.KernelNames, fmt.Sprintf("{Type: %d, Name: %q}", a.Number, a.KernelName))
		}
		if a.ReadOnlyBits != 0 {
			t.ReadOnlyBits = append(t.ReadOnlyBits, fmt.Sprintf("{Type: %d, Mask: %#x}", a.Number, a.ReadOnlyBits))
		}
		for _, other := range a.Excludes {
			t.Excludes = append(t.Excludes, fmt.Sprintf("{If: %d, Then: %d}", a.Number, other.Number))
		}
	}
	return t
}

// checkShadow fails if an attribute has the name of a member of the header before it, but
// not the mark that says so, or the mark without need.
func (g *generator) checkShadow(a *spec.Attr, name string, clash bool) {
	switch {
	case clash && !a.Shadows:
		g.fail(a.Pos, "attribute %q: the Go name %s is that of a member of the header; settle it in the overlay with go: or shadows:", a.Name, name)
	case !clash && a.Shadows:
		g.fail(a.Pos, "attribute %q shadows no member of the header", a.Name)
	}
}

// field makes the field of an attribute, and its row.
func (g *generator) field(s *spec.Set, a *spec.Attr, name string) field {
	var r row
	r.add("Name", quote(a.Name))
	r.add("Type", a.Number)
	if a.Dropped() {
		kind := "Unused"
		if a.Type == "pad" {
			kind = "Pad"
		}
		r.constant("Kind", kind)
		return field{Row: r.String()}
	}
	if a.Order == "little-endian" {
		g.fail(a.Pos, "attribute %q: the tables have no little endian", a.Name)
	}
	typ, v := g.fieldType(s, a, name)
	r.constant("Kind", v.kind)
	r.constant("Elem", v.elem)
	r.constant("Flags", when(a.Order == "big-endian" && v.ordered(), "BigEndian"), when(a.Multi, "Multi"),
		when(a.Header != nil, "Header"), when(v.mask, "Mask"), when(a.ReadOnly, "ReadOnly"), when(isSelector(s, a), "Selects"))
	r.constant("Hint", v.hint)
	r.add("Width", v.width)
	r.add("Ref", v.ref)
	r.add("Enum", v.enum)
	r.add("Element", v.element)
	r.add("First", v.first)
	r.add("Off", offset(g.name(s), name))
	if v.opt {
		r.add("Set", offset(g.name(s), name+".Set"))
	}
	return field{GoName: name, Type: typ, Comment: a.KernelName + when(a.ReadOnly, ", read-only"), Row: r.String()}
}

// isSelector reports whether an attribute is the selector of a sub-message of its set.
func isSelector(s *spec.Set, a *spec.Attr) bool {
	return slices.ContainsFunc(s.Attributes, func(b *spec.Attr) bool { return b.Selector == a.Name })
}

// fieldType returns the Go type of an attribute's field, and the value of its row.
func (g *generator) fieldType(s *spec.Set, a *spec.Attr, name string) (string, value) {
	switch a.Type {
	case "sub-message":
		return g.name(a.Sub), value{kind: "SubMessage", ref: g.choiceRef(a)}
	case "records", "nest-type-value":
		return g.elements(s, a, name)
	case "indexed-array":
		if a.Indexed {
			return g.elements(s, a, name)
		}
		v := g.value(a, a.SubType)
		v.elem, v.kind, v.opt, v.first = v.kind, "Indexed", false, 1
		if a.First != nil {
			v.first = int(*a.First)
		}
		return "[]" + v.typ, v
	}
	v := g.value(a, a.Type)
	switch {
	case a.Multi:
		v.opt = false
		return "[]" + v.typ, v
	case v.pointer:
		return "*" + v.typ, v
	case v.opt:
		return "ynl.Opt[" + v.typ + "]", v
	}
	return v.typ, v
}

// elements makes the type of a list's elements that have more than a set or a number.
func (g *generator) elements(s *spec.Set, a *spec.Attr, name string) (string, value) {
	e := &element{GoName: g.name(s) + name}
	e.Ref = "element" + e.GoName
	g.types.take(a.Pos, fmt.Sprintf("the elements of attribute %q", a.Name), e.GoName)
	g.out.Elements = append(g.out.Elements, e)
	v := value{element: e.Ref}
	inner := "nest"
	switch a.Type {
	case "records":
		v.kind, e.Struct, e.StructRef = "Records", g.name(a.Struct), g.ref("struct", a.Struct)
		e.Doc = "is one of the structs in " + a.KernelName + ", with the attributes after it"
	case "nest-type-value":
		v.kind = "TypeValue"
		for _, k := range a.TypeValue {
			e.Keys = append(e.Keys, key{camel(k), k})
		}
		e.Doc = "is one of the nests in " + a.KernelName + ", with the types that lead to it"
		if a.SubType != "" {
			inner = a.SubType
		}
	default:
		v.kind, inner = "Indexed", a.SubType
		e.Keys = []key{{"Index", "index"}}
		e.Doc = "is an element of " + a.KernelName + " with its number"
	}
	in := g.value(a, inner)
	e.Value = field{GoName: "Value", Type: in.typ}
	if in.kind == "Nest" {
		e.Value.GoName = in.typ
	}
	v.elem, v.ref, v.width, v.enum, v.mask, v.hint = in.kind, in.ref, in.width, in.enum, in.mask, in.hint
	if a.Type == "records" || a.Type == "nest-type-value" && in.kind == "Nest" {
		v.elem = ""
	}
	return "[]" + e.GoName, v
}

// choiceRef returns the constant of the row for a sub-message with a selector.
func (g *generator) choiceRef(a *spec.Attr) string {
	ref := "choice" + g.name(a.Sub)
	if len(g.selectors(a.Sub)) > 1 {
		ref += camel(a.Selector)
	}
	return ref
}

// member makes the field of a struct's member, and its row.
func (g *generator) member(d *spec.Definition, m *spec.Member, name string) field {
	if m.Order == "little-endian" {
		g.fail(m.Pos, "member %q: the tables have no little endian", m.Name)
	}
	typ, v := g.memberType(m)
	var r row
	r.add("Name", quote(m.Name))
	r.add("At", m.At)
	if v.kind == "Binary" || v.kind == "Array" {
		r.add("Len", m.Size)
	}
	r.constant("Kind", v.kind)
	r.constant("Elem", v.elem)
	r.constant("Flags", when(m.Order == "big-endian" && v.ordered(), "BigEndian"), when(v.mask, "Mask"), when(m.AddressFamily, "AddressFamily"),
		when(m.CountName != "", "Count"))
	r.constant("Hint", v.hint)
	r.add("Width", v.width)
	r.add("Ref", v.ref)
	r.add("Enum", v.enum)
	r.add("Off", offset(g.name(d), name))
	if m.ReadOnlyBits != 0 {
		r.add("ReadOnly", fmt.Sprintf("%#x", m.ReadOnlyBits))
	}
	return field{GoName: name, Type: typ, Row: r.String()}
}

// memberType returns the Go type of a member of a struct, and the value of its row.
func (g *generator) memberType(m *spec.Member) (string, value) {
	switch {
	case spec.IsAddr(m.Hint) && (m.Size == 4 || m.Size == 16) && (m.Type == "u32" || m.Type == "binary"):
		return "netip.Addr", value{kind: "Addr", hint: map[int]string{4: "IPv4", 16: "IPv6"}[m.Size]}
	case spec.IsInt(m.Type):
		v := g.number(m.Type, m.Enum, m.AsFlags)
		v.hint = hints[m.Hint]
		return v.typ, v
	case m.Type == "list":
		return "[]" + g.name(m.Struct), value{kind: "Records", ref: g.ref("struct", m.Struct)}
	case m.Struct != nil:
		return g.name(m.Struct), value{kind: "Struct", ref: g.ref("struct", m.Struct)}
	case m.SubType != "":
		v := g.number(m.SubType, m.Enum, m.AsFlags)
		v.kind, v.elem = "Array", v.kind
		return fmt.Sprintf("[%d]%s", m.Size/spec.Width(m.SubType), v.typ), v
	case m.Type == "binary":
		return fmt.Sprintf("[%d]byte", m.Size), value{kind: "Binary", hint: hints[m.Hint]}
	}
	g.fail(m.Pos, "member %q: no Go type for type %s", m.Name, m.Type)
	return "", value{}
}
