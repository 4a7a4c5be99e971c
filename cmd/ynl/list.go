package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/nlmux/netlink/ynl/all"
)

const listHelp = `Prints each family with its netlink protocol and the number of its operations. A family of
NETLINK_GENERIC may be missing from the running kernel: its requests then fail.

Example:
  ynl list
`

func newList(*flag.FlagSet) action { return list }

func list(_ context.Context, s *session, _ []string) error {
	var rows [][]string
	for _, f := range all.Families {
		rows = append(rows, []string{f.Name(), f.Protocol().String(), fmt.Sprintf("%d operations", len(byName(f.Ops())))})
	}
	return writeAligned(s.stdout, rows, noNumbers)
}
