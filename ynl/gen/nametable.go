package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

// A nameTable has texts that refer to each other by their places.
type nameTable struct {
	Texts []nameText // the first one has no names

	family *spec.Family // the one that is being added
	places map[*spec.Set]int
	errs   []error
}

// A nameText is a text, and what it is of.
type nameText struct{ Of, Text string }

// A nameItem is a type of attributes or requests with its name, and what they contain.
type nameItem struct {
	typ           uint16
	name, content string
}

func newNameTable() *nameTable {
	return &nameTable{Texts: []nameText{{"what is unknown", ""}}, places: map[*spec.Set]int{}}
}

// reserve returns the next place.
func (t *nameTable) reserve() int {
	t.Texts = append(t.Texts, nameText{})
	return len(t.Texts) - 1
}

// list stores the text of items in a place.
func (t *nameTable) list(place int, of string, items []nameItem) {
	t.Texts[place] = nameText{of, t.text(of, items)}
}

// add returns the place of a text, which it appends if that is missing.
func (t *nameTable) add(text nameText) int {
	same := func(o nameText) bool { return o.Text == text.Text }
	if at := slices.IndexFunc(t.Texts, same); at >= 0 {
		return at
	}
	t.Texts = append(t.Texts, text)
	return len(t.Texts) - 1
}

// text returns the text of items: the beginning that their names have in common, then
// each name in the order of the types.
func (t *nameTable) text(of string, items []nameItem) string {
	slices.SortStableFunc(items, func(a, b nameItem) int { return cmp.Compare(a.typ, b.typ) })
	prefix := sharedWords(items)
	var b strings.Builder
	b.WriteString(prefix)
	next := 1
	for i, item := range items {
		typ := int(item.typ)
		if i > 0 && typ < next {
			t.errs = append(t.errs, fmt.Errorf("%s: %s and %s are both %d", of, items[i-1].name, item.name, typ))
		}
		if typ != next {
			fmt.Fprintf(&b, " @%d", typ)
		}
		b.WriteString(" " + strings.TrimPrefix(item.name, prefix))
		if item.content != "" {
			b.WriteString(">" + item.content)
		}
		next = typ + 1
	}
	return b.String()
}

// sharedWords returns the words that all names begin with. They are not the whole of one.
func sharedWords(items []nameItem) string {
	var prefix string
	for i, item := range items {
		if i == 0 {
			prefix = item.name
		}
		for n := len(prefix); !strings.HasPrefix(item.name, prefix) || prefix == item.name; n = len(prefix) {
			prefix = prefix[:strings.LastIndex(prefix[:n-1], "_")+1]
		}
	}
	return prefix
}

// requests returns the requests of a family.
func (t *nameTable) requests(f *spec.Family) []nameItem {
	t.family = f
	same := map[uint16][]*spec.Operation{}
	for _, o := range f.Operations.List {
		if o.Request != nil {
			same[*o.Request] = append(same[*o.Request], o)
		}
	}
	var items []nameItem
	for _, typ := range slices.Sorted(maps.Keys(same)) {
		list := same[typ]
		content := t.request(list[0])
		if slices.ContainsFunc(list, func(o *spec.Operation) bool { return o.Set != list[0].Set }) {
			content = t.socketRequest(list)
		}
		items = append(items, nameItem{typ, list[0].KernelName, content})
	}
	return items
}

// request returns what a request contains. The size of a generic family's header is known
// to those that resolve the family.
func (t *nameTable) request(o *spec.Operation) string {
	if t.family.Generic() {
		return t.reference(o.Set, nil)
	}
	return t.reference(o.Set, o.Set.Header)
}

// addressFamilies are what the first byte of a request has for an operation of sockdiag.
// The operations share a type.
var addressFamilies = map[string][]int{
	"get-unix": {1}, "get-inet": {2, 10}, "get-netlink": {16}, "get-packet": {17}, "get-vsock": {40},
}

