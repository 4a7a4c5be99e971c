package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/nlmux/netlink/ynl"
)

// example returns JSON that a request with these fields may have: a few values, those that
// name things first, and one nest. It shows the form only.
func example(fields []ynl.Field) json.RawMessage {
	const values = 3
	return object(fields, values, true)
}

// object returns an object with some of the fields that have a plain value, and with a
// nest if there is one and nest is true, or there is nothing else.
func object(fields []ynl.Field, most int, nest bool) json.RawMessage {
	chosen := make(map[string]json.RawMessage)
	for _, r := range []rank{text, address, index, number} {
		for _, f := range fields {
			if len(chosen) < most && !f.ReadOnly && rankOf(f) == r {
				chosen[f.Name] = plainExample(f)
			}
		}
		if r == index && len(chosen) > 0 {
			break
		}
	}
	if nest || len(chosen) == 0 {
		addNest(chosen, fields)
	}
	addFamily(chosen, fields)
	var members []string
	for _, f := range fields {
		if v := chosen[f.Name]; v != nil {
			members = append(members, fmt.Sprintf("%q: %s", f.Name, v))
		}
	}
	return json.RawMessage("{" + strings.Join(members, ", ") + "}")
}

// addFamily sets the family of the addresses that are chosen, if the header has one.
func addFamily(chosen map[string]json.RawMessage, fields []ynl.Field) {
	for _, f := range fields {
		if f.Type == "address" && chosen[f.Name] != nil {
			if i := slices.IndexFunc(fields, isFamily); i >= 0 {
				chosen[fields[i].Name] = json.RawMessage("2") // AF_INET
			}
			return
		}
	}
}

// isFamily reports whether a field of a header is the family of its addresses.
func isFamily(f ynl.Field) bool { return f.Type == "u8" && strings.HasSuffix(f.Name, "family") }

// addNest chooses the first nest or sub-message of which something can be set.
func addNest(chosen map[string]json.RawMessage, fields []ynl.Field) {
	for _, f := range fields {
		inner := f.Fields
		if f.Kinds != nil {
			var kind string
			kind, inner = exampleKind(f, fields)
			if inner != nil {
				chosen[f.Selector] = quoted(kind)
			}
		}
		if f.ReadOnly || f.Type == "struct" || !canSet(inner) {
			continue
		}
		v := object(inner, 1, slices.ContainsFunc(inner, func(f ynl.Field) bool { return f.Kinds != nil }))
		if f.List {
			v = slices.Concat(json.RawMessage("["), v, json.RawMessage("]"))
		}
		chosen[f.Name] = v
		return
	}
}

// exampleKind returns a kind of a sub-message, and what it has. There is none unless one of
// the fields selects it by names.
func exampleKind(sub ynl.Field, fields []ynl.Field) (kind string, inner []ynl.Field) {
	byName := func(f ynl.Field) bool { return f.Name == sub.Selector && (f.Type == "string" || f.Of != "") }
	i := slices.IndexFunc(sub.Kinds, func(k ynl.Kind) bool { return canSet(k.Fields) })
	if i < 0 || !slices.ContainsFunc(fields, byName) {
		return "", nil
	}
	return sub.Kinds[i].Value, sub.Kinds[i].Fields
}

// canSet reports whether an object with these fields can have a plain value, or one in a
// nest.
func canSet(fields []ynl.Field) bool {
	return slices.ContainsFunc(fields, func(f ynl.Field) bool {
		if f.Kinds != nil {
			_, inner := exampleKind(f, fields)
			return inner != nil
		}
		return !f.ReadOnly && (rankOf(f) != other || f.Type == "nest" && canSet(f.Fields))
	})
}

// rank says how well a value shows what fields are about, the best first.
type rank int

const (
	text rank = iota
	address
	index
	number
	other // no plain value
)

func rankOf(f ynl.Field) rank {
	switch {
	case f.List || f.Len > 0 || isFamily(f):
		return other
	case f.Type == "string":
		return text
	case slices.Contains([]string{"address", "ipv4", "ipv6", "mac"}, f.Type):
		return address
	case !slices.Contains([]string{"u8", "u16", "u32", "u64", "uint", "s8", "s16", "s32", "s64", "sint"}, f.Type):
		return other
	case strings.HasSuffix(f.Name, "index") || f.Name == "id":
		return index
	}
	return number
}

// plainExample returns a value of a field that has neither fields nor kinds.
func plainExample(f ynl.Field) json.RawMessage {
	i := slices.IndexFunc(f.Values, func(v ynl.Value) bool { return v.Number != 0 && !slices.Contains(f.ReadOnlyFlags, v.Name) })
	switch {
	case i >= 0 && f.Flags:
		return json.RawMessage("[" + string(quoted(f.Values[i].Name)) + "]")
	case i >= 0:
		return quoted(f.Values[i].Name)
	case f.Type == "string" && (strings.Contains(f.Name, "ifname") || strings.HasSuffix(f.Name, "dev-name")):
		return quoted("eth0")
	case f.Type == "string":
		return quoted("name")
	case f.Type == "ipv6":
		return quoted("2001:db8::1")
	case f.Type == "mac":
		return quoted("02:00:00:00:00:01")
	case f.Type == "address" || f.Type == "ipv4":
		return quoted("192.0.2.1")
	}
	return json.RawMessage("1")
}

// quoted returns a text as JSON.
func quoted(text string) json.RawMessage { return json.RawMessage(fmt.Sprintf("%q", text)) }
