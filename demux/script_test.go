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

// A script plays one order of events against a table. Its steps are actions (open,
// sent, kernel, overrun, conclude, ...) and expectations (got, gone, event, late, ...).
// An action fails the script if the steps before it had an effect that no expectation
// names. So a script lists everything that happens.

const (
	port  = 4711 // of the socket under test
	other = 815  // of another process
)

// Types of messages in the tests; the table treats them alike.
const (
	newAddr netlink.MessageType = 20
	getAddr netlink.MessageType = 22
)

type step func(*script)

// phase is how far a call is, according to the script.
type phase uint8

const (
	waits     phase = iota // in the table, with a waiter
	abandoned              // in the table, without a waiter
	over                   // out of the table
)

type script struct {
	*testing.T
	table   *Table
	calls   map[string]*Call
	seqs    map[string]uint32 // by name: the number that Open gave
	credits map[string]int64  // by name: the credit, different for each
	taken   map[string]bool   // by name: an expectation named the result
	reused  map[string]bool   // by name: the call serves another request now
	phases  map[string]phase
	events  []string // payloads that no expectation named yet
	lost    bool     // likewise: what Deliver returned
	dropped bool     // a drop that no read reported yet
	want    Stats    // without Pending
	at      int      // index of the step that runs, for messages
}

// play runs the steps, then fails the table and checks that nothing is left.
func play(t *testing.T, family netlink.Family, steps ...step) {
	t.Helper()
	playFrom(t, family, 1000, steps...)
}

// plenty is credit for every call of a test.
const plenty = 1 << 40

// nothingDropped is for a socket whose reads report every drop at once.
func nothingDropped() bool { return false }

// playFrom is play with a table whose first sequence number is the one after seq.
func playFrom(t *testing.T, family netlink.Family, seq uint32, steps ...step) {
	t.Helper()
	s := &script{
		T:       t,
		calls:   make(map[string]*Call),
		seqs:    make(map[string]uint32),
		credits: make(map[string]int64),
		taken:   make(map[string]bool),
		reused:  make(map[string]bool),
		phases:  make(map[string]phase),
	}
	s.table = New(family, port, seq, plenty, func() bool { return s.dropped })
	for i, do := range steps {
		s.at = i
		do(s)
	}
	s.at = len(steps)
	s.settled()
	bye := errors.New("bye")
	s.table.Fail(bye)
	for name := range s.calls {
		switch s.phases[name] {
		case waits:
			s.result(name, bye)
			fallthrough
		case abandoned:
			s.phases[name] = over
		}
	}
	s.settled()
}

// failf fails the script at the step that runs.
func (s *script) failf(format string, args ...any) {
	s.Helper()
	s.Fatalf("step %d: %s", s.at, fmt.Sprintf(format, args...))
}

