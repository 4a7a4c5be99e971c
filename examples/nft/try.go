//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// tryTable is the table that try creates and removes.
const tryTable = "nlmux-try"

// try creates a table, demonstrates transactions on it, and removes it.
func try(ctx context.Context, c *client.Conn, out io.Writer) error {
	err := apply(ctx, c,
		tableMessage(unix.NFT_MSG_NEWTABLE, excl),
		chainMessage(unix.NFT_MSG_NEWCHAIN, excl, "first"))
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(out, "applied: table %s and its chain first, in one transaction\n", tryTable)
	err = rollBack(ctx, c, out)
	// Also after an interrupt.
	if gone := apply(context.WithoutCancel(ctx), c, tableMessage(unix.NFT_MSG_DELTABLE, 0)); gone != nil {
		return errors.Join(err, gone)
	}
	fmt.Fprintf(out, "applied: the removal of table %s\n", tryTable)
	return err
}

// rollBack sends a transaction with an invalid message in its middle, and shows that
// nothing of it is applied.
func rollBack(ctx context.Context, c *client.Conn, out io.Writer) error {
	err := apply(ctx, c,
		chainMessage(unix.NFT_MSG_NEWCHAIN, excl, "second"),
		chainMessage(unix.NFT_MSG_NEWCHAIN, excl, "first"), // it is there
		chainMessage(unix.NFT_MSG_NEWCHAIN, excl, "third"),
		chainMessage(unix.NFT_MSG_DELCHAIN, 0, "fourth")) // it is not
	var refused *client.BatchError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a transaction that had to be refused: %w", err)
	}
	fmt.Fprintln(out, "refused: the making of chains second, first and third and the removal of fourth")
	for _, f := range refused.Failures {
		fmt.Fprintf(out, "  message %d: %v\n", f.Index, f.Err.Errno)
	}
	for _, chain := range []string{"first", "second", "third"} {
		get := chainMessage(unix.NFT_MSG_GETCHAIN, 0, chain)
		_, err := c.Request(ctx, get.Type, get.Payload, 0)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		fmt.Fprintf(out, "  chain %s is there: %t\n", chain, err == nil)
	}
	return nil
}

const excl = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

func apply(ctx context.Context, c *client.Conn, msgs ...client.BatchMessage) error {
	_, err := c.Batch(ctx, unix.NFNL_SUBSYS_NFTABLES, msgs)
	return err
}

// tableMessage is about the table.
func tableMessage(typ netlink.MessageType, flags netlink.Flags) client.BatchMessage {
	return message(unix.NFPROTO_IPV4, typ, flags, func(b *wire.Builder) { b.String(unix.NFTA_TABLE_NAME, tryTable) })
}

// chainMessage is about a chain of the table, one that no packet passes.
func chainMessage(typ netlink.MessageType, flags netlink.Flags, name string) client.BatchMessage {
	return message(unix.NFPROTO_IPV4, typ, flags, func(b *wire.Builder) {
		b.String(unix.NFTA_CHAIN_TABLE, tryTable)
		b.String(unix.NFTA_CHAIN_NAME, name)
	})
}

func message(family uint8, typ netlink.MessageType, flags netlink.Flags, attrs func(*wire.Builder)) client.BatchMessage {
	var b wire.Builder
	b.Struct(&unix.Nfgenmsg{Nfgen_family: family})
	attrs(&b)
	payload, err := b.Encode()
	if err != nil {
		panic(err) // an attribute over 64 KiB
	}
	return client.BatchMessage{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | typ, Flags: flags, Payload: payload}
}
