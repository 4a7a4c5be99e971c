package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// links are three links as a dump has them, in short.
var links = []string{
	`{"family":0,"index":1,"flags":["up","loopback"],"name":"lo","mtu":65536,"stats":{"rx":29,"tx":29,"errors":0}}`,
	`{"family":0,"index":2,"flags":["up"],"name":"br0","mtu":1500,"info":{"kind":"bridge","data":{"age":300,"stp":0}},"stats":{"rx":0,"tx":0,"errors":0}}`,
	`{"family":0,"index":10,"flags":[],"address":"02:00:00:00:00:01","name":"a name\u001b[31m","mtu":1500,"master":2,"stats":{"rx":123456789,"tx":987654321,"errors":1}}`,
}

func tableOf(t *testing.T, entries ...string) *table {
	tab := new(table)
	for _, e := range entries {
		if err := tab.add(json.RawMessage(e)); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

func written(t *testing.T, tab *table) string {
	var b strings.Builder
	if err := tab.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTableFitsItsWidth(t *testing.T) {
	for _, tt := range []struct {
		width  int
		want   string
		hidden string
	}{
		{0, `
index  flags        address            name              mtu  master  info                  stats
    1  up,loopback  -                  lo              65536       -  -                     rx=29,tx=29
    2  up           -                  br0              1500       -  kind=bridge,data={…}
   10               02:00:00:00:00:01  a name\x1b[31m   1500       2  -                     rx=123456789,tx=9876543…
`, "[]"},
		// Columns in which the entries differ most come first, those that were cut last.
		{80, `
index  flags        address            name              mtu  master
    1  up,loopback  -                  lo              65536       -
    2  up           -                  br0              1500       -
   10               02:00:00:00:00:01  a name\x1b[31m   1500       2
`, "[info stats]"},
		{41, `
index  flags        name              mtu
    1  up,loopback  lo              65536
    2  up           br0              1500
   10               a name\x1b[31m   1500
`, "[address master info stats]"},
		{25, `
index  flags          mtu
    1  up,loopback  65536
    2  up            1500
   10                1500
`, "[address name master info stats]"},
	} {
		tab := tableOf(t, links...)
		hidden := tab.fit(tt.width)
		got := "\n" + written(t, tab)
		if got != tt.want || fmt.Sprint(hidden) != tt.hidden {
			t.Errorf("width %d: not shown %v, want %s\n%s\nwant\n%s", tt.width, hidden, tt.hidden, got, tt.want)
		}
		for line := range strings.Lines(got) {
			if n := len([]rune(line)) - 1; tt.width > 0 && n > tt.width {
				t.Errorf("width %d: a line of %d", tt.width, n)
			}
		}
	}
}

func TestChosenColumns(t *testing.T) {
	tab := tableOf(t, links...)
	tab.choose([]string{"name", "info.kind", "stats", "mtu", "info.data.age", "flags.up", "no-such"})
	const want = `
name            info.kind  stats                                 mtu  info.data.age  flags.up  no-such
lo              -          rx=29,tx=29                         65536              -         -        -
br0             bridge                                          1500            300         -        -
a name\x1b[31m  -          rx=123456789,tx=987654321,errors=1   1500              -         -        -
`
	if got := "\n" + written(t, tab); got != want {
		t.Errorf("%s\nwant%s", got, want)
	}
}

// Columns are in the order of the attributes, whichever entry has them first.
func TestOrderOfColumns(t *testing.T) {
	tab := tableOf(t, `{"a":1,"e":1}`, `{"a":1,"c":1,"e":1}`, `{"a":1,"b":1,"c":1,"d":1}`, `{"e":1,"f":1}`)
	tab.fit(0)
	if header, _, _ := strings.Cut(written(t, tab), "\n"); header != "a  b  c  d  e  f" {
		t.Error(header)
	}
}

func TestCells(t *testing.T) {
	for _, tt := range []struct {
		value string
		short string
		whole string
	}{
		{`1`, "1", "1"},
		{`-1`, "-1", "-1"},
		{`true`, "true", "true"},
		{`"text"`, "text", "text"},
		{`"a\u0000\u009b\u202e"`, `a\x00\u009b\u202e`, `a\x00\u009b\u202e`},
		{`"` + strings.Repeat("é", 41) + `"`, strings.Repeat("é", 39) + "…", strings.Repeat("é", 41)},
		{`[]`, "", ""},
		{`{}`, "", ""},
		{`[1,"a",2]`, "1,a,2", "1,a,2"},
		{`[[1,2],[3]]`, "{1,2},{3}", "{1,2},{3}"},
		{`{"a":1,"b":{"c":{"d":"e"}},"z":0,"n":[],"l":["x","y"]}`, "a=1,b={…},l={x,y}", "a=1,b={c={d=e}},l={x,y}"},
		{`[{"a":1,"b":{"c":2}},{"a":3}]`, "{a=1,b={…}},{a=3}", "{a=1,b={c=2}},{a=3}"},
		{`{"first":"1234567890","second":"1234567890"}`, "first=1234567890,second…", "first=1234567890,second=1234567890"},
	} {
		if got, _ := cellText(json.RawMessage(tt.value), shortCell); got != tt.short {
			t.Errorf("%s: %q, want %q", tt.value, got, tt.short)
		}
		if got, cut := cellText(json.RawMessage(tt.value), wholeCell); got != tt.whole || cut {
			t.Errorf("%s whole: %q, want %q", tt.value, got, tt.whole)
		}
	}
}
