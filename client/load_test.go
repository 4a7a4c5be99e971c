package client

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// start, which takes no lock, and acquire never let more goroutines send than may.
func TestStartAndAcquireKeepToTheLimit(t *testing.T) {
	const maxSenders = 2
	var c coalescer
	var sends, tooMany atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			x := newExchange()
			for range 100_000 {
				if !c.start(maxSenders) && !c.acquire(x, maxSenders) {
					if !c.cancel(x) {
						t.Error("another goroutine has taken a request, but none packs")
						return
					}
					runtime.Gosched()
					continue
				}
				if sends.Add(1) > maxSenders {
					tooMany.Add(1)
				}
				runtime.Gosched() // others try meanwhile
				sends.Add(-1)
				c.release()
			}
		})
	}
	all.Wait()
	if n := tooMany.Load(); n != 0 {
		t.Errorf("%d times more than %d goroutines sent", n, maxSenders)
	}
	if n := c.load.Load(); n != 0 {
		t.Errorf("load is %#x at the end", n)
	}
}
