package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pageTable is a table of docs/BENCHMARKS.md. The page has a line with its mark, and the
// table follows up to the next empty line.
type pageTable struct {
	name    string
	clients []string // a row for each
	columns []pageColumn
	unit    float64 // of the cells, in that of the column
	higher  bool    // more is better
	floors  bool    // floors are in every column, otherwise only in those of one goroutine
}

// pageColumn is a column of a pageTable: a work with a number of goroutines.
type pageColumn struct {
	head       string
	work       string
	goroutines int
	of         func(*Sample) float64
}

// columnsOf returns the columns of a work by the number of goroutines.
func columnsOf(head, work string, goroutines ...int) (columns []pageColumn) {
	for i, n := range goroutines {
		text := fmt.Sprint(n)
		if i == 0 {
			text = fmt.Sprintf("%s, %d", head, n)
		}
		columns = append(columns, pageColumn{text, work, n, nsPerOp})
	}
	return columns
}

// pageNames are the names of the clients on the page.
var pageNames = map[string]string{
	nameNlmux:        "nlmux, one Conn",
	nameSubscribers:  "nlmux, the worst of 8 Subscriptions",
	nameMdShared:     "mdlayher, one Conn",
	nameMdPool:       "mdlayher, a Conn each",
	nameMdBuffer:     "mdlayher with MessageBufferSize, one Conn",
	nameMdBufferPool: "mdlayher with MessageBufferSize, a Conn each",
	nameVishShared:   "vishvananda, one socket",
	nameVishDefault:  "vishvananda, a socket each time",
	nameRawMutex:     "plain Go, one socket under a mutex",
	nameRaw:          "plain Go, one goroutine",
	nameRawConnected: "plain Go, connected, one goroutine",
	nameRawMsg:       "plain Go with recvmsg, one goroutine",
	nameC:            "C, one thread",
}

// floors are the clients of one goroutine, in the order of their rows.
var floors = []string{nameRaw, nameRawConnected, nameRawMsg, nameC}

func pageTables() []pageTable {
	peers := []string{nameNlmux, nameMdShared, nameMdPool, nameMdBuffer, nameMdBufferPool, nameVishShared, nameVishDefault}
	all := slices.Concat(peers, []string{nameRawMutex}, floors)
	var procs []pageColumn
	for _, n := range procCounts {
		procs = append(procs, columnsOf(fmt.Sprintf("GOMAXPROCS=%d", n), procsWork(n), 64, 512)...)
	}
	one := func(head, work string, of func(*Sample) float64) pageColumn { return pageColumn{head, work, 1, of} }
	return []pageTable{
		{
			name: "requests", clients: all, unit: 1e3,
			columns: slices.Concat(columnsOf("noop", workNoop, 1, 64, 512, 4096), columnsOf("getlink", workGetLink, 1, 64, 512, 4096)),
		}, {
			name: "changes", clients: all, unit: 1e3,
			columns: slices.Concat(columnsOf("error", workError, 1, 64, 4096), columnsOf("addr (two requests)", workAddr, 1, 64, 4096)),
		}, {
			name: "busy", clients: all, unit: 1e3,
			columns: slices.Concat(columnsOf("busy", workBusy, 1, 8, 64, 512), columnsOf("GOMAXPROCS=1", workBusy1, 1, 8, 64, 512)),
		}, {
			name: "procs", clients: all, unit: 1e3, floors: true,
			columns: procs,
		}, {
			name: "connections", clients: all, unit: 1e3,
			columns: []pageColumn{one("dial", workDial, nsPerOp), one("verdicts", workVerdicts, nsPerOp)},
		}, {
			name: "dumps", clients: all, unit: 1e6,
			columns: slices.Concat(
				[]pageColumn{
					one("dump", workDump, nsPerOp), one("dump-stream", workDumpStream, nsPerOp),
					one("routes", workRoutes, nsPerOp), one("routes-stream", workRoutesStream, nsPerOp),
				},
				columnsOf("dumps", workDumps, 1, 8), columnsOf("dumps-stream", workDumpsStream, 1, 8),
			),
		}, {
			name: "events", clients: slices.Concat([]string{nameSubscribers}, all), unit: 1e3, higher: true,
			columns: []pageColumn{one("events", workEvents, delivered), one("subscribers", workSubscribers, delivered)},
		},
	}
}