// settled fails the script if the steps so far had an effect that no expectation names.
func (s *script) settled() {
	s.Helper()
	pending, free := 0, int64(plenty)
	for name, c := range s.calls {
		if s.reused[name] {
			continue
		}
		if c.Ready() && !s.taken[name] {
			s.failf("%s has its result: %v", name, c.err)
		}
		if s.phases[name] != over {
			pending++
			free -= s.credits[name]
		}
		if c.registered != (s.phases[name] != over) {
			s.failf("%s: registered = %t", name, c.registered)
		}
	}
	if s.table.credit != free {
		s.failf("free credit %d, want %d", s.table.credit, free)
	}
	if len(s.events) > 0 {
		s.failf("events %q", s.events)
	}
	if s.lost {
		s.failf("Deliver reported a loss")
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

// result checks the result of a call. err is nil, the errno of a refusal, or
// another error that the result has to be or wrap.
func (s *script) result(name string, err error, payloads ...string) *Call {
	s.Helper()
	c := s.call(name)
	if !c.Ready() {
		s.failf("%s has no result", name)
	}
	s.taken[name] = true
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

// matches reports whether err, the result of c, is want. An errno means that the kernel
// refused this request; any other error has to be err or an error that err wraps.
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

// act makes an action: expectations have to name every effect of what is before it.
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

// openRepeat opens a call that the client would repeat if its reply were lost.
func openRepeat(name string, kind Kind) step {
	return act(func(s *script) {
		s.Helper()
		c := NewCall()
		c.Kind, c.Type, c.Repeat = kind, getAddr, true
		s.open(name, c)
	})
}

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
	if _, used := s.calls[name]; used {
		s.failf("%s was opened before", name)
	}
	c.Credit = int64(len(s.calls) + 1)
	if err := s.table.Open(c); err != nil {
		s.failf("open %s: %v", name, err)
	}
	s.calls[name], s.phases[name] = c, waits
	s.seqs[name], s.credits[name] = c.Seq, c.Credit
}

// openCommand opens a call for a request of NETLINK_GENERIC.
func openCommand(name string, typ netlink.MessageType, command uint8) step {
	return act(func(s *script) {
		s.Helper()
		c := NewCall()
		c.Type, c.Command = typ, command
		s.open(name, c)
	})
}

// reopen opens the call of old, which has ended, for another request.
func reopen(name, old string, kind Kind) step {
	return act(func(s *script) {
		s.Helper()
		c := s.call(old)
		s.reused[old] = true
		c.Reset()
		c.Kind, c.Type = kind, getAddr
		s.open(name, c)
	})
}

// openBatch opens a call for a batch of n messages.
func openBatch(name string, n int) step { return openEchoes(name, make([]bool, n)...) }

// openEchoes opens a call for a batch whose messages carry NLM_F_ECHO, or not.
func openEchoes(name string, echo ...bool) step {
	return act(func(s *script) {
		s.Helper()
		c := NewCall()
		c.Kind, c.Batch = Batch, &BatchState{N: len(echo)}
		if slices.Contains(echo, true) {
			c.Batch.Echo = echo
		}
		s.open(name, c)
	})
}

// askBatch opens a batch and has its send return.
func askBatch(name string, n int) step {
	return func(s *script) {
		s.Helper()
		openBatch(name, n)(s)
		sent(name)(s)
	}
}

// ask opens a call and has its send return: the usual start.
func ask(name string, kind Kind) step {
	return func(s *script) {
		s.Helper()
		open(name, kind)(s)
		sent(name)(s)
	}
}

func sent(name string) step { return act(func(s *script) { s.table.MarkSent(s.call(name)) }) }

func withdraw(name string) step {
	return act(func(s *script) {
		s.table.Withdraw(s.call(name))
		s.phases[name] = over
	})
}

// reject: the datagram of the call could not be sent.
func reject(name string, err error) step {
	return act(func(s *script) { s.table.Reject(s.call(name), s.seqs[name], err) })
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

// drop: the socket drops something, and no read reports that until the overrun.
func drop() step { return act(func(s *script) { s.dropped = true }) }

func overrun() step {
	return act(func(s *script) {
		s.dropped = false
		s.table.MarkOverrun()
		s.want.Overruns++
	})
}

// markLost: the client reports a loss that is no overrun.
func markLost() step {
	return act(func(s *script) {
		s.table.MarkLost()
		s.want.Overruns++
	})
}

// empty: a read found the queue empty.
func empty() step { return act(func(s *script) { s.table.MarkEmpty() }) }

// conclude: the goroutine that sent the calls in one datagram has read up to the empty
// queue.
func conclude(names ...string) step {
	return act(func(s *script) {
		s.Helper()
		calls := make([]*Call, len(names))
		seqs := make([]uint32, len(names))
		for i, name := range names {
			calls[i], seqs[i] = s.call(name), s.seqs[name]
		}
		s.table.Conclude(calls, seqs)
	})
}

func fail(err error) step { return act(func(s *script) { s.table.Fail(err) }) }

// kernel delivers one datagram of the kernel to our port.
func kernel(msgs ...template) step { return datagram(Origin{NSID: NoNSID}, msgs...) }

// multicast delivers one datagram of the kernel to a group.
func multicast(group uint32, msgs ...template) step {
	return datagram(Origin{Group: group, NSID: NoNSID}, msgs...)
}

func datagram(o Origin, msgs ...template) step {
	return act(func(s *script) {
		s.Helper()
		s.deliver(s.bytes(msgs), o)
	})
}

// truncated delivers a datagram of the kernel without its last cut bytes.
func truncated(cut int, o Origin, msgs ...template) step {
	o.Truncated = true
	return short(cut, o, msgs...)
}

// short is truncated, but the system does not report the cut.
func short(cut int, o Origin, msgs ...template) step {
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

func (s *script) bytes(msgs []template) (b []byte) {
	s.Helper()
	for _, m := range msgs {
		b = wire.AppendMessage(b, m.message(s))
	}
	return b
}

// deliver delivers a copy of b and overwrites it, so that a call has to copy what it
// keeps.
func (s *script) deliver(b []byte, o Origin) {
	b = slices.Clone(b)
	s.lost = s.table.Deliver(b, o, func(m wire.Message) {
		s.events = append(s.events, string(m.Payload))
	})
	for i := range b {
		b[i] = '!'
	}
}
