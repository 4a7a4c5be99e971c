//go:build linux

package nftables_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nftables"
)

// A firewall that lets SSH in and drops what else comes: "tcp dport 22 accept" in a chain
// with policy drop.
func ExampleBatch() {
	ctx := context.Background()
	c, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
	inet := nftables.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET}
	table, chain := ynl.Some("filter"), ynl.Some("input")
	var b nftables.Batch
	b.NewTable(&nftables.Table{Nfgenmsg: inet, Name: table}, create)
	b.NewChain(&nftables.Chain{
		Nfgenmsg: inet, Table: table, Name: chain, Type: ynl.Some("filter"), Policy: ynl.Some(nftables.NF_DROP),
		Hook: &nftables.Hook{Num: ynl.U32(unix.NF_INET_LOCAL_IN), Priority: ynl.S32(0)},
	}, create)
	b.NewRule(&nftables.Rule{Nfgenmsg: inet, Table: table, Chain: chain, Expressions: nftables.Exprs(
		&nftables.ExprMeta{Key: ynl.Some(nftables.NFT_META_L4PROTO), Dreg: ynl.U32(1)},
		&nftables.ExprCmp{Sreg: ynl.U32(1), Op: ynl.Some(nftables.NFT_CMP_EQ), Data: &nftables.Data{Value: []byte{unix.IPPROTO_TCP}}},
		&nftables.ExprPayload{
			Base: ynl.Some(nftables.NFT_PAYLOAD_TRANSPORT_HEADER), Offset: ynl.U32(2), Len: ynl.U32(2), // the port
			Dreg: ynl.Some(nftables.NFT_REG_1),
		},
		&nftables.ExprCmp{Sreg: ynl.U32(1), Op: ynl.Some(nftables.NFT_CMP_EQ), Data: &nftables.Data{Value: []byte{0, 22}}},
		&nftables.ExprCounter{},
		&nftables.ExprImmediate{Dreg: ynl.U32(uint32(nftables.NFT_REG_VERDICT)), Data: &nftables.Data{Verdict: &nftables.Verdict{Code: ynl.Some(nftables.NF_ACCEPT)}}},
	)}, netlink.NLM_F_CREATE|netlink.NLM_F_APPEND)

	switch err := b.Commit(ctx, c); {
	case errors.Is(err, unix.EEXIST):
		log.Fatal("there is such a firewall already")
	case err != nil:
		log.Fatal(err)
	}

	for r, err := range nftables.New(c).DumpRule(ctx, &nftables.Rule{Nfgenmsg: inet, Table: table}) {
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range r.Expressions.Elem {
			if counter, ok := e.Data.(*nftables.ExprCounter); ok {
				fmt.Println("rule", r.Handle, "packets", counter.Packets)
			}
		}
	}
}
