// Package readmetest compares the programs of README.md with the Examples of packages.
package readmetest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Compare fails the test unless program number n of the README, counted from 0, has the
// body of the function Example in a file of Go, which ends before its comment "Unordered
// output:", and imports the packages that the body uses.
func Compare(t *testing.T, n int, readme, example string) {
	t.Helper()
	programs := strings.Split(read(t, readme), "```go\npackage main\n")[1:]
	if n >= len(programs) {
		t.Fatalf("%s has %d programs", readme, len(programs))
	}
	program, _, _ := strings.Cut(programs[n], "```")
	head, body, _ := strings.Cut(program, "func main() {\n")
	source := read(t, example)
	_, want, begins := strings.Cut(source, "func Example() {\n")
	want, _, ends := strings.Cut(want, "\t// Unordered output:")
	if !begins || !ends {
		t.Fatalf("%s has no Example with an unordered output", example)
	}
	if body != want+"}\n" {
		t.Errorf("%s has\n%s\nwant\n%s", readme, body, want)
	}
	imports, _, _ := strings.Cut(source, ")\n")
	for _, m := range regexp.MustCompile(`"(?:[^"]*/)?([^"/]+)"`).FindAllStringSubmatch(imports, -1) {
		if uses := strings.Contains(want, m[1]+"."); uses != strings.Contains(head, "\t"+m[0]+"\n") {
			t.Errorf("%s: does the program import %s? The example uses it: %v", readme, m[0], uses)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
