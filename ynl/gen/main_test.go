package main

import (
	"bytes"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/ynl/gen/internal/spec"
)

var update = flag.Bool("update", false, "write what the templates make of the specs in testdata")

// demo generates the families of testdata.
func demo(t *testing.T) map[string][]byte {
	t.Helper()
	families, err := spec.Load("testdata/specs", "testdata/ours", "testdata/overlay")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][]byte{}
	for _, f := range families {
		model, err := generate(f, "1.0")
		if err != nil {
			t.Fatal(err)
		}
		src, err := files(model)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(list, src)
	}
	if list["names/tables.go"], err = kernelNamesFile(families, "testdata/requests"); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestGolden compares what is generated for the specs in testdata with what a reader found
// right.
func TestGolden(t *testing.T) {
	for path, src := range demo(t) {
		golden := filepath.Join("testdata", "golden", path+".txt")
		if *update {
			if err := write("testdata/golden", map[string][]byte{path + ".txt": src}); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(src, want) {
			t.Errorf("%s differs from what is generated; go test -update writes it", golden)
		}
	}
}

// TestDeterministic generates twice: maps must not decide the order of anything.
func TestDeterministic(t *testing.T) {
	first := demo(t)
	for range 5 {
		for path, src := range demo(t) {
			if !bytes.Equal(src, first[path]) {
				t.Errorf("%s differs from one run to the next", path)
			}
		}
	}
}

// TestRegenerate generates the packages of ynl and finds them as they are. It needs the
// kernel's specs.
func TestRegenerate(t *testing.T) {
	specs := os.Getenv("NLMUX_SPECS")
	if specs == "" {
		t.Skip("NLMUX_SPECS is not set: it names the folder with the kernel's specs, of Linux " + release)
	}
	generated, err := generateAll(specs, release, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, src := range generated {
		have, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(have, src) {
			t.Errorf("%s is not what the specs and overlays make", path)
		}
	}
	stray, err := filepath.Glob("../*/table.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stray {
		if name, _ := filepath.Rel("..", path); generated[name] == nil {
			t.Errorf("%s has no spec", path)
		}
	}
}

// TestWrite writes only what differs, so that a build repeats nothing in vain.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b.go")
	if err := write(dir, map[string][]byte{"a/b.go": []byte("one")}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(dir, map[string][]byte{"a/b.go": []byte("one")}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !before.ModTime().Equal(after.ModTime()) {
		t.Error("a file that was right was written again")
	}
}

// TestUnknownFamily checks that an unknown family is an error, not an empty run.
func TestUnknownFamily(t *testing.T) {
	_, err := spec.Load("testdata/specs", "testdata/ours", "testdata/overlay", "demo", "absent")
	if err == nil || !strings.Contains(err.Error(), `no spec "absent"`) {
		t.Errorf("Load of an unknown family: %v", err)
	}
}

// faults are overlays that make a spec of which no package can be made.
var faults = []struct{ name, add, want string }{
	{"sets", "attribute-sets: [{new: thing, attributes: []}]\noperations: {list: [{name: delthing, attribute-set: thing}]}",
		`the Go name Thing is that of`},
	{"fields", "attribute-sets: [{name: thing-attrs, attributes: [{new: i-d, type: u8}]}, {name: inner-attrs, attributes: [{new: aLive, type: u8, go: Alive}]}]",
		`the Go name Alive is that of`},
	{"method", "attribute-sets: [{name: inner-attrs, attributes: [{new: encode, type: u8}]}]", `the Go name Encode is that of every package`},
	{"header", "attribute-sets: [{name: thing-attrs, attributes: [{new: switch, type: u32}]}]",
		`the Go name Switch is that of a member of the header`},
	{"JSON", "attribute-sets: [{name: thing-attrs, attributes: [{new: dm-family, type: u8, go: Other}]}]",
		`the name "dm-family" in JSON is that of`},
	{"JSON of records", "attribute-sets: [{name: inner-attrs, attributes: [{new: left, type: u8}]}, {name: thing-attrs, attributes: [{name: hops, type: records, struct: pair, nested-attributes: inner-attrs}]}]",
		`the name "left" in JSON is that of`},
	{"selector in JSON", "attribute-sets: [{name: thing-attrs, attributes: [{name: kind, json: sort}]}]", "is a selector, which keeps its name"},
	{"shadow", "attribute-sets: [{name: thing-attrs, attributes: [{new: other, type: u32, shadows: true}]}]", `shadows no member`},
	{"digit", "attribute-sets: [{name: thing-attrs, attributes: [{new: 6rd, type: u32}]}]", `"6rd" is no Go name`},
	{"byte order", "attribute-sets: [{name: inner-attrs, attributes: [{new: little, type: u16, byte-order: little-endian}]}]", `no little endian`},
	{"byte order of a member", "definitions: [{name: pair, members: [{name: left, byte-order: little-endian}]}]", `no little endian`},
	{"constant", "definitions: [{new: demo-color-red, type: const, name-prefix: '', value: 1}]", `the Go name DEMO_COLOR_RED is that of`},
}

// TestFaults has, among others, two things with one Go name.
func TestFaults(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := write(dir, map[string][]byte{"demo.yaml": []byte(c.add)}); err != nil {
				t.Fatal(err)
			}
			families, err := spec.Load("testdata/specs", "testdata/ours", dir, "demo")
			if err != nil {
				t.Fatal(err)
			}
			_, err = generate(families[0], "1.0")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			var list interface{ Unwrap() []error }
			if !errors.As(err, &list) {
				t.Fatalf("%T is no list of errors", err)
			}
			for _, e := range list.Unwrap() {
				if !strings.Contains(e.Error(), "demo.yaml:") {
					t.Errorf("no place in %v", e)
				}
			}
		})
	}
}

// TestShadow lets an attribute take the name of a member of the header.
func TestShadow(t *testing.T) {
	dir := t.TempDir()
	add := "attribute-sets: [{name: thing-attrs, attributes: [{new: switch, type: u32, shadows: true}]}]"
	if err := write(dir, map[string][]byte{"demo.yaml": []byte(add)}); err != nil {
		t.Fatal(err)
	}
	families, err := spec.Load("testdata/specs", "testdata/ours", dir, "demo")
	if err != nil {
		t.Fatal(err)
	}
	f, err := generate(families[0], "1.0")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(f.Sets, func(s *set) bool { return s.GoName == "Thing" })
	if !slices.ContainsFunc(f.Sets[i].Fields, func(f field) bool { return f.GoName == "Switch" }) {
		t.Error("no field Switch")
	}
}
