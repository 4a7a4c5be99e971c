package demux

import (
	"errors"
	"sync"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// crowd is a socket for many callers at once. Its kernel answers inside the
// send, and from time to time drops all that comes until the queue was seen
// empty, as the real one does.
type crowd struct {
	table *Table
	wake  chan struct{} // room for one: the queue is to be read

	mu sync.Mutex // guards following

	queue     []uint32 // numbers that are acknowledged
	requests  int
	congested bool
	overrun   bool // not reported yet
}

func (k *crowd) send(seq uint32) {
	k.mu.Lock()
	k.requests++
	if k.requests%5 == 0 {
		k.congested, k.overrun = true, true
	}
	if !k.congested {
		k.queue = append(k.queue, seq)
	}
	k.mu.Unlock()
	k.poke()
}

func (k *crowd) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// recv reads one datagram: a number, or that something was lost, or that the
// queue is empty.
func (k *crowd) recv() (seq uint32, overrun, empty bool) {
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

// read reads until the queue is empty, each time that it is woken.
func (k *crowd) read(event func(wire.Message)) {
	var b []byte
	for range k.wake {
		for {
			seq, overrun, empty := k.recv()
			switch {
			case overrun:
				k.table.Overrun()
				continue
			case !empty:
				b = wire.AppendMessage(b[:0], answer(&Call{Seq: seq}, netlink.NLMSG_ERROR, errnoBytes(0)))
				k.table.Deliver(b, Origin{NSID: NoNSID}, event)
				continue
			}
			if !k.table.Drained() {
				break
			}
		}
	}
}

// Whatever the order in which sends return, losses are seen and the queue is
// drained: each call gets an answer or is told that there is none. A call that
// falls between hangs this test, since nobody begins the next round and has the
// queue drained for another reason.
func TestNoCallIsForgottenInALoss(t *testing.T) {
	const callers, rounds = 4, 2000
	var released sync.WaitGroup
	released.Add(callers * rounds)
	k := &crowd{wake: make(chan struct{}, 1)}
	k.table = New(netlink.NETLINK_ROUTE, port, 1000, func(Kind) { released.Done() })
	var reader sync.WaitGroup
	reader.Go(func() { k.read(noEvent(t)) })

	calls := make([]*Call, callers)
	for i := range calls {
		calls[i] = NewCall()
	}
	for range rounds {
		var round sync.WaitGroup
		for i := range calls {
			round.Go(func() { calls[i] = k.exchange(t, calls[i]) })
		}
		round.Wait()
	}
	released.Wait()
	close(k.wake)
	reader.Wait()
	// Some requests are always dropped; each is told once.
	got := k.table.Stats()
	if got.Pending != 0 || got.Late != 0 || got.RepliesLost == 0 || got.RepliesLost > callers*rounds {
		t.Errorf("counts %+v", got)
	}
}

// exchange does one request with c and returns a call for the next.
func (k *crowd) exchange(t *testing.T, c *Call) *Call {
	if err := k.table.Open(c); err != nil {
		t.Error(err)
		return c
	}
	k.send(c.Seq)
	if k.table.Sent(c) {
		k.poke()
	}
	<-c.Done()
	switch _, err := c.Result(); {
	case err == nil:
		c.Reset()
		return c
	case !errors.Is(err, ErrReplyLost):
		t.Error(err)
	}
	return NewCall()
}
