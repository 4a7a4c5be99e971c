package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// Numbers of include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h.
const (
	nfTables  = 10 // NFNL_SUBSYS_NFTABLES
	genmsgLen = 4  // size of struct nfgenmsg in bytes

	batchEnd netlink.MessageType = 17
	newTable netlink.MessageType = nfTables << 8

	nfTablesGroup = 7 // NFNLGRP_NFTABLES
)

// tables makes the messages of a batch, one for each text.
func tables(names ...string) (msgs []client.BatchMessage) {
	for _, name := range names {
		msgs = append(msgs, client.BatchMessage{Type: newTable, Payload: append(make([]byte, 4), name...)})
	}
	return msgs
}

// batch runs [client.Conn.Batch].
func (k *kernel) batch(ctx context.Context, c *client.Conn, msgs []client.BatchMessage) *task[[]wire.Message] {
	return runAsync(k.t, func() ([]wire.Message, error) { return c.Batch(ctx, nfTables, msgs) })
}

// wantBatch takes a batch of n messages.
func (k *kernel) wantBatch(n int) request {
	k.t.Helper()
	req := k.want(batchBegin)
	if len(req.batch) != n+1 {
		k.t.Fatalf("%d messages, want %d", len(req.batch)-1, n)
	}
	return req
}

// apply takes a batch of n messages and applies it.
func (k *kernel) apply(n int) {
	k.t.Helper()
	req := k.wantBatch(n)
	req.message(n - 1).ack()
	req.drop()
}

// message returns the i-th message of a batch, to be answered.
func (req request) message(i int) request {
	return request{Message: req.batch[i], from: req.from, held: make(chan struct{}, 1)}
}

// wantRefused requires these refusals of a batch, as index:errno.
func wantRefused(t *testing.T, a *task[[]wire.Message], want ...string) *client.BatchError {
	t.Helper()
	replies, err := a.result()
	var refused *client.BatchError
	if !errors.As(err, &refused) {
		t.Fatalf("%v, want a refusal", err)
	}
	var got []string
	for _, f := range refused.Failures {
		got = append(got, fmt.Sprint(f.Index, ":", int(f.Err.Errno)))
	}
	if !slices.Equal(got, want) || replies != nil || client.NotSent(err) {
		t.Fatalf("refused %q, want %q; replies %v, not sent: %v", got, want, replies, client.NotSent(err))
	}
	if first := refused.Failures[0]; refused.Index != first.Index || refused.Err != first.Err || !errors.Is(err, first.Err.Errno) {
		t.Fatalf("%+v does not begin with its first failure", refused)
	}
	return refused
}

func at(i int, errno syscall.Errno) string { return fmt.Sprint(i, ":", int(errno)) }

func TestBatchIsOneDatagram(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		msgs := tables("a", "odd", "c")
		msgs[1].Flags = netlink.NLM_F_CREATE | netlink.NLM_F_ACK
		call := runAsync(t, func() ([]wire.Message, error) {
			return c.Batch(bg, nfTables, msgs, client.AtGeneration(0x01020304))
		})
		req := k.wantBatch(3)
		call.wantWaiting("nothing is answered")

		// The kernel reads the generation as the attribute that follows.
		const request, ack = netlink.NLM_F_REQUEST, netlink.NLM_F_ACK
		if got := req.Payload; !bytes.Equal(got[:4], []byte{0, 0, 0, nfTables}) || !bytes.Equal(got[8:], []byte{1, 2, 3, 4}) {
			t.Errorf("the batch opens with %x", got)
		}
		for i, want := range []wire.Message{
			{Header: wire.Header{Type: newTable, Flags: request | ack}, Payload: msgs[0].Payload},
			{Header: wire.Header{Type: newTable, Flags: request | netlink.NLM_F_CREATE}, Payload: msgs[1].Payload},
			{Header: wire.Header{Type: newTable, Flags: request | ack}, Payload: msgs[2].Payload},
			{Header: wire.Header{Type: batchEnd, Flags: request | ack}, Payload: []byte{0, 0, 0, nfTables}},
		} {
			want.Header.Length = uint32(wire.HeaderLen + len(want.Payload))
			want.Header.Seq, want.Header.PortID = req.Header.Seq+1+uint32(i), c.PortID()
			if got := req.batch[i]; got.Header != want.Header || !bytes.Equal(got.Payload, want.Payload) {
				t.Errorf("message %d: %+v, want %+v", i, got, want)
			}
		}
		wantStats(t, c, client.Stats{Pending: 1})

		req.message(0).ack()
		req.message(2).ack()
		req.message(3).ack()
		call.wantWaiting("more answers may follow")
		req.drop()
		wantTexts(t, call)
		wantStats(t, c, client.Stats{})
	})
}

func TestRefusedBatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		call := k.batch(bg, c, tables("a", "b", "c", "d"))
		req := k.wantBatch(4)
		req.message(0).ack()
		req.message(1).fail(syscall.EEXIST)
		req.message(3).fail(syscall.ENOENT)
		req.drop()
		refused := wantRefused(t, call, at(1, syscall.EEXIST), at(3, syscall.ENOENT))
		if refused.Incomplete || refused.Err.Request != newTable {
			t.Errorf("%+v", refused)
		}
		text := refused.Error()
		for _, part := range []string{"netlink: batch: nothing was applied: message 1: NFT_MSG_NEWTABLE: ", "(and 1 more)"} {
			if !strings.Contains(text, part) {
				t.Errorf("%q does not say %q", text, part)
			}
		}

		call = k.batch(bg, c, tables("a", "b"))
		req = k.wantBatch(2)
		req.fail(syscall.ESTALE)
		req.drop()
		refused = wantRefused(t, call, at(-1, syscall.ESTALE))
		if text := refused.Error(); !strings.HasPrefix(text, "netlink: batch: nothing was applied: NFNL_MSG_BATCH_BEGIN: ") || strings.Contains(text, "more") {
			t.Error(text)
		}

		// Linux before 4.3 echoes nothing; the type is still known.
		call = k.batch(bg, c, tables("a", "b"))
		req = k.wantBatch(2)
		bare := req.message(1)
		bare.send(bare.answer(netlink.NLMSG_ERROR, 0, []byte("\xff\xff\xff\xff")))
		req.drop()
		if refused := wantRefused(t, call, at(1, syscall.EPERM)); refused.Err.Request != newTable {
			t.Errorf("%+v", refused)
		}
	})
}

// A refusal names the attribute of the message that it is about.
func TestRefusedBatchNamesTheAttribute(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		var b wire.Builder
		b.Struct(make([]byte, genmsgLen))
		b.String(1, "filter") // NFTA_TABLE_NAME, at 20
		payload, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		call := k.batch(bg, c, []client.BatchMessage{{Type: newTable, Payload: payload}})
		req := k.wantBatch(1)
		refusal := req.message(0).end(netlink.NLMSG_ERROR, syscall.EINVAL)
		var m wire.Message
		if _, err := m.Decode(refusal); err != nil {
			t.Fatal(err)
		}
		var ext wire.Builder
		ext.Uint32(2, wire.HeaderLen+genmsgLen) // NLMSGERR_ATTR_OFFS
		attrs, err := ext.Encode()
		if err != nil {
			t.Fatal(err)
		}
		m.Header.Flags |= netlink.NLM_F_ACK_TLVS
		m.Payload = append(slices.Clone(m.Payload), attrs...)
		req.from.Queue(socktest.Datagram{Data: wire.AppendMessage(nil, m)})
		req.drop()
		if e := wantRefused(t, call, at(0, syscall.EINVAL)); e.Err.Path != "NFTA_TABLE_NAME" {
			t.Errorf("%v: path %q, want NFTA_TABLE_NAME", e, e.Err.Path)
		}
	})
}

// Echoes have the group of the event.
func TestEchoesOfABatch(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		k.join(c, nfTablesGroup)
		msgs := tables("a", "b")
		msgs[1].Flags = netlink.NLM_F_ECHO
		call := k.batch(bg, c, msgs)
		req := k.wantBatch(2)
		k.multicastFrom(req, nfTablesGroup)
		req.message(1).ack()
		req.drop()
		wantTexts(t, call, "1")
		wantEvents(t, c, "0", "1")
	})
}

