//go:build linux

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// tableNamed is the message that makes a table of nf_tables.
func tableNamed(name string) client.BatchMessage {
	var b wire.Builder
	b.Struct(&unix.Nfgenmsg{Nfgen_family: unix.NFPROTO_IPV4})
	b.String(unix.NFTA_TABLE_NAME, name)
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	return client.BatchMessage{
		Type:    unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE,
		Flags:   netlink.NLM_F_CREATE | netlink.NLM_F_EXCL,
		Payload: payload,
	}
}

// One of two tables exists already, so the other is not created either, and the error
// says which one was refused.
func ExampleConn_Batch() {
	taken := tableNamed("filter").Payload
	c := nltest.Dial(netlink.NETLINK_NETFILTER, func(req wire.Message) []wire.Message {
		if slices.Equal(req.Payload, taken) {
			return []wire.Message{nltest.Error(unix.EEXIST, wire.ExtAck{})}
		}
		return nil
	})
	defer c.Close()
	ctx := context.Background()

	_, err := c.Batch(ctx, unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{tableNamed("nat"), tableNamed("filter")})
	var refused *client.BatchError
	if errors.As(err, &refused) {
		fmt.Println(refused.Index, refused.Err.Errno == unix.EEXIST, client.NotSent(err))
	}

	_, err = c.Batch(ctx, unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{tableNamed("nat"), tableNamed("mangle")})
	fmt.Println(err)
	// Output:
	// 1 true false
	// <nil>
}
