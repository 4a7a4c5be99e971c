package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A subMessage is the interface that the types of a sub-message have in common.
type subMessage struct {
	*spec.SubMessage
	GoName    string
	Selectors string   // with "or" between them
	Kinds     []string // lines for its doc comment
	Types     []string // Go types, each once
}

// A choice is a sub-message with the selector that it has in some set.
type choice struct {
	Sub      *subMessage
	Ref      string
	Selector string
	Formats  []string // rows
}

// subMessage makes the interface of a sub-message, and its choices.
func (g *generator) subMessage(s *spec.SubMessage) *subMessage {
	selectors := g.selectors(s)
	u := &subMessage{SubMessage: s, GoName: g.name(s), Selectors: strings.Join(selectors, " or "), Kinds: g.kinds(s)}
	for _, format := range s.Formats {
		if typ := g.formatType(format); typ != "" && !slices.Contains(u.Types, typ) {
			u.Types = append(u.Types, typ)
		}
	}
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

// kinds returns a line for each value of the selector, with the type that it means.
func (g *generator) kinds(s *spec.SubMessage) []string {
	width := 0
	for _, format := range s.Formats {
		width = max(width, len(format.Value))
	}
	var lines []string
	for _, format := range s.Formats {
		typ := "nothing"
		if t := g.formatType(format); t != "" {
			typ = "*" + t
		}
		if format.Default {
			typ += ", meant by the type alone"
		}
		lines = append(lines, fmt.Sprintf("%-*s  %s", width, format.Value, typ))
	}
	return lines
}

// selectors returns the selectors that a sub-message has, each once.
func (g *generator) selectors(sub *spec.SubMessage) []string {
	var selectors []string
	for _, s := range g.spec.Sets {
		for _, a := range s.Attributes {
			if s.Used && a.Sub == sub && !slices.Contains(selectors, a.Selector) {
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
