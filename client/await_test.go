package client

import (
	"context"
	"testing"

	"github.com/nlmux/netlink/demux"
)

// A request whose ctx has ended is not sent although it was woken for that.
func TestAwaitPrefersTheEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 { // select takes any case that is ready
		call := demux.NewCall()
		call.Wake()
		if err := await(ctx, call); err != context.Canceled {
			t.Fatalf("got %v, want context.Canceled", err)
		}
	}
	call := demux.NewCall()
	live, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), live} {
		call.Wake()
		if err := await(ctx, call); err != nil {
			t.Error(err)
		}
	}
}
