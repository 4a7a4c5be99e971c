package spec

import (
	"path/filepath"
	"testing"
)

// head is the beginning of specs in this file: four lines.
const head = `name: strict
doc: A family for tests.
attribute-sets: []
operations: {list: []}
`

// TestStrict reads specs with a fault. The fault is in the line that want names, counted
// after head.
func TestStrict(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"unknown key", "colour: red", 1, `unknown key "colour"`},
		{"unknown key of an item", "definitions:\n  - {name: a, type: const, valeu: 1}", 2, `unknown key "valeu"`},
		{"unknown value", "definitions:\n  - name: a\n    type: konst", 3, `unknown value "konst" of key "type"`},
		{"unknown value in a list", "mcast-groups:\n  list:\n    - {name: a, flags: [root-perm]}", 3, `unknown value "root-perm" of key "flags"`},
		{"missing key", "definitions:\n  - name: a", 2, `no key "type"`},
		{"key twice", "doc: Again.", 1, `key "doc" is there twice`},
		{"list for a mapping", "mcast-groups: []", 1, "want a mapping, got a list"},
		{"mapping for a list", "definitions: {}", 1, "want a list, got a mapping"},
		{"mapping for a scalar", "uapi-header: {}", 1, "want a scalar, got a mapping"},
		{"no integer", "definitions: [{name: a, type: enum, value-start: many, entries: []}]", 1, `want an integer, got "many"`},
		{"no bool", "definitions: [{name: a, type: enum, render-max: 1, entries: []}]", 1, `want true or false, got "1"`},
		{"key of a higher schema", "definitions:\n  - {name: a, type: enum, name-prefix: b-, entries: []}", 2,
			`key "name-prefix" is not in the schema genetlink`},
		{"value of a higher schema", "definitions:\n  - {name: a, type: struct}", 2,
			`value "struct" of key "type" is not in the schema genetlink`},
		{"key of no schema", "go: other", 1, `key "go" is not in the schema genetlink`},
		{"second document", "---\nname: other", 1, "a second document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "strict.yaml")
			writeFile(t, path, head+c.text+"\n")
			_, err := Load(dir, "", "")
			wantError(t, err, path, 4+c.line, c.want)
		})
	}
}

// TestSchemas reads one key with each of the schemas.
func TestSchemas(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   map[string]bool
	}{
		{"c-family-name: x", map[string]bool{"genetlink-c": true, "genetlink-legacy": true, "netlink-raw": true}},
		{"kernel-policy: global", map[string]bool{"genetlink-legacy": true, "netlink-raw": true}},
		{"version: 2", map[string]bool{"genetlink-legacy": true}},
		{"kernel-family: {headers: []}", map[string]bool{"genetlink": true, "genetlink-c": true, "genetlink-legacy": true}},
		{"sub-messages: []", map[string]bool{"netlink-raw": true}},
		{"definitions: []", map[string]bool{"genetlink": true, "genetlink-c": true, "genetlink-legacy": true, "netlink-raw": true}},
	} {
		for _, schema := range []string{"genetlink", "genetlink-c", "genetlink-legacy", "netlink-raw"} {
			dir := t.TempDir()
			path := filepath.Join(dir, "strict.yaml")
			writeFile(t, path, head+"protocol: "+schema+"\n"+c.line+"\n")
			_, err := Load(dir, "", "")
			if (err == nil) != c.ok[schema] {
				t.Errorf("%s in schema %s: %v", c.line, schema, err)
			}
		}
	}
}

// TestOursMayUseAll reads a spec of our own with keys of another schema and with marks.
func TestOursMayUseAll(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "strict.yaml"), head+"go: other\nsub-messages: []\n")
	families, err := Load("", dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if families[0].Go != "other" {
		t.Errorf("go: %q", families[0].Go)
	}
}
