package main

import (
	"fmt"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A value says how one value of an attribute is written in Go, and by which row.
type value struct {
	typ     string // Go type
	opt     bool   // in an Opt when alone
	pointer bool   // a pointer when alone
	kind    string // of the row
	elem    string // of the row, for an array
	hint    string
	width   int // bytes of the Go integer
	ref     string
	enum    string
	mask    bool // the entries of the enum are numbers of bits
	element string
	first   int // the number of the first element
}

// ordered reports whether the value is an integer with a byte order, or has such.
func (v value) ordered() bool {
	kind := v.kind
	if v.elem != "" {
		kind = v.elem
	}
	return len(kind) > 2 && (kind[0] == 'U' || kind[0] == 'S') && kind[1] >= '1' && kind[1] <= '6'
}

// kinds are the names of the integer kinds of package table.
var kinds = map[string]string{
	"u8": "U8", "u16": "U16", "u32": "U32", "u64": "U64", "s8": "S8", "s16": "S16", "s32": "S32", "s64": "S64",
	"uint": "Uint", "sint": "Sint",
}

// integer returns the Go type of an integer of a spec and its size.
func integer(typ string) (name string, width int) {
	switch typ {
	case "uint":
		return "uint64", 8
	case "sint":
		return "int64", 8
	}
	if typ[0] == 's' {
		return "int" + typ[1:], spec.Width(typ)
	}
	return "uint" + typ[1:], spec.Width(typ)
}

// number returns the value for an integer, which an enumeration may name.
func (g *generator) number(typ string, enum *spec.Definition, asFlags bool) value {
	v := value{opt: true, kind: kinds[typ]}
	v.typ, v.width = integer(typ)
	if enum == nil {
		return v
	}
	v.enum = g.ref("enum", enum)
	v.mask = asFlags && enum.Type == "enum"
	if !v.mask {
		v.typ, v.width = g.name(enum), enumWidth(enum)
	}
	return v
}

// value returns the value of an attribute, or of an element of its list. typ is the type
// of the value, which for a list is the attribute's sub-type.
func (g *generator) value(a *spec.Attr, typ string) value {
	list := typ != a.Type // of an indexed array, the sub-type is that of the element
	switch {
	case typ == "via":
		return value{typ: "netip.Addr", kind: "Via"}
	case spec.IsAddr(a.Hint) && (typ == "u32" || typ == "binary"):
		return value{typ: "netip.Addr", kind: "Addr", hint: addrHint(a.Hint)}
	case spec.IsInt(typ):
		v := g.number(typ, a.Enum, a.AsFlags)
		v.hint = hints[a.Hint]
		return v
	case typ == "flag":
		return value{typ: "bool", kind: "Flag"}
	case typ == "string":
		return value{typ: "string", opt: true, kind: "String"}
	case typ == "bitfield32":
		v := value{typ: "ynl.Bitfield32", opt: true, kind: "Bitfield32"}
		if a.Enum != nil {
			v.enum, v.mask = g.ref("enum", a.Enum), a.Enum.Type == "enum"
		}
		return v
	case typ == "nest":
		return value{typ: g.name(a.Nested), pointer: true, kind: "Nest", ref: g.ref("set", a.Nested)}
	case typ == "binary" && a.Struct != nil:
		return value{typ: g.name(a.Struct), opt: true, kind: "Struct", ref: g.ref("struct", a.Struct)}
	case typ == "list":
		return value{typ: "[]" + g.name(a.Struct), kind: "Array", elem: "Struct", ref: g.ref("struct", a.Struct)}
	case typ == "binary" && a.SubType != "" && !list:
		v := g.number(a.SubType, a.Enum, a.AsFlags)
		v.opt, v.kind, v.elem, v.typ = false, "Array", v.kind, "[]"+v.typ
		v.hint = hints[a.Hint]
		return v
	case typ == "binary" && hints[a.Hint] == "MAC":
		return value{typ: "net.HardwareAddr", kind: "Binary", hint: "MAC"}
	case typ == "binary":
		return value{typ: "[]byte", kind: "Binary", hint: hints[a.Hint]}
	}
	g.fail(a.Pos, "attribute %q: no Go type for type %s", a.Name, typ)
	return value{}
}

// hints are the display hints that the tables know, but for those of IP addresses.
var hints = map[string]string{"hex": "Hex", "mac": "MAC", "fddi": "MAC", "uuid": "UUID"}

// addrHint returns the hint of an address, none if it may be of both families.
func addrHint(hint string) string {
	switch hint {
	case "ipv4":
		return "IPv4"
	case "ipv6":
		return "IPv6"
	}
	return ""
}

func enumWidth(d *spec.Definition) int {
	if d.Wide {
		return 8
	}
	return 4
}

// A row is the text of a composite literal of package table.
type row struct{ parts []string }

// add adds a field, unless its value is the zero value.
func (r *row) add(name string, v any) {
	switch v := v.(type) {
	case string:
		if v != "" {
			r.parts = append(r.parts, name+": "+v)
		}
	case bool:
		if v {
			r.parts = append(r.parts, name+": true")
		}
	default:
		if s := fmt.Sprint(v); s != "0" {
			r.parts = append(r.parts, name+": "+s)
		}
	}
}

// constant adds a field with a constant of package table, or with several.
func (r *row) constant(name string, constants ...string) {
	var list []string
	for _, c := range constants {
		if c != "" {
			list = append(list, "table."+c)
		}
	}
	r.add(name, strings.Join(list, " | "))
}

func (r *row) String() string { return "{" + strings.Join(r.parts, ", ") + "}" }

// when returns s if a condition holds.
func when(condition bool, s string) string {
	if condition {
		return s
	}
	return ""
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

func offset(typ, field string) string { return fmt.Sprintf("unsafe.Offsetof(%s{}.%s)", typ, field) }