// socketRequest returns what requests of one type contain, which depends on the address
// family.
func (t *nameTable) socketRequest(list []*spec.Operation) string {
	var formats []string
	for _, o := range list {
		if addressFamilies[o.Name] == nil {
			t.errs = append(t.errs, o.Errorf("operation %q: %s has other attributes", o.Name, list[0].KernelName))
		}
		for _, value := range addressFamilies[o.Name] {
			formats = append(formats, fmt.Sprintf("%d:%s", value, t.request(o)))
		}
	}
	return t.choice(list[0].KernelName, "header 0", formats)
}

// reference returns how a text refers to a set after a struct.
func (t *nameTable) reference(s *spec.Set, header *spec.Definition) string {
	ref := strconv.Itoa(t.place(s))
	if header != nil {
		const align = 4
		ref += fmt.Sprintf("+%d", (header.Size+align-1)/align*align)
	}
	return ref
}

// place returns the place of a set, whose text it appends if that is missing.
func (t *nameTable) place(s *spec.Set) int {
	if at, ok := t.places[s]; ok {
		return at
	}
	at := t.reserve()
	t.places[s] = at // the set may contain itself
	var items []nameItem
	for _, a := range s.Attributes {
		items = append(items, nameItem{a.Number, a.KernelName, t.content(s, a)})
	}
	of := t.family.Name + ": " + s.Name
	text := nameText{of, t.text(of, items)}
	if at == len(t.Texts)-1 {
		t.Texts = t.Texts[:at]
		t.places[s] = t.add(text)
	} else {
		t.Texts[at] = text
	}
	return t.places[s]
}

// content returns what an attribute contains, "" if that is no attributes.
func (t *nameTable) content(s *spec.Set, a *spec.Attr) string {
	switch {
	case a.Dropped():
		return ""
	case a.Sub != nil:
		return t.subMessage(s, a)
	case a.Nested == nil:
		return ""
	case a.Type == "records":
		return "*" + t.reference(a.Nested, a.Struct)
	case a.Type == "indexed-array":
		return "#" + t.reference(a.Nested, nil)
	case a.Type == "nest-type-value":
		return strings.Repeat("#", len(a.TypeValue)) + t.reference(a.Nested, nil)
	}
	return t.reference(a.Nested, a.Header)
}

// subMessage returns what a sub-message contains, which depends on its selector.
func (t *nameTable) subMessage(s *spec.Set, a *spec.Attr) string {
	place, enum := selectorOf(s, a.Selector)
	if place == "" {
		return "" // the set is that of statistics, which no request has
	}
	var formats []string
	for _, format := range a.Sub.Formats {
		if format.Set != nil {
			formats = append(formats, selectorValue(enum, format.Value)+":"+t.reference(format.Set, format.Header))
		}
	}
	if len(formats) == 0 {
		return ""
	}
	return t.choice(a.KernelName, place, formats)
}

// choice returns how a text refers to a choice, which it appends if that is missing.
func (t *nameTable) choice(of, selector string, formats []string) string {
	return fmt.Sprintf("?%d", t.add(nameText{of, selector + " " + strings.Join(formats, " ")}))
}

// selectorOf returns where a selector is in its set, and the enumeration that names its
// values. The place is "" if the set does not have it.
func selectorOf(s *spec.Set, selector string) (place string, enum *spec.Definition) {
	for _, a := range s.Attributes {
		switch {
		case a.Name != selector:
		case a.Type == "string":
			return fmt.Sprintf("text %d", a.Number), nil
		case a.Order == "big-endian":
			return fmt.Sprintf("network %d", a.Number), a.Enum
		default:
			return fmt.Sprintf("native %d", a.Number), a.Enum
		}
	}
	if s.Header != nil {
		for _, m := range s.Header.Members {
			if m.Name == selector && m.Size == 1 {
				return fmt.Sprintf("header %d", m.At), m.Enum
			}
		}
	}
	return "", nil
}

// selectorValue returns the text of a selector's value: for an integer its number.
func selectorValue(enum *spec.Definition, value string) string {
	if enum != nil {
		for _, e := range enum.Entries {
			if e.Name == value {
				return strconv.FormatUint(e.Value, 10)
			}
		}
	}
	return value
}
