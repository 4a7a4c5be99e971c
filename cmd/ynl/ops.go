package main

import (
	"context"
	"flag"
	"strings"

	"github.com/nlmux/netlink/ynl"
)

const opsHelp = `Prints each operation of a family and how it is requested: by "ynl do", by "ynl dump" or
by both. An "event" is none of these: "ynl watch" prints it. After that is the capability that
a request needs.

Example:
  ynl ops rt-link
`

func newOps(*flag.FlagSet) action { return ops }

func ops(_ context.Context, s *session, args []string) error {
	f, err := findFamily(args[0])
	if err != nil {
		return err
	}
	var rows [][]string
	for _, o := range byName(f.Ops()) {
		rows = append(rows, []string{o.name, strings.Join(o.modes, " "), o.needs})
	}
	return writeAligned(s.stdout, rows, noNumbers)
}

// namedOp is what the operations of one name can do.
type namedOp struct {
	name  string
	modes []string
	needs string // the capability
}

// byName joins operations of the same name, in the order of the list.
func byName(list []*ynl.Op) (named []*namedOp) {
	index := make(map[string]*namedOp)
	for _, op := range list {
		o := index[op.Name()]
		if o == nil {
			o = &namedOp{name: op.Name(), needs: op.Privilege()}
			index[o.name] = o
			named = append(named, o)
		}
		if op.CanDo() {
			o.modes = append(o.modes, "do")
		}
		if op.CanDump() {
			o.modes = append(o.modes, "dump")
		}
		if op.Request() == 0 {
			o.modes = append(o.modes, "event")
		}
	}
	return named
}
