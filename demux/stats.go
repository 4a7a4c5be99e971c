package demux

import "sync/atomic"

// Stats counts what a table has seen since it was made.
type Stats struct {
	Pending     int    // calls whose final answer has not come, abandoned ones included
	Late        uint64 // messages for calls that were abandoned or have ended
	Foreign     uint64 // datagrams that a process, not the kernel, sent
	Malformed   uint64 // datagrams that could not be parsed to their end
	Truncated   uint64 // datagrams that did not fit the receive buffer
	Overruns    uint64 // losses: reported by the kernel, or in a datagram that could not be read
	RepliesLost uint64 // calls that ended with ErrReplyLost, without those with Repeat
}

type counters struct {
	late, foreign, malformed, truncated, overruns, repliesLost atomic.Uint64
}

// Stats returns the counts so far.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	pending := t.used + len(t.batches)
	t.mu.Unlock()
	return Stats{
		Pending:     pending,
		Late:        t.count.late.Load(),
		Foreign:     t.count.foreign.Load(),
		Malformed:   t.count.malformed.Load(),
		Truncated:   t.count.truncated.Load(),
		Overruns:    t.count.overruns.Load(),
		RepliesLost: t.count.repliesLost.Load(),
	}
}

// Add returns the sum of two tables' counts.
func (s Stats) Add(o Stats) Stats {
	s.Pending += o.Pending
	s.Late += o.Late
	s.Foreign += o.Foreign
	s.Malformed += o.Malformed
	s.Truncated += o.Truncated
	s.Overruns += o.Overruns
	s.RepliesLost += o.RepliesLost
	return s
}
