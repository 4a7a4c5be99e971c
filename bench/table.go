package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// printTables prints the medians of every work, a row for each client.
func (r *Results) printTables(out io.Writer, all []*Work, entries []*Entry) {
	fmt.Fprintf(out, "\nMedians of %d rounds of %v, or a multiple of it; ratios are medians of each round's ratio.\n", r.Rounds, r.Budget)
	for _, e := range entries {
		fmt.Fprintf(out, "  %-16s %s\n", e.Name, e.Note)
	}
	for _, w := range all {
		if !slices.ContainsFunc(r.Samples, func(s Sample) bool { return s.Work == w.Name }) {
			continue
		}
		switch {
		case w.Rows != nil:
			r.printLatency(out, w)
		case w.Rivals != nil:
			r.printRivals(out, w)
		case w.Op == nil:
			r.printEvents(out, w, entries)
		default:
			r.printWork(out, w, entries)
		}
	}
	for _, why := range r.Left {
		fmt.Fprintln(out, "\nLeft out:", why)
	}
}

// newTable aligns columns to the right.
func newTable(out io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func (r *Results) printWork(out io.Writer, w *Work, entries []*Entry) {
	fmt.Fprintf(out, "\n%s: %s\n", w.Name, w.Note)
	t := newTable(out)
	defer t.Flush()
	scale, unit := 1.0, "ns"
	if w.Unit == "dump" {
		scale, unit = 1e3, "us"
	}
	fmt.Fprintf(t, "%s per %s at goroutines\t", unit, w.Unit)
	for _, n := range w.Goroutines {
		fmt.Fprintf(t, "%d\t", n)
	}
	fmt.Fprint(t, "\tallocations at\t")
	for _, n := range ends(w.Goroutines) {
		fmt.Fprintf(t, "%d\t", n)
	}
	fmt.Fprintln(t)
	for _, e := range entries {
		if !e.takesPart(w) {
			continue
		}
		fmt.Fprintf(t, "%s\t", e.Name)
		for _, n := range w.Goroutines {
			fmt.Fprintf(t, "%.0f\t", median(r.values(w.Name, e.Name, n, nsPerOp))/scale)
		}
		fmt.Fprint(t, "\t\t")
		for _, n := range ends(w.Goroutines) {
			cell := strconv.FormatFloat(median(r.values(w.Name, e.Name, n, allocs)), 'f', 1, 64)
			if e.Loop != nil || e.Solo && n > 1 {
				cell = ""
			}
			fmt.Fprintf(t, "%s\t", cell)
		}
		fmt.Fprintln(t)
	}
	r.printRatios(t, w)
}

// printRatios prints a row of ratios for each client that nlmux is compared with.
func (r *Results) printRatios(t io.Writer, w *Work) {
	for _, c := range []struct {
		client string
		rate   bool // a ratio of rates, otherwise of times
	}{
		{nameRaw, false},
		{nameRawConnected, false},
		{nameRawMsg, false},
		{nameRawMutex, true},
		{nameMdShared, true},
		{nameMdPool, true},
		{nameMdBuffer, true},
		{nameMdBufferPool, true},
	} {
		text, measured := "time, nlmux : "+c.client, false
		if c.rate {
			text = "rate, nlmux : " + c.client
		}
		row := text + "\t"
		for _, n := range w.Goroutines {
			a, b := r.values(w.Name, nameNlmux, n, nsPerOp), r.values(w.Name, c.client, n, nsPerOp)
			if c.rate {
				a, b = b, a
			}
			if q, ok := ratio(a, b); ok {
				row += fmt.Sprintf("%.2fx", q)
				measured = true
			}
			row += "\t"
		}
		if measured {
			fmt.Fprintln(t, row)
		}
	}
}

// ends returns the first and the last element.
func ends(s []int) []int {
	if len(s) < 2 {
		return s
	}
	return []int{s[0], s[len(s)-1]}
}

// eventRatios are the clients whose rates of delivered events are compared.
var eventRatios = [][2]string{
	{nameNlmux, nameRaw}, {nameNlmux, nameMdShared}, {nameNlmux, nameMdBuffer}, {nameSubscribers, nameRaw},
}

func (r *Results) printEvents(out io.Writer, w *Work, entries []*Entry) {
	fmt.Fprintf(out, "\n%s: %s\n", w.Name, w.Note)
	t := newTable(out)
	defer t.Flush()
	fmt.Fprintln(t, "medians\tdelivered/s\tlost\tholes\treports\tin place\tunreported holes\t")
	for _, e := range entries {
		if !e.takesPart(w) {
			continue
		}
		of := func(f func(*Sample) float64) float64 { return median(r.values(w.Name, e.Name, 1, f)) }
		fmt.Fprintf(t, "%s\t%.0f\t%.1f%%\t%.0f\t%.0f\t%.0f\t%.0f\t\n", e.Name,
			of(delivered),
			of(func(s *Sample) float64 { return 100 * float64(s.Lost) / float64(s.Events) }),
			of(func(s *Sample) float64 { return float64(s.Holes) }),
			of(func(s *Sample) float64 { return float64(s.Told) }),
			of(func(s *Sample) float64 { return float64(s.InPlace) }),
			of(func(s *Sample) float64 { return float64(s.Untold) }),
		)
	}
	for _, pair := range eventRatios {
		if q, ok := ratio(r.values(w.Name, pair[0], 1, delivered), r.values(w.Name, pair[1], 1, delivered)); ok {
			fmt.Fprintf(t, "%s : %s\t%.2fx\t\t\t\t\t\t\n", pair[0], pair[1], q)
		}
	}
}
