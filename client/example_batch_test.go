package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// Numbers of include/uapi/linux/netfilter, which golang.org/x/sys/unix has on
// Linux.
const (
	subsysNFTables = 10 // NFNL_SUBSYS_NFTABLES
	nftMsgNewTable = 0  // NFT_MSG_NEWTABLE
	nftaTableName  = 1  // NFTA_TABLE_NAME
	nfprotoIPv4    = 2  // NFPROTO_IPV4
)

// tableNamed is the message that makes a table of nf_tables.
func tableNamed(name string) client.BatchMessage {
	var b wire.Builder
	b.Struct([]byte{nfprotoIPv4, 0, 0, 0}) // struct nfgenmsg
	b.String(nftaTableName, name)
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	return client.BatchMessage{
		Type:    subsysNFTables<<8 | nftMsgNewTable,
		Flags:   netlink.NLM_F_CREATE | netlink.NLM_F_EXCL,
		Payload: payload,
	}
}

// One of two tables is there already, so the other is not made either, and the
// error says which one was refused.
func ExampleConn_Batch() {
	taken := tableNamed("filter").Payload
	c := nltest.Dial(netlink.NETLINK_NETFILTER, func(req wire.Message) []wire.Message {
		if slices.Equal(req.Payload, taken) {
			return []wire.Message{nltest.Error(syscall.EEXIST, wire.ExtAck{})}
		}
		return nil
	})
	defer c.Close()
	ctx := context.Background()

	_, err := c.Batch(ctx, subsysNFTables, []client.BatchMessage{tableNamed("nat"), tableNamed("filter")})
	var refused *client.BatchError
	if errors.As(err, &refused) {
		fmt.Println(refused.Index, refused.Err.Errno == syscall.EEXIST, client.NotSent(err))
	}

	_, err = c.Batch(ctx, subsysNFTables, []client.BatchMessage{tableNamed("nat"), tableNamed("mangle")})
	fmt.Println(err)
	// Output:
	// 1 true false
	// <nil>
}
