package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
)

// plotted are the works that get a panel, side by side.
var plotted = []string{workNoop, workGetLink}

// line is the style of a client's line.
type line struct {
	color string
	width float64
	dash  string // empty for a solid line
}

// lines can be distinguished without colours. Floors, which serve one goroutine, are
// horizontal and have no points.
var lines = map[string]line{
	nameNlmux:        {"#0059b3", 3.5, ""},
	nameMdShared:     {"#d55e00", 2, ""},
	nameMdPool:       {"#e8a200", 2, ""},
	nameMdBuffer:     {"#d55e00", 2, "3 3"},
	nameMdBufferPool: {"#e8a200", 2, "3 3"},
	nameVishShared:   {"#00885f", 2, ""},
	nameVishDefault:  {"#b35d9a", 2, ""},
	nameRaw:          {"#333333", 1.5, "7 4"},
	nameRawConnected: {"#333333", 1.5, "4 4"},
	nameRawMsg:       {"#333333", 1.5, "9 3 2 3"},
	nameRawMutex:     {"#777777", 2, ""},
	nameRawNoAck:     {"#333333", 1.5, "2 3"},
	nameC:            {"#999999", 1.5, "7 4"},
}

// Sizes in the plot, in pixels.
const (
	panelWidth   = 400
	panelHeight  = 300
	panelStep    = 490 // from one panel's left edge to the next one's
	marginLeft   = 70
	marginTop    = 60
	legendTop    = marginTop + panelHeight + 75
	legendStep   = 20
	legendColumn = 470
	plotWidth    = 2 * panelStep
)

// plot writes the throughput against the goroutines as an SVG, or nothing if
// no work was measured that has a panel.
func (r *Results) plot(file string, all []*Work, entries []*Entry) error {
	var works []*Work
	for _, w := range all {
		if slices.Contains(plotted, w.Name) {
			works = append(works, w)
		}
	}
	if len(works) == 0 {
		return nil
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e *Entry) bool {
		return !slices.ContainsFunc(works, e.takesPart)
	})
	p := new(svg)
	height := legendTop + legendStep*((len(entries)+1)/2) + 30
	p.addf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="13" fill="#222">`, plotWidth, height)
	p.addf(`<rect width="100%%" height="100%%" fill="#fff"/>`)
	for i, w := range works {
		r.panel(p, w, entries, float64(marginLeft+i*panelStep))
	}
	for i, e := range entries {
		x, y := marginLeft+i%2*legendColumn, legendTop+i/2*legendStep
		p.stroke(lines[e.Name], []point{{float64(x), float64(y - 4)}, {float64(x + 34), float64(y - 4)}})
		p.text(float64(x+42), float64(y), "start", e.Name+": "+e.Note, `font-size="11"`)
	}
	caption := fmt.Sprintf("Medians of %d rounds. %s, %d used; %s; %s", r.Rounds, r.CPU, r.CPUs, r.Uname, r.Go)
	p.text(marginLeft, float64(height-12), "start", caption, `font-size="10" fill="#666"`)
	p.addf(`</svg>`)
	return os.WriteFile(file, p.Bytes(), 0o644)
}

// panel draws one work, with its left edge at x.
func (r *Results) panel(p *svg, w *Work, entries []*Entry, left float64) {
	const top, bottom = float64(marginTop), float64(marginTop + panelHeight)
	right := left + panelWidth

	// Thousands of operations per second.
	rates := make(map[string][]float64)
	highest := 0.0
	for _, e := range entries {
		if !e.takesPart(w) {
			continue
		}
		for _, n := range w.Goroutines {
			v := 1e6 / median(r.values(w.Name, e.Name, n, nsPerOp))
			rates[e.Name] = append(rates[e.Name], v)
			highest = max(highest, v)
		}
	}
	step := tickStep(highest)
	limit := step * math.Ceil(highest/step)
	most := math.Log(float64(max(2, slices.Max(w.Goroutines))))
	at := func(n int, rate float64) point {
		return point{left + panelWidth*math.Log(float64(n))/most, bottom - panelHeight*rate/limit}
	}

	p.text(left+panelWidth/2, top-28, "middle", w.Name, `font-size="16" font-weight="bold"`)
	p.text(left+panelWidth/2, top-10, "middle", w.Note, `font-size="11" fill="#666"`)
	for v := 0.0; v <= limit; v += step {
		y := at(1, v).y
		p.addf(`<path d="M%.1f %.1fH%.1f" stroke="#ddd"/>`, left, y, right)
		p.text(left-8, y+4, "end", strconv.FormatFloat(v, 'f', -1, 64), "")
	}
	for _, n := range w.Goroutines {
		x := at(n, 0).x
		p.addf(`<path d="M%.1f %.1fV%.1f" stroke="#eee"/>`, x, top, bottom)
		p.text(x, bottom+18, "middle", strconv.Itoa(n), "")
	}
	p.addf(`<path d="M%.1f %.1fV%.1fH%.1f" stroke="#222" fill="none"/>`, left, top, bottom, right)
	p.text(left+panelWidth/2, bottom+38, "middle", "goroutines (logarithmic)", "")
	p.addf(`<g transform="translate(%.1f %.1f) rotate(-90)">`, left-50, (top+bottom)/2)
	p.text(0, 0, "middle", "thousand "+w.Unit+"s per second", "")
	p.addf(`</g>`)

	// Backwards, so that the first one lies on top.
	for _, e := range slices.Backward(entries) {
		v := rates[e.Name]
		if len(v) == 0 {
			continue
		}
		style := lines[e.Name]
		if e.Solo {
			y := at(1, median(v)).y
			p.stroke(style, []point{{left, y}, {right, y}})
			continue
		}
		points := make([]point, len(v))
		for i, n := range w.Goroutines {
			points[i] = at(n, v[i])
		}
		p.stroke(style, points)
		for _, q := range points {
			p.addf(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`, q.x, q.y, style.width+1, style.color)
		}
	}
}

// tickStep returns a round distance between at most eight ticks up to highest.
func tickStep(highest float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(highest/8)))
	for _, m := range []float64{1, 2, 5} {
		if highest/(m*power) <= 8 {
			return m * power
		}
	}
	return 10 * power
}

type point struct{ x, y float64 }

// svg is a drawing.
type svg struct{ bytes.Buffer }

func (p *svg) addf(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

// text draws s; anchor is the part of it at x.
func (p *svg) text(x, y float64, anchor, s, attrs string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>`, x, y, anchor, attrs)
	// A buffer takes all that is written to it.
	_ = xml.EscapeText(p, []byte(s))
	p.addf(`</text>`)
}

func (p *svg) stroke(style line, points []point) {
	fmt.Fprintf(p, `<path fill="none" stroke-linejoin="round" stroke="%s" stroke-width="%g"`, style.color, style.width)
	if style.dash != "" {
		fmt.Fprintf(p, ` stroke-dasharray="%s"`, style.dash)
	}
	fmt.Fprint(p, ` d="`)
	for i, q := range points {
		op := 'L'
		if i == 0 {
			op = 'M'
		}
		fmt.Fprintf(p, "%c%.1f %.1f", op, q.x, q.y)
	}
	p.addf(`"/>`)
}
