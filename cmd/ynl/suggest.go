package main

import (
	"slices"
	"strings"
)

// suggest returns a question with the names that are near to one that does not exist, or
// "" if there are none.
func suggest(name string, names []string) string {
	near := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isNear(name, n) })
	slices.Sort(near)
	near = slices.Compact(near)
	const most = 8
	if len(near) == 0 || len(near) > most {
		return ""
	}
	return "; did you mean " + strings.Join(near, ", ") + "?"
}

// isNear reports whether a name is a part of another, or differs from it by few letters.
// Case and separators do not count.
func isNear(a, b string) bool {
	separators := strings.NewReplacer("-", "", "_", "", " ", "")
	a, b = separators.Replace(strings.ToLower(a)), separators.Replace(strings.ToLower(b))
	if a == "" || b == "" {
		return false
	}
	const part = 3 // letters of a part that says something
	if len(a) >= part && strings.Contains(b, a) || len(b) >= part && strings.Contains(a, b) {
		return true
	}
	return distance(a, b) <= max(len(a), len(b))/3
}

// distance returns the number of letters to insert, remove or replace that make b of a
// (the Levenshtein distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the letters of a so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, diagonal+1, replaced)
		}
	}
	return row[len(b)]
}
