package main

import "github.com/nlmux/netlink/ynl/gen/internal/spec"

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
