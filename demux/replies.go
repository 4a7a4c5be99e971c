package demux

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/nlmux/netlink/wire"
)

// replies are the messages of an answer, as they came. The list of them is made
// at the end, when it is known how many there are, and not by who delivers them,
// for whom others wait.
type replies struct {
	runs  []run
	count int // messages in all of them
}

// run is what stood together in a datagram, copied.
type run struct {
	bytes []byte
	count int // messages
}

// keepRuns is for how many runs there is room kept from one answer to the next.
const keepRuns = 64

// reset forgets the replies.
func (r *replies) reset() {
	clear(r.runs)
	r.runs, r.count = r.runs[:0], 0
	if cap(r.runs) > keepRuns {
		r.runs = nil
	}
}

// keep copies a run of so many messages: one allocation for all of them.
func (r *replies) keep(b []byte, count int) {
	r.runs = append(r.runs, run{bytes.Clone(b), count})
	r.count += count
}

// share is the fewest messages for which another processor is worth the while:
// some 100 microseconds.
const share = 8 << 10

// list returns the messages in the order in which they came, nil if there are
// none.
func (r *replies) list() []wire.Message {
	if r.count == 0 {
		return nil
	}
	msgs := make([]wire.Message, r.count)
	if n := min(r.count/share, runtime.GOMAXPROCS(0)); n > 1 {
		decodeOn(n, msgs, r.runs)
	} else {
		decode(msgs, r.runs)
	}
	return msgs
}

// decodeOn is decode on n processors.
func decodeOn(n int, msgs []wire.Message, runs []run) {
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

// decode reads the messages of the runs, all of which were read before.
func decode(msgs []wire.Message, runs []run) {
	i := 0
	for _, r := range runs {
		for b := r.bytes; len(b) > 0; i++ {
			b, _ = msgs[i].Decode(b)
		}
	}
}
