package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
)

// Subscription is one consumer of events on a [Conn], independent of the others: it has
// groups, a channel, a bounded queue and gaps of its own. Make one with
// [Conn.Subscribe]; the zero value is not usable. Its methods may be called by any number
// of goroutines at once.
type Subscription struct {
	conn   *Conn
	queue  *queue
	groups []uint32 // that were joined

	closing  sync.Once
	closeErr error
}

// Subscribe joins multicast groups and returns a new consumer of their messages. The
// socket is a member of a group as long as a Subscription or [Conn.AddMembership] uses
// it.
//
// The Subscription gets each message that the kernel queues after the call, and none
// that it queued before, even if the group was joined already. It gets no unicast
// messages, which are [Conn.Receive]'s.
//
// The privileges are those of AddMembership. The error is an [*OpError], which names the
// group, around
//   - EINVAL: no groups, group 0, or a group that the family does not have,
//   - EPERM: the kernel does not allow to join,
//   - net.ErrClosed.
//
// With an error the call has joined nothing; groups that others use stay joined.
func (c *Conn) Subscribe(groups ...uint32) (*Subscription, error) {
	defer runtime.KeepAlive(c)
	if len(groups) == 0 {
		return nil, opError("subscribe", errNoGroups, true)
	}
	if slices.Contains(groups, 0) {
		return nil, opError("subscribe", errGroupZero, true)
	}
	s := &Subscription{conn: c, queue: newQueue(c.eventQueue)}
	c.memberMu.Lock()
	defer c.memberMu.Unlock()
	for _, group := range groups {
		if err := c.events.join(s.queue, group); err != nil {
			_ = s.endLocked()
			return nil, opError("subscribe", fmt.Errorf("group %d: %w", group, err), true)
		}
		s.groups = append(s.groups, group)
	}
	return s, nil
}

// Events returns the channel of the Subscription's events, always the same one.
// [Subscription.Close] and [Conn.Close] close it.
//
// Nothing waits for the consumer of the channel. Up to [WithEventQueue] events wait in a
// queue of the Subscription. What is dropped then, and what the kernel drops, is reported
// by an Event of type NLMSG_OVERRUN in its place; see [Event]. The bytes of an event are
// shared with the other consumers on the Conn and must not be modified; they stay valid.
func (s *Subscription) Events() <-chan Event {
	return s.queue.own(s.conn)
}

// Sync queues a marker for the Subscription: an Event of type NLMSG_NOOP, without
// payload, one for each call. Every event that the kernel had queued before the call
// comes before the marker, or a gap that stands for it does. So after
// [Conn.Request] returns and then Sync, the events that the request caused come before the
// marker, with [WithEventSocket] too. What a thread of the kernel announces later, as in
// NETLINK_AUDIT, may come after it.
//
// Sync reads the socket of the events and sends nothing, so it works in every family and
// needs no privilege. It does not wait for the consumer: a full queue takes the marker.
// It does not wait for the kernel either; a ctx that has ended fails it.
//
// The error is an [*OpError] around ctx's error, the reason why ctx makes no sense (nil),
// or net.ErrClosed if the Subscription or the Conn is closed.
func (s *Subscription) Sync(ctx context.Context) error {
	defer runtime.KeepAlive(s.conn)
	err := live(ctx)
	if err == nil {
		err = s.conn.events.recv.mark(s.queue)
	}
	if err != nil {
		return opError("sync", err, true)
	}
	return nil
}

// mark queues a marker after what was queued before.
func (r *receiver) mark(q *queue) error {
	r.lock()
	defer r.mu.Unlock()
	lost, ok := r.catchUpLocked()
	if lost {
		q.gap()
	}
	if !ok || !q.mark() {
		return net.ErrClosed
	}
	return nil
}

// Close ends the Subscription and closes its channel. No event comes out of the channel
// after Close, those that waited are dropped. The socket leaves the groups that have no
// other user. Closing again returns the first call's error, once that is done, and after
// [Conn.Close] Close returns nil.
//
// A consumer may call Close. A Subscription that is dropped without Close goes on until
// Conn.Close.
//
// The error is an [*OpError] around what the kernel refused with: EPERM if the program has
// given up the privilege to join the group. The Subscription is closed all the same, and
// the socket gets the messages of the group for nothing.
func (s *Subscription) Close() error {
	defer runtime.KeepAlive(s.conn)
	s.closing.Do(func() {
		// At once, even if another call holds the lock in the kernel.
		s.queue.discard()
		s.conn.memberMu.Lock()
		defer s.conn.memberMu.Unlock()
		if err := s.endLocked(); err != nil {
			s.closeErr = opError("unsubscribe", err, true)
		}
	})
	return s.closeErr
}

// endLocked leaves the groups. The caller holds memberMu.
func (s *Subscription) endLocked() error {
	s.queue.close()
	events := s.conn.events
	var errs []error
	for _, group := range s.groups {
		if err := events.leave(s.queue, group); err != nil && err != net.ErrClosed {
			errs = append(errs, fmt.Errorf("group %d: %w", group, err))
		}
	}
	events.recv.dispatcher.removeAll(s.queue)
	return errors.Join(errs...)
}
