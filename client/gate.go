package client

import (
	"context"
	"sync/atomic"
)

// gate blocks senders while it is shut. The zero gate is open.
type gate struct {
	opened atomic.Pointer[chan struct{}] // closed when the gate opens; nil while it is open
}

// shut requires the read lock. So does open, except when the reader exits or the
// socket is closed.
func (g *gate) shut() {
	if g.opened.Load() == nil {
		opened := make(chan struct{})
		g.opened.Store(&opened)
	}
}

func (g *gate) open() {
	if opened := g.opened.Swap(nil); opened != nil {
		close(*opened)
	}
}

// pass waits until the gate is open.
func (g *gate) pass(ctx context.Context) error {
	if g.opened.Load() == nil {
		return nil
	}
	return g.wait(ctx)
}

func (g *gate) wait(ctx context.Context) error {
	for opened := g.opened.Load(); opened != nil; opened = g.opened.Load() {
		select {
		case <-*opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
