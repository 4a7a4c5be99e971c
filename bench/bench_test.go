package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestMain runs the benchmarks in a private network namespace if possible, as main
// does.
func TestMain(m *testing.M) {
	if runStorm() {
		return
	}
	if !isPrivate() {
		if code, err := runPrivate(); err == nil {
			os.Exit(code)
		} else {
			fmt.Fprintln(os.Stderr, "bench: no private network namespace:", err)
		}
	}
	os.Exit(m.Run())
}

func BenchmarkNoop(b *testing.B)         { benchmark(b, workNoop) }
func BenchmarkBusy(b *testing.B)         { benchmark(b, workBusy) }
func BenchmarkBusyProcs1(b *testing.B)   { benchmark(b, workBusy1) }
func BenchmarkProcs1(b *testing.B)       { benchmark(b, procsWork(1)) }
func BenchmarkProcs4(b *testing.B)       { benchmark(b, procsWork(4)) }
func BenchmarkProcs8(b *testing.B)       { benchmark(b, procsWork(8)) }
func BenchmarkGetLink(b *testing.B)      { benchmark(b, workGetLink) }
func BenchmarkError(b *testing.B)        { benchmark(b, workError) }
func BenchmarkAddr(b *testing.B)         { benchmark(b, workAddr) }
func BenchmarkDump(b *testing.B)         { benchmark(b, workDump) }
func BenchmarkDumpStream(b *testing.B)   { benchmark(b, workDumpStream) }
func BenchmarkRoutes(b *testing.B)       { benchmark(b, workRoutes) }
func BenchmarkRoutesStream(b *testing.B) { benchmark(b, workRoutesStream) }
func BenchmarkDumps(b *testing.B)        { benchmark(b, workDumps) }
func BenchmarkDumpsStream(b *testing.B)  { benchmark(b, workDumpsStream) }
func BenchmarkDial(b *testing.B)         { benchmark(b, workDial) }
func BenchmarkVerdicts(b *testing.B)     { benchmark(b, workVerdicts) }

// BenchmarkEvents takes b.N as milliseconds of storm, since the storm, not the
// listener, determines the number of events.
func BenchmarkEvents(b *testing.B) { benchmark(b, workEvents) }

// benchmark runs one work with every client and count of goroutines, under names that
// benchstat can split.
func benchmark(b *testing.B, name string) {
	w := setUp(b, name)
	entries := goEntries()
	if c, remove, err := buildC(); err == nil {
		defer remove()
		entries = append(entries, c)
	} else {
		b.Log("no row for C:", err)
	}
	for _, e := range entries {
		if !e.takesPart(w) {
			continue
		}
		for _, n := range w.Goroutines {
			if e.Solo && n > 1 {
				continue
			}
			b.Run(fmt.Sprintf("client=%s/goroutines=%d", e.Name, n), func(b *testing.B) {
				if w.Op == nil {
					benchmarkEvents(b, e)
				} else {
					benchmarkCell(b, e, w, n)
				}
			})
		}
	}
}

// setUp returns a work whose setup lasts as long as the benchmark.
func setUp(b *testing.B, name string) *Work {
	if err := preparePayloads(); err != nil {
		b.Fatal(err)
	}
	var w *Work
	for _, w = range works(fullSizes, isPrivate()) {
		if w.Name == name {
			break
		}
	}
	if w.Private && !isPrivate() {
		b.Skip(errPrivate)
	}
	if w.Setup == nil {
		return w
	}
	undo, err := w.Setup()
	if errors.Is(err, errLacking) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := undo(); err != nil {
			b.Error(err)
		}
	})
	return w
}

func benchmarkCell(b *testing.B, e *Entry, w *Work, goroutines int) {
	if e.Loop != nil {
		s, err := e.Loop(w, Limit{N: int64(b.N)})
		if err != nil {
			b.Fatal(err)
		}
		// Without the start of the process.
		b.ReportMetric(s.NsPerOp, "ns/op")
		return
	}
	defer setProcs(w.Procs)() // in each benchmark, since package testing sets it before
	crew, err := e.hire(w, goroutines)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := crew.close(); err != nil {
			b.Error(err)
		}
	}()
	b.ReportAllocs()
	if _, _, err := crew.run(w, Limit{N: int64(b.N)}, b.ResetTimer); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
}

func benchmarkEvents(b *testing.B, e *Entry) {
	s, err := e.listen(time.Duration(b.N) * time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op") // of a millisecond of storm, which says nothing
	b.ReportMetric(s.Delivered, "events/s")
	b.ReportMetric(100*float64(s.Lost)/float64(s.Events), "%lost")
	b.ReportMetric(float64(s.Told), "told")
	b.ReportMetric(float64(s.Holes), "holes")
	b.ReportMetric(float64(s.InPlace), "inplace")
	b.ReportMetric(float64(s.Untold), "untold")
}
