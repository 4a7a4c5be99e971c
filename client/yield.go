package client

import (
	"runtime"
	"sync/atomic"
	"time"
)

// yielder yields to other goroutines while that is fast. It is worth a factor of two if
// they are about to add to the next datagram. In a process with other work for every
// processor, a goroutine that yields runs again only after a time slice of 10 ms. So slow
// yields get a share of the time. A few at once are no reason to stop: also in an idle
// process the system stops a thread for some milliseconds now and then.
type yielder struct {
	// paid is when the slow yields so far have had no more than their share, and charged
	// the end of the last one, as of time.Since(start). Yields that overlap count once.
	paid, charged atomic.Int64
}

const (
	// slowYield is the time from which a yield counts as slow. In an idle process it
	// takes about 50 microseconds among 64 goroutines and less than a millisecond among
	// thousands.
	slowYield = 5 * time.Millisecond

	// yieldShare is the share of slow yields in the time, as a fraction of one.
	yieldShare = 50

	// yieldAhead is the time of slow yields that may be ahead of their share.
	yieldAhead = 12 * time.Millisecond
)

// start is the origin of the times of yielders.
var start = time.Now()

// do yields. It reports false if it did not, because slow yields have had their share.
func (y *yielder) do() bool {
	before := int64(time.Since(start))
	if y.paid.Load()-before > int64(yieldAhead)*yieldShare {
		return false
	}
	runtime.Gosched()
	if after := int64(time.Since(start)); after-before > int64(slowYield) {
		took := after - max(before, y.charged.Swap(after))
		y.paid.Store(max(y.paid.Load(), after) + took*yieldShare)
	}
	return true
}
