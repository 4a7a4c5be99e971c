package names

import (
	"regexp"
	"strings"
	"testing"
)

var (
	setText    = regexp.MustCompile(`^([A-Z0-9_]+_)?( @\d+)?( [A-Z0-9_]+(>([#*]*\d+(\+\d+)?|\?\d+))?( @\d+)?)*$`)
	choiceText = regexp.MustCompile(`^(text|native|network|header) \d+( [\w.-]+:\d+(\+\d+)?)+$`)
	reference  = regexp.MustCompile(`([>:][#*]*|\?)(\d+)`)
)

// TestTables: every text has the form that the package comment describes, references are to
// texts of their kind, and all texts but the lists of requests have one.
func TestTables(t *testing.T) {
	for name, table := range map[string]table{"raw": raw, "generic": generic} {
		lists := map[int]bool{}
		if name == "raw" {
			lists[controller] = true
			for _, p := range protocols {
				lists[p.place] = true
			}
		} else {
			for _, f := range families {
				lists[f.place] = true
			}
		}
		lines := strings.Split(strings.TrimSuffix(string(table), "\n"), "\n")
		used := map[int]bool{}
		for place, line := range lines {
			if table.line(place) != line {
				t.Errorf("%s: line %d is %q", name, place, table.line(place))
			}
			if !setText.MatchString(line) && !choiceText.MatchString(line) {
				t.Errorf("%s: %d is %q", name, place, line)
			}
			for _, m := range reference.FindAllStringSubmatch(line, -1) {
				c := parseContent(strings.TrimLeft(m[0], ">:"))
				used[c.place] = true
				if c.place >= len(lines) || c.chosen != choiceText.MatchString(lines[c.place]) {
					t.Errorf("%s: %d refers to %s", name, place, m[0])
				}
			}
		}
		for place := range lines[1:] {
			if place++; used[place] == lists[place] {
				t.Errorf("%s: %d: a list of requests %v, referred to %v", name, place, lists[place], used[place])
			}
		}
	}
}
