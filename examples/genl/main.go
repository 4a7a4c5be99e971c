//go:build linux

// Command genl lists the families of generic netlink with their multicast groups,
// like genl ctrl list, or shows what one of them takes. It needs no privilege.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/genl"
)

func main() {
	cli.Command{
		Name:    "genl",
		Args:    "[NAME]",
		About:   "genl lists the families of generic netlink, or shows one with what its commands take.",
		MaxArgs: 1,
		Run:     func(ctx context.Context) error { return run(ctx, os.Stdout, flag.Args()) },
	}.Main()
}

func run(ctx context.Context, out io.Writer, names []string) error {
	c, err := client.Dial(netlink.NETLINK_GENERIC)
	if err != nil {
		return err
	}
	defer c.Close()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(names) == 0 {
		err = list(ctx, w, c)
	} else {
		err = show(ctx, w, c, names[0])
	}
	return errors.Join(err, w.Flush())
}

// list prints all families, one a line.
func list(ctx context.Context, w io.Writer, c *client.Conn) error {
	families, err := genl.Families(ctx, c)
	if errors.Is(err, client.ErrDumpInterrupted) {
		fmt.Fprintln(os.Stderr, "genl: the list changed while it was read")
	} else if err != nil {
		return err
	}
	fmt.Fprintln(w, "ID\tNAME\tVERSION\tHEADER\tCOMMANDS\tGROUPS")
	for _, f := range families {
		groups := strings.Join(slices.Sorted(maps.Keys(f.Groups)), " ")
		fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%d\t%s\n", uint16(f.ID), f.Name, f.Version, f.HeaderSize, len(f.Ops), cmp.Or(groups, "-"))
	}
	return nil
}

// show prints one family with its groups, commands and attributes.
func show(ctx context.Context, w io.Writer, c *client.Conn, name string) error {
	f, err := genl.Resolve(ctx, c, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no family has the name %q", name)
	} else if err != nil {
		return err
	}
	policy, err := f.Policy(ctx, c)
	var unknown string
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		unknown = "This kernel does not report what commands take.\n"
	case errors.Is(err, unix.ENODATA):
		unknown = "The kernel reports no policies of this family.\n"
	case err != nil:
		return err
	}
	fmt.Fprintf(w, "ID\tNAME\tVERSION\tHEADER\n%d\t%s\t%d\t%d\n", uint16(f.ID), f.Name, f.Version, f.HeaderSize)
	describeGroups(w, f)
	describeCommands(w, f, policy)
	describeAttributes(w, policy)
	fmt.Fprint(w, unknown)
	return nil
}
