package spec

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	f := family(t, "demo", "")
	for name, want := range map[string]uint16{"unspec": 0, "id": 1, "name": 3, "port": 10, "hidden": 11, "table": 24} {
		if got := f.attr(t, "thing-attrs", name).Number; got != want {
			t.Errorf("attribute %s has the number %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]uint64{"red": 0, "green": 7, "blue": 8, "up": 1, "loud": 8, "wide": 16} {
		found := false
		for _, d := range f.Definitions {
			for _, e := range d.Entries {
				if e.Name == name {
					found = true
					if e.Value != want {
						t.Errorf("%s is %d, want %d", name, e.Value, want)
					}
				}
			}
		}
		if !found {
			t.Errorf("no entry %s", name)
		}
	}
}

// TestDirectional numbers requests and replies apart.
func TestDirectional(t *testing.T) {
	f := family(t, "demo", "")
	for name, want := range map[string][2]int{
		"newthing": {16, -1}, "delthing": {17, -1}, "getthing": {18, 16}, "delthing-ntf": {-1, 17},
	} {
		if got := numbers(f.op(t, name)); got != want {
			t.Errorf("%s has the numbers %v, want %v", name, got, want)
		}
	}
}

// TestUnified numbers all in one list.
func TestUnified(t *testing.T) {
	f := family(t, "unified", "")
	for name, want := range map[string][2]int{"dev-get": {1, 1}, "dev-ntf": {-1, 2}, "delete": {3, -1}} {
		if got := numbers(f.op(t, name)); got != want {
			t.Errorf("%s has the numbers %v, want %v", name, got, want)
		}
	}
}

// numbers returns the numbers of the request and the reply, -1 for none.
func numbers(o *Operation) [2]int {
	n := [2]int{-1, -1}
	if o.Request != nil {
		n[0] = int(*o.Request)
	}
	if o.Reply != nil {
		n[1] = int(*o.Reply)
	}
	return n
}

// TestSplit makes two operations of one with different numbers for do and dump.
func TestSplit(t *testing.T) {
	f := family(t, "demo", "operations: {list: [{name: getthing, dump: {reply: {value: 30}}}]}")
	var all [][2]int
	for _, o := range f.Operations.List {
		if o.Name == "getthing" {
			all = append(all, numbers(o))
			if o.Split != (o.Dump != nil) || o.Split == (o.Do != nil) {
				t.Errorf("Split %v, Do %v, Dump %v", o.Split, o.Do, o.Dump)
			}
		}
	}
	if len(all) != 2 || all[0] != [2]int{18, 30} || all[1] != [2]int{18, 16} {
		t.Errorf("getthing has the numbers %v", all)
	}
}

func TestReplySet(t *testing.T) {
	f := family(t, "demo", "operations: {list: [{name: getthing, dump: {reply: {attribute-set: lonely-attrs, fixed-header: pair}}}]}")
	o := f.op(t, "getthing")
	if o.Set.Name != "thing-attrs" || o.ReplySet.Name != "lonely-attrs" || o.ReplySet.Header.Name != "pair" || o.Set.Header.Name != "msg" {
		t.Errorf("sets %s and %s", o.Set.Name, o.ReplySet.Name)
	}
	if n := f.op(t, "delthing-ntf"); n.Set != o.ReplySet {
		t.Errorf("the notification has the set %s", n.Set.Name)
	}
}

func TestKernelNames(t *testing.T) {
	f := family(t, "demo", `
definitions:
  - name: color
    entries: [{name: green, rename: verdant}, {name: blue, rename: SKY}]
attribute-sets:
  - name: thing-attrs
    attributes: [{name: id, name-prefix: other-}, {name: name, rename: label}]
operations: {name-prefix: rtm-, list: [{name: newthing, rename: addthing}]}
`)
	have := map[string]bool{}
	for _, d := range f.Definitions {
		have[d.KernelName] = true
		for _, e := range d.Entries {
			have[e.KernelName] = true
		}
	}
	for _, s := range f.Sets {
		for _, a := range s.Attributes {
			have[a.KernelName] = true
		}
	}
	for _, o := range f.Operations.List {
		have[o.KernelName] = true
	}
	for _, g := range f.Groups.List {
		have[g.KernelName] = true
	}
	for _, want := range []string{
		"DEMO_LIMIT", "DEMO_COLOR_RED", "DEMO_COLOR_VERDANT", "SKY", "DEMO_SWITCH_LOUD", "OTHER_ID", "DA_LABEL", "DA_COLOR",
		"DEMO_A_INNER_ATTRS_VALUE", "RTM_ADDTHING", "RTM_GETTHING", "DEMOGRP_THING",
	} {
		if !have[want] {
			t.Errorf("no %s", want)
		}
	}
	generic := family(t, "unified", "")
	if got := generic.attr(t, "uni-fied", "mode").KernelName; got != "UNI_FIED_A_MODE" {
		t.Errorf("the set of the family's name has %s", got)
	}
	if got := generic.Groups.List[0].KernelName; got != "UNI_FIED_MCGRP_NEWS" {
		t.Errorf("the group is %s", got)
	}
}

// TestSubset finds the parent's numbers and prefix, and what the subset overrides.
func TestSubset(t *testing.T) {
	f := family(t, "demo", "")
	a := f.attr(t, "part-attrs", "color")
	if a.Number != 2 || !a.Multi || a.Enum.Name != "color" || a.KernelName != "DA_COLOR" {
		t.Errorf("color of the subset: %+v", a)
	}
	if f.attr(t, "thing-attrs", "color").Multi {
		t.Error("the subset changed its parent")
	}
}

func TestLayout(t *testing.T) {
	f := family(t, "demo", "")
	outer := f.byName.definitions["outer"]
	pair := outer.Members[0].Struct
	if pair.Size != 11 || outer.Size != 15 || outer.Members[1].At != 11 || pair.Members[1].Size != 3 {
		t.Errorf("pair has %d bytes, outer %d", pair.Size, outer.Size)
	}
}

func TestUsed(t *testing.T) {
	f := family(t, "demo", "")
	for _, s := range f.Sets {
		if s.Used != (s.Name != "lonely-attrs") {
			t.Errorf("set %s: used %v", s.Name, s.Used)
		}
	}
	if f.byName.definitions["hop"].Used {
		t.Error("struct hop is used, though no attribute has it")
	}
}

// TestFlagsAfterStruct has a struct before the flags that its member has.
func TestFlagsAfterStruct(t *testing.T) {
	f := family(t, "demo", `
definitions:
  - name: msg
    members: [{name: dm-switch, enum: later, read-only-flags: [b]}]
  - {new: later, type: flags, entries: [a, b]}
`)
	if bits := f.byName.definitions["msg"].Members[2].ReadOnlyBits; bits != 2 {
		t.Errorf("read-only bits %#x, want 2", bits)
	}
}

// TestMarks resolves what only overlays have.
func TestMarks(t *testing.T) {
	f := family(t, "demo", `
definitions:
  - name: msg
    members: [{name: dm-switch, read-only-flags: [loud, wide]}, {name: dm-family, read-only: true}]
  - name: hop
    members: [{name: h-len, type: u8, count: more}, {new: more, type: list, struct: pair}]
attribute-sets:
  - name: thing-attrs
    attributes:
      - {name: wide, read-only-flags: [up]}
      - {name: table, excludes: [hops, via]}
      - {new: via, type: via}
      - {name: inner, fixed-header: outer}
`)
	msg := f.byName.definitions["msg"]
	if msg.Members[2].ReadOnlyBits != 0x18 || msg.Members[0].ReadOnlyBits != 0xff {
		t.Errorf("read-only bits %#x and %#x", msg.Members[2].ReadOnlyBits, msg.Members[0].ReadOnlyBits)
	}
	if hop := f.byName.definitions["hop"]; hop.Size != 5 || hop.Members[2].At != 5 {
		t.Errorf("hop has %d bytes before its list", hop.Size)
	}
	if a := f.attr(t, "thing-attrs", "wide"); a.ReadOnlyBits != 1 {
		t.Errorf("read-only bits %#x", a.ReadOnlyBits)
	}
	if a := f.attr(t, "thing-attrs", "table"); len(a.Excludes) != 2 || a.Excludes[1].Name != "via" {
		t.Errorf("excludes %v", a.Excludes)
	}
	if s := f.byName.sets["inner-attrs"]; s.Header == nil || s.Header.Name != "outer" {
		t.Error("the nest's set has no header")
	}
}

// TestResolveErrors has overlays that fit the spec and make it wrong.
func TestResolveErrors(t *testing.T) {
	thing := func(attr string) string {
		return "attribute-sets:\n  - name: thing-attrs\n    attributes:\n      - " + attr
	}
	member := func(m string) string { return "definitions:\n  - name: pair\n    members:\n      - " + m }
	for _, c := range []struct {
		name, overlay string
		line          int
		want          string
	}{
		{"absent enum", thing("{name: color, enum: nothing}"), 4, `no enum or flags "nothing"`},
		{"struct for an enum", thing("{name: color, enum: pair}"), 4, `no enum or flags "pair"`},
		{"absent struct", thing("{name: outer, struct: nothing}"), 4, `no struct "nothing"`},
		{"absent set", thing("{name: inner, nested-attributes: nothing}"), 4, `no attribute set "nothing"`},
		{"absent sub-message", thing("{name: data, sub-message: nothing}"), 4, `no sub-message "nothing"`},
		{"absent selector", thing("{name: data, selector: nothing}"), 4, `selector "nothing" is not in every set around`},
		{"nest without a set", thing("{name: inner, remove: [nested-attributes]}"), 0, `nested-attributes ""`},
		{"set without a nest", thing("{name: id, nested-attributes: inner-attrs}"), 4, `nested-attributes "inner-attrs"`},
		{"records without a struct", thing("{name: hops, type: records, nested-attributes: inner-attrs}"), 4, `struct ""`},
		{"sub-message without a selector", thing("{name: data, remove: [selector]}"), 0, `selector ""`},
		{"attributes or nothing", "sub-messages:\n  - name: data-msg\n    formats:\n      - {value: third, or-attribute-set: inner-attrs}", 0, "is no struct alone"},
		{"several lists", thing("{name: inners, multi-attr: true}"), 4, "comes once"},
		{"first of no list", thing("{name: inner, first: 0}"), 4, "has no elements without an index"},
		{"index of elements without numbers", thing("{name: inners, index: true, numbered: false}"), 4, "has no elements without an index"},
		{"index without a list", thing("{name: inner, index: true}"), 4, "has no index"},
		{"enum of a string", thing("{name: name, enum: color}"), 4, "has an enum"},
		{"one number twice", thing("{name: color, value: 1}"), 4, `both have the type 1`},
		{"number too large", thing("{name: color, value: 16384}"), 4, `has the type 16384`},
		{"absent exclusion", thing("{name: id, excludes: [nothing]}"), 4, `no attribute "nothing" to exclude`},
		{"absent flag", thing("{name: wide, read-only-flags: [nothing]}"), 4, `no flag "nothing" in "switch"`},
		{"flags of a number", thing("{name: id, read-only-flags: [up]}"), 4, `flag "up" of a value that is no flags`},
		{"two headers", thing("{name: inner, fixed-header: pair}\n      - {name: inners, fixed-header: outer}"), 5, "but"},
		{"size of two kinds", member("{name: left, len: 3}"), 4, "its size cannot be found"},
		{"absent length", member("{name: rest, len: nothing}"), 4, `no length "nothing"`},
		{"list in the middle", member("{name: left, type: list, struct: hop, remove: [byte-order]}"), 4, "is not the last member"},
		{"count of no list", member("{name: left, count: mac}"), 4, `no list "mac" at the end`},
		{"flag beyond 64 bits", "definitions:\n  - name: switch\n    entries: [{name: wide, value: 64}]", 3, `has bit 64`},
		{"enum below int32", "definitions:\n  - name: color\n    entries: [{name: red, value: -3000000000}]", 3, "no enumeration has"},
		{"request without a set", "operations:\n  list:\n    - {new: bare, doc: x, do: {request: {value: 9}}}", 3, "has no attribute-set"},
		{"notification of nothing", "operations:\n  list:\n    - {new: bare, doc: x, notify: nothing}", 3, `no operation "nothing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "demo.yaml")
			writeFile(t, path, c.overlay+"\n")
			_, err := Load("../../testdata/specs", "", dir, "demo")
			if c.line > 0 {
				wantError(t, err, path, c.line, c.want)
			} else if err == nil || !strings.Contains(err.Error(), "demo.yaml:") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestSelectors looks for selectors in the set, in its header, and in the sets around.
func TestSelectors(t *testing.T) {
	for name, c := range map[string]struct{ overlay, want string }{
		"in the sets around": {"", ""},
		"in the header":      {"attribute-sets: [{name: thing-attrs, attributes: [{name: data, selector: dm-family}]}]", ""},
		"not in one of the sets around": {
			"attribute-sets: [{name: lonely-attrs, attributes: [{new: inner, type: nest, nested-attributes: inner-attrs}]}]",
			`selector "kind" is not in every set around attribute "app"`,
		},
		"in a set around that": {
			"attribute-sets: [{name: lonely-attrs, attributes: [{new: kind, type: string}, {new: inner, type: nest, nested-attributes: inner-attrs}]}]", "",
		},
	} {
		_, err := loadDemo(t, "demo", c.overlay)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
