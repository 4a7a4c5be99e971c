//go:build linux

package kerneltest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlmux/netlink"
)

// TestCloseWhileRequestsAreRepeated: goroutines that repeat their requests without a wait
// keep the reader of the Conn parked, and do not stop when they fail. Close ends
// nevertheless, and soon.
func TestCloseWhileRequestsAreRepeated(t *testing.T) {
	for range 20 {
		c := DialHere(t, netlink.NETLINK_ROUTE)
		var stop atomic.Bool
		var requests atomic.Int64
		var g sync.WaitGroup
		for range 4 {
			g.Go(func() {
				for !stop.Load() {
					if err := c.Noop(context.Background()); err != nil && !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
					requests.Add(1)
				}
			})
		}
		for requests.Load() < 2000 {
			time.Sleep(time.Millisecond)
		}
		closed := make(chan error, 1)
		start := time.Now()
		go func() { closed <- c.Close() }()
		select {
		case err := <-closed:
			t.Log(time.Since(start))
			if err != nil {
				t.Error(err)
			}
		case <-Patient(t).Done():
			t.Error("Close does not end")
		}
		stop.Store(true)
		g.Wait()
	}
}
