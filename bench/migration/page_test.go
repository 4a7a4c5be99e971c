package migration

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the code into the page")

const page = "../../docs/MIGRATION.md"

// block matches a block of code on the page, and the comment before it that
// names the package and the declarations.
var block = regexp.MustCompile("(?s)<!-- (\\w+): ([\\w ]+) -->\n```go\n(.*?)```\n")

// TestPageShowsTheCode: what the page shows is what is compiled and run here.
func TestPageShowsTheCode(t *testing.T) {
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	var broken error
	now := block.ReplaceAllFunc(old, func(b []byte) []byte {
		part := block.FindSubmatch(b)
		library := string(part[1])
		var code []string
		for name := range strings.FieldsSeq(string(part[2])) {
			shown[library+"."+name] = true
			text, err := declaration(library, name)
			broken = errors.Join(broken, err)
			code = append(code, text)
		}
		return fmt.Appendf(nil, "<!-- %s: %s -->\n```go\n%s\n```\n", library, part[2], strings.Join(code, "\n\n"))
	})
	if broken != nil {
		t.Fatal(broken)
	}
	for _, library := range []string{"nlmux", "mdlayher", "vishvananda", "shared"} {
		for _, name := range declared(t, library) {
			if !shown[library+"."+name] {
				t.Errorf("the page does not show %s of %s", name, library)
			}
		}
	}
	if bytes.Count(old, []byte("```go\n")) != len(block.FindAll(old, -1)) {
		t.Error("the page has Go code that no comment names")
	}
	switch {
	case bytes.Equal(old, now):
	case *update:
		if err := os.WriteFile(page, now, 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the page shows other code than there is; go test ./migration -update writes it")
	}
}

// TestPageNamesTheVersions: the page speaks of those versions of the peers that
// go.mod requires.
func TestPageNamesTheVersions(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range []string{
		"github.com/mdlayher/netlink", "github.com/vishvananda/netlink",
		"github.com/mdlayher/genetlink", "github.com/google/nftables",
	} {
		version := regexp.MustCompile(regexp.QuoteMeta(peer) + ` (v\S+)`).FindSubmatch(mod)
		if version == nil {
			t.Fatalf("go.mod does not require %s", peer)
		}
		if want := fmt.Sprintf("`%s` %s", peer, version[1]); !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page does not say %s", want)
		}
	}
}

// parse returns the one file of a library's package, and its bytes.
func parse(library string) (*ast.File, []byte, error) {
	name := library + "/" + library + ".go"
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	// Positions in a set of one file are offsets, counted from 1.
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
	return f, src, err
}

// declaration returns the text of a function, a method or a type in the file, with its
// comment.
func declaration(library, name string) (string, error) {
	f, src, err := parse(library)
	if err != nil {
		return "", err
	}
	for _, d := range f.Decls {
		if declares(d, name) {
			start := d.Pos()
			if doc := doc(d); doc != nil {
				start = doc.Pos()
			}
			return string(src[start-1 : d.End()-1]), nil
		}
	}
	return "", fmt.Errorf("package %s does not declare %s", library, name)
}

// declares reports whether d is the function or the type of that name.
func declares(d ast.Decl, name string) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name == name
	case *ast.GenDecl:
		t, ok := d.Specs[0].(*ast.TypeSpec)
		return ok && t.Name.Name == name
	}
	return false
}

// doc returns the comment of a declaration.
func doc(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

// declared returns the names of the functions and methods, all of which are for the page.
func declared(t *testing.T, library string) (names []string) {
	t.Helper()
	f, _, err := parse(library)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			names = append(names, d.Name.Name)
		}
	}
	return names
}
