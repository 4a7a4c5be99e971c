package client

import (
	"context"
	"net"
)

// places bounds the number of system calls that the kernel works on at once, each of
// which holds a thread: a request waits for the kernel's locks inside its send. A token
// in the channel is a place that is taken.
type places chan struct{}

// maxSenders is the number of places: few enough that no limit on threads is near (Go
// ends a process that has 10,000), and enough that some requests that take seconds in
// the kernel, such as an update of firmware, do not take them all.
const maxSenders = 64

func newPlaces() places { return make(places, maxSenders) }

// acquire waits for a place until ctx ends, or closed is.
func (p places) acquire(ctx context.Context, closed <-chan struct{}) error {
	select {
	case p <- struct{}{}:
		return nil
	default:
	}
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return net.ErrClosed
	}
}

// release gives a place back.
func (p places) release() { <-p }
