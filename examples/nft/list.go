//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// list prints the tables of all families.
func list(ctx context.Context, c *client.Conn, out io.Writer) error {
	const getTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	var b wire.Builder
	b.Struct(&unix.Nfgenmsg{}) // of all families
	request, err := b.Encode()
	if err != nil {
		return err
	}
	// Request repeats a dump that a change interrupted; there are few tables.
	tables, err := c.Request(ctx, getTable, request, netlink.NLM_F_DUMP)
	if err != nil {
		return explain(err)
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

// table is the part of a table that is printed.
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
	attrs, err := m.Struct(&h)
	if err != nil {
		return t, err
	}
	t.family, t.flags = families[h.Nfgen_family], "-"
	// Integers of nf_tables are big endian.
	d := wire.NewDecoder(attrs)
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_TABLE_NAME:
			t.name = d.String()
		case tableHandle:
			t.handle = d.Uint64BE()
		case unix.NFTA_TABLE_USE:
			t.users = d.Uint32BE()
		case unix.NFTA_TABLE_FLAGS:
			if d.Uint32BE()&unix.NFT_TABLE_F_DORMANT != 0 {
				t.flags = "dormant"
			}
		}
	}
	return t, d.Err()
}
