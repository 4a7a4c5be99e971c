package demux

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A model is a table in its simplest form. It searches all calls for each message, and
// records when things happened instead of deriving state. It is written after the
// package documentation and the kernel, not after the table.
type model struct {
	family netlink.Family
	calls  map[uint32]*modelCall // by each of their numbers
	joined map[uint32]bool

	now      int   // counts what happens
	overruns []int // when an overrun was reported
	losses   []int // when a loss was reported, overruns included
	empties  []int // when the queue was empty

	// Effects of the last operation.
	events []string
	ended  []*modelCall // those with a result for their waiter

	failed error
	stats  Stats
}

// modelCall is what the model knows of a call.
type modelCall struct {
	call *Call  // the table's
	seq  uint32 // the number that Open gave

	kind     Kind
	typ      netlink.MessageType
	command  uint8
	echo     bool
	credit   int64
	openedAt int
	sentAt   int  // 0 before
	waits    bool // there is a waiter without a result
	replies  []string
	acked    bool
	damage   error // what made a reply unreadable
	ended    bool  // its waiter received the result
	err      error
	batch    *modelBatch // nil for any other kind
}

func newModel(family netlink.Family) *model {
	return &model{family: family, calls: make(map[uint32]*modelCall), joined: make(map[uint32]bool)}
}

func (m *model) open(c *Call) *modelCall {
	mc := &modelCall{
		call: c, seq: c.Seq, kind: c.Kind, typ: c.Type, command: c.Command, echo: c.Echo, credit: c.Credit,
		openedAt: m.now, waits: true,
	}
	if c.Kind == Batch {
		mc.batch = &modelBatch{n: c.Batch.N, echo: c.Batch.Echo}
		if mc.batch.echo == nil {
			mc.batch.echo = make([]bool, c.Batch.N)
		}
	}
	for i := range mc.width() {
		m.calls[c.Seq+i] = mc
	}
	return mc
}

func (m *model) holds(c *modelCall) bool { return m.calls[c.seq] == c }

// each returns an iterator over the calls, each once.
func (m *model) each() iter.Seq[*modelCall] {
	return func(yield func(*modelCall) bool) {
		for seq, c := range m.calls {
			if seq == c.seq && !yield(c) {
				return
			}
		}
	}
}

// withdraw: the kernel never saw the request.
func (m *model) withdraw(c *modelCall) {
	c.waits = false
	if m.holds(c) {
		m.remove(c)
	}
}

// reject is withdraw with an error for the waiter.
func (m *model) reject(c *modelCall, err error) {
	if m.holds(c) {
		m.end(c, err)
	}
}

func (m *model) abandon(c *modelCall) bool {
	was := c.waits
	c.waits = false
	return was
}

func (m *model) remove(c *modelCall) {
	for i := range c.width() {
		delete(m.calls, c.seq+i)
	}
}

// end ends a call with err.
func (m *model) end(c *modelCall, err error) {
	m.remove(c)
	if c.waits {
		c.waits, c.ended, c.err = false, true, err
		m.ended = append(m.ended, c)
		if err == ErrReplyLost {
			m.stats.RepliesLost++
		}
	}
}

// settle ends a call with what is known of its answer. An unreadable reply takes
// precedence over the last message.
func (m *model) settle(c *modelCall, err error) {
	if c.damage != nil {
		err = c.damage
	}
	m.end(c, err)
}

func (m *model) overrun() {
	m.overruns = append(m.overruns, m.now)
	m.markLost()
}

func (m *model) markLost() {
	m.losses = append(m.losses, m.now)
	m.stats.Overruns++
}

func (m *model) empty() { m.empties = append(m.empties, m.now) }

// dropping reports whether the kernel may have dropped everything at a time: an overrun
// had been reported, and the queue had not been empty since.
func (m *model) dropping(at int) bool {
	last := latest(m.overruns, at)
	return last > 0 && latest(m.empties, at) < last
}

// latest returns the last of the times before at, 0 if there is none.
func latest(times []int, at int) (last int) {
	for _, t := range times {
		if t < at {
			last = t
		}
	}
	return last
}

// mayBeLost reports whether the kernel may have dropped a part of c's answer.
func (m *model) mayBeLost(c *modelCall) bool {
	return m.dropping(c.openedAt) || latest(m.losses, math.MaxInt) > c.openedAt
}

// lostInSend reports whether that may have happened inside the send, before a later
// part of the answer was queued.
func (m *model) lostInSend(c *modelCall) bool {
	if m.dropping(c.openedAt) {
		return true
	}
	return slices.ContainsFunc(m.losses, func(t int) bool {
		return t > c.openedAt && (c.sentAt == 0 || t < c.sentAt)
	})
}

// conclude: the goroutine that sent the calls has read up to the empty queue.
func (m *model) conclude(calls []*modelCall) {
	for _, c := range calls {
		switch {
		case !m.holds(c):
			// It has ended, and its call may be in use again.
		case c.kind == Deferred && c.acked:
			// A thread of the kernel still answers it.
		case c.batch != nil:
			m.settle(c, m.outcome(c))
		case m.mayBeLost(c):
			m.settle(c, ErrReplyLost)
		default:
			m.settle(c, ErrUnanswered)
		}
	}
}