// multicastFrom announces the messages of a batch to a group, each with its
// index as text, as the kernel does when it has applied them.
func (k *kernel) multicastFrom(req request, group uint32) {
	var b []byte
	for i := range len(req.batch) - 1 {
		b = append(b, req.message(i).answer(newTable, 0, []byte(fmt.Sprint(i)))...)
	}
	for _, s := range k.Sockets() {
		if s.Joined(group) {
			queue(s, group, b)
		}
	}
}

func TestInvalidBatchesAreNotSent(t *testing.T) {
	ended, cancel := context.WithCancel(bg)
	cancel()
	other := append(tables("a"), client.BatchMessage{Type: newTable + 0x100, Payload: make([]byte, 4)})
	large := slices.Repeat([]client.BatchMessage{{Type: newTable, Payload: make([]byte, 1<<20)}}, 2<<10) // 2 GiB, one payload
	short := append(tables("a"), client.BatchMessage{Type: newTable, Payload: make([]byte, 3)})
	for _, tt := range []struct {
		name      string
		family    netlink.Family
		ctx       context.Context
		subsystem uint8
		msgs      []client.BatchMessage
		is        error // nil: any
		text      string
	}{
		{"nil ctx", netlink.NETLINK_NETFILTER, nil, nfTables, tables("a"), nil, "nil context"},
		{"ended ctx", netlink.NETLINK_NETFILTER, ended, nfTables, tables("a"), context.Canceled, "context canceled"},
		{"ended ctx, nothing to do", netlink.NETLINK_NETFILTER, ended, nfTables, nil, context.Canceled, "context canceled"},
		{"family", netlink.NETLINK_ROUTE, bg, nfTables, tables("a"), errors.ErrUnsupported, "NETLINK_ROUTE has no batches"},
		{"subsystem", netlink.NETLINK_NETFILTER, bg, nfTables, other, syscall.EINVAL, "message 1: type 0xb00 is not of subsystem 10"},
		{"no subsystem", netlink.NETLINK_NETFILTER, bg, 0, []client.BatchMessage{{Type: batchBegin, Payload: make([]byte, 4)}}, syscall.EINVAL, "subsystem 0"},
		{"too large for any send buffer", netlink.NETLINK_NETFILTER, bg, nfTables, large, syscall.EMSGSIZE, "batch of 2147516416 bytes"},
		{"short payload", netlink.NETLINK_NETFILTER, bg, nfTables, short, syscall.EINVAL, "message 1: payload of 3 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(tt.family)
				replies, err := c.Batch(tt.ctx, tt.subsystem, tt.msgs)
				if replies != nil || err == nil || !strings.HasPrefix(err.Error(), "netlink: batch: "+tt.text) || !client.NotSent(err) {
					t.Fatalf("%v, %v (not sent: %v)", replies, err, client.NotSent(err))
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Fatalf("%v is not %v", err, tt.is)
				}
				k.wantIdle("the batch is invalid")
				wantStats(t, c, client.Stats{})
			})
		})
	}
}

func TestNilBatchOption(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		_, err := c.Batch(bg, nfTables, tables("a"), nil)
		if err == nil || err.Error() != "netlink: batch: nil option" || !client.NotSent(err) {
			t.Errorf("%v", err)
		}
		k.wantIdle("the option is invalid")
	})
}

func TestEmptyBatchSucceedsUnsent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		if replies, err := c.Batch(bg, nfTables, nil); replies != nil || err != nil {
			t.Errorf("%v, %v", replies, err)
		}
		k.wantIdle("there is nothing to send")
	})
}

// The kernel answers inside the send.
func TestBatchIsAnsweredInsideItsSend(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_NETFILTER)
		k.during(func(req request) error {
			if req.batch != nil {
				req = req.message(0)
			}
			req.ack()
			synctest.Wait()
			return nil
		})
		if _, err := c.Batch(bg, nfTables, tables("a")); err != nil {
			t.Fatal(err)
		}
		k.during(nil)
		wantStats(t, c, client.Stats{})
	})
}
