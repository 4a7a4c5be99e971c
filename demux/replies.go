package demux

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/nlmux/netlink/wire"
)

// Replies holds the messages of an answer, undecoded. The zero value is empty. Messages
// are decoded when the list is taken, not when they are kept, so that delivery stays
// short.
type Replies struct {
	runs  []run
	count int // messages in all of them
}

// run is consecutive messages of one datagram, copied.
type run struct {
	bytes []byte
	count int // messages
}

// keepRuns is the maximum number of runs whose memory is kept for the next answer.
const keepRuns = 64

// Reset makes r empty.
func (r *Replies) Reset() {
	if len(r.runs) == 0 {
		return
	}
	clear(r.runs)
	r.runs, r.count = r.runs[:0], 0
	if cap(r.runs) > keepRuns {
		r.runs = nil
	}
}

// Len returns the number of messages.
func (r *Replies) Len() int { return r.count }

// Keep adds count messages, which follow each other in b. It copies them, with one
// allocation for all.
func (r *Replies) Keep(b []byte, count int) {
	r.runs = append(r.runs, run{bytes.Clone(b), count})
	r.count += count
}

// minParallel is the number of messages from which a second processor helps to decode:
// about 100 microseconds of work.
const minParallel = 8 << 10

// List returns the messages in the order in which they came, nil if there are
// none. They belong to the caller.
func (r *Replies) List() []wire.Message {
	if r.count == 0 {
		return nil
	}
	return r.list(0)
}

// list is List of an answer that is not empty. processors is the maximum number that decode,
// 0 for GOMAXPROCS.
func (r *Replies) list(processors int) []wire.Message {
	if processors == 0 && r.count >= minParallel {
		processors = runtime.GOMAXPROCS(0) // takes a lock of the scheduler
	}
	msgs := make([]wire.Message, r.count)
	if n := min(r.count/minParallel, processors); n > 1 {
		decodeParallel(n, msgs, r.runs)
	} else {
		decode(msgs, r.runs)
	}
	return msgs
}

// decodeParallel is decode by n goroutines.
func decodeParallel(n int, msgs []wire.Message, runs []run) {
	var g sync.WaitGroup
	for ; n > 1; n-- {
		have, k := 0, 0
		for ; have < len(msgs)/n; k++ {
			have += runs[k].count
		}
		its, from := msgs[:have], runs[:k]
		g.Go(func() { decode(its, from) })
		msgs, runs = msgs[have:], runs[k:]
	}
	decode(msgs, runs)
	g.Wait()
}

// decode reads the messages of the runs, which are known to be readable.
func decode(msgs []wire.Message, runs []run) {
	i := 0
	for _, r := range runs {
		for b := r.bytes; len(b) > 0; i++ {
			b, _ = msgs[i].Decode(b)
		}
	}
}
