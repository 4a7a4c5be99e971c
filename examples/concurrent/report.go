//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/nlmux/netlink/client"
)

// report prints the table and returns an error if an answer was wrong or lost.
func report(results []result, elapsed time.Duration, before, after *questions, events seen, stats client.Stats) error {
	var latencies []time.Duration
	var errs []error
	wrongs := 0
	for _, r := range results {
		latencies = append(latencies, r.latencies...)
		if r.err != nil {
			errs = append(errs, r.err)
		}
		for _, w := range r.wrong {
			if w.got == after.expect(w.name) {
				continue
			}
			if wrongs++; wrongs <= 3 {
				errs = append(errs, fmt.Errorf("%s: got %q, want %q", w.name, w.got, before.expect(w.name)))
			}
		}
	}
	slices.Sort(latencies)
	n := len(latencies)
	quantile := func(q float64) time.Duration {
		if n == 0 {
			return 0
		}
		return latencies[int(q*float64(n-1))]
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "requests\t%d\n", n)
	fmt.Fprintf(w, "per second\t%.0f\n", float64(n)/elapsed.Seconds())
	fmt.Fprintf(w, "latency p50\t%v\n", quantile(0.50))
	fmt.Fprintf(w, "latency p99\t%v\n", quantile(0.99))
	fmt.Fprintf(w, "wrong answers\t%d\n", wrongs)
	fmt.Fprintf(w, "lost replies\t%d\n", stats.RepliesLost)
	fmt.Fprintf(w, "events\t%d\n", events.events)
	fmt.Fprintf(w, "gaps in the events\t%d\n", events.gaps)
	w.Flush()
	if stats.RepliesLost > 0 {
		errs = append(errs, fmt.Errorf("%d replies lost", stats.RepliesLost))
	}
	if events.gaps > 0 {
		errs = append(errs, fmt.Errorf("events lost in %d places", events.gaps))
	}
	return errors.Join(errs...)
}
