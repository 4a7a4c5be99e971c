package nltest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

const (
	nfTables = 10 // NFNL_SUBSYS_NFTABLES

	batchBegin netlink.MessageType = 16
	batchEnd   netlink.MessageType = 17
	newTable   netlink.MessageType = nfTables << 8
)

// ruleset is the state of a kernel. A table is a text.
type ruleset struct {
	tables     []string
	pending    []string // of the batch that is open
	generation uint32
}

// handle is a handler with a transaction.
func (r *ruleset) handle(req wire.Message) []wire.Message {
	switch name := string(req.Payload[4:]); req.Header.Type {
	case batchBegin:
		r.pending = nil
		for a, err := range wire.Attrs(req.Payload[4:]) {
			if id, _ := a.Uint32BE(); err == nil && id != r.generation {
				return []wire.Message{nltest.Error(syscall.ESTALE, wire.ExtAck{})}
			}
		}
	case batchEnd:
		if slices.Contains(r.pending, "uncommittable") {
			return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{})}
		}
		r.tables = append(r.tables, r.pending...)
		r.generation++
	default:
		if slices.Contains(r.tables, name) || slices.Contains(r.pending, name) {
			return []wire.Message{nltest.Error(syscall.EEXIST, wire.ExtAck{Message: name})}
		}
		r.pending = append(r.pending, name)
		if req.Header.Flags&netlink.NLM_F_ECHO != 0 {
			return []wire.Message{{Header: req.Header, Payload: []byte(name)}}
		}
	}
	return nil
}

// tables makes the messages of a batch.
func tables(flags netlink.Flags, names ...string) (msgs []client.BatchMessage) {
	for _, name := range names {
		msgs = append(msgs, client.BatchMessage{Type: newTable, Flags: flags, Payload: append(make([]byte, 4), name...)})
	}
	return msgs
}

// wantRefused requires these refusals of a batch, as index:errno.
func wantRefused(t *testing.T, err error, want ...string) {
	t.Helper()
	var refused *client.BatchError
	if !errors.As(err, &refused) {
		t.Fatalf("%v, want a refusal", err)
	}
	var got []string
	for _, f := range refused.Failures {
		got = append(got, fmt.Sprint(f.Index, ":", int(f.Err.Errno)))
	}
	if !slices.Equal(got, want) || refused.Incomplete || client.NotSent(err) {
		t.Fatalf("refused %q, want %q (%+v)", got, want, refused)
	}
}

func TestBatchIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r ruleset
		c := nltest.Dial(netlink.NETLINK_NETFILTER, r.handle)
		defer c.Close()
		at := func(errno syscall.Errno, i int) string { return fmt.Sprint(i, ":", int(errno)) }

		replies, err := c.Batch(bg, nfTables, tables(netlink.NLM_F_ECHO, "a", "b", "c"))
		if err != nil || !slices.Equal(texts(replies), []string{"a", "b", "c"}) {
			t.Fatalf("%q, %v", texts(replies), err)
		}
		replies, err = c.Batch(bg, nfTables, tables(netlink.NLM_F_ECHO, "d", "b", "e", "a", "f"))
		wantRefused(t, err, at(syscall.EEXIST, 1), at(syscall.EEXIST, 3))
		if len(replies) != 0 {
			t.Errorf("echoes of a batch that was not applied: %q", texts(replies))
		}
		_, err = c.Batch(bg, nfTables, tables(0, "a"))
		wantRefused(t, err, at(syscall.EEXIST, 0))
		_, err = c.Batch(bg, nfTables, tables(0, "d", "uncommittable"))
		wantRefused(t, err, at(syscall.EOPNOTSUPP, -1))
		if refusal := new(wire.KernelError); !errors.As(err, &refusal) || refusal.Request != newTable {
			t.Errorf("%+v; the kernel names the first message", refusal)
		}
		_, err = c.Batch(bg, nfTables, tables(0, "d"), client.AtGeneration(7))
		wantRefused(t, err, at(syscall.ESTALE, -1))
		if _, err = c.Batch(bg, nfTables, tables(0, "d"), client.AtGeneration(1)); err != nil {
			t.Fatal(err)
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(r.tables, want) || r.generation != 2 {
			t.Errorf("tables %q of generation %d, want %q of 2", r.tables, r.generation, want)
		}
		if n := c.Stats().Pending; n != 0 {
			t.Errorf("%d pending", n)
		}
	})
}

func TestNilHandlerAppliesBatches(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_NETFILTER, nil)
	defer c.Close()
	if _, err := c.Batch(bg, nfTables, tables(0, "a", "b")); err != nil {
		t.Error(err)
	}
}

// TestBatchesTakeTurns, also those of several Conns. The handler locks nothing, so the
// race detector would see two at once.
func TestBatchesTakeTurns(t *testing.T) {
	var r ruleset
	k := nltest.New(netlink.NETLINK_NETFILTER, r.handle)
	var g sync.WaitGroup
	for i := range 4 {
		c := k.Dial()
		defer c.Close()
		for j := range 4 {
			g.Go(func() {
				for n := range 20 {
					name := fmt.Sprint(i, j, n)
					if _, err := c.Batch(bg, nfTables, tables(0, name, name+"'")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	g.Wait()
	if len(r.tables) != 4*4*20*2 {
		t.Errorf("%d tables", len(r.tables))
	}
}

func TestOverrunLosesTheAnswerToABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k *nltest.Kernel
		k = nltest.New(netlink.NETLINK_NETFILTER, func(req wire.Message) []wire.Message {
			if req.Header.Type == batchEnd {
				k.Overrun()
			}
			return nil
		})
		c := k.Dial()
		defer c.Close()
		if _, err := c.Batch(bg, nfTables, tables(0, "a")); !errors.Is(err, client.ErrReplyLost) {
			t.Errorf("%v, want a lost reply", err)
		}
	})
}

// TestBatchMessagesOfOtherFamilies: the types mean something else there.
func TestBatchMessagesOfOtherFamilies(t *testing.T) {
	c := nltest.Dial(netlink.NETLINK_ROUTE, echo)
	defer c.Close()
	// In NETLINK_ROUTE type 16 is RTM_NEWLINK.
	msgs, err := c.Request(bg, batchBegin, binary.NativeEndian.AppendUint32(nil, 1), 0)
	if err != nil || len(msgs) != 1 {
		t.Errorf("%v, %v", msgs, err)
	}
}
