package demux

import (
	"errors"
	"sync"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// fakeSocket is a socket for many goroutines. Its kernel answers inside the send. At random
// it overruns, and then drops everything until the queue is empty, as the real kernel
// does. It ignores some requests.
type fakeSocket struct {
	table *Table

	read sync.Mutex // held by the goroutine that reads

	mu sync.Mutex // guards following

	queue     []uint32 // numbers that are acknowledged
	requests  int
	congested bool
	overrun   bool // not reported yet
	fate      map[uint32]error
}

// send handles the requests of one datagram.
func (k *fakeSocket) send(seqs ...uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, seq := range seqs {
		k.requests++
		if k.requests%50 == 0 {
			k.congested, k.overrun = true, true
		}
		switch {
		case k.requests%7 == 0:
			k.fate[seq] = ErrUnanswered
		case k.congested:
			k.fate[seq] = ErrReplyLost
		default:
			k.fate[seq] = nil
			k.queue = append(k.queue, seq)
		}
	}
}

// recv reads one datagram: a number, an overrun, or nothing if the queue is empty.
func (k *fakeSocket) recv() (seq uint32, overrun, empty bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.overrun {
		k.overrun = false
		return 0, true, false
	}
	if len(k.queue) == 0 {
		k.congested = false
		return 0, false, true
	}
	seq, k.queue = k.queue[0], k.queue[1:]
	return seq, false, false
}

// readFor reads until c has its result or the queue is empty.
func (k *fakeSocket) readFor(c *Call, event func(wire.Message)) {
	k.read.Lock()
	defer k.read.Unlock()
	var b []byte
	draining := false
	for {
		seq, overrun, empty := k.recv()
		switch {
		case overrun:
			k.table.MarkOverrun()
			draining = true
		case empty:
			k.table.MarkEmpty()
			return
		default:
			b = wire.AppendMessage(b[:0], answer(&Call{Seq: seq}, netlink.NLMSG_ERROR, errnoBytes(0)))
			k.table.Deliver(b, Origin{NSID: NoNSID}, event)
		}
		if c.Ready() && !draining {
			return
		}
	}
}

// check compares the result of a request with its fate in the kernel. A request that
// the kernel ignored may be reported as lost if there was an overrun.
func (k *fakeSocket) check(t *testing.T, seq uint32, err error) {
	k.mu.Lock()
	fate := k.fate[seq]
	k.mu.Unlock()
	switch {
	case errors.Is(err, fate):
	case fate == ErrUnanswered && err == ErrReplyLost:
	default:
		t.Errorf("%d: got %v, want %v", seq, err, fate)
	}
}

// shared is a request that another goroutine sends.
type shared struct {
	call *Call
	seq  uint32
}

// Every request has the result that the kernel gave it, in any order of returning
// sends, overruns and reads. A call that never ends hangs this test. The goroutine that
// sends for another may conclude a call that is in use again.
func TestEveryRequestEnds(t *testing.T) {
	const pairs, rounds = 4, 2000
	k := &fakeSocket{fate: make(map[uint32]error)}
	k.table = New(netlink.NETLINK_ROUTE, port, 1000, plenty, nothingDropped)

	var all sync.WaitGroup
	for range pairs {
		handed := make(chan shared, 1)
		all.Go(func() {
			c := NewCall()
			for range rounds {
				c = k.open(t, c)
				seq := c.Seq
				handed <- shared{c, seq}
				c.Wait()
				_, err := c.Result()
				k.check(t, seq, err)
			}
		})
		all.Go(func() {
			c := NewCall()
			for range rounds {
				partner := <-handed
				c = k.open(t, c)
				calls, seqs := []*Call{partner.call, c}, []uint32{partner.seq, c.Seq}
				k.send(seqs...)
				k.readFor(c, noEvent(t))
				k.table.Conclude(calls, seqs)
				c.Wait()
				_, err := c.Result()
				k.check(t, seqs[1], err)
			}
		})
	}
	all.Wait()
	got := k.table.Stats()
	if k.table.credit != plenty || got.Pending != 0 || got.Late != 0 || got.RepliesLost == 0 || got.Overruns == 0 {
		t.Errorf("free credit %d of %d, counts %+v", k.table.credit, int64(plenty), got)
	}
}

// open opens c for its next request, or a new call if c is still in use.
func (k *fakeSocket) open(t *testing.T, c *Call) *Call {
	if c.err == nil {
		c.Reset()
	} else {
		c = NewCall()
	}
	if err := k.table.Open(c); err != nil {
		t.Error(err)
	}
	return c
}
