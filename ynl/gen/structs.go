package main

import (
	"fmt"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// structure makes the type of a struct, and its row.
func (g *generator) structure(d *spec.Definition) *structure {
	s := &structure{Definition: d, GoName: g.name(d), Ref: g.ref("struct", d), Alone: g.alone[d], InList: g.inList[d]}
	fields := newScope(&g.errs, "MarshalJSON", "UnmarshalJSON")
	if s.Alone {
		fields.take(d.Pos, "method", "Encode")
		fields.take(d.Pos, "method", "Decode")
	}
	for i, m := range d.Members {
		if m.Type == "pad" {
			continue
		}
		name := memberName(d, m)
		fields.take(m.Pos, fmt.Sprintf("member %q", m.Name), name)
		s.Fields = append(s.Fields, g.member(d, m, name, g.run(d, i)))
	}
	return s
}

// run returns the number of bytes in the run of integers that begins with member i: those
// that have one size on the wire and in Go, and the machine's byte order. It is 0 if no
// run of several begins there. The engine copies them at once.
func (g *generator) run(d *spec.Definition, i int) int {
	first := d.Members[i]
	if !g.plain(first) || i > 0 && g.plain(d.Members[i-1]) && d.Members[i-1].Size == first.Size {
		return 0
	}
	n := 0
	for _, m := range d.Members[i:] {
		if !g.plain(m) || m.Size != first.Size {
			break
		}
		n += m.Size
	}
	if n == first.Size {
		return 0
	}
	return n
}

// plain reports whether a member is the same in Go as on the wire.
func (g *generator) plain(m *spec.Member) bool {
	if !spec.IsInt(m.Type) || spec.IsAddr(m.Hint) || m.CountName != "" || m.Order != "" && m.Size > 1 {
		return false
	}
	return g.number(m.Type, m.Enum, m.AsFlags).width == m.Size
}

// member makes the field of a struct's member, and its row. run is the number of bytes in
// the run of integers that begins with it.
func (g *generator) member(d *spec.Definition, m *spec.Member, name string, run int) field {
	if m.Order == "little-endian" {
		g.fail(m.Pos, "member %q: the tables have no little endian", m.Name)
	}
	typ, v := g.memberType(m)
	var r row
	r.add("Name", quote(jsonName(m.Name, m.JSON)))
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
	r.add("Run", run)
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
