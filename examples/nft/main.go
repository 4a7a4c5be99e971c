//go:build linux

// Command nft lists the tables of nf_tables, like nft list tables. It changes
// nothing, but the kernel wants CAP_NET_ADMIN even of who reads.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "nft lists the tables of nf_tables. It needs CAP_NET_ADMIN.\n\nUsage: nft\n")
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "nft:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	c, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer c.Close()

	const getTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	// A struct nfgenmsg of zeros is for the tables of all families. Request
	// starts a dump again that a change has interrupted; there are few tables.
	tables, err := c.Request(ctx, getTable, make([]byte, 4), netlink.NLM_F_DUMP)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("the kernel shows nf_tables only to CAP_NET_ADMIN over this network namespace, as root has: %w", err)
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		// nfnetlink_rcv_msg does not find the subsystem.
		return fmt.Errorf("this kernel has no nf_tables: %w", err)
	case err != nil:
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAMILY\tTABLE\tHANDLE\tUSED BY\tFLAGS")
	for _, m := range tables {
		t, err := decode(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", t.family, t.name, t.handle, t.users, t.flags)
	}
	return w.Flush()
}

// table is what is shown of one.
type table struct {
	family, name string
	handle       uint64
	users        uint32 // chains, sets, objects and flow tables in it
	flags        string
}

const tableHandle = 4 // NFTA_TABLE_HANDLE of linux/netfilter/nf_tables.h

// families are the names of NFPROTO_*.
var families = map[uint8]string{1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

func decode(m wire.Message) (t table, err error) {
	var h unix.Nfgenmsg
	n, err := binary.Decode(m.Payload, binary.NativeEndian, &h)
	if err != nil {
		return t, err
	}
	t.family, t.flags = families[h.Nfgen_family], "-"
	for a, err := range wire.Attrs(m.Payload[n:]) {
		if err != nil {
			return t, err
		}
		// Integers of nf_tables are big endian.
		switch a.Type {
		case unix.NFTA_TABLE_NAME:
			t.name = a.String()
		case tableHandle:
			t.handle, err = a.Uint64BE()
		case unix.NFTA_TABLE_USE:
			t.users, err = a.Uint32BE()
		case unix.NFTA_TABLE_FLAGS:
			var flags uint32
			if flags, err = a.Uint32BE(); flags&unix.NFT_TABLE_F_DORMANT != 0 {
				t.flags = "dormant"
			}
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}
