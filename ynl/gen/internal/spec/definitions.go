package spec

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (f *Family) resolveDefinitions() error {
	// Members refer to enumerations, which may follow their struct.
	for _, d := range f.Definitions {
		if d.Type == "enum" || d.Type == "flags" {
			if err := d.number(); err != nil {
				return err
			}
		}
	}
	for _, d := range f.Definitions {
		if d.Type == "struct" {
			if err := f.layout(d, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// number gives the entries their values: each one more than that of the entry before.
func (d *Definition) number() error {
	next := int64(0)
	if d.ValueStart != nil {
		next = *d.ValueStart
	}
	for _, e := range d.Entries {
		if e.Given != nil {
			next = *e.Given
		}
		switch {
		case d.Type == "flags" && (next < 0 || next > 63):
			return e.Errorf("flag %q has bit %d", e.Name, next)
		case d.Type == "flags":
			e.Value = 1 << next
		case next < math.MinInt32:
			return e.Errorf("%q is %d, which no enumeration has", e.Name, next)
		case next < 0:
			e.Value = uint64(uint32(next))
		default:
			e.Value = uint64(next)
		}
		d.Wide = d.Wide || e.Value > math.MaxUint32
		next++
	}
	return nil
}

// mask returns the bits of the entries with these names.
func (d *Definition) mask(at Pos, names []string, asFlags bool) (uint64, error) {
	var mask uint64
	for _, name := range names {
		if d == nil {
			return 0, at.Errorf("flag %q of a value that is no flags", name)
		}
		i := slices.IndexFunc(d.Entries, func(e *Entry) bool { return e.Name == name })
		switch {
		case i < 0:
			return 0, at.Errorf("no flag %q in %q", name, d.Name)
		case d.Type == "flags":
			mask |= d.Entries[i].Value
		case asFlags:
			mask |= 1 << d.Entries[i].Value
		default:
			return 0, at.Errorf("%q is no flags", d.Name)
		}
	}
	return mask, nil
}

// layout gives the members of a struct their places: one after the other, as the specs
// have the padding as members. outer are the structs that the struct is a part of.
func (f *Family) layout(d *Definition, outer []*Definition) error {
	if d.Size > 0 {
		return nil
	}
	for _, o := range outer {
		if o == d {
			return d.Errorf("struct %q is a part of itself", d.Name)
		}
	}
	for i, m := range d.Members {
		if m.CountName != "" {
			if err := d.checkCount(m); err != nil {
				return err
			}
		}
		if err := f.resolveMember(m, append(outer, d)); err != nil {
			return err
		}
		if m.Type == "list" && i < len(d.Members)-1 {
			return m.Errorf("list %q is not the last member", m.Name)
		}
		m.At = d.Size
		if m.Type != "list" {
			d.Size += m.Size
		}
	}
	if d.Size == 0 || d.Size > math.MaxUint16 {
		return d.Errorf("struct %q has %d bytes", d.Name, d.Size)
	}
	return nil
}

func (f *Family) resolveMember(m *Member, outer []*Definition) (err error) {
	if m.Enum, err = f.enum(m.Pos, m.EnumName); err != nil {
		return err
	}
	if m.Struct, err = f.structure(m.Pos, m.StructName); err != nil {
		return err
	}
	if m.ReadOnlyBits, err = m.Enum.mask(m.Pos, m.ReadOnlyFlags, m.AsFlags); err != nil {
		return err
	}
	n := Width(m.Type)
	if m.ReadOnly {
		m.ReadOnlyBits = 1<<(8*n) - 1
	}
	switch {
	case m.Struct != nil && (m.Type == "binary" || m.Type == "list") && m.Len == "":
		if err := f.layout(m.Struct, outer); err != nil {
			return err
		}
		m.Size = m.Struct.Size
	case n > 0 && m.Len == "" && m.Struct == nil:
		m.Size = n
	case m.SubType != "" && m.Type != "binary":
		err = m.Errorf("member %q of type %s has a sub-type", m.Name, m.Type)
	case (m.Type == "binary" || m.Type == "pad") && m.Len != "" && m.Struct == nil:
		m.Size, err = f.length(m.Pos, m.Len)
	default:
		err = m.Errorf("member %q of type %s: its size cannot be found", m.Name, m.Type)
	}
	return err
}

// checkCount fails if m does not count the items of the list at the end of the struct.
func (d *Definition) checkCount(m *Member) error {
	last := d.Members[len(d.Members)-1]
	if last.Type != "list" || last.Name != m.CountName {
		return m.Errorf("no list %q at the end of struct %q", m.CountName, d.Name)
	}
	return nil
}

// Width returns the size of an integer type of fixed size in bytes, 0 for other types.
func Width(typ string) int {
	switch typ {
	case "u8", "s8":
		return 1
	case "u16", "s16":
		return 2
	case "u32", "s32":
		return 4
	case "u64", "s64":
		return 8
	}
	return 0
}

var minusOne = regexp.MustCompile(`^(.+) - 1$`)

// length returns the value of a length: a number, a constant, or one less than it.
func (f *Family) length(at Pos, s string) (int, error) {
	if m := minusOne.FindStringSubmatch(s); m != nil {
		n, err := f.length(at, m[1])
		return n - 1, err
	}
	if d := f.byName.definitions[s]; d != nil && d.Type == "const" {
		return f.length(d.Pos, d.Value)
	}
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil || n < 0 {
		return 0, at.Errorf("no length %q", s)
	}
	return int(n), nil
}

// IsInt reports whether a type is one of an integer.
func IsInt(typ string) bool { return Width(typ) > 0 || typ == "uint" || typ == "sint" }

// IsAddr reports whether a display hint is that of an IP address.
func IsAddr(hint string) bool { return strings.HasPrefix(hint, "ip") }
