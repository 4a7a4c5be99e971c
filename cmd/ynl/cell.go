package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// limits say how much of a value a cell has.
type limits struct {
	value int // maximum number of characters, 0 for any
	nest  int // the same of a value with objects in it
	depth int // objects deeper in each other are abbreviated
}

var (
	shortCell = limits{value: 40, nest: 24, depth: 1}
	wholeCell = limits{depth: 1000}
)

// cellText returns a JSON value as a person reads it on one line, and whether it was cut
// to the maximum length.
func cellText(value json.RawMessage, limit limits) (text string, cut bool) {
	most := limit.value
	if isNest(value) {
		most = limit.nest
	}
	return abbreviate(plain(value, limit.depth), most)
}

// abbreviate cuts a text to a number of characters, 0 for any, and reports whether it did.
func abbreviate(text string, most int) (string, bool) {
	if most == 0 || utf8.RuneCountInString(text) <= most {
		return text, false
	}
	return string([]rune(text)[:most-1]) + "…", true
}

// isNest reports whether a value is an object, or a list of them.
func isNest(value json.RawMessage) bool {
	return value[0] == '{' || value[0] == '[' && value[1] == '{'
}

// isNumber reports whether a value is a number.
func isNumber(value json.RawMessage) bool {
	return value[0] == '-' || value[0] >= '0' && value[0] <= '9'
}

// isZero reports whether the text of a value says nothing: it is empty, or a zero.
func isZero(text string) bool { return text == "" || text == "0" || text == absent }

// plain returns a value without the braces and quotes that JSON needs: a list as its
// elements, an object as its members. Objects in more than depth others are abbreviated.
func plain(value json.RawMessage, depth int) string {
	switch value[0] {
	case '"':
		var text string
		if json.Unmarshal(value, &text) == nil {
			return printable(text)
		}
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			return join(list, ",", func(e json.RawMessage) string { return inner(e, depth) })
		}
	case '{':
		return members(value, ",", depth)
	}
	return string(value)
}

// members returns the members of an object that say something, as NAME=VALUE.
func members(object json.RawMessage, separator string, depth int) string {
	if depth == 0 {
		return "…"
	}
	list, err := fields(object)
	if err != nil {
		return string(object)
	}
	list = slices.DeleteFunc(list, func(f field) bool { return isZero(plain(f.value, depth)) })
	return join(list, separator, func(f field) string { return f.name + "=" + inner(f.value, depth-1) })
}

// inner is plain for a value in another one.
func inner(value json.RawMessage, depth int) string {
	text := plain(value, depth)
	if value[0] == '[' || value[0] == '{' {
		text = "{" + text + "}"
	}
	return text
}

// join returns the texts of the elements with a separator between them.
func join[E any](list []E, separator string, text func(E) string) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = text(e)
	}
	return strings.Join(texts, separator)
}

// printable returns a text in which what could change a terminal is escaped: names and
// comments in the kernel may have any bytes.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strings.Trim(strconv.Quote(text), `"`)
	}
	return text
}
