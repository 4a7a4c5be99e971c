package demux

import (
	"container/list"
	"iter"
	"slices"
	"sync"

	"github.com/nlmux/netlink"
)

// Table is the set of requests in flight on one socket.
type Table struct {
	family  netlink.Family
	traits  *traits
	port    uint32
	dropped func() bool

	count counters

	mu sync.Mutex // guards following, and every registered Call

	credit      int64     // free
	creditQueue list.List // *Call: those that wait for credit, in order

	err      error   // set by Fail; no call can be opened any more
	seq      uint32  // last sequence number given out
	opened   uint64  // calls so far
	dropping bool    // an overrun was reported, and since then no empty queue
	slots    []*Call // by the low bits of Seq; the length is a power of two
	used     int     // slots that are not nil
	joined   map[uint32]struct{}

	// Batches have no slots: a batch has many numbers, which would make the array huge.
	batches []*Call
}

// minSlots is the size of a new table's slot array; the window of a socket with
// the kernel's default receive buffer fits without growing.
const minSlots = 64

// New returns the table of a socket of family that is bound to port. The first
// sequence number is the one after seq, which should be random: kernel-made
// counters start at 1 and must not meet ours.
//
// credit bounds the calls in the table: the sum of their Credit. That of a call is free
// again when the call leaves the table: the kernel is done with it or never saw it.
//
// dropped reports whether the socket has dropped something that no read has reported
// yet. It is called by Deliver and Conclude, with a lock held.
func New(family netlink.Family, port, seq uint32, credit int64, dropped func() bool) *Table {
	return &Table{
		family:  family,
		traits:  traitsOf(family),
		port:    port,
		dropped: dropped,
		credit:  credit,
		seq:     seq,
		slots:   make([]*Call, minSlots),
		joined:  make(map[uint32]struct{}),
	}
}

// Reserve takes the Credit of c in advance of Open. If it is not free, or other calls wait
// for credit, Reserve queues c and reports false. The caller calls it again when c is woken.
func (t *Table) Reserve(c *Call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case c.reserved:
	case c.inCreditQueue != nil: // woken without a reason
	case t.takeLocked(c):
		c.reserved = true
	default:
		c.inCreditQueue = t.creditQueue.PushBack(c)
	}
	return c.reserved
}

// takeLocked takes the Credit of c, unless it is not free or other calls wait for credit.
func (t *Table) takeLocked(c *Call) bool {
	if t.creditQueue.Len() > 0 || t.credit < c.Credit {
		return false
	}
	t.credit -= c.Credit
	return true
}

// Unreserve undoes Reserve, whatever it reported.
func (t *Table) Unreserve(c *Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unreserveLocked(c)
}

func (t *Table) unreserveLocked(c *Call) {
	if c.inCreditQueue != nil {
		t.creditQueue.Remove(c.inCreditQueue)
		c.inCreditQueue = nil
	}
	credit := int64(0)
	if c.reserved {
		c.reserved, credit = false, c.Credit
	}
	t.freeLocked(credit) // the calls after c may need less
}

// freeLocked adds to the free credit.
func (t *Table) freeLocked(credit int64) {
	t.credit += credit
	if t.creditQueue.Len() > 0 {
		t.grantLocked()
	}
}

// grantLocked gives the free credit to the calls that wait, in order.
func (t *Table) grantLocked() {
	for first := t.creditQueue.Front(); first != nil; first = t.creditQueue.Front() {
		c := first.Value.(*Call)
		if t.credit < c.Credit {
			return
		}
		t.credit -= c.Credit
		t.creditQueue.Remove(first)
		c.inCreditQueue, c.reserved = nil, true
		c.Wake()
	}
}

// Open registers c and gives it a sequence number that is neither 0 nor in use, not even
// by an abandoned call; to a Batch it gives several in a row. Without Reserve, it takes
// the credit itself. The error is [ErrNoCredit] or, after Fail, Fail's error.
func (t *Table) Open(c *Call) (err error) {
	t.mu.Lock()
	switch {
	case t.err != nil:
		err = t.err
		t.unreserveLocked(c)
	case !c.reserved && !t.takeLocked(c):
		err = ErrNoCredit
	default:
		t.openLocked(c)
	}
	t.mu.Unlock()
	return err
}

// openLocked registers c, whose credit is taken.
func (t *Table) openLocked(c *Call) {
	if c.Kind == Batch {
		t.openBatchLocked(c)
	} else {
		t.openOneLocked(c)
	}
	t.opened++
	c.reserved, c.waiting, c.registered = false, true, true
	c.lost, c.overlapped = t.dropping, t.dropping
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

// Opened returns the number of calls opened so far.
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

// Withdraw removes a call: the kernel never saw its request, or it is Silent and the
// kernel does not answer it.
func (t *Table) Withdraw(c *Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(c)
	c.waiting = false
}

// MarkSent records that the send of c has returned. Only the loss of an echo depends on it.
func (t *Table) MarkSent(c *Call) {
	if c.Echo {
		c.sent.Store(true)
	}
}

// Reject ends the call that was opened with the number seq, if it has not ended
// yet, with err: a goroutine other than its waiter tried to send it, and the
// kernel never saw it.
func (t *Table) Reject(c *Call, seq uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holdsLocked(c, seq) {
		t.finishLocked(c, err)
	}
}

// Abandon notes that the waiter leaves. The call keeps its sequence number until the
// kernel's final message or Conclude. Abandon reports false if the result is already
// there; the caller then takes it.
func (t *Table) Abandon(c *Call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !c.waiting {
		return false
	}
	c.waiting = false
	c.replies = Replies{}
	return true
}

// Fail ends every call with err and makes Open fail with err from then on.
func (t *Table) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	for c := range t.callsLocked() {
		c.damage = nil
		t.finishLocked(c, err)
	}
}

// finishLocked ends c with err, or with what damaged its answer. NB: if c has a waiter, it
// owns c from here on.
func (t *Table) finishLocked(c *Call, err error) {
	t.removeLocked(c)
	if c.waiting {
		c.waiting = false
		c.err = err
		if c.damage != nil {
			c.err = c.damage
		}
		if c.err == ErrReplyLost && !c.Repeat {
			t.count.repliesLost.Add(1)
		}
		c.setReady()
	}
}

// removeLocked frees c's sequence numbers and credit.
func (t *Table) removeLocked(c *Call) {
	if !c.registered {
		return
	}
	c.registered = false
	if c.Kind == Batch {
		t.batches = slices.DeleteFunc(t.batches, func(b *Call) bool { return b == c })
	} else {
		*t.slotLocked(c.Seq) = nil
		t.used--
	}
	t.freeLocked(c.Credit)
}

// holdsLocked reports whether c is registered with the number seq.
func (t *Table) holdsLocked(c *Call, seq uint32) bool {
	return (*t.slotLocked(seq) == c || t.batchLocked(seq) == c) && c.Seq == seq
}

// callsLocked returns an iterator over the registered calls. The loop body may remove
// the current one.
func (t *Table) callsLocked() iter.Seq[*Call] {
	return func(yield func(*Call) bool) {
		for _, c := range t.slots {
			if c != nil && !yield(c) {
				return
			}
		}
		for i := len(t.batches) - 1; i >= 0; i-- {
			if !yield(t.batches[i]) {
				return
			}
		}
	}
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
