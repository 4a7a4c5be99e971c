// Command bench measures this module's client beside its peers and beside plain
// system calls, doing the same work in the same run:
//
//	go run .
//
// It prints tables of medians and ratios and writes results.json and
// throughput.svg. A ratio is the median of the ratios of the rounds, in each of
// which the clients take turns, so that what else the machine does meets all of
// them. See go run . -help, and go test -bench . for benchstat.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if runStorm() {
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	rounds := flag.Int("rounds", 7, "how often everything is measured")
	budget := flag.Duration("time", 150*time.Millisecond, "how long one client is measured at one count of goroutines; some works take several times as long")
	only := flag.String("work", "", "names of the works to do, separated by commas (default all)")
	clients := flag.String("client", "", "names of the clients to measure, separated by commas (default all)")
	quick := flag.Bool("quick", false, "one short round of few goroutines and small dumps, to see that all of it runs")
	routes := flag.Int("routes", 0, "how many routes the works routes and routes-stream dump (default 200000)")
	here := flag.Bool("here", false, "stay in this network namespace, without the works that change it")
	dir := flag.String("out", ".", "directory for results.json and throughput.svg")
	page := flag.String("page", "", "measure nothing, but write the tables of results.json into this page")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if *page != "" {
		return writePage(*page, resultsFile(*dir))
	}
	if !isPrivate() && !*here {
		code, err := runPrivate()
		if err == nil {
			os.Exit(code)
		}
		fmt.Println("No network namespace of its own, so some works are left out:", err)
	}
	sizes := fullSizes
	if *quick {
		sizes = quickSizes
		if !isSet("rounds") {
			*rounds = 1
		}
		if !isSet("time") {
			*budget = 20 * time.Millisecond
		}
	}
	if *rounds < 1 || *budget <= 0 || *routes < 0 {
		return errors.New("-rounds, -time and -routes must be positive")
	}
	if *routes > 0 {
		sizes.Routes = *routes
	}
	if err := preparePayloads(); err != nil {
		return err
	}
	all, err := choose("work", works(sizes, isPrivate()), *only, func(w *Work) string { return w.Name })
	if err != nil {
		return err
	}
	entries := goEntries()
	if c, remove, err := buildC(); err == nil {
		defer remove()
		entries = append(entries, c)
	} else {
		fmt.Println("No row for C:", err)
	}
	entries, err = choose("client", entries, *clients, func(e *Entry) string { return e.Name })
	if err != nil {
		return err
	}
	// Fail before the measurements, not after.
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	res := &Results{Machine: describe(), Rounds: *rounds, Budget: *budget}
	res.Machine.print(os.Stdout)
	if err := res.measure(all, entries, os.Stderr); err != nil {
		return err
	}
	res.printTables(os.Stdout, all, entries)
	res.printGoals(os.Stdout)
	if err := res.write(resultsFile(*dir)); err != nil {
		return err
	}
	return res.plot(filepath.Join(*dir, "throughput.svg"), all, entries)
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// choose returns those of all that have one of the names, or all if names is empty.
func choose[T any](kind string, all []T, names string, nameOf func(T) string) ([]T, error) {
	if names == "" {
		return all, nil
	}
	var chosen []T
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(x T) bool { return nameOf(x) == name })
		if i < 0 {
			return nil, fmt.Errorf("no %s %q", kind, name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
