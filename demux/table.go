package demux

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
)

// Table is the set of requests in flight on one socket.
type Table struct {
	family  netlink.Family
	port    uint32
	release func(Kind)

	// lossy is true while some call is in doubt. Outside the mutex because every
	// sender and every drained read asks.
	lossy atomic.Bool

	// tail is true while the kernel may run a dump whose call has ended.
	tail atomic.Bool

	count counters

	mu sync.Mutex // guards following, and every registered Call

	err      error   // set by Fail; no call can be opened any more
	seq      uint32  // last sequence number given out
	opened   uint64  // calls so far
	dropping bool    // a loss was seen, and since then no empty queue
	slots    []*Call // by the low bits of Seq; the length is a power of two
	used     int     // slots that are not nil
	joined   map[uint32]struct{}

	// Batches have no slots, or few of them would make the array huge.
	batches []*Call
}

// minSlots is the size of a new table's slot array; the window of a socket with
// the kernel's default receive buffer fits without growing.
const minSlots = 64

// New returns the table of a socket of family that is bound to port. The first
// sequence number is the one after seq, which should be random: kernel-made
// counters start at 1 and must not meet ours.
//
// release is called, without a lock held, each time that a call of some kind
// leaves the table because the kernel is done with it or never saw it: whatever
// the client lent to the request is free again.
func New(family netlink.Family, port, seq uint32, release func(Kind)) *Table {
	return &Table{
		family:  family,
		port:    port,
		release: release,
		seq:     seq,
		slots:   make([]*Call, minSlots),
		joined:  make(map[uint32]struct{}),
	}
}

// Open registers c and gives it a sequence number that is neither 0 nor in use,
// be it by a call that nobody waits for any more; to a Batch it gives several in
// a row. It fails only after Fail, with Fail's error.
func (t *Table) Open(c *Call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if c.Kind == Batch {
		t.openBatchLocked(c)
	} else {
		t.openOneLocked(c)
	}
	t.opened++
	c.waiting, c.registered = true, true
	if t.lossy.Load() {
		c.doubt, c.overlapped = unsent, t.dropping
		c.lostLocked()
	}
	return nil
}

func (t *Table) openOneLocked(c *Call) {
	if 2*(t.used+1) > len(t.slots) {
		t.growLocked()
	}
	// At most half of the slots are taken, so this ends.
	for t.seq++; t.seq == 0 || *t.slotLocked(t.seq) != nil || t.batchLocked(t.seq) != nil; {
		t.seq++
	}
	*t.slotLocked(t.seq) = c
	t.used++
	c.Seq = t.seq
}

// Opened returns how many calls have been opened so far.
func (t *Table) Opened() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened
}

func (t *Table) slotLocked(seq uint32) **Call {
	return &t.slots[seq&uint32(len(t.slots)-1)]
}

// growLocked doubles the slot array. Calls in different slots differ in the low
// bits of their numbers and so cannot meet in the larger array.
func (t *Table) growLocked() {
	old := t.slots
	t.slots = make([]*Call, 2*len(old))
	for _, c := range old {
		if c != nil {
			*t.slotLocked(c.Seq) = c
		}
	}
}

// Withdraw takes back a call whose request the kernel never saw.
func (t *Table) Withdraw(c *Call) {
	t.mu.Lock()
	removed := t.removeLocked(c)
	c.waiting = false
	t.mu.Unlock()
	if removed {
		t.release(c.Kind)
	}
}

// Sent notes that the send of c has returned. It reports true when a loss was
// seen meanwhile: the caller must then have the socket read until it is
// drained, or the call might wait for an answer that was dropped.
func (t *Table) Sent(c *Call) (drain bool) {
	c.sent.Store(true)
	// Overrun sets lossy before it looks at sent, so one of the two sees the
	// other.
	if !t.lossy.Load() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.registered && c.doubt != certain
}

// SentAll is Sent for the requests of one datagram, of which calls[i] was
// opened with the number seqs[i]. Those may have been answered meanwhile and be
// in use again.
func (t *Table) SentAll(calls []*Call, seqs []uint32) (drain bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range calls {
		if *t.slotLocked(seqs[i]) == c && c.Seq == seqs[i] {
			c.sent.Store(true)
			drain = drain || c.doubt != certain
		}
	}
	return drain
}

// Reject ends the call that was opened with the number seq, if it has not ended
// yet, with err: another than the waiter tried to send it, and the kernel never
// saw it.
func (t *Table) Reject(c *Call, seq uint32, err error) {
	t.mu.Lock()
	mine := *t.slotLocked(seq) == c && c.Seq == seq
	var kind Kind
	if mine {
		kind = c.Kind
		t.removeLocked(c)
		c.tellLocked(err)
	}
	t.mu.Unlock()
	if mine {
		t.release(kind)
	}
}

