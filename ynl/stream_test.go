package ynl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// Promise 7: a Stream sends the request each time that it is ranged over, and adds
// nothing to it.
func TestEachRangeSendsTheRequest(t *testing.T) {
	var got []wire.Message
	c := newGadgets(dial(t, func(req wire.Message) []wire.Message {
		got = append(got, req.Clone())
		return answer(named("a", "b"))
	}))
	req := &gadget{gadgethdr: gadgethdr{3}, Notes: []byte("as narrow as strict checking wants")}
	dump := c.DumpGadget(bg, req)
	if len(got) != 0 {
		t.Error("a request was sent before the loop")
	}
	for n := range 2 {
		list, err := dump.List()
		if err != nil || fmt.Sprint(names(list)) != "[a b]" {
			t.Errorf("%q, %v", names(list), err)
		}
		const flags = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_DUMP
		if len(got) != n+1 || got[n].Header.Type != getGadget || got[n].Header.Flags != flags || !bytes.Equal(got[n].Payload, encoded(req)) {
			t.Fatalf("%+v", got)
		}
	}
}

// Promise 7: the error is the last pair of the loop, with a nil entry.
func TestErrorIsTheLastPair(t *testing.T) {
	broken := wire.Message{Header: wire.Header{Type: newGadget}, Payload: encoded(named("x")[0])[:9]}
	for _, tt := range []struct {
		name string
		tail []wire.Message
		is   error
		text string
	}{
		{"refusal", []wire.Message{nltest.Done(syscall.ENOMEM, wire.ExtAck{})}, syscall.ENOMEM, "acme getgadget: netlink: "},
		{"malformed entry", append([]wire.Message{broken}, answer(named("c"))...), wire.ErrMalformed, "acme getgadget: gadget: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newGadgets(dial(t, func(wire.Message) []wire.Message { return append(answer(named("a", "b")), tt.tail...) }))
			var list []*gadget
			var last error
			for g, err := range c.DumpGadget(bg, nil) {
				if last != nil {
					t.Errorf("%v, %v after an error", g, err)
				}
				if last = err; err == nil {
					list = append(list, g)
				} else if g != nil {
					t.Errorf("%+v with an error", g)
				}
			}
			if fmt.Sprint(names(list)) != "[a b]" || !errors.Is(last, tt.is) || !strings.HasPrefix(last.Error(), tt.text) {
				t.Errorf("%q, %v", names(list), last)
			}
			list, err := c.DumpGadget(bg, nil).List()
			if fmt.Sprint(names(list)) != "[a b]" || !errors.Is(err, tt.is) {
				t.Errorf("List: %q, %v", names(list), err)
			}
		})
	}
}

// Messages of another type are not entries.
func TestDumpSkipsOtherMessages(t *testing.T) {
	c := newGadgets(dial(t, func(wire.Message) []wire.Message {
		return append([]wire.Message{message(noGadget, named("x")[0])}, answer(named("a"))...)
	}))
	if list, err := c.DumpGadget(bg, nil).List(); err != nil || fmt.Sprint(names(list)) != "[a]" {
		t.Errorf("%q, %v", names(list), err)
	}
}

// Promise 4: an entry is the caller's own; with Reuse there is one value, which begins
// empty at each step.
func TestReuse(t *testing.T) {
	kernel := []*gadget{{gadgethdr: gadgethdr{1}, Name: ynl.Some("a")}, {gadgethdr: gadgethdr{2}, Notes: []byte("xyz")}, {gadgethdr: gadgethdr{3}}}
	c := newGadgets(dial(t, func(wire.Message) []wire.Message { return answer(kernel) }))
	for _, opts := range [][]ynl.DumpOption{nil, {ynl.Reuse}} {
		seen := make(map[*gadget]bool)
		var copies []*gadget
		for g, err := range c.DumpGadget(bg, nil, opts...) {
			if err != nil {
				t.Fatal(err)
			}
			seen[g] = true
			c := *g
			copies = append(copies, &c)
		}
		if !reflect.DeepEqual(copies, kernel) {
			t.Errorf("%v: %+v", opts, copies)
		}
		if want := 3 - 2*len(opts); len(seen) != want {
			t.Errorf("%v: %d values, want %d", opts, len(seen), want)
		}
		if list, err := c.DumpGadget(bg, nil, opts...).List(); err != nil || !reflect.DeepEqual(list, kernel) {
			t.Errorf("%v: List returns %+v, %v", opts, list, err)
		}
	}
}

