//go:build linux

package kerneltest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// More message types of nf_tables.
const (
	nftNewChain netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWCHAIN
	nftGetChain netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN
	nftDelChain netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELCHAIN
	nftNewRule  netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
	nftGetRule  netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE
)

const (
	create = netlink.NLM_F_CREATE
	excl   = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
)

// nft makes a message about an object in the IPv4 tables.
func nft(t testing.TB, typ netlink.MessageType, flags netlink.Flags, attrs func(*wire.Builder)) client.BatchMessage {
	t.Helper()
	return client.BatchMessage{Type: typ, Flags: flags, Payload: Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, attrs)}
}

func nftTable(t testing.TB, flags netlink.Flags, name string) client.BatchMessage {
	t.Helper()
	return nft(t, nftNewTable, flags, func(b *wire.Builder) { b.String(unix.NFTA_TABLE_NAME, name) })
}

func nftChain(t testing.TB, typ netlink.MessageType, flags netlink.Flags, table, name string) client.BatchMessage {
	t.Helper()
	return nft(t, typ, flags, func(b *wire.Builder) {
		b.String(unix.NFTA_CHAIN_TABLE, table)
		b.String(unix.NFTA_CHAIN_NAME, name)
	})
}

// nftCounter makes a rule that counts.
func nftCounter(t testing.TB, table, chain string) client.BatchMessage {
	t.Helper()
	return nft(t, nftNewRule, create|netlink.NLM_F_APPEND, func(b *wire.Builder) {
		b.String(unix.NFTA_RULE_TABLE, table)
		b.String(unix.NFTA_RULE_CHAIN, chain)
		b.Nest(unix.NFTA_RULE_EXPRESSIONS, func(b *wire.Builder) {
			b.Nest(unix.NFTA_LIST_ELEM, func(b *wire.Builder) { b.String(unix.NFTA_EXPR_NAME, "counter") })
		})
	})
}

// nftNames dumps tables or chains and returns their names in order.
func nftNames(t testing.TB, c *client.Conn, get netlink.MessageType, attr uint16) (names []string) {
	t.Helper()
	for _, m := range Request(t, c, get, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP) {
		var h unix.Nfgenmsg
		names = append(names, Unpack(t, m, &h)[attr].String())
	}
	slices.Sort(names)
	return names
}

// nftGeneration asks for the number of the ruleset's generation.
func nftGeneration(t testing.TB, c *client.Conn) uint32 {
	t.Helper()
	msgs := Request(t, c, nftGetGen, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), 0)
	if len(msgs) != 1 {
		t.Fatalf("generation: %v, want one message", msgs)
	}
	var h unix.Nfgenmsg
	id, err := Unpack(t, msgs[0], &h)[unix.NFTA_GEN_ID].Uint32BE()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// applyBatch sends a batch that has to succeed.
func applyBatch(t testing.TB, c *client.Conn, msgs ...client.BatchMessage) []wire.Message {
	t.Helper()
	replies, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, msgs)
	if err != nil {
		t.Fatal(err)
	}
	return replies
}

// wantBatchRefused checks the refusals of a batch, as "index errno".
func wantBatchRefused(t testing.TB, err error, want ...string) {
	t.Helper()
	var refused *client.BatchError
	if !errors.As(err, &refused) {
		t.Errorf("%v, want a refusal in %q", err, want)
		return
	}
	var got []string
	for _, f := range refused.Failures {
		got = append(got, fmt.Sprint(f.Index, " ", unix.ErrnoName(f.Err.Errno)))
	}
	if !slices.Equal(got, want) || refused.Incomplete || client.NotSent(err) || !errors.Is(err, refused.Failures[0].Err.Errno) {
		t.Errorf("refused %q, want %q (%+v)", got, want, refused)
	}
}

