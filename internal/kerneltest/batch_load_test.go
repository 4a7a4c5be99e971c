//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
)

// TestBatchesAndRequestsAtOnce: many goroutines make valid and invalid batches and
// requests on one Conn that has joined the group of its own changes. Each result is
// right, and applied changes are announced once and in order.
func TestBatchesAndRequestsAtOnce(t *testing.T) {
	// Few, because the kernel waits for a grace period when it rolls back.
	const goroutines, each = 64, 4
	ns := nstest.New(t)
	dialNetfilter(t, ns, "nf_tables", nftGetTable)
	c := Dial(t, ns, netlink.NETLINK_NETFILTER, client.WithReceiveBuffer(8<<20), client.WithEventQueue(1<<16))
	Join(t, c, unix.NFNLGRP_NFTABLES)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() { batchesAndRequests(t, c, fmt.Sprint("table", g), each) })
	}
	wg.Wait()

	next := make(map[string]int) // chains announced, by table
	generations := 0
	for range goroutines * (1 + 3*each) {
		e := NextEvent(t, c)
		var h unix.Nfgenmsg
		attrs := Unpack(t, e.Message, &h)
		if e.Group != unix.NFNLGRP_NFTABLES || e.Header.PortID != c.PortID() {
			t.Fatalf("event %+v, want one of the group with our port", e)
		}
		switch e.Header.Type {
		case nftNewTable:
		case nftNewGen:
			generations++
		case nftNewChain:
			table, chain := attrs[unix.NFTA_CHAIN_TABLE].String(), attrs[unix.NFTA_CHAIN_NAME].String()
			if want := fmt.Sprint("chain", next[table]); chain != want {
				t.Fatalf("%s: %s, want %s", table, chain, want)
			}
			next[table]++
		default:
			t.Fatalf("event %+v", e)
		}
	}
	if generations != goroutines*each {
		t.Errorf("%d generations, want %d", generations, goroutines*each)
	}
	if err := c.Noop(Patient(t)); err != nil {
		t.Error(err)
	}
	if n := c.Stats().Events; n != goroutines*(1+3*each) {
		t.Errorf("%d events, want %d", n, goroutines*(1+3*each))
	}
	NoLosses(t, c)
}

// batchesAndRequests changes and reads a table of its own.
func batchesAndRequests(t *testing.T, c *client.Conn, table string, each int) {
	ctx := Patient(t)
	batch := func(msgs ...client.BatchMessage) error {
		_, err := c.Batch(ctx, unix.NFNL_SUBSYS_NFTABLES, msgs)
		return err
	}
	ask := nftTable(t, 0, table)
	for i := range each {
		// An existing table is not announced again.
		err := batch(
			nftTable(t, create, table),
			nftChain(t, nftNewChain, excl, table, fmt.Sprint("chain", 2*i)),
			nftChain(t, nftNewChain, excl, table, fmt.Sprint("chain", 2*i+1)),
		)
		if err != nil {
			t.Errorf("%s: %v", table, err)
		}
		msgs, err := c.Request(ctx, nftGetTable, ask.Payload, 0)
		if err != nil || len(msgs) != 1 || msgs[0].Header.Type != nftNewTable {
			t.Errorf("%s: %v, %v", table, msgs, err)
		}
		err = batch(
			nftChain(t, nftNewChain, excl, table, "never"),
			nftTable(t, excl, table),
			nftChain(t, nftNewChain, excl, table, "never either"),
			nftChain(t, nftDelChain, 0, table, "nosuchchain"),
		)
		wantBatchRefused(t, err, "1 EEXIST", "3 ENOENT")
		if err := c.Noop(ctx); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
}

// TestBatchOfThousands: one transaction with more refusals than the receive buffer has
// room for. Only its own refusals are lost.
func TestBatchOfThousands(t *testing.T) {
	const n = 5000
	ns := nstest.New(t)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	large := Dial(t, ns, netlink.NETLINK_NETFILTER, client.WithSendBuffer(4<<20))
	msgs := []client.BatchMessage{nftTable(t, create, "table")}
	for i := range n {
		msgs = append(msgs, nftChain(t, nftNewChain, excl, "table", fmt.Sprint("chain", i)))
	}
	ctx, stop := context.WithCancel(Patient(t))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := large.Noop(ctx); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	applyBatch(t, large, msgs...)
	if s := large.Stats(); s.Overruns != 0 || s.RepliesLost != 0 {
		t.Errorf("a batch that is applied costs %+v", s)
	}
	if names := nftNames(t, c, nftGetChain, unix.NFTA_CHAIN_NAME); len(names) != n {
		t.Errorf("%d chains, want %d", len(names), n)
	}

	_, err := large.Batch(Patient(t), unix.NFNL_SUBSYS_NFTABLES, slices.Insert(msgs, 1, nftTable(t, create, "other")))
	var refused *client.BatchError
	if !errors.As(err, &refused) || !errors.Is(err, unix.EEXIST) {
		t.Fatal(err)
	}
	if got := len(refused.Failures); got != n && !refused.Incomplete {
		t.Errorf("%d refusals of %d, and Incomplete is false", got, n)
	}
	if refused.Index != 2 {
		t.Errorf("the first refusal is of message %d, want 2", refused.Index)
	}
	stop()
	wg.Wait()
	applyBatch(t, large, nftTable(t, create, "after"))
	if names := nftNames(t, large, nftGetTable, unix.NFTA_TABLE_NAME); !slices.Equal(names, []string{"after", "table"}) {
		t.Errorf("tables %q", names)
	}
	AwaitPending(t, large, 0)
	if s := large.Stats(); s.RepliesLost != 0 {
		t.Errorf("%d replies to others are lost", s.RepliesLost)
	}
	t.Logf("%d of %d refusals", len(refused.Failures), n)
}
