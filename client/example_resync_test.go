package client_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// The types and the group of a family with a table of names.
const (
	typeNew netlink.MessageType = 16 + iota
	typeDel
	typeGet

	groupNames = 1
)

// mirror is a copy of the kernel's table, kept up to date by events.
type mirror struct {
	conn  *client.Conn
	names map[string]bool
}

// resync reads the whole table, at the start and after a loss. It does so again
// if the table changed meanwhile: then even an unchanged entry may be missing,
// which no event will report.
func (m *mirror) resync(ctx context.Context) error {
	for {
		err := m.read(ctx)
		if !errors.Is(err, client.ErrDumpInterrupted) && !errors.Is(err, client.ErrReplyLost) {
			return err
		}
	}
}

func (m *mirror) read(ctx context.Context) error {
	clear(m.names)
	for entry, err := range m.conn.Dump(ctx, typeGet, nil) {
		if err != nil {
			return err
		}
		m.names[string(entry.Payload)] = true
	}
	return nil
}

// apply takes over what an event says. Events that were queued before a resync
// repeat what it has read, so they are to be applied as often as they come. That is right
// for a table whose entries are added and deleted. It is not for IPv4 routes that are
// prepended or replaced (NLM_F_APPEND, NLM_F_REPLACE), where the order of entries counts.
func (m *mirror) apply(ctx context.Context, e client.Event) error {
	switch e.Header.Type {
	case netlink.NLMSG_OVERRUN:
		return m.resync(ctx)
	case typeNew:
		m.names[string(e.Payload)] = true
	case typeDel:
		delete(m.names, string(e.Payload))
	}
	return nil
}

// original is the table in the kernel. Its changes are announced.
type original struct {
	*nltest.Kernel
	mu    sync.Mutex
	names []string
}

func (k *original) answer(req wire.Message) (entries []wire.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range k.names {
		entries = append(entries, wire.Message{Header: wire.Header{Type: typeNew}, Payload: []byte(name)})
	}
	return entries
}

func (k *original) add(name string) {
	k.mu.Lock()
	k.names = append(k.names, name)
	k.mu.Unlock()
	k.Push(groupNames, wire.Message{Header: wire.Header{Type: typeNew}, Payload: []byte(name)})
}

// A copy of a table survives the loss of events: where one is reported, the table is
// read again. The kernel is a scripted one, so that it loses events on demand.
func Example_resync() {
	k := &original{names: []string{"a"}}
	k.Kernel = nltest.New(netlink.NETLINK_ROUTE, k.answer)
	c := k.Dial()
	defer c.Close()

	// Joined before the table is read, or a change in between would be missed.
	ctx := context.Background()
	if err := c.AddMembership(groupNames); err != nil {
		fmt.Println(err)
		return
	}
	m := &mirror{conn: c, names: make(map[string]bool)}
	if err := m.resync(ctx); err != nil {
		fmt.Println(err)
		return
	}
	show := func() { fmt.Println(slices.Sorted(maps.Keys(m.names))) }
	show()

	k.add("b")
	k.Overrun()
	k.add("c") // and only the overrun reports it

	for e := range c.Receive() {
		if err := m.apply(ctx, e); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Header.Type)
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			break // only here: a program goes on until Close
		}
	}
	show()
	// Output:
	// [a]
	// MessageType(16)
	// NLMSG_OVERRUN
	// [a b c]
}