func TestBatchIsApplied(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	before := nftGeneration(t, c)
	// Each needs the object of the message before it.
	if replies := applyBatch(t, c,
		nftTable(t, create, "filter"),
		nftChain(t, nftNewChain, create, "filter", "input"),
		nftCounter(t, "filter", "input"),
	); len(replies) != 0 {
		t.Errorf("replies %v to what asked for none", replies)
	}
	if names := nftNames(t, c, nftGetTable, unix.NFTA_TABLE_NAME); !slices.Equal(names, []string{"filter"}) {
		t.Errorf("tables %q", names)
	}
	if names := nftNames(t, c, nftGetChain, unix.NFTA_CHAIN_NAME); !slices.Equal(names, []string{"input"}) {
		t.Errorf("chains %q", names)
	}
	if rules := Request(t, c, nftGetRule, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}), netlink.NLM_F_DUMP); len(rules) != 1 {
		t.Errorf("%d rules, want 1", len(rules))
	}
	if after := nftGeneration(t, c); after != before+1 {
		t.Errorf("generation %d, want %d: it was one transaction", after, before+1)
	}
	NoLosses(t, c)
}

// TestRefusedBatchAppliesNothing: nfnetlink_rcv_batch continues after a message that it
// refuses, acknowledges the others, and then rolls them back.
func TestRefusedBatchAppliesNothing(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	applyBatch(t, c, nftTable(t, create, "old"))
	before := nftGeneration(t, c)
	batch := func(want []string, msgs ...client.BatchMessage) {
		t.Helper()
		_, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, msgs)
		wantBatchRefused(t, err, want...)
		if names := nftNames(t, c, nftGetTable, unix.NFTA_TABLE_NAME); !slices.Equal(names, []string{"old"}) {
			t.Errorf("tables %q after a batch that was refused", names)
		}
	}
	good, exists := nftTable(t, create, "new"), nftTable(t, excl, "old")
	orphan := nftChain(t, nftNewChain, create, "nowhere", "chain")
	unknown := good
	unknown.Type = unix.NFNL_SUBSYS_NFTABLES<<8 | 255
	batch([]string{"1 EEXIST"}, good, exists, good)
	batch([]string{"0 EEXIST"}, exists, good)
	batch([]string{"1 ENOENT"}, good, orphan)
	batch([]string{"0 ENOENT"}, orphan)
	batch([]string{"1 EEXIST", "2 ENOENT", "4 EINVAL"}, good, exists, orphan, good, unknown)
	batch([]string{"0 EEXIST", "1 EEXIST"}, exists, exists)
	// The explanation names the attribute, as that of a request does.
	_, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{good, orphan})
	if !strings.Contains(fmt.Sprint(err), "NFTA_CHAIN_TABLE") {
		t.Errorf("%v; want it to name NFTA_CHAIN_TABLE", err)
	}
	// A GET is refused in a transaction.
	question := nft(t, nftGetGen, 0, func(*wire.Builder) {})
	replies, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{question})
	if err == nil && len(replies) == 0 {
		batch([]string{"1 EEXIST"}, question, exists, good)
	} else {
		batch([]string{"1 EINVAL"}, good, question)
	}
	if after := nftGeneration(t, c); after != before {
		t.Errorf("generation %d, want still %d", after, before)
	}
	NoLosses(t, c)
}

// TestBatchRefusedAsAWhole: the refusal concerns no message.
func TestBatchRefusedAsAWhole(t *testing.T) {
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	batch := func(subsystem uint8, m client.BatchMessage, opts ...client.BatchOption) error {
		_, err := c.Batch(Patient(t), subsystem, []client.BatchMessage{m, m}, opts...)
		return err
	}
	table := nftTable(t, create, "table")
	generation := nftGeneration(t, c)
	wantBatchRefused(t, batch(unix.NFNL_SUBSYS_NFTABLES, table, client.AtGeneration(generation+1)), "-1 ERESTART")
	if err := batch(unix.NFNL_SUBSYS_NFTABLES, table, client.AtGeneration(generation)); err != nil {
		t.Errorf("at the right generation: %v", err)
	}
	wantBatchRefused(t, batch(unix.NFNL_SUBSYS_NFTABLES, table, client.AtGeneration(generation)), "-1 ERESTART")
	if err := batch(unix.NFNL_SUBSYS_NFTABLES, table, client.AtGeneration(0)); err != nil {
		t.Errorf("at any generation: %v", err)
	}
	unknown := table
	unknown.Type = 200 << 8
	wantBatchRefused(t, batch(200, unknown), "-1 EINVAL")
	NoLosses(t, c)

	// The kernel checks the sender's capabilities and refuses the barrier as well
	// (nfnetlink_rcv).
	var err error
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		none := [2]unix.CapUserData{}
		if err = unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err == nil {
			err = batch(unix.NFNL_SUBSYS_NFTABLES, table)
		}
	}()
	<-sent
	wantBatchRefused(t, err, "-1 EPERM")
	NoLosses(t, c)
}

