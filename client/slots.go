package client

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
)

// slots bounds the number of concurrent system calls. Each holds a thread while it
// waits for the kernel's locks: a request does so inside its send.
type slots struct {
	// claims is the number of goroutines that hold a slot or wait for one.
	claims atomic.Int64
	// freed has a token for each slot that is handed to a goroutine that waits.
	freed chan struct{}
}

// maxSlots is the number of slots. It is far below Go's limit of 10,000 threads, and
// high enough that some requests that take seconds in the kernel, such as a firmware
// update, do not take them all.
const maxSlots = 64

func newSlots() *slots { return &slots{freed: make(chan struct{}, maxSlots)} }

// acquire waits for a slot until ctx ends or closed is closed.
func (s *slots) acquire(ctx context.Context, closed <-chan struct{}) error {
	if s.claims.Add(1) <= maxSlots {
		return nil
	}
	return s.wait(ctx, closed)
}

// wait waits for the slot of a claim, or gives up the claim.
func (s *slots) wait(ctx context.Context, closed <-chan struct{}) error {
	var err error
	select {
	case <-s.freed:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closed:
		err = net.ErrClosed
	}
	// Give up the claim, or the slot that was handed to it.
	for {
		if n := s.claims.Load(); n > maxSlots && s.claims.CompareAndSwap(n, n-1) {
			return err
		}
		select {
		case <-s.freed:
			s.release()
			return err
		default: // the token is not there yet, or another goroutine took it
			runtime.Gosched()
		}
	}
}

// release frees a slot.
func (s *slots) release() {
	if s.claims.Add(-1) >= maxSlots {
		s.freed <- struct{}{} // at most maxSlots tokens, so this does not block
	}
}