// writePage writes the tables of results.json into the page. A table whose works were not
// measured stays as it is.
func writePage(page, results string) error {
	b, err := os.ReadFile(results)
	if err != nil {
		return err
	}
	var r Results
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	b, err = os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(b)
	for _, t := range pageTables() {
		if text, err = replacePart(text, t.name, r.pageTable(t)); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	for name, part := range map[string]string{"latency": r.pageLatency(), "goals": r.pageGoals()} {
		if text, err = replacePart(text, name, part); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// replacePart replaces the lines between the mark of a part and the next empty line, if
// the new part is not empty.
func replacePart(page, name, part string) (string, error) {
	before, rest, ok := strings.Cut(page, "<!-- "+name+" -->\n")
	if !ok {
		return "", fmt.Errorf("no line <!-- %s -->", name)
	}
	if part == "" {
		return page, nil
	}
	_, after, _ := strings.Cut("\n"+rest, "\n\n") // nothing may follow the mark
	return before + "<!-- " + name + " -->\n" + part + "\n" + after, nil
}

// pageTable returns a table in Markdown, "" if none of it was measured. A cell is bold if
// it is better than that of nlmux.
func (r *Results) pageTable(t pageTable) string {
	head, rule := "| |", "| --- |"
	for _, c := range t.columns {
		head += " " + c.head + " |"
		rule += " --- |"
	}
	rows := ""
	for _, client := range t.clients {
		row, measured := "| "+pageNames[client]+" |", false
		for _, c := range t.columns {
			cell := r.cell(t, c, client)
			measured = measured || cell != ""
			row += " " + cell + " |"
		}
		if measured {
			rows += row + "\n"
		}
	}
	if rows == "" {
		return ""
	}
	return head + "\n" + rule + "\n" + rows
}

// cell returns the median of a client in a column.
func (r *Results) cell(t pageTable, c pageColumn, client string) string {
	v := r.values(c.work, client, c.goroutines, c.of)
	if len(v) == 0 || slices.Contains(floors, client) && !t.floors && c.goroutines > 1 {
		return ""
	}
	own, its := median(r.values(c.work, nameNlmux, c.goroutines, c.of)), median(v)
	text := figure(its / t.unit)
	if its < own && !t.higher || its > own && t.higher && own > 0 {
		return "**" + text + "**"
	}
	return text
}

// figure formats a number with two or three digits that count.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// pageLatency returns the table of the work latency, "" if it was not measured.
func (r *Results) pageLatency() string {
	text := ""
	for _, row := range latencyRows() {
		if v := r.latency(row, p50); len(v) > 0 {
			text += fmt.Sprintf("| %s | %s | %s |\n", row, figure(median(v)), figure(median(r.latency(row, p99))))
		}
	}
	if text == "" {
		return ""
	}
	return "| | p50 | p99 |\n| --- | --- | --- |\n" + text
}

// pageGoals returns the table of the goals that were measured.
func (r *Results) pageGoals() string {
	text := ""
	for _, g := range goals {
		v, ok := g.measure(r)
		if !ok {
			continue
		}
		limit, measured := fmt.Sprintf("%s %.3g", g.sign(), g.limit), fmt.Sprintf("%.2f", v)
		if !g.reached(v) {
			measured = "**" + measured + "**"
		}
		text += fmt.Sprintf("| %s | %s | %s |\n", g.text, limit, measured)
	}
	if text == "" {
		return ""
	}
	return "| | goal | measured |\n| --- | --- | --- |\n" + text
}

// resultsFile returns the name of the file with the results in a directory.
func resultsFile(dir string) string { return filepath.Join(dir, "results.json") }
