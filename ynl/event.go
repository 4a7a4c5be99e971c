package ynl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// Event is an event of the kernel, decoded.
type Event struct {
	client.Event

	Family *Family // nil if none of the families has the message
	Type   uint16  // type of the message, or its command for generic netlink

	// Value is the message. It is nil for a gap, an event whose Header.Type is
	// NLMSG_OVERRUN: events were lost here, and a copy of kernel state has to be read
	// again. It is nil as well for a message that no family has, and with Err.
	Value Message

	// Err is the error of a message that cannot be decoded; the loop goes on. If the
	// groups cannot be joined, Err is the reason, in the only event of the loop.
	Err error
}

// Events joins all multicast groups of the families, which are of c's protocol, and
// returns a loop over their events. It can be run once.
//
//	for e := range ynl.Events(ctx, c, &rtlink.Family) {
//		switch m := e.Value.(type) {
//		case *rtlink.Link:
//			...
//		}
//	}
//
// The groups are joined when Events returns. So a dump between Events and the loop misses
// no change. The loop ends with ctx or with the Conn. The socket leaves the groups when
// the loop ends or is left, and with ctx if the loop is never run.
//
// Each loop has a [client.Subscription] of its own, so any number of them run on one
// Conn. The privileges are those of the groups. Groups that the running kernel does not
// have are left out, but each family must have one. A generic family that is loaded
// again has other groups: call Events again.
func Events(ctx context.Context, c *client.Conn, families ...*Family) iter.Seq[Event] {
	l, err := listen(ctx, c, families)
	if err != nil {
		return func(yield func(Event) bool) { yield(Event{Err: fmt.Errorf("events: %w", err)}) }
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	return func(yield func(Event) bool) {
		defer stop()
		defer l.Close()
		for e := range l.Events() {
			if !yield(l.decode(e)) {
				return
			}
		}
	}
}

// listener is the subscription of one loop.
type listener struct {
	*client.Subscription
	families []*Family
	ids      []netlink.MessageType // of the generic families
}

// listen joins the groups of the families.
func listen(ctx context.Context, c *client.Conn, families []*Family) (*listener, error) {
	switch {
	case ctx == nil:
		return nil, errNilContext
	case len(families) == 0:
		return nil, errNoFamilies
	}
	l := &listener{families: families, ids: make([]netlink.MessageType, len(families))}
	var groups []uint32
	for i, f := range families {
		if err := f.checkConn(c); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		ids, err := l.groups(ctx, c, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		groups = append(groups, ids...)
	}
	var err error
	l.Subscription, err = c.Subscribe(groups...)
	return l, err
}

// groups returns the numbers of the groups of a family that the kernel has.
func (l *listener) groups(ctx context.Context, c *client.Conn, i int) (ids []uint32, err error) {
	f := l.families[i]
	number := func(g table.Group) (uint32, error) { return g.Number, probe(c, g.Number) }
	if f.Rows.Generic {
		resolved, err := genl.Lookup(ctx, c, f.Name())
		if err != nil {
			return nil, err
		}
		l.ids[i] = resolved.ID
		number = func(g table.Group) (uint32, error) {
			id, ok := resolved.Groups[g.Name]
			if !ok {
				return 0, errNoGroup
			}
			return id, nil
		}
	}
	for _, g := range f.Rows.Groups {
		id, err := number(g)
		switch {
		case err == nil:
			ids = append(ids, id)
		case err != errNoGroup:
			return nil, fmt.Errorf("group %s: %w", g.Name, err)
		}
	}
	if ids == nil {
		return nil, errNoGroup
	}
	return ids, nil
}

// errNoGroup reports a group that the kernel does not have, or a family without groups.
var errNoGroup = fmt.Errorf("no such multicast group: %w", fs.ErrNotExist)

// probe returns the error of joining a group. The kernel refuses a number that is too
// high with EINVAL (netlink_setsockopt in net/netlink/af_netlink.c).
func probe(c *client.Conn, group uint32) error {
	s, err := c.Subscribe(group)
	if errors.Is(err, syscall.EINVAL) {
		return errNoGroup
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// decode decodes an event.
func (l *listener) decode(from client.Event) Event {
	e := Event{Event: from, Type: uint16(from.Header.Type)}
	if from.Payload == nil { // a gap
		return e
	}
	payload := from.Payload
	for i, f := range l.families {
		if f.Rows.Generic {
			if l.ids[i] != from.Header.Type {
				continue
			}
			m, err := genl.ParseMessage(from.Message)
			if err != nil {
				e.Family, e.Err = f, err
				return e
			}
			e.Type, payload = uint16(m.Command), m.Payload
		}
		if e.Value, e.Err = f.Decode(e.Type, payload); e.Value != nil || e.Err != nil {
			e.Family = f
			return e
		}
	}
	return e
}