// Promise 7: breaking out ends the dump, and the next one is whole.
func TestBreakingOut(t *testing.T) {
	conn := dial(t, func(wire.Message) []wire.Message { return answer(named("a", "b", "c")) })
	c := newGadgets(conn)
	for g, err := range c.DumpGadget(bg, nil) {
		if err != nil || g.Name != ynl.Some("a") {
			t.Errorf("%+v, %v", g, err)
		}
		break
	}
	if list, err := c.DumpGadget(bg, nil).List(); err != nil || len(list) != 3 {
		t.Errorf("%q, %v", names(list), err)
	}
	if n := conn.Stats().Pending; n != 0 {
		t.Errorf("%d pending", n)
	}
}

// Promise 6: the end of ctx is the error of the loop.
func TestContextEndsDuringADump(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	c := newGadgets(dial(t, func(wire.Message) []wire.Message { return answer(named("a", "b")) }))
	n := 0
	for g, err := range c.DumpGadget(ctx, nil) {
		if n++; n == 2 && (g != nil || !errors.Is(err, context.Canceled) || client.NotSent(err)) {
			t.Errorf("%v, %v", g, err)
		}
		cancel()
	}
	if n != 2 {
		t.Errorf("%d steps, want 2", n)
	}
}

// Promise 7: List repeats an interrupted dump as Conn.Request does, and then returns what
// it has.
func TestListRepeatsAnInterruptedDump(t *testing.T) {
	for _, tt := range []struct {
		name        string
		family      netlink.Family
		opts        []client.Option
		interrupted int // number of dumps
		tries       int
		whole       bool
	}{
		{"once", netlink.NETLINK_ROUTE, nil, 1, 2, true},
		{"always", netlink.NETLINK_ROUTE, nil, 100, 4, false},
		{"one retry", netlink.NETLINK_ROUTE, []client.Option{client.WithDumpRetries(1)}, 100, 2, false},
		{"no retries", netlink.NETLINK_ROUTE, []client.Option{client.WithDumpRetries(0)}, 100, 1, false},
		// It is not known to change nothing.
		{"RDMA", netlink.NETLINK_RDMA, nil, 100, 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tries := 0
			conn := nltest.Dial(tt.family, func(wire.Message) []wire.Message {
				tries++
				msgs := answer(named(fmt.Sprint("try ", tries), "b"))
				if tries <= tt.interrupted {
					msgs[1].Header.Flags |= netlink.NLM_F_DUMP_INTR
				}
				return msgs
			}, tt.opts...)
			defer conn.Close()
			rows, op := acmeRows, *opGet
			rows.Number, op.Family = int(tt.family), &rows
			family := ynl.Family{Rows: &rows, List: []*ynl.Op{&op}}
			dump := ynl.Dump[gadget](bg, ynl.NewCaller(conn, &family), &op, nil, nil)

			list, err := dump.List()
			if want := fmt.Sprintf("[try %d b]", tt.tries); fmt.Sprint(names(list)) != want {
				t.Errorf("%q, want %s", names(list), want)
			}
			if tt.whole != (err == nil) || !tt.whole && !errors.Is(err, client.ErrDumpInterrupted) || client.NotSent(err) {
				t.Errorf("%v", err)
			}

			// A loop has seen the entries, so it does not repeat the dump.
			if tries = 0; !tt.whole {
				n := 0
				for range dump {
					n++
				}
				if tries != 1 || n != 3 {
					t.Errorf("loop: %d tries, %d steps", tries, n)
				}
			}
		})
	}
}

// NotSent is false if an earlier try was sent.
func TestRepetitionThatIsNotSent(t *testing.T) {
	var k *nltest.Kernel
	k = nltest.New(netlink.NETLINK_ROUTE, func(wire.Message) []wire.Message {
		k.Stop(syscall.ECONNREFUSED)
		msgs := answer(named("a"))
		msgs[0].Header.Flags |= netlink.NLM_F_DUMP_INTR
		return msgs
	})
	conn := k.Dial()
	defer conn.Close()
	list, err := newGadgets(conn).DumpGadget(bg, nil).List()
	if len(list) != 0 || !errors.Is(err, syscall.ECONNREFUSED) || client.NotSent(err) {
		t.Errorf("%q, %v, not sent: %v", names(list), err, client.NotSent(err))
	}
}
