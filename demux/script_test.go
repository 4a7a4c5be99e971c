package demux

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A script plays one order of events against a table. Its steps are of two
// sorts: actions (open, sent, kernel, overrun, ...) and what has to have come
// of them (got, gone, event, late, ...). An action fails the script if anything
// came of the steps before it that no step has asked for, so a script says all
// that happens, and what it does not say does not happen.

const (
	port  = 4711 // of the socket under test
	other = 815  // of another process
)

// Types of messages in the tests; the table does not tell them apart.
const (
	newAddr netlink.MessageType = 20
	getAddr netlink.MessageType = 22
)

type step func(*script)

// phase is how far a call has come, as the script has been told.
type phase uint8

const (
	waits     phase = iota // in the table, and somebody waits for it
	abandoned              // in the table, and nobody waits
	over                   // out of the table
)

type script struct {
	*testing.T
	table    *Table
	calls    map[string]*Call
	phases   map[string]phase
	released []Kind   // that no step has asked for yet
	events   []string // likewise
	lost     bool     // likewise: what Deliver returned
	drain    bool     // likewise: what Sent or Drained returned
	want     Stats    // without Pending
	at       int      // index of the step that runs, for messages
}

// play runs the steps, then fails the table and looks that nothing is left.
func play(t *testing.T, family netlink.Family, steps ...step) {
	t.Helper()
	playFrom(t, family, 1000, steps...)
}

// playFrom is play with the table's first sequence number behind seq.
func playFrom(t *testing.T, family netlink.Family, seq uint32, steps ...step) {
	t.Helper()
	s := &script{T: t, calls: make(map[string]*Call), phases: make(map[string]phase)}
	s.table = New(family, port, seq, func(k Kind) { s.released = append(s.released, k) })
	for i, do := range steps {
		s.at = i
		do(s)
	}
	s.at = len(steps)
	s.settled()
	bye := errors.New("bye")
	s.table.Fail(bye)
	for name, c := range s.calls {
		switch s.phases[name] {
		case waits:
			s.result(name, bye)
			fallthrough
		case abandoned:
			s.phases[name] = over
			s.takeRelease(name, c.Kind)
		}
	}
	s.settled()
}

// failf fails the script at the step that runs.
func (s *script) failf(format string, args ...any) {
	s.Helper()
	s.Fatalf("step %d: %s", s.at, fmt.Sprintf(format, args...))
}

// settled fails the script if anything came of the steps so far that none of
// them has asked for.
func (s *script) settled() {
	s.Helper()
	pending := 0
	for name, c := range s.calls {
		if c.Ready() {
			s.failf("%s has its result: %v", name, c.err)
		}
		if s.phases[name] != over {
			pending++
		}
		if c.registered != (s.phases[name] != over) {
			s.failf("%s: registered = %t", name, c.registered)
		}
	}
	if len(s.released) > 0 {
		s.failf("released %v", s.released)
	}
	if len(s.events) > 0 {
		s.failf("events %q", s.events)
	}
	if s.lost || s.drain {
		s.failf("lost = %t, drain = %t", s.lost, s.drain)
	}
	want := s.want
	want.Pending = pending
	if got := s.table.Stats(); got != want {
		s.failf("counts %+v\nwant   %+v", got, want)
	}
}

func (s *script) call(name string) *Call {
	s.Helper()
	c := s.calls[name]
	if c == nil {
		s.failf("no call %q", name)
	}
	return c
}

func (s *script) takeRelease(name string, kind Kind) {
	s.Helper()
	i := slices.Index(s.released, kind)
	if i < 0 {
		s.failf("%s is not released", name)
	}
	s.released = slices.Delete(s.released, i, i+1)
}

// result looks at the result of a call: err is nil, an error to be found as it
// is, or the errno of a kernel's refusal.
func (s *script) result(name string, err error, payloads ...string) *Call {
	s.Helper()
	c := s.call(name)
	select {
	case <-c.Done():
	default:
		s.failf("%s has no result", name)
	}
	msgs, got := c.Result()
	if !matches(c, got, err) {
		s.failf("%s: got error %v, want %v", name, got, err)
	}
	var have []string
	for _, m := range msgs {
		have = append(have, string(m.Payload))
	}
	if !slices.Equal(have, payloads) {
		s.failf("%s: got %q, want %q", name, have, payloads)
	}
	return c
}

// matches reports whether err is what want says of c: an errno means that the
// kernel has refused this very request, and any other error is to be found in
// err as it is.
func matches(c *Call, err, want error) bool {
	errno, ok := want.(syscall.Errno)
	if !ok {
		return errors.Is(err, want)
	}
	var refusal *wire.KernelError
	return errors.As(err, &refusal) && refusal.Errno == errno &&
		(c.Kind == Batch || refusal.Request == c.Type && refusal.Seq == c.Seq)
}

