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
// the innermost set or else in those around it. ok is false if it is absent.
func (w *walk) selected(name string) (sel selection, ok bool) {
	for i := range w.scopes {
		sc := &w.scopes[len(w.scopes)-1-i]
		if a := sc.set.named(name); a != nil {
			if !a.present(sc.at) {
				return selection{}, false
			}
			x := sc.at.at(a.Off)
			if a.Kind == String {
				return selection{text: *x.text()}, true
			}
			return w.f.selection(a.Enum, x.uint(a.Width)), true
		}
		if !sc.header {
			continue
		}
		h := &w.f.Structs[sc.set.Header-1]
		for i := range h.Members {
			if m := &h.Members[i]; m.Name == name {
				return w.f.selection(m.Enum, sc.at.at(sc.set.HeadOff+m.Off).uint(m.Width)), true
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

// format returns the format for the value of the selector, nil if there is none. If there
// are several it is the first that fits, or the last.
func (c *Choice) format(sel selection, fits func(*Format) bool) *Format {
	for i := range c.Formats {
		fm := &c.Formats[i]
		if fm.Value != sel.text && fm.Value != sel.number {
			continue
		}
		if i+1 == len(c.Formats) || c.Formats[i+1].Value != fm.Value || fits(fm) {
			return fm
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

// newRaw returns a sub-message without a type, with a copy of the bytes b.
func (f *Family) newRaw(b []byte) any {
	raw := append(make([]byte, 0, len(b)), b...)
	return placeOf(&raw).pointer(f.Raw)
}

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

// implied returns the format that the sub-messages of the innermost set imply for their
// selector when it is absent, nil if none implies one.
func (w *walk) implied(selector string) (*Format, error) {
	sc := w.top()
	for i := range sc.set.Attrs {
		a := &sc.set.Attrs[i]
		if a.Kind != SubMessage || w.f.SubMessages[a.Ref-1].Selector != selector {
			continue
		}
		c := &w.f.SubMessages[a.Ref-1]
		if v := c.Load(sc.at.at(a.Off)); v != nil && !w.f.isRaw(v) {
			return w.f.formatOf(c, v)
		}
	}
	return nil, nil
}

// formatFor returns the format of the sub-message v of the innermost set. It agrees with
// the selector.
func (w *walk) formatFor(c *Choice, v any) (*Format, error) {
	sel, ok := w.selected(c.Selector)
	if !ok {
		fm, err := w.implied(c.Selector)
		if err != nil {
			return nil, err
		}
		if fm == nil || w.top().set.named(c.Selector) == nil {
			return nil, fmt.Errorf("%s is absent", c.Selector)
		}
		sel.text = fm.Value
	}
	fm := c.format(sel, func(fm *Format) bool { return w.f.has(fm, v) })
	if fm == nil || !w.f.has(fm, v) {
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
