package client

import (
	"context"
	"sync/atomic"
)

// gate holds senders back while it is shut. The zero gate is open.
type gate struct {
	opened atomic.Pointer[chan struct{}] // closed when the gate opens; nil while it is open
}

// shut is called by whoever has the read side, open by the same and by the reader
// at its end.
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
	for opened := g.opened.Load(); opened != nil; opened = g.opened.Load() {
		select {
		case <-*opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
