package demux

import (
	"fmt"
	"slices"
	"testing"
)

// The steps of this file say what has come of the actions before them.

// got: the call has its result, and is out of the table.
func got(name string, err error, payloads ...string) step {
	return func(s *script) {
		s.Helper()
		c := s.result(name, err, payloads...)
		s.phases[name] = over
		s.takeRelease(name, c.Kind)
	}
}

// told: the call has its result, but keeps its number.
func told(name string, err error, payloads ...string) step {
	return func(s *script) {
		s.Helper()
		s.result(name, err, payloads...)
		s.phases[name] = abandoned
	}
}

// gone: the call that nobody waits for is out of the table.
func gone(name string) step {
	return func(s *script) {
		s.Helper()
		if s.phases[name] != abandoned {
			s.failf("somebody waits for %s", name)
		}
		s.phases[name] = over
		s.takeRelease(name, s.call(name).Kind)
	}
}

// interrupted: the call has seen NLM_F_DUMP_INTR, or not.
func interrupted(name string, want bool) step {
	return func(s *script) {
		s.Helper()
		if got := s.call(name).Interrupted(); got != want {
			s.failf("%s: interrupted = %t", name, got)
		}
	}
}

// refused: these messages of the batch were refused, as index:errno, and perhaps
// more.
func refused(name string, incomplete bool, want ...string) step {
	return func(s *script) {
		s.Helper()
		p := s.call(name).Parts
		var got []string
		for _, r := range p.Refusals() {
			got = append(got, fmt.Sprintf("%d:%d", r.Index, r.Err.Errno))
		}
		if !slices.Equal(got, want) || p.Incomplete() != incomplete {
			s.failf("%s: refused %q, incomplete = %t; want %q, %t", name, got, p.Incomplete(), want, incomplete)
		}
	}
}

// event: the event consumer has been given these payloads, in this order.
func event(payloads ...string) step {
	return func(s *script) {
		s.Helper()
		if !slices.Equal(s.events, payloads) {
			s.failf("events %q, want %q", s.events, payloads)
		}
		s.events = nil
	}
}

// lost: the datagram held something that could not be read.
func lost() step {
	return func(s *script) {
		s.Helper()
		if !s.lost {
			s.failf("no loss")
		}
		s.lost = false
	}
}

// drain: Sent or Drained has asked for one more read to the empty queue.
func drain() step {
	return func(s *script) {
		s.Helper()
		if !s.drain {
			s.failf("no more reads are asked for")
		}
		s.drain = false
	}
}

func late(n uint64) step        { return func(s *script) { s.want.Late += n } }
func foreign(n uint64) step     { return func(s *script) { s.want.Foreign += n } }
func malformed(n uint64) step   { return func(s *script) { s.want.Malformed += n } }
func repliesLost(n uint64) step { return func(s *script) { s.want.RepliesLost += n } }

// check runs any look at a call.
func check(name string, look func(*testing.T, *Call)) step {
	return func(s *script) {
		s.Helper()
		look(s.T, s.call(name))
	}
}
