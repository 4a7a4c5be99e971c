package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// gap is between two columns.
const gap = "  "

// writeAligned writes rows of cells as lines with columns, those of numbers aligned to
// the right. All rows are of one length.
func writeAligned(w io.Writer, rows [][]string, numbers func(column int) bool) error {
	var widths []int
	for _, row := range rows {
		widths = append(widths, make([]int, len(row)-len(widths))...)
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if numbers(i) {
				line.WriteString(space + cell + gap)
			} else {
				line.WriteString(cell + space + gap)
			}
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// noNumbers is for [writeAligned]: no column has numbers.
func noNumbers(int) bool { return false }
