//go:build linux

// Command concurrent shares one netlink socket among hundreds of goroutines.
//
// They request every link, address, route and neighbour one by one,
// with whole dumps in between, while a watcher prints the events that come over
// the same socket. Each answer is compared with what a connection of its own
// says when it is asked alone. With the privilege to make a network namespace
// the program works in a fresh one, which it fills and keeps changing;
// otherwise it asks about the machine as it is.
package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
)

func main() {
	goroutines := flag.Int("goroutines", 256, "goroutines that share the connection")
	requests := flag.Int("requests", 400, "requests of each goroutine")
	events := flag.Int("events", 12, "events to print; all are counted")
	cli.Command{
		Name:       "concurrent",
		Args:       "[-goroutines N] [-requests N] [-events N]",
		About:      "concurrent asks over one socket from hundreds of goroutines at once and checks each answer.",
		Valid:      func() bool { return *goroutines > 0 && *requests > 0 && *events >= 0 },
		Run:        func(ctx context.Context) error { return run(ctx, *goroutines, *requests, *events) },
		MustFinish: true,
	}.Main()
}

func run(ctx context.Context, goroutines, requests, print int) error {
	opts, err := namespace(ctx)
	if err != nil {
		return err
	}
	private := opts != nil

	// Only this goroutine uses the plain connection, for the expected answers.
	plain, err := client.Dial(netlink.NETLINK_ROUTE, opts...)
	if err != nil {
		return err
	}
	defer plain.Close()
	shared, err := client.Dial(netlink.NETLINK_ROUTE, opts...)
	if err != nil {
		return err
	}
	defer shared.Close()

	questions, err := ask(ctx, plain)
	if err != nil {
		return err
	}
	fmt.Printf("%d goroutines, one socket, %d questions and %d tables\n\n", goroutines, len(questions.lookups), len(tables))

	w, err := watch(shared, print)
	if err != nil {
		return err
	}
	churned := make(chan error, 1)
	churning, endChurn := context.WithCancel(ctx)
	if private {
		go func() { churned <- churn(churning, shared, w.gone) }()
	} else {
		churned <- nil
	}

	var g sync.WaitGroup
	start := time.Now()
	results := make([]result, goroutines)
	for i := range results {
		g.Go(func() { results[i] = questions.worker(ctx, shared, i, requests) })
	}
	g.Wait()
	elapsed := time.Since(start)
	endChurn()
	if err := <-churned; err != nil {
		return err
	}
	// Every event of the program's own changes is queued before the acknowledgement.
	if err := shared.Noop(ctx); err != nil {
		return err
	}
	stats := shared.Stats()
	if err := shared.Close(); err != nil {
		return err
	}
	seen := w.wait()
	// Changes by other programs meanwhile are no mismatch.
	after, err := ask(ctx, plain)
	if err != nil {
		return err
	}
	return report(results, elapsed, questions, after, seen, stats)
}
