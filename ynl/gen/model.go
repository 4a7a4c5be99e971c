package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A family is what the templates need to know of a family: the types of a package, in the
// order of the spec.
type family struct {
	*spec.Family
	Package string
	Kernel  string // the release of Linux that the spec is of
	Tier1   bool   // its names are settled

	Consts      []*spec.Definition
	Enums       []*enum
	Structs     []*structure
	SubMessages []*subMessage
	Sets        []*set
	Choices     []*choice
	Elements    []*element
	Messages    []string // rows
	Operations  []*operation
	Types       []*spec.Operation // those with constants for their types
}

type enum struct {
	*spec.Definition
	GoName, Ref, Base string
}

// A field is a field of a struct in Go. Fields that are not there have no GoName.
type field struct {
	GoName, Type, Comment string
	Row                   string
}

type structure struct {
	*spec.Definition
	GoName, Ref string
	Fields      []field
	Alone       bool // the struct is a format of a sub-message without attributes
	InList      bool
}

type set struct {
	*spec.Set
	GoName, Ref  string
	HeaderName   string
	HeaderRef    string
	Fields       []field
	InList       bool
	KernelNames  []string // rows
	ReadOnlyBits []string // rows
	Excludes     []string // rows
}

// An element is the type of a list's elements that have more than a set or a number.
type element struct {
	GoName, Ref string
	Doc         string
	Keys        []key
	Struct      string // Go type of the embedded struct
	StructRef   string
	Value       field
}

type key struct{ GoName, Name string }

type subMessage struct {
	*spec.SubMessage
	GoName string
	Kinds  []kindOf
	Types  []string // Go types, each once
}

type kindOf struct{ Value, Type string }

// A choice is a sub-message with the selector that it has in some set.
type choice struct {
	Sub      *subMessage
	Ref      string
	Selector string
	Formats  []string // rows
}

// A generator makes a family of a spec.
type generator struct {
	out    *family
	spec   *spec.Family
	names  map[any]string // the Go names of sets, definitions and sub-messages
	inList map[any]bool   // the sets and structs that lists have
	alone  map[*spec.Definition]bool
	errs   []error
	types  *scope
}

// generate makes the model of a spec's package. The error names everything that the
// overlay has to settle.
func generate(f *spec.Family, kernel string) (*family, error) {
	g := &generator{
		out: &family{Family: f, Package: packageName(f), Kernel: kernel}, spec: f,
		names: map[any]string{}, inList: map[any]bool{}, alone: map[*spec.Definition]bool{},
	}
	g.out.Tier1 = tier1[g.out.Package]
	g.types = newScope(&g.errs, "Client", "New", "Family")
	g.takeNames()
	g.findLists()
	for _, d := range f.Definitions {
		g.definition(d)
	}
	for _, s := range f.SubMessages {
		if s.Used {
			g.out.SubMessages = append(g.out.SubMessages, g.subMessage(s))
		}
	}
	for _, s := range f.Sets {
		if s.Used {
			g.out.Sets = append(g.out.Sets, g.set(s))
		}
	}
	g.operations()
	return g.out, errors.Join(g.errs...)
}

// tier1 are the packages with settled names.
var tier1 = map[string]bool{
	"rtlink": true, "rtaddr": true, "rtroute": true, "rtneigh": true, "rtrule": true, "tc": true, "nlctrl": true,
	"ethtool": true, "netdev": true, "nftables": true, "conntrack": true, "wireguard": true,
}

func (g *generator) fail(at spec.Pos, format string, args ...any) {
	g.errs = append(g.errs, at.Errorf(format, args...))
}

// name returns the Go name of a set, a definition or a sub-message.
func (g *generator) name(of any) string { return g.names[of] }

// ref returns the constant that refers to the row of a set, struct or enumeration.
func (g *generator) ref(kind string, of any) string { return kind + g.names[of] }

// takeNames gives the types their names.
func (g *generator) takeNames() {
	take := func(at spec.Pos, what string, of any, name string) {
		g.names[of] = name
		g.types.take(at, what, name)
	}
	for _, s := range g.spec.Sets {
		if s.Used {
			take(s.Pos, fmt.Sprintf("set %q", s.Name), s, setName(s))
		}
	}
	for _, s := range g.spec.SubMessages {
		if s.Used {
			take(s.Pos, fmt.Sprintf("sub-message %q", s.Name), s, subMessageName(s))
		}
	}
	if len(g.spec.SubMessages) > 0 {
		g.types.take(g.spec.SubMessages[0].Pos, "type", "Raw")
	}
	for _, d := range g.spec.Definitions {
		if d.Used || d.Type == "enum" || d.Type == "flags" {
			take(d.Pos, fmt.Sprintf("%s %q", d.Type, d.Name), d, definitionName(d))
		}
	}
}

