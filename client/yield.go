package client

import (
	"runtime"
	"sync/atomic"
	"time"
)

// yielder yields to other goroutines while that is fast. It is worth a factor of two if
// they are about to add to the next datagram. In a process with other work for every
// processor, a goroutine that yields runs again only after a time slice of 10 ms.
type yielder struct {
	notBefore atomic.Int64 // time of the next try, as of time.Since(start)
}

const (
	// slowYield is the time from which a yield counts as slow. In an idle process it
	// takes about 50 microseconds among 64 goroutines and less than a millisecond among
	// thousands.
	slowYield = 5 * time.Millisecond

	// yieldPause is the time without another try after a slow yield.
	yieldPause = time.Second
)

// start is the origin of the times of yielders.
var start = time.Now()

// do yields. It reports false if it did not, because the last yield was slow.
func (y *yielder) do() bool {
	before := time.Since(start)
	if int64(before) < y.notBefore.Load() {
		return false
	}
	runtime.Gosched()
	if after := time.Since(start); after-before > slowYield {
		y.notBefore.Store(int64(after + yieldPause))
	}
	return true
}
