package table

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// name returns the name of a value.
func (e *Enum) name(v uint64) (name string, ok bool) {
	for i := range e.Entries {
		if e.Entries[i].Value == v {
			return e.Entries[i].Name, true
		}
	}
	return "", false
}

// value returns the value with a name.
func (e *Enum) value(name string) (v uint64, ok bool) {
	for i := range e.Entries {
		if e.Entries[i].Name == name {
			return e.Entries[i].Value, true
		}
	}
	return 0, false
}

// bits returns the size of the enum's Go type.
func (e *Enum) bits() int {
	for i := range e.Entries {
		if e.Entries[i].Value > math.MaxUint32 {
			return 64
		}
	}
	return 32
}

// mask returns the bits of a value; mask says that the values are numbers of bits.
func (t Entry) mask(mask bool) uint64 {
	if mask {
		return 1 << t.Value
	}
	return t.Value
}

// names returns the names of the bits in v, in the order of the entries, and the bits
// that have none. mask says that the values are numbers of bits.
func (e *Enum) names(v uint64, mask bool) (names []string, rest uint64) {
	for _, t := range e.Entries {
		if m := t.mask(mask); m != 0 && v&m == m {
			names = append(names, t.Name)
			v &^= m
		}
	}
	return names, v
}

// EnumString returns the name of a value, the names of its bits, such as "up|running",
// or the number of what has no name.
func (f *Family) EnumString(enum uint16, v uint64) string {
	e := &f.Enums[enum-1]
	if name, ok := e.name(v); ok {
		return name
	}
	if !e.Flags {
		return strconv.FormatUint(v, 10)
	}
	names, rest := e.names(v, false)
	if rest != 0 || len(names) == 0 {
		names = append(names, "0x"+strconv.FormatUint(rest, 16))
	}
	return strings.Join(names, "|")
}

// EnumText returns the text of [Family.EnumString].
func (f *Family) EnumText(enum uint16, v uint64) []byte { return []byte(f.EnumString(enum, v)) }

// ParseEnum returns the value for a text of [Family.EnumString], or for a number, which
// must fit into the enum's Go type.
func (f *Family) ParseEnum(enum uint16, text []byte) (uint64, error) {
	e := &f.Enums[enum-1]
	var v uint64
	for part := range strings.SplitSeq(string(text), "|") {
		u, err := e.parse(part, e.bits())
		if err != nil {
			return 0, err
		}
		v |= u
	}
	return v, nil
}

// parse returns the value with a name, or the number.
func (e *Enum) parse(name string, bits int) (uint64, error) {
	if v, ok := e.value(name); ok {
		return v, nil
	}
	v, err := strconv.ParseUint(name, 0, bits)
	if err != nil {
		return 0, fmt.Errorf("%q is no %s", name, e.Name)
	}
	return v, nil
}
