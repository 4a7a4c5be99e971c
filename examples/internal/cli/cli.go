//go:build linux

// Package cli runs an example: it parses the flags, prints the usage, ends a ctx on
// Ctrl-C, and reports an error.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

// Command is an example. It defines its flags with package flag before Main.
type Command struct {
	Name    string
	Args    string // its flags and arguments, for the usage
	About   string // what it does, for the usage
	MaxArgs int    // maximum number of arguments after the flags

	// Valid reports whether the values of the flags are valid; nil: all are.
	Valid func() bool

	// Run does the work. Ctrl-C ends ctx.
	Run func(ctx context.Context) error

	// MustFinish makes Ctrl-C an error. Otherwise Run may return ctx's error then,
	// and the exit code is 0.
	MustFinish bool
}

// Main parses the flags and calls Run. It ends the process with exit code 2 if the
// arguments are wrong, and with 1 if Run fails.
func (c Command) Main() {
	flag.Usage = c.usage
	flag.Parse()
	if flag.NArg() > c.MaxArgs || c.Valid != nil && !c.Valid() {
		c.usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := c.Run(ctx)
	if errors.Is(err, context.Canceled) && !c.MustFinish {
		err = nil
	}
	if err != nil {
		// An error of package genl begins with the name of the example genl.
		prefix := c.Name + ": "
		fmt.Fprintln(os.Stderr, prefix+strings.TrimPrefix(err.Error(), prefix))
		os.Exit(1)
	}
}

// usage prints what the command does and which flags it takes.
func (c Command) usage() {
	w := flag.CommandLine.Output()
	fmt.Fprintf(w, "%s\n\nUsage: %s %s\n", c.About, c.Name, c.Args)
	flags := 0
	flag.VisitAll(func(*flag.Flag) { flags++ })
	if flags > 0 {
		fmt.Fprintln(w)
		flag.PrintDefaults()
	}
}