// TestBatchOverTheSendBuffer: netlink_sendmsg refuses it, and nothing is left.
func TestBatchOverTheSendBuffer(t *testing.T) {
	ns := nstest.New(t)
	dialNetfilter(t, ns, "nf_tables", nftGetTable)
	c := Dial(t, ns, netlink.NETLINK_NETFILTER, client.WithSendBuffer(1), client.WithInFlight(1))
	msgs := slices.Repeat([]client.BatchMessage{nftTable(t, create, "table")}, 1000)
	for range 3 {
		_, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, msgs)
		wantRefused(t, "batch over the send buffer", err, unix.EMSGSIZE, "batch")
	}
	applyBatch(t, c, msgs[0])
	NoLosses(t, c)
}

// TestEchoOfABatch: nf_tables announces a transaction in datagrams of many messages,
// and sends the requester those with NLM_F_ECHO, with the group. A member receives all
// of them as events, and the echoes also as replies.
func TestEchoOfABatch(t *testing.T) {
	for _, joined := range []bool{false, true} {
		ns := nstest.New(t)
		c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
		if joined {
			Join(t, c, unix.NFNLGRP_NFTABLES)
		}
		const echo = netlink.NLM_F_ECHO
		batches := []struct {
			msgs []client.BatchMessage
			want []netlink.MessageType
		}{
			{[]client.BatchMessage{
				nftTable(t, create|echo, "a"), nftChain(t, nftNewChain, create, "a", "1"), nftChain(t, nftNewChain, create|echo, "a", "2"),
			}, []netlink.MessageType{nftNewTable, nftNewChain, nftNewGen}},
			{[]client.BatchMessage{
				nftTable(t, create, "b"), nftChain(t, nftNewChain, create|echo, "b", "1"), nftChain(t, nftNewChain, create, "b", "2"),
			}, []netlink.MessageType{nftNewChain}},
		}
		for _, batch := range batches {
			var got []netlink.MessageType
			for _, m := range applyBatch(t, c, batch.msgs...) {
				got = append(got, m.Header.Type)
			}
			if !slices.Equal(got, batch.want) {
				t.Errorf("joined %t: replies %v, want %v", joined, got, batch.want)
			}
			if !joined {
				continue
			}
			for _, want := range []netlink.MessageType{nftNewTable, nftNewChain, nftNewChain, nftNewGen} {
				if e := NextEvent(t, c); e.Header.Type != want || e.Group != unix.NFNLGRP_NFTABLES || e.Header.PortID != c.PortID() {
					t.Errorf("event %+v, want type %v", e, want)
				}
			}
		}
		// Because of the invalid message, the valid ones have no echoes.
		replies, err := c.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES,
			[]client.BatchMessage{nftTable(t, create|echo, "c"), nftTable(t, excl|echo, "a")})
		wantBatchRefused(t, err, "1 EEXIST")
		if len(replies) != 0 {
			t.Errorf("joined %t: replies %v to what was not applied", joined, replies)
		}
		if n := c.Stats().Events; joined && n != 8 || !joined && n != 0 {
			t.Errorf("joined %t: %d events", joined, n)
		}
		NoLosses(t, c)
	}
}
