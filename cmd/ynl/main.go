// Command ynl speaks to the netlink families of the kernel in JSON: it requests their
// operations, dumps their tables and prints their events.
//
//	ynl list
//	ynl ops FAMILY [OP]
//	ynl dump FAMILY OP [JSON]
//	ynl do [-create] [-excl] [-replace] [-append] [-echo] FAMILY OP [JSON]
//	ynl watch FAMILY...
//
// The families, the operations and the names in the JSON are those of the kernel's
// specifications (Documentation/netlink/specs in its tree). A table of the kernel is
// printed as a table on a terminal, and otherwise as one JSON value a line. "ynl -h" and
// "ynl dump -h" explain the rest by examples.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/nlmux/netlink/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := &session{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, dial: client.Dial, width: terminalWidth}
	os.Exit(s.run(ctx, os.Args[1:]))
}
