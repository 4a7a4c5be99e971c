//go:build linux

// Command nft lists the tables of nf_tables, like nft list tables. With -try it
// makes a table and has a transaction on it fail, to show that nothing of that is
// applied, and removes the table again. Without, it changes nothing, but the
// kernel wants CAP_NET_ADMIN even of who reads.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/examples/internal/cli"
)

func main() {
	tryOut := flag.Bool("try", false, "try transactions out on a table named "+tryTable+", which is removed again")
	cli.Command{
		Name:  "nft",
		Args:  "[-try]",
		About: "nft lists the tables of nf_tables. It needs CAP_NET_ADMIN.",
		Run:   func(ctx context.Context) error { return run(ctx, os.Stdout, *tryOut) },
	}.Main()
}

func run(ctx context.Context, out io.Writer, tryOut bool) error {
	c, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer c.Close()
	if tryOut {
		return try(ctx, c, out)
	}
	return list(ctx, c, out)
}

// explain adds the meaning of some refusals of nf_tables.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("nf_tables takes CAP_NET_ADMIN over this network namespace, as root has: %w", err)
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		// nfnetlink does not find the subsystem.
		return fmt.Errorf("this kernel has no nf_tables: %w", err)
	}
	return err
}
