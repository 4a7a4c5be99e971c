package demux

// This file is the policy for losses. What the kernel guarantees:
//
//   - A request runs inside the send (netlink_unicast_kernel in
//     net/netlink/af_netlink.c), so its answer is queued, or dropped, when the send
//     returns. Only a Deferred call gets its data later.
//   - An overrun (ENOBUFS) is reported once, before the queued data. From the first
//     message that finds no room until the queue is empty, the kernel drops
//     every message (netlink_overrun, netlink_rcv_wake).
//   - A dropped answer is counted before the send of its request returns. The report
//     can come later: the request that begins an overrun first marks the socket and
//     then reports. Another request whose answer is dropped in between reports nothing
//     (netlink_overrun).
//
// What follows from it:
//
//	event                               call in the table               result
//	[Table.MarkOverrun]                 in flight                       may be lost
//	[Table.Open] until [Table.MarkEmpty]                                may be lost
//	a drop that is not reported yet     refused, concluded or an echo   may be lost
//	its answer                          in flight                       as without a loss
//	its answer, of several echoes       overrun during the send         ErrReplyLost
//	its acknowledgement, no echo        may be lost                     ErrReplyLost
//	EAGAIN or ENOBUFS as refusal        may be lost                     ErrReplyLost
//	[Table.Conclude]                    may be lost                     ErrReplyLost
//	[Table.Conclude]                    in flight                       ErrUnanswered
//
// Conclude says that the goroutine that sent the request has read since, up to the
// empty queue. The reads of other goroutines do not count: one that found the queue
// empty may have begun before the send.

// MarkOverrun records that the socket reported an overrun. Until [Table.MarkEmpty], new
// calls may be lost as well.
func (t *Table) MarkOverrun() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropping = true
	t.markLostLocked()
}

// MarkLost records that messages were lost in another way. The answer of every call may
// be among them.
func (t *Table) MarkLost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.markLostLocked()
}

func (t *Table) markLostLocked() {
	t.count.overruns.Add(1)
	for c := range t.callsLocked() {
		c.lost = true
		// An acknowledgement that was queued before the report follows all echoes.
		c.overlapped = c.overlapped || !c.sent.Load()
	}
}

// MarkEmpty records that the queue was empty after an overrun: the kernel queues
// messages again.
func (t *Table) MarkEmpty() {
	t.mu.Lock()
	t.dropping = false
	t.mu.Unlock()
}

// Conclude ends those of the calls that have no answer. The goroutine that sent them in
// one datagram calls it after a read of its own. That read began when the send had
// returned, and found the queue empty or the answer to the last of the calls. No other
// goroutine reads meanwhile, so the table knows of every overrun that was reported.
// calls[i] was opened with the number seqs[i]; it may have been answered and be in use
// again.
//
// A Deferred call that was acknowledged stays: a thread of the kernel answers it, and
// waits for room (audit_send_reply_thread in kernel/audit.c).
func (t *Table) Conclude(calls []*Call, seqs []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range calls {
		if t.holdsLocked(c, seqs[i]) && !(c.Kind == Deferred && c.acked) {
			t.notReportedLocked(c)
			t.finishLocked(c, c.silenceLocked())
		}
	}
}

// Unanswered reports whether Conclude may have a call to end.
func (t *Table) Unanswered(calls []*Call, seqs []uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range calls {
		if t.holdsLocked(c, seqs[i]) {
			return true
		}
	}
	return false
}

// notReportedLocked marks c if something was dropped that no read has reported yet.
func (t *Table) notReportedLocked(c *Call) {
	if !c.lost && t.dropped() {
		c.lost, c.overlapped = true, true
	}
}

// silenceLocked returns the result of a call that gets no more answers.
func (c *Call) silenceLocked() error {
	switch {
	case c.Kind == Batch:
		return c.Batch.outcome(c.lost)
	case c.lost:
		return ErrReplyLost
	}
	return ErrUnanswered
}

// lacksEcho reports whether a part of what NLM_F_ECHO asked for may be missing. An
// acknowledgement does not show that the kernel dropped an echo (the error of
// nlmsg_notify is ignored), and the number of echoes, two or more for a pair of links,
// is not known.
func (c *Call) lacksEcho() bool { return c.Echo && (c.replies.Len() == 0 || c.overlapped) }
