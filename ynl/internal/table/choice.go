package table

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// selection is the value of a selector: a string, or the name of an enum's entry and
// its number.
type selection struct{ text, number string }

// selected returns the value of the attribute or of the header's member called name, in
// sc or else in the scopes around it. ok is false if it is absent.
func (f *Family) selected(sc *scope, name string) (sel selection, ok bool) {
	for ; sc != nil; sc = sc.up {
		if a := sc.set.named(name); a != nil {
			if !a.present(sc.at) {
				return selection{}, false
			}
			x := sc.at.at(a.Off)
			if a.Kind == String {
				return selection{text: *x.text()}, true
			}
			return f.selection(a.Enum, x.uint(a.Width)), true
		}
		if !sc.header {
			continue
		}
		h := &f.Structs[sc.set.Header-1]
		for i := range h.Members {
			if m := &h.Members[i]; m.Name == name {
				return f.selection(m.Enum, sc.at.at(sc.set.HeadOff+m.Off).uint(m.Width)), true
			}
		}
	}
	return selection{}, false
}

func (f *Family) selection(enum uint16, v uint64) selection {
	sel := selection{number: strconv.FormatUint(v, 10)}
	sel.text = sel.number
	if enum != 0 {
		if name, ok := f.Enums[enum-1].name(v); ok {
			sel.text = name
		}
	}
	return sel
}

// format returns the format for the value of the selector, nil if there is none.
func (c *Choice) format(sel selection) *Format {
	for i := range c.Formats {
		if v := c.Formats[i].Value; v == sel.text || v == sel.number {
			return &c.Formats[i]
		}
	}
	return nil
}

// typ returns (*T)(nil) for the type T of a format, nil if it has none.
func (f *Family) typ(fm *Format) any {
	switch {
	case fm.Set != 0:
		return f.Sets[fm.Set-1].Type
	case fm.Struct != 0:
		return f.Structs[fm.Struct-1].Type
	}
	return nil
}

// has reports whether v has the type of the format.
func (f *Family) has(fm *Format, v any) bool { return reflect.TypeOf(f.typ(fm)) == reflect.TypeOf(v) }

// isRaw reports whether v is a sub-message without a type.
func (f *Family) isRaw(v any) bool { return reflect.TypeOf(v) == reflect.TypeOf(f.Raw) }

// newRaw returns a sub-message without a type, with the bytes b.
func (f *Family) newRaw(b []byte) any { return placeOf(&b).pointer(f.Raw) }

// formatOf returns the format that is meant by a value of its type when the selector is
// absent: the only one with that type, or the default one.
func (f *Family) formatOf(c *Choice, v any) (*Format, error) {
	var found *Format
	var kinds []string
	for i := range c.Formats {
		fm := &c.Formats[i]
		if !f.has(fm, v) {
			continue
		}
		if fm.Default {
			return fm, nil
		}
		found, kinds = fm, append(kinds, strconv.Quote(fm.Value))
	}
	switch len(kinds) {
	case 0:
		return nil, fmt.Errorf("%T is not one of its types", v)
	case 1:
		return found, nil
	}
	return nil, fmt.Errorf("%s is absent, and %T can be %s", c.Selector, v, strings.Join(kinds, ", "))
}

// implied returns the format that the sub-messages of sc imply for their selector when it
// is absent, nil if none implies one.
func (f *Family) implied(sc *scope, selector string) (*Format, error) {
	for i := range sc.set.Attrs {
		a := &sc.set.Attrs[i]
		if a.Kind != SubMessage || f.SubMessages[a.Ref-1].Selector != selector {
			continue
		}
		c := &f.SubMessages[a.Ref-1]
		if v := c.Load(sc.at.at(a.Off)); v != nil && !f.isRaw(v) {
			return f.formatOf(c, v)
		}
	}
	return nil, nil
}

// formatFor returns the format of the sub-message v in sc, which agrees with the selector.
func (f *Family) formatFor(sc *scope, c *Choice, v any) (*Format, error) {
	sel, ok := f.selected(sc, c.Selector)
	if !ok {
		fm, err := f.implied(sc, c.Selector)
		if err != nil {
			return nil, err
		}
		if fm == nil || sc.set.named(c.Selector) == nil {
			return nil, fmt.Errorf("%s is absent", c.Selector)
		}
		sel.text = fm.Value
	}
	fm := c.format(sel)
	if fm == nil || !f.has(fm, v) {
		return nil, fmt.Errorf("%s is %q, which %T is not for", c.Selector, sel.text, v)
	}
	return fm, nil
}

// selectorValue returns the integer that selects the format.
func (f *Family) selectorValue(enum uint16, fm *Format) (uint64, error) {
	if enum != 0 {
		return f.Enums[enum-1].parse(fm.Value, 64)
	}
	return strconv.ParseUint(fm.Value, 0, 64)
}
