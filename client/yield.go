package client

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// yielder yields to other goroutines while that is fast. Without it, requests take 1.6
// times as long if others are about to add to the next datagram. In a process with other
// work for every processor, a goroutine that yields runs again only after a time slice of 10
// ms. So a token bucket limits the time of slow yields. It allows a short burst, because the
// system sometimes stops a thread for some milliseconds even in an idle process.
type yielder struct {
	full atomic.Int64 // time at which the bucket is full again, as of time.Since(start)

	mu  sync.Mutex    // guards following and changes of full
	end time.Duration // of the slow yields so far: those that overlap count once
}

const (
	// slowYield is the time from which a yield counts as slow. In an idle process it
	// takes about 50 microseconds among 64 goroutines and less than a millisecond among
	// thousands.
	slowYield = 5 * time.Millisecond

	// slowBurst is the capacity of the bucket. It refills at 1/slowShare of real time.
	slowBurst = 12 * time.Millisecond
	slowShare = 50
)

// start is the origin of the times of yielders.
var start = time.Now()

// do yields. It reports false if it did not, because the bucket is overdrawn.
func (y *yielder) do() bool {
	before := time.Since(start)
	if !y.allowed(before) {
		return false
	}
	runtime.Gosched()
	y.record(before, time.Since(start))
	return true
}

// allowed reports whether the bucket is not overdrawn.
func (y *yielder) allowed(now time.Duration) bool {
	return time.Duration(y.full.Load())-now <= slowBurst*slowShare
}

// record takes the time of a yield out of the bucket if it was slow.
func (y *yielder) record(before, after time.Duration) {
	if after-before <= slowYield {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if after > y.end {
		took := after - max(before, y.end)
		y.end = after
		y.full.Store(max(y.full.Load(), int64(after)) + int64(took*slowShare))
	}
}
