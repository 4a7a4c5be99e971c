package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"strings"
)

// subcommand is a subcommand.
type subcommand struct {
	name        string
	args        string // for the usage
	about       string // in one line
	help        string // what else -h prints
	least, most int    // number of arguments that are no flags

	// new defines the flags of the subcommand, and returns what runs it.
	new func(*flag.FlagSet) action
}

// action runs a subcommand with the arguments that are no flags.
type action func(ctx context.Context, s *session, args []string) error

var subcommands = []subcommand{
	{"list", "", "list the families", listHelp, 0, 0, newList},
	{"ops", "[flags] FAMILY [OP]", "list the operations of a family, or explain one", opsHelp, 1, 2, newOps},
	{"dump", "[flags] FAMILY OP [JSON]", "print a table of the kernel", dumpHelp, 2, 3, newDump},
	{"do", "[flags] FAMILY OP [JSON]", "request an operation", doHelp, 2, 3, newDo},
	{"watch", "[flags] FAMILY...", "print events until Ctrl-C", watchHelp, 1, math.MaxInt, newWatch},
}

// usage returns the form of the command line.
func (sub subcommand) usage() string { return strings.TrimSpace("ynl " + sub.name + " " + sub.args) }

func subcommandNames() []string {
	names := make([]string, len(subcommands))
	for i, sub := range subcommands {
		names[i] = sub.name
	}
	return names
}

const helpHead = `ynl speaks to the netlink families of the kernel in JSON.

Usage: ynl [flags] COMMAND ...

`

const helpTail = `
Examples:
  ynl list                                          which families there are
  ynl ops rt-link                                   what rt-link can do
  ynl ops rt-link newlink                           what a request for a new link may have
  ynl dump rt-link getlink                          all links
  ynl dump rt-route getroute '{"rtm-family": 2}'    the routes of IPv4
  ynl do rt-link getlink '{"ifname": "lo"}'         one link
  ynl watch rt-link rt-addr                         links and addresses as they change

Names in the JSON are those of the kernel's specifications, as the output has them. Any
value may be given as it is printed; enums and flags may be numbers, too.

Flags of all commands:
`

const helpCodes = `
Exit codes: 0 success; 1 the kernel refused, or something failed; 2 the arguments or the
JSON are wrong. "ynl COMMAND -h" explains a command.
`

// help returns what the command does.
func help(flags *flag.FlagSet) string {
	var text strings.Builder
	text.WriteString(helpHead)
	for _, sub := range subcommands {
		fmt.Fprintf(&text, "  %-32s %s\n", sub.name+" "+sub.args, sub.about)
	}
	text.WriteString(helpTail + flagHelp(flags) + helpCodes)
	return text.String()
}

// helpText returns what a subcommand does.
func (sub subcommand) helpText(flags *flag.FlagSet) string {
	return fmt.Sprintf("Usage: %s\n\n%s\nFlags:\n%s", sub.usage(), sub.help, flagHelp(flags))
}

// flagHelp returns what the flags do.
func flagHelp(flags *flag.FlagSet) string {
	var text strings.Builder
	flags.SetOutput(&text)
	flags.PrintDefaults()
	return text.String()
}