// findLists notes what lists consist of, and which structs are sub-messages alone.
func (g *generator) findLists() {
	for _, s := range g.spec.Sets {
		for _, a := range s.Attributes {
			if !a.Dropped() && (a.Multi || a.Type == "list" || a.Type == "indexed-array" && !a.Indexed) {
				g.inList[a.Nested], g.inList[a.Struct] = true, true
			}
		}
	}
	for _, d := range g.spec.Definitions {
		for _, m := range d.Members {
			if m.Type == "list" {
				g.inList[m.Struct] = true
			}
		}
	}
	for _, s := range g.spec.SubMessages {
		for _, format := range s.Formats {
			if s.Used && format.Set == nil && format.Header != nil {
				g.alone[format.Header] = true
			}
		}
	}
}

func (g *generator) definition(d *spec.Definition) {
	switch d.Type {
	case "const":
		g.types.take(d.Pos, fmt.Sprintf("const %q", d.Name), d.KernelName)
		g.out.Consts = append(g.out.Consts, d)
	case "enum", "flags":
		for _, e := range d.Entries {
			g.types.take(e.Pos, fmt.Sprintf("%q of %q", e.Name, d.Name), e.KernelName)
		}
		base := fmt.Sprintf("uint%d", 8*enumWidth(d))
		g.out.Enums = append(g.out.Enums, &enum{d, g.name(d), g.ref("enum", d), base})
	case "struct":
		if d.Used {
			g.out.Structs = append(g.out.Structs, g.structure(d))
		}
	}
}

func (g *generator) structure(d *spec.Definition) *structure {
	s := &structure{Definition: d, GoName: g.name(d), Ref: g.ref("struct", d), Alone: g.alone[d], InList: g.inList[d]}
	fields := newScope(&g.errs, "MarshalJSON", "UnmarshalJSON")
	if s.Alone {
		fields.take(d.Pos, "method", "Encode")
		fields.take(d.Pos, "method", "Decode")
	}
	for _, m := range d.Members {
		if m.Type == "pad" {
			continue
		}
		name := memberName(d, m)
		fields.take(m.Pos, fmt.Sprintf("member %q", m.Name), name)
		s.Fields = append(s.Fields, g.member(d, m, name))
	}
	return s
}

// subMessage makes the interface of a sub-message, and its choices.
func (g *generator) subMessage(s *spec.SubMessage) *subMessage {
	u := &subMessage{SubMessage: s, GoName: g.name(s)}
	seen := map[string]bool{}
	for _, format := range s.Formats {
		typ := g.formatType(format)
		u.Kinds = append(u.Kinds, kindOf{format.Value, typ})
		if typ != "" && !seen[typ] {
			seen[typ] = true
			u.Types = append(u.Types, typ)
		}
	}
	selectors := g.selectors(s)
	for _, selector := range selectors {
		ref := "choice" + u.GoName
		if len(selectors) > 1 {
			ref += camel(selector)
		}
		c := &choice{Sub: u, Ref: ref, Selector: selector}
		for _, format := range s.Formats {
			c.Formats = append(c.Formats, g.formatRow(format))
		}
		g.out.Choices = append(g.out.Choices, c)
	}
	return u
}

// selectors returns the selectors that a sub-message has, each once.
func (g *generator) selectors(sub *spec.SubMessage) []string {
	var selectors []string
	seen := map[string]bool{}
	for _, s := range g.spec.Sets {
		for _, a := range s.Attributes {
			if s.Used && a.Sub == sub && !seen[a.Selector] {
				seen[a.Selector] = true
				selectors = append(selectors, a.Selector)
			}
		}
	}
	return selectors
}

// formatType returns the Go type of a format, "" if the format has no value.
func (g *generator) formatType(format *spec.Format) string {
	if format.Set != nil {
		return g.name(format.Set)
	}
	return g.name(format.Header)
}

func (g *generator) formatRow(format *spec.Format) string {
	var r row
	r.add("Value", quote(format.Value))
	if format.Set != nil {
		r.add("Set", g.ref("set", format.Set))
	}
	if format.Header != nil {
		r.add("Struct", g.ref("struct", format.Header))
	}
	r.add("Default", format.Default)
	return r.String()
}

// kernelStruct returns how C spells a struct.
func kernelStruct(d *spec.Definition) string {
	return "struct " + strings.ReplaceAll(d.Name, "-", "_")
}
