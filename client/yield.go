package client

import (
	"runtime"
	"sync/atomic"
	"time"
)

// yielder yields to other goroutines while that is fast. It is worth a factor of two if
// they are about to add to the next datagram. In a process with other work for every
// processor, a goroutine that yields runs again only after a time slice of 10 ms. So slow
// yields are limited by a token bucket of time. It permits some at once, since the system
// stops a thread for some milliseconds now and then in an idle process as well.
type yielder struct {
	// full is the time at which the bucket is full again, end the end of the last slow
	// yield: yields that overlap count once. Both are as of time.Since(start).
	full, end atomic.Int64
}

const (
	// slowYield is the time from which a yield counts as slow. In an idle process it
	// takes about 50 microseconds among 64 goroutines and less than a millisecond among
	// thousands.
	slowYield = 5 * time.Millisecond

	// slowBurst is the size of the bucket. 1/slowShare of the time fills it.
	slowBurst = 12 * time.Millisecond
	slowShare = 50
)

// start is the origin of the times of yielders.
var start = time.Now()

// do yields. It reports false if it did not, because the bucket is empty.
func (y *yielder) do() bool {
	before := time.Since(start)
	if !y.allowed(before) {
		return false
	}
	runtime.Gosched()
	y.record(before, time.Since(start))
	return true
}

// allowed reports whether the bucket is not empty.
func (y *yielder) allowed(now time.Duration) bool {
	return time.Duration(y.full.Load())-now <= slowBurst*slowShare
}

// record takes the time of a yield out of the bucket if it was slow.
func (y *yielder) record(before, after time.Duration) {
	if after-before <= slowYield {
		return
	}
	took := after - max(before, time.Duration(y.end.Swap(int64(after))))
	y.full.Store(max(y.full.Load(), int64(after)) + int64(took*slowShare))
}
