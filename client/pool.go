package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
)

// pool has the sockets on which a Conn's dumps run.
type pool struct {
	like   sock.Socket   // a new socket is opened like this one
	keep   int           // sockets that stay open, with WithDumpSocket
	closed chan struct{} // closed by close

	// collecting holds a token for each dump that is being collected.
	collecting chan struct{}
	// slots bounds the system calls of all dumps.
	slots *slots

	mu sync.Mutex // guards following

	lent  map[*dumpSocket]struct{}
	idle  []idleSocket // the longest idle first
	timer *time.Timer  // runs reap, nil if there is nothing to wait for
	count demux.Stats  // of dumps that have ended

	reaping sync.WaitGroup // counts timers that were not stopped
}

// idleSocket is a dump socket that waits for the next dump.
type idleSocket struct {
	*dumpSocket
	since time.Time
}

const (
	// maxCollected is the maximum number of dumps that are collected at once. Loops
	// over Dump are not counted and do not wait, since a loop body can hold another
	// loop.
	maxCollected = 8

	maxIdle  = maxCollected     // maximum number of idle sockets
	idleTime = 10 * time.Second // how long they stay open
)

// newPool returns a pool of sockets like s.
func newPool(s sock.Socket) *pool {
	return &pool{
		like:       s,
		closed:     make(chan struct{}),
		collecting: make(chan struct{}, maxCollected),
		slots:      newSlots(),
		lent:       make(map[*dumpSocket]struct{}),
	}
}

// ended returns the error that ends a dump that waits or runs, if any.
func (p *pool) ended(ctx context.Context) error {
	select {
	case <-p.closed:
		return net.ErrClosed
	default:
		return ctx.Err()
	}
}

// collector waits for a slot and returns a socket for a dump that is collected.
func (p *pool) collector(ctx context.Context) (*dumpSocket, error) {
	select {
	case p.collecting <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
	s, err := p.borrow()
	if err != nil {
		<-p.collecting
	}
	return s, err
}

// collected returns a socket of collector to the pool.
func (p *pool) collected(s *dumpSocket) {
	p.giveBack(s)
	<-p.collecting
}

// borrow returns a socket for one dump.
func (p *pool) borrow() (*dumpSocket, error) {
	if s, err := p.take(); s != nil || err != nil {
		return s, err
	}
	s, err := p.open()
	if err != nil {
		return nil, err
	}
	if !p.lend(s) {
		return nil, errors.Join(net.ErrClosed, s.sock.Close())
	}
	return s, nil
}

// lend notes that s runs a dump. It reports false if the pool is closed.
func (p *pool) lend(s *dumpSocket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return false
	}
	p.lent[s] = struct{}{}
	return true
}

// open opens a socket.
func (p *pool) open() (*dumpSocket, error) {
	s, err := p.like.OpenLike()
	if err != nil {
		return nil, fmt.Errorf("open a socket for the dump: %w", err)
	}
	return newDumpSocket(s, p), nil
}

// isClosed reports whether close was called.
func (p *pool) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// take returns the idle socket that was used last, or nil.
func (p *pool) take() (*dumpSocket, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed() {
		return nil, net.ErrClosed
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	s := p.idle[n-1].dumpSocket
	p.idle = slices.Delete(p.idle, n-1, n)
	p.lent[s] = struct{}{}
	return s, nil
}

// giveBack returns a socket to the pool after a dump. If the dump was not read to its
// end, it continues in the kernel until the socket is closed. If the socket has to stay
// open, the next dump reads it to its end.
func (p *pool) giveBack(s *dumpSocket) {
	s.replies.Reset()
	s.req = dumpRequest{}
	if !p.keeps(s) {
		s.sock.Close()
	}
}

// keeps takes s back after a dump. It reports false if the socket is the caller's, to be
// closed.
func (p *pool) keeps(s *dumpSocket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lent, s)
	p.count = p.count.Add(s.loss)
	enough := len(p.lent)+len(p.idle) >= p.keep && (!s.clean || len(p.idle) == maxIdle)
	if enough || p.isClosed() {
		return false
	}
	p.idle = append(p.idle, idleSocket{s, time.Now()})
	if p.timer == nil {
		p.armLocked(idleTime)
	}
	return true
}

func (p *pool) armLocked(d time.Duration) {
	p.reaping.Add(1)
	p.timer = time.AfterFunc(d, p.reap)
}

// reap closes the sockets that were idle for idleTime.
func (p *pool) reap() {
	defer p.reaping.Done()
	for _, s := range p.old() {
		s.sock.Close()
	}
}

// old removes the sockets that were idle for idleTime, and returns them. reap runs again if
// others are left.
func (p *pool) old() (sockets []idleSocket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && len(p.idle)+len(p.lent) > p.keep && time.Since(p.idle[0].since) >= idleTime {
		sockets = append(sockets, p.idle[0])
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.timer = nil
	if n := len(p.idle); n > 0 && n+len(p.lent) > p.keep {
		p.armLocked(idleTime - time.Since(p.idle[0].since))
	}
	return sockets
}

// prepare opens the sockets that stay open.
func (p *pool) prepare(keep int) error {
	p.keep = keep
	for range keep {
		s, err := p.open()
		if err != nil {
			return err
		}
		p.idle = append(p.idle, idleSocket{s, time.Now()})
	}
	return nil
}

// close closes all sockets, also those of a running dump: its next step ends it.
func (p *pool) close() {
	p.mu.Lock()
	close(p.closed)
	if p.timer != nil && p.timer.Stop() {
		p.reaping.Done()
	}
	all := slices.Collect(maps.Keys(p.lent))
	for _, s := range p.idle {
		all = append(all, s.dumpSocket)
	}
	p.idle = nil
	p.mu.Unlock()
	for _, s := range all {
		s.sock.Close()
	}
	p.reaping.Wait()
}

// stats returns the counts of the dumps that have ended; those that run are
// pending.
func (p *pool) stats() demux.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.count
	s.Pending = len(p.lent)
	return s
}
