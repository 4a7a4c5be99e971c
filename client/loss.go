package client

import "github.com/nlmux/netlink/internal/sock"

// This file has the client's policy for losses; demux/loss.go has their meaning for a
// request. The kernel drops a message that finds the receive buffer full, reports that
// once as ENOBUFS, before the data that is queued, and drops every message until the queue
// is empty (netlink_overrun, netlink_attachskb and netlink_broadcast_deliver in
// net/netlink/af_netlink.c).
//
//	event                       draining is false      draining is true
//	Recv fails (ENOBUFS, ...)   shut the gate,         the same; an overrun after an
//	                            MarkOverrun,           overrun: the queue was empty in
//	                            draining = true        between, so a gap comes first
//	the queue is empty          -                      gap, MarkEmpty, open the gate,
//	                                                   draining = false
//	the backlog has been read   -                      the same
//	a goroutine wants to send   it sends               it waits at the gate
//	the sender read its answer  it returns             it drains, then returns
//	a datagram is unreadable    MarkLost, gap          the same
//
// The gap goes to each consumer that can have lost an event: a consumer of a group that
// the socket has joined, and Receive in a family that sends events to a socket alone.
//
// The goroutine that reports the overrun drains: one that reads for a call does not
// stop while draining is true.

// overrun is the state of a receiver after a loss that a read reported.
type overrun struct {
	draining bool // reported, and the queue has not been empty since

	// congested: the receive buffer was full. Other errors of a read come from
	// notifications that the kernel could not make (netlink_set_err), and it keeps
	// queueing after them.
	congested bool
	// backlog is the upper bound for what is left of the data queued before the
	// report, in bytes as charged.
	backlog int
}

// overrunLocked handles a read that failed because the kernel dropped something.
func (r *receiver) overrunLocked(congested bool) {
	o := &r.overrun
	if o.draining && o.congested && congested {
		// A second report means that the queue was empty in between.
		r.dispatcher.gap()
	}
	r.gate.shut()
	r.table.MarkOverrun()
	*o = overrun{draining: true, congested: congested, backlog: r.sock.Backlog()}
}

// drainedLocked subtracts d, which was just read while draining, from the backlog. If
// events come faster than they are read, no read finds the queue empty. But messages after
// the backlog were queued after the loss and, if the buffer was full, after the queue was
// empty.
func (r *receiver) drainedLocked(d *sock.Datagram) {
	o := &r.overrun
	if o.backlog -= d.N + sock.Charge; o.backlog <= 0 {
		r.emptyLocked()
	}
}

// emptyLocked ends an overrun: the kernel queues messages again, and the gap is here.
func (r *receiver) emptyLocked() {
	if r.overrun.draining {
		r.overrun = overrun{}
		r.dispatcher.gap()
		r.table.MarkEmpty()
		r.gate.open()
	}
}
