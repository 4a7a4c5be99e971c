package client

import (
	"context"
	"net"
)

// slots bounds the number of concurrent system calls. Each holds a thread while it
// waits for the kernel's locks: a request does so inside its send. A token in the
// channel is a slot in use.
type slots chan struct{}

// maxSlots is the number of slots. It is far below Go's limit of 10,000 threads, and
// high enough that some requests that take seconds in the kernel, such as a firmware
// update, do not take them all.
const maxSlots = 64

func newSlots() slots { return make(slots, maxSlots) }

// acquire waits for a slot until ctx ends or closed is closed.
func (s slots) acquire(ctx context.Context, closed <-chan struct{}) error {
	select {
	case s <- struct{}{}:
		return nil
	default:
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return net.ErrClosed
	}
}

// release frees a slot.
func (s slots) release() { <-s }
