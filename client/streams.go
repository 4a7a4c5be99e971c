package client

import (
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
)

// streams are the sockets that a Conn's loops over dumps borrow.
type streams struct {
	family netlink.Family
	like   sock.Socket // what a new one is made after
	closed atomic.Bool // set under mu, read by every step of a loop

	mu sync.Mutex // guards following

	lent  map[*stream]struct{}
	idle  []idleStream // the longest idle first
	timer *time.Timer  // runs reap, nil if there is nothing to wait for
	count demux.Stats  // of loops that have ended

	reaping sync.WaitGroup // counts timers that have not been stopped
}

// idleStream is a stream that waits for the next loop.
type idleStream struct {
	*stream
	since time.Time
}

const (
	maxIdle  = 4                // streams that are kept
	idleTime = 10 * time.Second // how long they are kept
)

// borrow returns a stream for one loop.
func (p *streams) borrow() (*stream, error) {
	if s, err := p.take(); s != nil || err != nil {
		return s, err
	}
	socket, err := p.like.Twin()
	if err != nil {
		return nil, err
	}
	s := newStream(p.family, socket, &p.closed)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return nil, errors.Join(net.ErrClosed, socket.Close())
	}
	p.lendLocked(s)
	return s, nil
}

// take lends the stream that was used last, if there is one.
func (p *streams) take() (*stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		return nil, net.ErrClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	s := p.idle[n-1].stream
	p.idle = slices.Delete(p.idle, n-1, n)
	p.lendLocked(s)
	return s, nil
}

func (p *streams) lendLocked(s *stream) {
	if p.lent == nil {
		p.lent = make(map[*stream]struct{})
	}
	p.lent[s] = struct{}{}
}

// giveBack takes a stream back from a loop that has ended. What is left of a
// dump that was broken off goes with its socket.
func (p *streams) giveBack(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lent, s)
	p.count = p.count.Add(s.loss)
	if !s.clean || p.closed.Load() || len(p.idle) == maxIdle {
		s.sock.Close()
		return
	}
	p.idle = append(p.idle, idleStream{s, time.Now()})
	if p.timer == nil {
		p.armLocked(idleTime)
	}
}

func (p *streams) armLocked(d time.Duration) {
	p.reaping.Add(1)
	p.timer = time.AfterFunc(d, p.reap)
}

// reap closes the streams that have been idle for long enough, and comes again
// if others are left.
func (p *streams) reap() {
	defer p.reaping.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && time.Since(p.idle[0].since) >= idleTime {
		p.idle[0].sock.Close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.timer = nil
	if len(p.idle) > 0 {
		p.armLocked(idleTime - time.Since(p.idle[0].since))
	}
}

// close closes all streams, those under a running loop as well: its next step
// ends it.
func (p *streams) close() {
	p.mu.Lock()
	p.closed.Store(true)
	if p.timer != nil && p.timer.Stop() {
		p.reaping.Done()
	}
	for s := range p.lent {
		s.sock.Close()
	}
	for _, s := range p.idle {
		s.sock.Close()
	}
	p.idle = nil
	p.mu.Unlock()
	p.reaping.Wait()
}

// stats returns the counts of the loops that have ended; those that run are
// pending.
func (p *streams) stats() demux.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.count
	s.Pending = len(p.lent)
	return s
}
