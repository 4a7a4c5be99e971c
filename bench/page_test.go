package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPageHasEveryTable: the tables of docs/BENCHMARKS.md can be written.
func TestPageHasEveryTable(t *testing.T) {
	b, err := os.ReadFile("../docs/BENCHMARKS.md")
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, b, 0o644); err != nil {
		t.Fatal(err)
	}
	results := resultsFile(t.TempDir())
	r := Results{Samples: []Sample{
		{Work: workNoop, Client: nameNlmux, Goroutines: 1, NsPerOp: 3000},
		{Work: workNoop, Client: nameRaw, Goroutines: 1, Beside: 1, NsPerOp: 2000},
		{Work: workNoop, Client: nameNlmux, Goroutines: 64, NsPerOp: 1500},
		{Work: workNoop, Client: nameRaw, Goroutines: 1, Beside: 64, NsPerOp: 2000},
		{Work: workNoop, Client: nameMdShared, Goroutines: 64, NsPerOp: 12345},
	}}
	if err := r.write(results); err != nil {
		t.Fatal(err)
	}
	if err := writePage(page, results); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| nlmux, one Conn | 3.0 | 1.5 | ",
		"| mdlayher, one Conn |  | 12.3 | ",
		"| plain Go, one goroutine | **2.0** |  | ", // a floor, beside one goroutine only
		"| noop, 1: time to raw's | <= 1.45 | **1.50** |",
	} {
		if !strings.Contains(string(after), "\n"+row) {
			t.Errorf("no row %q", row)
		}
	}
	if !strings.Contains(string(after), part(string(b), "dumps")) {
		t.Error("a table whose works were not measured has changed")
	}
}

// part returns the part of the page after a mark.
func part(page, name string) string {
	_, rest, _ := strings.Cut(page, "<!-- "+name+" -->\n")
	before, _, _ := strings.Cut(rest, "\n\n")
	return before
}
