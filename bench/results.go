package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Results has the measurements of one run.
type Results struct {
	Machine
	Rounds  int           `json:"rounds"`
	Budget  time.Duration `json:"budget_ns"`
	Left    []string      `json:"left_out,omitempty"` // why which rows are missing
	Samples []Sample      `json:"samples"`
}

// measure does all works in every round and prints its progress.
func (r *Results) measure(all []*Work, entries []*Entry, progress io.Writer) error {
	for round := range r.Rounds {
		for _, w := range all {
			if w.Private && !isPrivate() {
				r.leave(fmt.Sprintf("%s: %v", w.Name, errPrivate))
				continue
			}
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, r.Rounds, w.Name)
			err := r.measureWork(round, w, entries)
			switch {
			case errors.Is(err, errLacking):
				r.leave(fmt.Sprintf("%s: %v", w.Name, err))
			case err != nil:
				return fmt.Errorf("%s: %w", w.Name, err)
			}
		}
	}
	return nil
}

// leave records once why something is left out.
func (r *Results) leave(why string) {
	if !slices.Contains(r.Left, why) {
		r.Left = append(r.Left, why)
	}
}

func (r *Results) measureWork(round int, w *Work, entries []*Entry) (err error) {
	if w.Setup != nil {
		undo, err := w.Setup()
		if err != nil {
			return err
		}
		defer func() {
			if undoErr := undo(); err == nil {
				err = undoErr
			}
		}()
	}
	budget := r.Budget * time.Duration(max(1, w.Times))
	if w.Rows != nil {
		samples, err := w.Rows(budget)
		r.add(round, w, samples)
		return err
	}
	if w.Rivals != nil {
		samples, err := race(w.Rivals, budget)
		r.add(round, w, samples)
		return err
	}
	for _, n := range w.Goroutines {
		for i := range entries {
			// Each round begins with another client, so that no client always follows
			// the same one.
			e := entries[(i+round)%len(entries)]
			if !e.takesPart(w) {
				continue
			}
			goroutines, beside := n, 0
			if e.Solo {
				goroutines, beside = 1, n
			}
			s, err := e.measure(w, goroutines, budget)
			if err != nil {
				return fmt.Errorf("%s, %d goroutines: %w", e.Name, goroutines, err)
			}
			s.Round, s.Work, s.Client = round, w.Name, e.Name
			s.Goroutines, s.Beside = goroutines, beside
			r.Samples = append(r.Samples, s)
		}
	}
	return nil
}

// add adds the samples of a work.
func (r *Results) add(round int, w *Work, samples []Sample) {
	for _, s := range samples {
		s.Round, s.Work = round, w.Name
		r.Samples = append(r.Samples, s)
	}
}

// write writes the results as JSON with a sample per line.
func (r *Results) write(file string) error {
	head := *r
	head.Samples = nil
	b, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	var lines [][]byte
	for _, s := range r.Samples {
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		lines = append(lines, append([]byte("    "), line...))
	}
	samples := slices.Concat([]byte("[\n"), bytes.Join(lines, []byte(",\n")), []byte("\n  ]"))
	b = bytes.Replace(b, []byte(`"samples": null`), slices.Concat([]byte(`"samples": `), samples), 1)
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// place is the number of goroutines at which a sample is compared: a floor is compared
// with the clients measured next to it.
func (s *Sample) place() int {
	if s.Beside != 0 {
		return s.Beside
	}
	return s.Goroutines
}

// values returns one number per round of a client at a work and a number of goroutines.
func (r *Results) values(work, client string, place int, of func(*Sample) float64) []float64 {
	var v []float64
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Work == work && s.Client == client && s.place() == place {
			v = append(v, of(s))
		}
	}
	return v
}

func nsPerOp(s *Sample) float64   { return s.NsPerOp }
func allocs(s *Sample) float64    { return s.Allocs }
func delivered(s *Sample) float64 { return s.Delivered }

// ratio returns the median over the rounds of a's number to b's, and whether
// both were measured.
func ratio(a, b []float64) (float64, bool) {
	if len(a) == 0 || len(a) != len(b) {
		return 0, false
	}
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	return median(q), true
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
