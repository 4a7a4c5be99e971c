package demux

import (
	"fmt"
	"slices"
	"testing"
)

// The steps of this file name the effects of the actions before them.

// got: the call has its result, and is out of the table.
func got(name string, err error, payloads ...string) step {
	return func(s *script) {
		s.Helper()
		s.result(name, err, payloads...)
		s.phases[name] = over
	}
}

// gone: the call that was abandoned is out of the table.
func gone(name string) step {
	return func(s *script) {
		s.Helper()
		if s.phases[name] != abandoned {
			s.failf("%s was not abandoned", name)
		}
		s.phases[name] = over
	}
}

// refused: the kernel refused these messages of the batch, as index:errno. With
// incomplete it may have refused more.
func refused(name string, incomplete bool, want ...string) step {
	return func(s *script) {
		s.Helper()
		p := s.call(name).Batch
		var got []string
		for _, r := range p.Refusals() {
			got = append(got, fmt.Sprintf("%d:%d", r.Index, r.Err.Errno))
		}
		if !slices.Equal(got, want) || p.Incomplete() != incomplete {
			s.failf("%s: refused %q, incomplete = %t; want %q, %t", name, got, p.Incomplete(), want, incomplete)
		}
	}
}

// event: the event consumer received these payloads, in this order.
func event(payloads ...string) step {
	return func(s *script) {
		s.Helper()
		if !slices.Equal(s.events, payloads) {
			s.failf("events %q, want %q", s.events, payloads)
		}
		s.events = nil
	}
}

// lost: Deliver reported that the datagram held something that could not be read.
func lost() step {
	return func(s *script) {
		s.Helper()
		if !s.lost {
			s.failf("no loss")
		}
		s.lost = false
	}
}

func late(n uint64) step        { return func(s *script) { s.want.Late += n } }
func foreign(n uint64) step     { return func(s *script) { s.want.Foreign += n } }
func malformed(n uint64) step   { return func(s *script) { s.want.Malformed += n } }
func repliesLost(n uint64) step { return func(s *script) { s.want.RepliesLost += n } }

// check runs any check of a call.
func check(name string, look func(*testing.T, *Call)) step {
	return func(s *script) {
		s.Helper()
		look(s.T, s.call(name))
	}
}
