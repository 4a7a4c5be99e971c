package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nlmux/netlink/ynl"
)

// fieldPrinter prints what the JSON of a message may have, a line for each name, that of
// what is in a nest indented below it.
type fieldPrinter struct {
	text  strings.Builder
	width int // characters of a line, as far as they can be broken
}

const (
	pageWidth = 80 // of what is no terminal
	leastPage = 40 // width of which half is left where the nests are deep
	indent    = 2
	nameWidth = 24 // of the column of names, unless one is longer
)

func newFieldPrinter(width int) *fieldPrinter {
	if width == 0 {
		width = pageWidth
	}
	return &fieldPrinter{width: max(width, leastPage)}
}

// paragraph prints a text at an indentation. Its second line and those after it have
// another.
func (p *fieldPrinter) paragraph(left int, text string) { p.hanging(left, left+2*indent, text) }

func (p *fieldPrinter) hanging(left, hang int, text string) {
	line := strings.Repeat(" ", left)
	empty := true
	for word := range strings.SplitSeq(text, " ") {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width {
			p.text.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = strings.Repeat(" ", hang), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, empty && word == ""
	}
	p.text.WriteString(line + "\n")
}

// heading prints fields with a heading.
func (p *fieldPrinter) heading(title string, fields []ynl.Field) {
	p.text.WriteString("\n" + title + ":\n")
	p.fields(indent, fields)
}

func (p *fieldPrinter) fields(left int, fields []ynl.Field) {
	column := 0
	for _, f := range fields {
		if n := utf8.RuneCountInString(f.Name); n <= nameWidth {
			column = max(column, n)
		}
	}
	for _, f := range fields {
		hang := left + column + len(gap) + indent
		if hang > p.width/2 {
			hang = left + 2*indent
		}
		p.hanging(left, hang, fmt.Sprintf("%-*s%s%s", column, f.Name, gap, typeText(f)))
		p.fields(left+indent, f.Fields)
		for _, k := range f.Kinds {
			p.paragraph(left+indent, fmt.Sprintf("%s = %s: %s", f.Selector, k.Value, content(k)))
			p.fields(left+2*indent, k.Fields)
		}
	}
}

// content names what a sub-message of a kind has.
func content(k ynl.Kind) string {
	switch {
	case k.Of == "":
		return "nothing"
	case k.Again:
		return k.Of + again
	}
	return k.Of
}

const again = ", as above"

// typeText describes the value of a field.
func typeText(f ynl.Field) string {
	text := f.Type
	switch {
	case f.List && f.Len > 0:
		text = fmt.Sprintf("list of %d %s", f.Len, f.Type)
	case f.List:
		text = "list of " + f.Type
	case f.Len > 0 && f.Type == "binary":
		text = fmt.Sprintf("%d bytes", f.Len)
	}
	if f.Flags {
		text += " flags"
	}
	if f.Of != "" {
		text += " " + f.Of
	}
	switch {
	case f.ReadOnly:
		text += " (read-only)"
	case f.ReadOnlyFlags != nil:
		text += " (read-only: " + strings.Join(f.ReadOnlyFlags, ", ") + ")"
	}
	switch {
	case f.Again:
		text += again
	case f.Values != nil:
		text += ": " + join(f.Values, ", ", func(v ynl.Value) string { return v.Name })
	case f.Selector != "":
		text += " by " + f.Selector
	}
	return text
}

// example prints a command line with JSON, which has several lines if one does not do.
func (p *fieldPrinter) example(command string, text json.RawMessage) {
	p.text.WriteString("\nExample:\n")
	line := fmt.Sprintf("  %s '%s'\n", command, text)
	if len(line) > p.width {
		var lines bytes.Buffer
		json.Indent(&lines, text, "  ", "  ")
		line = fmt.Sprintf("  %s '%s'\n", command, &lines)
	}
	p.text.WriteString(line)
}
