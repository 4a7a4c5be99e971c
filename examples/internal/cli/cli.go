//go:build linux

// Package cli is what the examples share around their work: flags, usage,
// Ctrl-C, the text of an error and the exit code.
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

// Command is an example. Its flags are those of package flag.
type Command struct {
	Name    string
	Args    string // flags and arguments, as the usage shows them
	About   string // what it does, in a sentence that begins with Name
	MaxArgs int    // maximum number of arguments after the flags

	// Valid reports whether the values of the flags are valid; nil: all are.
	Valid func() bool

	// Run does the work. Ctrl-C ends ctx.
	Run func(ctx context.Context) error

	// MustFinish is for work of which a part is worth nothing: Ctrl-C is an
	// error.
	MustFinish bool
}

// Main is the main function of the command. It ends the process with exit code 2
// after wrong arguments, and with 1 after an error.
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
