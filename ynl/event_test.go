package ynl_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// collect runs a loop in a goroutine, and returns a function that returns its events so
// far and whether it has ended.
func collect(seq iter.Seq[ynl.Event]) func() ([]ynl.Event, bool) {
	var events []ynl.Event
	ended := false
	go func() {
		for e := range seq {
			events = append(events, e)
		}
		ended = true
	}()
	return func() ([]ynl.Event, bool) {
		synctest.Wait()
		return events, ended
	}
}

// Promise 10: a gap and an unknown message have no value, a message that does not decode
// has an error, and the loop goes on.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := nltest.New(netlink.NETLINK_ROUTE, nil)
		conn := k.Dial()
		defer conn.Close()
		ctx, cancel := context.WithCancel(bg)
		loop := collect(ynl.Events(ctx, conn, &acme))

		g := named("a")[0]
		k.Push(3, message(newGadget, g))
		k.Push(4, message(noGadget, g))
		k.Push(3, wire.Message{Header: wire.Header{Type: newGadget}, Payload: []byte{1}})
		k.Push(9, message(newGadget, g)) // to another group
		k.Push(4, message(delGadget, g))
		loop()
		k.Overrun()
		events, ended := loop()
		if len(events) != 5 || ended {
			t.Fatalf("%+v, ended: %v", events, ended)
		}
		for i, want := range []ynl.Event{
			{Type: newGadget, Family: &acme, Value: g},
			{Type: noGadget},
			{Type: newGadget, Family: &acme},
			{Type: delGadget, Family: &acme, Value: g},
			{Type: uint16(netlink.NLMSG_OVERRUN)},
		} {
			e := events[i]
			if e.Type != want.Type || e.Family != want.Family || !reflect.DeepEqual(e.Value, want.Value) || (e.Err != nil) != (i == 2) {
				t.Errorf("event %d: %+v, want %+v", i, e, want)
			}
		}
		if e := events[2]; !errors.Is(e.Err, wire.ErrMalformed) || !strings.HasPrefix(e.Err.Error(), "acme newgadget: ") {
			t.Errorf("%v", e.Err)
		}
		if events[0].Group != 3 || events[3].Group != 4 || events[4].Header.Type != netlink.NLMSG_OVERRUN {
			t.Errorf("%+v", events)
		}
		cancel()
		if _, ended := loop(); !ended {
			t.Error("the loop goes on after the end of ctx")
		}
	})
}

// Promise 10: any number of loops run on one Conn, and they end with it.
func TestManyLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := nltest.New(netlink.NETLINK_ROUTE, nil)
		conn := k.Dial()
		var loops []func() ([]ynl.Event, bool)
		for range 10 {
			loops = append(loops, collect(ynl.Events(bg, conn, &acme)))
		}
		k.Push(3, message(newGadget, named("a")[0]))
		for i, loop := range loops {
			if events, ended := loop(); len(events) != 1 || ended {
				t.Errorf("loop %d: %+v, ended: %v", i, events, ended)
			}
		}
		conn.Close()
		for i, loop := range loops {
			if _, ended := loop(); !ended {
				t.Errorf("loop %d goes on after Close", i)
			}
		}
	})
}

// The groups are joined when Events returns, and left with the loop.
func TestMembershipsOfALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := nltest.New(netlink.NETLINK_ROUTE, nil)
		conn := k.Dial()
		defer conn.Close()
		seq := ynl.Events(bg, conn, &acme)
		for i := range 3 {
			k.Push(3, message(newGadget, &gadget{gadgethdr: gadgethdr{uint32(i)}}))
		}
		n := uint32(0)
		for e := range seq {
			if g, ok := e.Value.(*gadget); !ok || g.Index != n {
				t.Errorf("%+v", e)
			}
			if n++; n == 2 {
				break
			}
		}
		for e := range seq {
			t.Errorf("%+v after the loop was left", e)
		}

		ctx, cancel := context.WithCancel(bg)
		ynl.Events(ctx, conn, &acme) // without a loop
		cancel()
		synctest.Wait()
		k.Push(3, message(newGadget, named("a")[0]))
		if err := conn.AddMembership(7); err != nil {
			t.Fatal(err)
		}
		k.Push(7, message(newGadget, named("b")[0]))
		if e := <-conn.Receive(); e.Group != 7 {
			t.Errorf("%+v", e)
		}
	})
}

// Events of generic families are found by the id of the message and by the command.
func TestGenericEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(40)
		conn := k.Dial()
		defer conn.Close()
		loop := collect(ynl.Events(bg, conn, &acmegen))
		g := named("a")[0]
		k.Push(5, genericMessage(40, newGadget, g))
		k.Push(5, genericMessage(40, noGadget, g))
		k.Push(5, genericMessage(41, newGadget, g))
		k.Push(5, wire.Message{Header: wire.Header{Type: 40}, Payload: []byte{newGadget}})
		events, _ := loop()
		if len(events) != 4 {
			t.Fatalf("%+v", events)
		}
		for i, want := range []ynl.Event{
			{Type: newGadget, Family: &acmegen, Value: g},
			{Type: noGadget},
			{Type: 41},
			{Type: 40, Family: &acmegen},
		} {
			e := events[i]
			if e.Type != want.Type || e.Family != want.Family || !reflect.DeepEqual(e.Value, want.Value) || errors.Is(e.Err, wire.ErrMalformed) != (i == 3) {
				t.Errorf("event %d: %+v, want %+v", i, e, want)
			}
		}
	})
}

// If the groups cannot be joined, the loop has one event, with the reason.
func TestGroupsThatCannotBeJoined(t *testing.T) {
	raw := dial(t, nil)
	generic := newKernel(0).Dial()
	defer generic.Close()
	silent := ynl.Family{Rows: &table.Family{Name: "silent"}}
	ended, cancel := context.WithCancel(bg)
	cancel()
	closed := nltest.Dial(netlink.NETLINK_ROUTE, nil)
	closed.Close()
	var nilContext context.Context
	for _, tt := range []struct {
		name     string
		ctx      context.Context
		c        *client.Conn
		families []*ynl.Family
		is       error // nil: any
		text     string
	}{
		{"nil ctx", nilContext, raw, []*ynl.Family{&acme}, nil, "events: nil context"},
		{"nil Conn", bg, nil, []*ynl.Family{&acme}, nil, "events: acme: nil Conn"},
		{"no family", bg, raw, nil, nil, "events: no families"},
		{"wrong family", bg, generic, []*ynl.Family{&acme}, nil, "events: acme: the family of the Conn is NETLINK_GENERIC, want NETLINK_ROUTE"},
		{"no groups", bg, raw, []*ynl.Family{&acme, &silent}, fs.ErrNotExist, "events: silent: no such multicast group"},
		{"not loaded", bg, generic, []*ynl.Family{&acmegen}, fs.ErrNotExist, `events: acmegen: genl: no family "acmegen"`},
		{"closed", bg, closed, []*ynl.Family{&acme}, nil, "events: acme: group gadgets: netlink: "},
		{"ended ctx", ended, generic, []*ynl.Family{&acmegen}, context.Canceled, "events: acmegen: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			for e := range ynl.Events(tt.ctx, tt.c, tt.families...) {
				if n++; e.Err == nil || !strings.HasPrefix(e.Err.Error(), tt.text) || e.Value != nil || tt.is != nil && !errors.Is(e.Err, tt.is) {
					t.Errorf("%+v, want %s", e, tt.text)
				}
			}
			if n != 1 {
				t.Errorf("%d events, want 1", n)
			}
		})
	}
}
