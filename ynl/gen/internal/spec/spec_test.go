package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// family loads a family of testdata with an overlay, which may be empty.
func family(t *testing.T, name, overlay string) *Family {
	t.Helper()
	f, err := loadDemo(t, name, overlay)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func loadDemo(t *testing.T, name, overlay string) (*Family, error) {
	t.Helper()
	dir := t.TempDir()
	if overlay != "" {
		writeFile(t, filepath.Join(dir, name+".yaml"), overlay)
	}
	families, err := Load("../../testdata/specs", "../../testdata/ours", dir, name)
	if err != nil {
		return nil, err
	}
	return families[0], nil
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantError fails the test if err does not have a place in file and contain want.
func wantError(t *testing.T, err error, file string, line int, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	place := Pos{file, line}.String() + ": "
	if !strings.Contains(err.Error(), place) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %s at %s", err, want, place)
	}
}

// attr returns an attribute of a set.
func (f *Family) attr(t *testing.T, set, name string) *Attr {
	t.Helper()
	a := f.byName.sets[set].byName[name]
	if a == nil {
		t.Fatalf("no attribute %s in %s", name, set)
	}
	return a
}

func (f *Family) op(t *testing.T, name string) *Operation {
	t.Helper()
	i := slices.IndexFunc(f.Operations.List, func(o *Operation) bool { return o.Name == name })
	if i < 0 {
		t.Fatalf("no operation %s", name)
	}
	return f.Operations.List[i]
}
