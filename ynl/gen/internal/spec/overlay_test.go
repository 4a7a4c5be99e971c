package spec

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestOverlayErrors has overlays that do not fit the spec. The fault is in the line that
// the case names.
func TestOverlayErrors(t *testing.T) {
	for _, c := range []struct {
		name, overlay string
		line          int
		want          string
	}{
		{"corrects an absent set", "attribute-sets:\n  - {name: absent, attributes: []}", 2, `has no item "absent"`},
		{"corrects an absent attribute", "attribute-sets:\n  - name: thing-attrs\n    attributes:\n      - {name: absent, type: u8}", 4, `has no item "absent"`},
		{"corrects an absent format", "sub-messages:\n  - name: data-msg\n    formats: [{value: absent, attribute-set: inner-attrs}]", 3, `has no item "absent"`},
		{"corrects an absent entry", "definitions:\n  - name: color\n    entries: [{name: pink, value: 1}]", 3, `has no item "pink"`},
		{"adds a set that is there", "attribute-sets:\n  - {new: thing-attrs, attributes: []}", 2, `has an item "thing-attrs" already`},
		{"adds an entry that is there", "definitions:\n  - name: color\n    entries: [{new: red}]", 3, `has an item "red" already`},
		{"adds a format that is there", "sub-messages:\n  - name: data-msg\n    formats: [{new: third}]", 3, `has an item "third" already`},
		{"says what the spec says", "definitions:\n  - name: color\n    name-prefix: demo-color-", 3, "says this already"},
		{"says what the spec says in a list", "operations:\n  list:\n    - {name: newthing, flags: [admin-perm]}", 3, "says this already"},
		{"removes an absent key", "attribute-sets:\n  - name: thing-attrs\n    attributes:\n      - {name: id, remove: [byte-order]}", 4, `has no key "byte-order"`},
		{"replaces nothing", "definitions:\n  - name: pair\n    replace: [members]", 3, `no list with key "members" beside it`},
		{"replaces an absent list", "definitions:\n  - name: pair\n    replace: [entries]\n    entries: [{name: a}]", 3, `has no key "entries"`},
		{"inserts after an absent item", "definitions:\n  - name: color\n    entries: [{new: pink, after: grey}]", 3, `has no item "grey"`},
		{"new in a new item", "attribute-sets:\n  - new: more-attrs\n    attributes:\n      - {new: a, type: u8}", 4, `key "new" in what is new as a whole`},
		{"new and name", "definitions: [{new: a, name: a, type: const, value: 1}]", 1, `"new" and "name" in one item`},
		{"neither new nor name", "definitions: [{type: const, value: 1}]", 1, `want a key "name" or "new"`},
		{"list over a mapping", "operations: [{name: a}]", 1, "want a mapping as in"},
		{"mapping over a list", "definitions: {name: a}", 1, "want a mapping over a mapping"},
		{"scalar among items", "definitions: [{name: color}, red]", 1, `want a mapping with "name" or "new"`},
		{"names for items", "definitions:\n  - name: switch\n    entries: [up]", 3, `or the key "replace"`},
		{"nothing for items", "attribute-sets:\n  - name: thing-attrs\n    attributes: []", 3, `or the key "replace"`},
		{"unknown key", "definitions:\n  - {name: color, colour: red}", 2, `unknown key "colour"`},
		{"unknown value", "attribute-sets:\n  - name: thing-attrs\n    attributes:\n      - {name: id, type: u128}", 4, `unknown value "u128"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "demo.yaml")
			writeFile(t, path, c.overlay+"\n")
			_, err := Load("../../testdata/specs", "", dir, "demo")
			wantError(t, err, path, c.line, c.want)
		})
	}
}

// TestOverlayWithoutSpec finds an overlay that belongs to nothing.
func TestOverlayWithoutSpec(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "gone.yaml"), "name: gone\n")
	if _, err := Load("../../testdata/specs", "", dir); err == nil {
		t.Error("no error for an overlay without a spec")
	}
}

func TestOverlay(t *testing.T) {
	f := family(t, "demo", `
definitions:
  - name: color
    entries: [{name: red, value: 2}, {new: black, after: green}, {new: white}]
  - name: pair
    replace: [members]
    members: [{name: only, type: u32}]
  - {new: extra, type: const, value: 9}
attribute-sets:
  - name: thing-attrs
    attributes:
      - {name: port, type: u32, remove: [byte-order]}
      - {new: last, type: u8}
sub-messages:
  - name: data-msg
    formats: [{value: second, or-attribute-set: inner-attrs}, {value: third, attribute-set: inner-attrs}, {new: fourth}]
`)
	var names []string
	for _, e := range f.byName.definitions["color"].Entries {
		names = append(names, e.Name)
	}
	if want := []string{"red", "green", "black", "blue", "white"}; !slices.Equal(names, want) {
		t.Errorf("entries %v, want %v", names, want)
	}
	if d := f.byName.definitions["pair"]; d.Size != 4 || len(d.Members) != 1 {
		t.Errorf("struct pair has %d members and %d bytes", len(d.Members), d.Size)
	}
	if f.byName.definitions["extra"].Value != "9" {
		t.Error("no constant extra")
	}
	if a := f.attr(t, "thing-attrs", "port"); a.Type != "u32" || a.Order != "" || a.Number != 10 {
		t.Errorf("port is %s, %q, number %d", a.Type, a.Order, a.Number)
	}
	if a := f.attr(t, "thing-attrs", "last"); a.Number != 25 {
		t.Errorf("the new attribute has the number %d", a.Number)
	}
	formats := f.byName.subs["data-msg"].Formats
	if len(formats) != 5 || formats[3].Set == nil || formats[4].Value != "fourth" {
		t.Errorf("formats %v", formats)
	}
	// Of two formats of one value that of attributes comes first.
	if or, alone := formats[1], formats[2]; or.Value != "second" || or.Set == nil || or.Header != nil || alone.Value != "second" || alone.Set != nil || alone.Header == nil {
		t.Errorf("formats %+v and %+v", or, alone)
	}
}

// TestOverlayAddsSections lays mappings over nothing.
func TestOverlayAddsSections(t *testing.T) {
	f := family(t, "unified", `
sub-messages: [{new: more-msg, formats: [{value: a}]}]
operations:
  list:
    - {name: delete, dump: {reply: {}}}
`)
	if len(f.SubMessages) != 1 || f.SubMessages[0].Formats[0].Value != "a" {
		t.Errorf("sub-messages %v", f.SubMessages)
	}
	if o := f.op(t, "delete"); o.Dump == nil || o.Reply == nil || *o.Reply != *o.Request {
		t.Errorf("delete has no dump: %+v", o)
	}
}
