package main

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// rival is one way to do the same work as others in one goroutine. Its name is a row of
// the work's table.
type rival struct {
	name string
	than string // the rival that it is compared with, "" for none
	do   func(t *tools) error
}

// race has each rival do the work for a time, in turn, and returns a sample of each. It
// counts processor time, too: the garbage collector works on other processors.
func race(rivals []rival, d time.Duration) ([]Sample, error) {
	t, err := newTools()
	if err != nil {
		return nil, err
	}
	defer t.close()
	var samples []Sample
	for _, r := range rivals {
		s, err := r.measure(t, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// measure has the rival do its work at least once and for a time.
func (r rival) measure(t *tools, d time.Duration) (Sample, error) {
	if err := r.do(t); err != nil { // pools fill, buffers grow
		return Sample{}, err
	}
	runtime.GC() // of the rival before
	s := Sample{Client: r.name, Goroutines: 1}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, processor := time.Now(), processorTime()
	// A look at the clock costs as much as a short piece of work.
	for batch := int64(1); s.Elapsed < d || s.Ops == 0; batch *= 2 {
		for range batch {
			if err := r.do(t); err != nil {
				return Sample{}, err
			}
		}
		s.Ops += batch
		s.Elapsed = time.Since(start)
	}
	processor = processorTime() - processor
	runtime.ReadMemStats(&after)
	n := float64(s.Ops)
	s.NsPerOp = float64(s.Elapsed) / n
	s.Processor = float64(processor) / n
	s.Allocs = float64(after.Mallocs-before.Mallocs) / n
	s.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / n
	return s, nil
}

// processorTime returns the processor time that this process has used, in the kernel and
// outside.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// printRivals prints the medians of the rivals of a work, and the ratios of those that are
// compared.
func (r *Results) printRivals(out io.Writer, w *Work) {
	fmt.Fprintf(out, "\n%s: %s\n", w.Name, w.Note)
	t := newTable(out)
	defer t.Flush()
	fmt.Fprintf(t, "per %s\tns\tns of processors\tallocations\tbytes\t\n", w.Unit)
	columns := []func(*Sample) float64{nsPerOp, processorNs, allocs, allocated}
	for _, row := range w.Rivals {
		fmt.Fprintf(t, "%s\t", row.name)
		for _, of := range columns {
			fmt.Fprintf(t, "%.0f\t", median(r.values(w.Name, row.name, 1, of)))
		}
		fmt.Fprintln(t)
	}
	for _, row := range w.Rivals {
		if row.than == "" {
			continue
		}
		fmt.Fprintf(t, "%s : %s\t", row.name, row.than)
		for _, of := range columns {
			than := r.values(w.Name, row.than, 1, of)
			if median(than) < 1 { // of allocations
				fmt.Fprint(t, "\t")
				continue
			}
			q, _ := ratio(r.values(w.Name, row.name, 1, of), than)
			fmt.Fprintf(t, "%.2fx\t", q)
		}
		fmt.Fprintln(t)
	}
}

func processorNs(s *Sample) float64 { return s.Processor }
func allocated(s *Sample) float64   { return s.Bytes }
