package main

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is what a person reads of a dump: a row for each entry, a column for each name.
type table struct {
	rows    []map[string]json.RawMessage
	columns []*column // in the order of the entries' members
}

// column is a column of a table.
type column struct {
	name     string
	cells    []string // of all rows
	width    int      // characters of the widest cell
	values   int      // number of different cells
	cut      bool     // a cell was abbreviated
	numbers  bool     // all cells are numbers
	anything bool     // a cell has something other than zero
}

// add adds a row, and columns for names that are new.
func (t *table) add(entry json.RawMessage) error {
	list, err := fields(entry)
	if err != nil {
		return err
	}
	row := make(map[string]json.RawMessage, len(list))
	at := 0 // where a new column goes: after that of the field before
	for _, f := range list {
		row[f.name] = f.value
		i := slices.IndexFunc(t.columns, func(c *column) bool { return c.name == f.name })
		if i < 0 {
			i = at
			t.columns = slices.Insert(t.columns, i, &column{name: f.name})
		}
		at = i + 1
	}
	t.rows = append(t.rows, row)
	return nil
}

// choose makes the table one of the columns of these names.
func (t *table) choose(names []string) {
	t.columns = make([]*column, len(names))
	for i, name := range names {
		t.columns[i] = &column{name: name}
		t.fill(t.columns[i], wholeCell)
	}
}

// fit makes the table one of the columns that say something and fit into a width, with 0
// for any. It returns the names of those that do not fit.
func (t *table) fit(width int) (hidden []string) {
	for _, c := range t.columns {
		t.fill(c, shortCell)
	}
	t.columns = slices.DeleteFunc(t.columns, func(c *column) bool { return !c.anything })
	if width == 0 {
		return nil
	}
	best := slices.Clone(t.columns)
	slices.SortStableFunc(best, func(a, b *column) int { return cmp.Or(compareBool(a.cut, b.cut), b.values-a.values) })
	shown := make(map[*column]bool)
	rest := width + len(gap) // the last column has no gap after it
	for _, c := range best {
		if n := c.width + len(gap); n <= rest {
			rest -= n
			shown[c] = true
		}
	}
	t.columns = slices.DeleteFunc(t.columns, func(c *column) bool {
		if !shown[c] {
			hidden = append(hidden, c.name)
		}
		return !shown[c]
	})
	return hidden
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// absent is the cell of an attribute that an entry does not have.
const absent = "-"

// fill makes the cells of a column.
func (t *table) fill(c *column, limit limits) {
	c.width, c.numbers = utf8.RuneCountInString(c.name), true
	different := make(map[string]bool)
	for _, row := range t.rows {
		text := absent
		if value := lookup(row, c.name); value != nil {
			var cut bool
			text, cut = cellText(value, limit)
			c.cut = c.cut || cut
			c.numbers = c.numbers && isNumber(value)
			c.anything = c.anything || !isZero(text)
		}
		different[text] = true
		c.cells = append(c.cells, text)
		c.width = max(c.width, utf8.RuneCountInString(text))
	}
	c.values = len(different)
}

// lookup returns the value of a name in a row, nil if there is none. A name with dots is
// one in a nest.
func lookup(row map[string]json.RawMessage, name string) json.RawMessage {
	first, rest, nested := strings.Cut(name, ".")
	value := row[first]
	if !nested || value == nil {
		return value
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(value, &inner) != nil {
		return nil
	}
	return lookup(inner, rest)
}

// write writes the table, with the names of the columns above it.
func (t *table) write(w io.Writer) error {
	rows := make([][]string, len(t.rows)+1)
	for _, c := range t.columns {
		rows[0] = append(rows[0], c.name)
		for i, cell := range c.cells {
			rows[i+1] = append(rows[i+1], cell)
		}
	}
	return writeAligned(w, rows, func(i int) bool { return t.columns[i].numbers })
}
