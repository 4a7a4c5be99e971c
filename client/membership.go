package client

import (
	"fmt"
	"net"
	"runtime"
)

// AddMembership joins a multicast group, so that its messages come out of
// [Conn.Receive]. Joining a group again does nothing, unless the kernel has ended
// the membership, as it does with the groups of a generic netlink family that is
// unloaded. The groups of NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT, NETLINK_SELINUX
// and NETLINK_SOCK_DIAG and most of NETLINK_GENERIC's need no privilege, those of
// other families mostly CAP_NET_ADMIN (netlink_allowed in
// net/netlink/af_netlink.c) and NETLINK_AUDIT's CAP_AUDIT_READ. The error is an
// [*OpError] that wraps EINVAL for group 0 and for a group that the family does not
// have, EPERM, or net.ErrClosed.
//
// A group can have other consumers on the Conn, see [Conn.Subscribe]. Receive gets the
// messages that the kernel queues after the call.
func (c *Conn) AddMembership(group uint32) error {
	if group == 0 {
		return opError("join", errGroupZero, true)
	}
	defer runtime.KeepAlive(c)
	c.memberMu.Lock()
	defer c.memberMu.Unlock()
	if err := c.events.join(c.queue, group); err != nil {
		return opError("join", fmt.Errorf("group %d: %w", group, err), true)
	}
	return nil
}

// DropMembership ends what [Conn.AddMembership] began. The socket leaves the group,
// unless a [Subscription] uses it. Events that were queued before still come out of
// [Conn.Receive]. Leaving a group that was not joined does nothing. Errors are those of
// AddMembership.
func (c *Conn) DropMembership(group uint32) error {
	if group == 0 {
		return opError("leave", errGroupZero, true)
	}
	defer runtime.KeepAlive(c)
	c.memberMu.Lock()
	defer c.memberMu.Unlock()
	if err := c.events.leave(c.queue, group); err != nil {
		return opError("leave", fmt.Errorf("group %d: %w", group, err), true)
	}
	return nil
}

// join makes q a consumer of a group, of which the socket may be a member already. The
// caller holds memberMu.
func (m *mux) join(q *queue, group uint32) error {
	added, first, err := m.recv.join(q, group)
	if err != nil {
		return err
	}
	m.countGroups()
	m.unparkIfNeeded()
	// Again for each consumer: the kernel may have ended the membership
	// (genl_unregister_mc_groups).
	if err := m.sock.Join(group); err != nil {
		if added {
			m.recv.leave(q, group, first)
			m.countGroups()
		}
		return err
	}
	return nil
}

// leave undoes join. With an error q is still a consumer. The caller holds memberMu.
func (m *mux) leave(q *queue, group uint32) error {
	_, shared := m.recv.dispatcher.users(q, group)
	if !shared {
		if err := m.sock.Leave(group); err != nil {
			return err
		}
	}
	if !m.recv.leave(q, group, !shared) {
		return net.ErrClosed
	}
	m.countGroups()
	return nil
}

func (m *mux) countGroups() { m.reader.groups.Store(int32(m.recv.dispatcher.joined())) }

// join makes q a consumer of group from this place in the order of events on: what was
// queued or lost before is not for it. The caller has the socket join afterwards, or
// events could come before their consumer.
func (r *receiver) join(q *queue, group uint32) (added, first bool, err error) {
	r.lock()
	defer r.mu.Unlock()
	r.drainLocked(nil, r.most)
	if err := r.reportGroupsLocked(); err != nil {
		return false, false, err
	}
	if added, first, err = r.dispatcher.add(q, group); err == nil {
		// From now on an echo is an event, too.
		r.table.Join(group)
	}
	return added, first, err
}

// reportGroups makes the socket report the group of each message from now on. Until the
// socket joins a group, only an echo can have one.
func (r *receiver) reportGroups() error {
	if r.reportsGroups.Load() {
		return nil
	}
	r.lock()
	defer r.mu.Unlock()
	return r.reportGroupsLocked()
}

func (r *receiver) reportGroupsLocked() error {
	if r.reportsGroups.Load() {
		return nil
	}
	err := r.sock.ReportGroups()
	r.reportsGroups.Store(err == nil)
	return err
}

// leave makes q a consumer no longer, after what was queued before. The socket has left
// the group if left is true. It reports false if the socket is closed.
func (r *receiver) leave(q *queue, group uint32, left bool) (ok bool) {
	r.lock()
	defer r.mu.Unlock()
	lost, ok := r.catchUpLocked()
	if own, _ := r.dispatcher.users(q, group); own && lost {
		q.gap()
	}
	r.dispatcher.remove(q, group, left)
	if left {
		r.table.Leave(group)
	}
	return ok
}

// catchUpLocked delivers what was queued before. It reports whether something may be
// lost that has no gap yet, and false for ok if the socket is closed.
//
// The kernel counts a drop before the send that caused it returns, and may report it later
// (netlink_overrun).
func (r *receiver) catchUpLocked() (lost, ok bool) {
	_, ok = r.drainLocked(nil, r.most)
	return r.overrun.draining || r.sock.Dropped(), ok
}
