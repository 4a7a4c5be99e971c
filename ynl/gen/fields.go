package main

import (
	"fmt"
	"slices"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// methods are the methods of the types of sets, which no field may be called.
var methods = []string{"Encode", "Decode", "Settable", "MarshalJSON", "UnmarshalJSON"}

// set makes the type of a set, and its row.
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
	g.checkJSON(memberKeys(s.Header), attrKeys(s))
	attributes := slices.Clone(s.Attributes)
	slices.SortStableFunc(attributes, func(a, b *spec.Attr) int { return int(a.Number) - int(b.Number) })
	for _, a := range attributes {
		name := attrName(a)
		if !a.Dropped() {
			g.checkShadow(a, name, header[name])
			fields.take(a.Pos, fmt.Sprintf("attribute %q", a.Name), name)
		}
		t.Fields = append(t.Fields, g.field(s, a, name))
		if a.KernelName != spec.KernelName(s.KernelPrefix, jsonName(a.Name, a.JSON)) {
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
	r.add("Name", quote(jsonName(a.Name, a.JSON)))
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
	if isSelector(s, a) && a.JSON != "" {
		g.fail(a.Pos, "attribute %q is a selector, which keeps its name", a.Name)
	}
	typ, v := g.fieldType(s, a, name)
	r.constant("Kind", v.kind)
	r.constant("Elem", v.elem)
	r.constant("Flags", when(a.Order == "big-endian" && v.ordered(), "BigEndian"), when(a.Multi && v.kind != "TypeValue", "Multi"),
		when(a.Header != nil, "Header"), when(v.mask, "Mask"), when(a.ReadOnly, "ReadOnly"), when(isSelector(s, a), "Selects"),
		when(unnumbered(a), "Unnumbered"))
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

// unnumbered reports whether all elements of an array have the same number.
func unnumbered(a *spec.Attr) bool { return a.Numbered != nil && !*a.Numbered }

// first returns the number of the first element of an array.
func first(a *spec.Attr) int {
	switch {
	case a.First != nil:
		return int(*a.First)
	case unnumbered(a):
		return 0
	}
	return 1
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
		v.elem, v.kind, v.opt, v.first = v.kind, "Indexed", false, first(a)
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
	g.checkJSON(e.jsonKeys(a.Pos), memberKeys(a.Struct), attrKeys(a.Nested))
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