// Abandon notes that nobody waits for c any more. The call keeps its sequence
// number until the kernel's final message. It reports false when the result is
// there already: the caller should take it.
func (t *Table) Abandon(c *Call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !c.waiting {
		return false
	}
	c.waiting = false
	c.replies = replies{}
	return true
}

// Fail ends every call with err and lets none be opened again.
func (t *Table) Fail(err error) {
	t.mu.Lock()
	if t.err == nil {
		t.err = err
	}
	freed := t.endLostLocked(func(*Call) error { return err })
	t.lossy.Store(false)
	t.mu.Unlock()
	t.releaseAll(freed)
}

// Overrun notes that the socket reported a loss: any reply that is not queued
// yet may have been dropped. The reader goes on reading until the queue is
// empty and then calls Drained.
func (t *Table) Overrun() {
	t.count.overruns.Add(1)
	t.Doubt()
}

// Doubt is Overrun without a new loss: whether the socket drops what comes may
// be over, but is not certain. What the next Drained finds unanswered is lost.
func (t *Table) Doubt() {
	t.lossy.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropping = true
	for c := range t.callsLocked() {
		c.doubtLocked()
		c.overlapped = c.overlapped || c.doubt == unsent
		c.lostLocked()
	}
}

// Drained notes that a read found the queue empty. It settles what became
// certain by that and reports whether one more read to the empty queue is
// needed to settle the rest. Calls whose send is still running stay in doubt:
// their senders learn it from Sent.
func (t *Table) Drained() (again bool) {
	if !t.lossy.Load() {
		return false
	}
	t.mu.Lock()
	t.dropping = false
	freed := t.settleBatchesLocked()
	freed = append(freed, t.endLostLocked(func(c *Call) error {
		switch {
		case c.doubt != suspect:
			return nil
		case c.Kind == Deferred && c.acked:
			// The kernel thread that answers waits for room
			// (audit_send_reply_thread).
			c.doubt = certain
			return nil
		}
		if c.waiting {
			t.count.repliesLost.Add(1)
		}
		if c.Kind == Dump {
			t.tail.Store(true)
		}
		return ErrReplyLost
	})...)
	// This read began after the loss but perhaps before these sends returned.
	open := false
	for c := range t.callsLocked() {
		if c.doubt == unsent {
			open = true
			c.doubtLocked()
			again = again || c.doubt == suspect
		}
	}
	t.lossy.Store(open)
	t.mu.Unlock()
	t.releaseAll(freed)
	return again
}

// Lossy reports whether some call is in doubt, or any would be that is opened
// now.
func (t *Table) Lossy() bool { return t.lossy.Load() }

// Tail reports whether a dump may still run in the kernel although its call has
// ended as lost: an overrun does not end a dump, whose parts are queued even
// while everything else is dropped (netlink_dump queues by itself).
func (t *Table) Tail() bool { return t.tail.Load() }

// endLostLocked ends each call for which verdict returns an error, and returns
// their kinds for releaseAll.
func (t *Table) endLostLocked(verdict func(*Call) error) (freed []Kind) {
	for c := range t.callsLocked() {
		if err := verdict(c); err != nil {
			freed = append(freed, c.Kind)
			t.removeLocked(c)
			c.tellLocked(err)
		}
	}
	return freed
}

func (t *Table) releaseAll(freed []Kind) {
	for _, k := range freed {
		t.release(k)
	}
}

// doubtLocked puts c under the doubt that its send's progress allows.
func (c *Call) doubtLocked() {
	if c.sent.Load() {
		c.doubt = suspect
	} else {
		c.doubt = unsent
	}
}

// tellLocked gives the waiter, if it has not left, its result. NB: the call is
// the waiter's from then on; only its registration may still be looked at, and
// that only while it lasts.
func (c *Call) tellLocked(err error) {
	if c.waiting {
		c.waiting = false
		c.err = err
		c.done <- struct{}{} // room for one, and waiting lets only one through
	}
}

// removeLocked frees c's sequence numbers and reports whether they were in use.
func (t *Table) removeLocked(c *Call) bool {
	if !c.registered {
		return false
	}
	c.registered = false
	if c.Kind == Batch {
		t.batches = slices.DeleteFunc(t.batches, func(b *Call) bool { return b == c })
		return true
	}
	*t.slotLocked(c.Seq) = nil
	t.used--
	return true
}

// Join notes that the socket is, or is about to be, a member of group.
func (t *Table) Join(group uint32) {
	t.mu.Lock()
	t.joined[group] = struct{}{}
	t.mu.Unlock()
}

// Leave undoes Join.
func (t *Table) Leave(group uint32) {
	t.mu.Lock()
	delete(t.joined, group)
	t.mu.Unlock()
}
