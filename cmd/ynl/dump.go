package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"github.com/nlmux/netlink/ynl"
)

const dumpHelp = `Dumps a table of the kernel. The JSON, or "-" for the standard input, says which entries;
what the kernel filters by depends on the operation.

On a terminal the entries are a table of the columns that fit: first those in which the
entries differ most. Columns without a value, or of zeros, are left out, and long values
are cut. Otherwise each entry is one line of JSON, with everything.

If the table changed during the dump, the dump is repeated up to three times. If it
changed each time, or if the dump fails or is interrupted by Ctrl-C, the entries that came
are printed, then the error, and the exit code is 1.

Examples:
  ynl dump rt-link getlink
  ynl dump -columns ifname,mtu,linkinfo.kind rt-link getlink
  ynl dump rt-route getroute '{"rtm-family": 2}'
  ynl dump rt-neigh getneigh | jq -r .dst
  ynl dump -netns blue rt-addr getaddr
  ynl dump -json ethtool rings-get
`

// dump has the flags of the subcommand.
type dump struct {
	json, table, wide bool
	columns           string
}

func newDump(flags *flag.FlagSet) action {
	d := new(dump)
	flags.BoolVar(&d.json, "json", false, "print JSON also on a terminal")
	flags.BoolVar(&d.table, "table", false, "print a table also where there is no terminal")
	flags.BoolVar(&d.wide, "wide", false, "print a table with all columns, of any width")
	flags.StringVar(&d.columns, "columns", "", "print a table of these `columns`, separated by commas; NEST.NAME is in a nest")
	return d.run
}

func (d *dump) run(ctx context.Context, s *session, args []string) error {
	d.table = d.table || d.wide || d.columns != ""
	if d.json && d.table {
		return usagef("dump: -json excludes -table, -wide and -columns")
	}
	c, err := s.begin(dumpMode, args)
	if err != nil {
		return err
	}
	// The entries of an interrupted dump are printed, too.
	list, failure := ynl.Dump[payload](ctx, c.caller, c.op, c.req, nil).List()
	entries := make([]json.RawMessage, 0, len(list))
	for _, p := range list {
		entry, err := reply(c.op, p)
		if err != nil {
			s.report(err)
			continue
		}
		entries = append(entries, entry)
	}
	err = d.print(s, entries)
	s.report(failure)
	s.report(c.end())
	return err
}

// print prints the entries.
func (d *dump) print(s *session, entries []json.RawMessage) error {
	width := s.width(s.stdout)
	if d.json || width == 0 && !d.table {
		out := bufio.NewWriter(s.stdout)
		for _, e := range entries {
			out.Write(append(e, '\n'))
		}
		return out.Flush()
	}
	if len(entries) == 0 {
		fmt.Fprintln(s.stderr, "no entries")
		return nil
	}
	t := new(table)
	for _, e := range entries {
		if err := t.add(e); err != nil {
			return err
		}
	}
	var hidden []string
	switch {
	case d.columns != "":
		t.choose(strings.Split(d.columns, ","))
	case d.wide:
		t.fit(0)
	default:
		hidden = t.fit(width)
	}
	err := t.write(s.stdout)
	if len(hidden) > 0 {
		fmt.Fprintf(s.stderr, "\n%d more columns (-wide, -columns, -json): %s\n", len(hidden), strings.Join(hidden, ", "))
	}
	return err
}