// Actions.

// act makes an action: everything before it must have been accounted for.
func act(do step) step {
	return func(s *script) {
		s.Helper()
		s.settled()
		do(s)
	}
}

// open opens a call for a request of type getAddr.
func open(name string, kind Kind) step { return openTyped(name, kind, getAddr, false) }

// openEcho opens a call whose request carries NLM_F_ECHO.
func openEcho(name string, kind Kind) step { return openTyped(name, kind, newAddr, true) }

func openTyped(name string, kind Kind, typ netlink.MessageType, echo bool) step {
	return act(func(s *script) {
		s.Helper()
		c := NewCall()
		c.Kind, c.Type, c.Echo = kind, typ, echo
		s.open(name, c)
	})
}

func (s *script) open(name string, c *Call) {
	s.Helper()
	if err := s.table.Open(c); err != nil {
		s.failf("open %s: %v", name, err)
	}
	s.calls[name], s.phases[name] = c, waits
}

// openBatch opens a call for a batch of n messages.
func openBatch(name string, n int) step { return openEchoes(name, make([]bool, n)...) }

// openEchoes opens a call for a batch whose messages carry NLM_F_ECHO, or not.
func openEchoes(name string, echo ...bool) step {
	return act(func(s *script) {
		s.Helper()
		c := NewCall()
		c.Kind, c.Parts = Batch, &Parts{N: len(echo)}
		if slices.Contains(echo, true) {
			c.Parts.Echo = echo
		}
		s.open(name, c)
	})
}

// askBatch opens a batch and has both of its sends return.
func askBatch(name string, n int) step {
	return func(s *script) {
		s.Helper()
		openBatch(name, n)(s)
		sent(name)(s)
	}
}

// unfenced: the second send of a batch has failed.
func unfenced(name string) step { return act(func(s *script) { s.table.Unfenced(s.call(name)) }) }

// ask opens a call and has its send return: the usual start.
func ask(name string, kind Kind) step {
	return func(s *script) {
		s.Helper()
		open(name, kind)(s)
		sent(name)(s)
	}
}

func sent(name string) step {
	return act(func(s *script) { s.drain = s.table.Sent(s.call(name)) })
}

func withdraw(name string) step {
	return act(func(s *script) {
		s.table.Withdraw(s.call(name))
		s.phases[name] = over
		s.takeRelease(name, s.call(name).Kind)
	})
}

func abandon(name string) step {
	return act(func(s *script) {
		s.Helper()
		if !s.table.Abandon(s.call(name)) {
			s.failf("%s had its result already", name)
		}
		s.phases[name] = abandoned
	})
}

func join(group uint32) step  { return act(func(s *script) { s.table.Join(group) }) }
func leave(group uint32) step { return act(func(s *script) { s.table.Leave(group) }) }

func overrun() step {
	return act(func(s *script) {
		s.table.Overrun()
		s.want.Overruns++
	})
}

func drained() step { return act(func(s *script) { s.drain = s.table.Drained() }) }

func fail(err error) step { return act(func(s *script) { s.table.Fail(err) }) }

// kernel delivers one datagram of the kernel to our port.
func kernel(msgs ...sketch) step { return datagram(Origin{NSID: NoNSID}, msgs...) }

// multicast delivers one datagram of the kernel to a group.
func multicast(group uint32, msgs ...sketch) step {
	return datagram(Origin{Group: group, NSID: NoNSID}, msgs...)
}

func datagram(o Origin, msgs ...sketch) step {
	return act(func(s *script) {
		s.Helper()
		s.deliver(s.bytes(msgs), o)
	})
}

// truncated delivers what is left of a datagram of the kernel without its last
// cut bytes.
func truncated(cut int, o Origin, msgs ...sketch) step {
	o.Truncated = true
	return short(cut, o, msgs...)
}

// short is truncated where the system does not say so.
func short(cut int, o Origin, msgs ...sketch) step {
	return func(s *script) {
		s.Helper()
		b := s.bytes(msgs)
		raw(o, b[:len(b)-cut])(s)
	}
}

// raw delivers bytes.
func raw(o Origin, b []byte) step {
	return act(func(s *script) {
		s.Helper()
		if o.Truncated {
			s.want.Truncated++
		}
		s.deliver(b, o)
	})
}

func (s *script) bytes(msgs []sketch) (b []byte) {
	s.Helper()
	for _, m := range msgs {
		b = wire.AppendMessage(b, m.message(s))
	}
	return b
}

// deliver delivers a copy of b and overwrites it: who keeps a message must have
// copied it.
func (s *script) deliver(b []byte, o Origin) {
	b = slices.Clone(b)
	s.lost = s.table.Deliver(b, o, func(m wire.Message) {
		s.events = append(s.events, string(m.Payload))
	})
	for i := range b {
		b[i] = '!'
	}
}