func (m *model) fail(err error) {
	m.failed = err
	for c := range m.each() {
		m.end(c, err)
	}
}

func isEnding(h wire.Header) bool {
	return h.Type == netlink.NLMSG_DONE || h.Type == netlink.NLMSG_ERROR
}

// place returns where a message goes: to a call, to the event consumer, to both, or
// to neither.
func (m *model) place(msg wire.Message, o Origin) (c *modelCall, event bool) {
	h := msg.Header
	c = m.calls[h.Seq]
	own := h.PortID == port
	if o.Group != 0 {
		if c == nil || !c.wantsEcho(h.Seq) || !own || isEnding(h) || o.NSID != NoNSID {
			return nil, true
		}
		return c, m.joined[o.Group]
	}
	if h.PortID != 0 && !own {
		return nil, true
	}
	if h.PortID == 0 && !m.repliesFromZero(c, msg) {
		return nil, true
	}
	if c != nil {
		return c, false
	}
	return nil, h.Seq == 0 || h.PortID == 0
}

// repliesFromZero reports whether a message with the number of c and nlmsg_pid 0 is
// a reply.
func (m *model) repliesFromZero(c *modelCall, msg wire.Message) bool {
	switch m.family {
	case netlink.NETLINK_AUDIT, netlink.NETLINK_RDMA:
		return true
	case netlink.NETLINK_GENERIC:
		// struct genlmsghdr begins with the command.
		return c != nil && msg.Header.Type == c.typ && len(msg.Payload) > 0 && msg.Payload[0] == c.command
	}
	return false
}

// single reports whether c's answer is one message, which can come now.
func (c *modelCall) single() bool {
	return c.kind == First || c.kind == Deferred && c.acked && c.typ != auditListRules
}

// deliver takes the whole messages of a datagram. first is the first one, whole or not.
func (m *model) deliver(whole []wire.Message, first wire.Message, o Origin, damage error) (lost bool) {
	if damage == ErrTruncated {
		m.stats.Truncated++
	}
	if o.PortID != 0 && m.family != netlink.NETLINK_USERSOCK && (m.family != netlink.NETLINK_KOBJECT_UEVENT || o.Group != 2) {
		m.stats.Foreign++
		return false
	}
	for _, msg := range whole {
		if o.PortID != 0 {
			m.events = append(m.events, string(msg.Payload))
			continue
		}
		c, event := m.place(msg, o)
		if event {
			m.events = append(m.events, string(msg.Payload))
		}
		if c != nil {
			m.reply(c, msg)
		} else if !event {
			m.stats.Late++
		}
	}
	switch {
	case damage == nil:
		return false
	case damage == ErrReplyLost:
		m.stats.Malformed++
	}
	if o.PortID != 0 {
		return true
	}
	// A datagram holds messages of one answer.
	c, event := m.place(first, o)
	if c != nil {
		c.damage = damage
		if c.single() {
			m.settle(c, nil) // no other end comes
		}
	}
	return damage == ErrReplyLost || event || isEnding(first.Header)
}

func (m *model) reply(c *modelCall, msg wire.Message) {
	if !c.waits {
		m.stats.Late++
	}
	switch {
	case c.batch != nil && isEnding(msg.Header):
		c.batch.answer(msg, c.seq)
	case msg.Header.Type == netlink.NLMSG_ERROR:
		err := verdictOf(msg.Payload)
		switch {
		case c.kind == Deferred && err == nil:
			c.acked = true
		case (err == syscall.EAGAIN || err == syscall.ENOBUFS) && m.mayBeLost(c):
			// The kernel refuses like this if the reply found no room.
			m.settle(c, ErrReplyLost)
		case err == nil && c.echo && (m.lostInSend(c) || len(c.replies) == 0 && m.mayBeLost(c)):
			m.settle(c, ErrReplyLost)
		default:
			m.settle(c, err)
		}
	case msg.Header.Type == netlink.NLMSG_DONE:
		if len(msg.Payload) == 0 && c.kind == Ack {
			return // the acknowledgement follows
		}
		var err error
		if len(msg.Payload) > 0 {
			err = verdictOf(msg.Payload)
		}
		m.settle(c, err)
	default:
		if c.waits {
			c.replies = append(c.replies, string(msg.Payload))
		}
		if c.single() {
			m.settle(c, nil)
		}
	}
}

// verdictOf is the result in a last message with payload p.
func verdictOf(p []byte) error {
	if len(p) < 4 {
		return wire.ErrMalformed
	}
	switch code := int32(binary.NativeEndian.Uint32(p)); {
	case code >= 0:
		return nil
	case code == math.MinInt32:
		return wire.ErrMalformed
	default:
		return syscall.Errno(-code)
	}
}

// take returns the effects of the last operation, and forgets them.
func (m *model) take() (events []string, ended []*modelCall) {
	events, ended = m.events, m.ended
	m.events, m.ended = nil, nil
	return events, ended
}
