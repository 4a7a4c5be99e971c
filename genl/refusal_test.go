package genl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func TestDump(t *testing.T) {
	k := newKernel()
	k.load(acme(), say(acme(), "one", "two", "three"))
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	for range 2 {
		if got, err := dump(f, c); err != nil || fmt.Sprint(got) != "[one two three]" {
			t.Errorf("%q, %v", got, err)
		}
	}
	for m, err := range f.Dump(bg, c, 1, nil) {
		if err != nil || text(m) != "one" {
			t.Errorf("%q, %v", text(m), err)
		}
		break
	}
	if msgs, err := f.Request(bg, c, 1, nil, netlink.NLM_F_DUMP); err != nil || len(msgs) != 3 {
		t.Errorf("collected: %+v, %v", msgs, err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	for m, err := range f.Dump(ctx, c, 1, nil) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ctx has ended: %+v, %v", m, err)
		}
	}
}

func TestInterruptedDumpComesWithItsReplies(t *testing.T) {
	k := newKernel()
	k.load(acme(), func(m Message) []wire.Message {
		answer := say(acme(), "one", "two")(m)
		answer[0].Header.Flags = netlink.NLM_F_DUMP_INTR
		return answer
	})
	c := k.dial(t)
	msgs, err := acme().Request(bg, c, 1, nil, netlink.NLM_F_DUMP)
	if !errors.Is(err, client.ErrDumpInterrupted) || len(msgs) != 2 {
		t.Errorf("%+v, %v", msgs, err)
	}
	if got, err := dump(acme(), c); !errors.Is(err, client.ErrDumpInterrupted) || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestParseMessage(t *testing.T) {
	m := message(40, 1, 2, raw(3, 4, 5, 6))
	got, err := ParseMessage(m)
	if err != nil || got.Command != 1 || got.Version != 2 || !bytes.Equal(got.Payload, []byte{3, 4, 5, 6}) {
		t.Errorf("%+v, %v", got, err)
	}
	if &got.Payload[0] != &m.Payload[headerLen] {
		t.Error("the payload is a copy")
	}
	for n := range headerLen {
		if _, err := ParseMessage(wire.Message{Payload: make([]byte, n)}); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if got, err := ParseMessage(wire.Message{Payload: make([]byte, headerLen)}); err != nil || len(got.Payload) != 0 {
		t.Errorf("bare header: %+v, %v", got, err)
	}
}
