package demux

import (
	"encoding/binary"
	"math"
	"slices"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A model is a table in its simplest form: it goes through all calls and all
// messages one by one, and it remembers when things happened instead of what
// follows from that. It is written after the package documentation and the
// kernel, not after the table.
type model struct {
	family netlink.Family
	calls  map[uint32]*modelCall // by each of their numbers
	joined map[uint32]bool

	now   int  // counts what happens
	mark  int  // when the last loss was reported, or a drain after it
	lossy bool // since the last loss not every call has been settled
	drops bool // since the last loss the queue has not been empty

	// What came of the last operation.
	events   []string
	released []Kind
	ended    []*modelCall // those whose waiter was told

	failed error
	stats  Stats
}

// modelCall is what the model knows of a call.
type modelCall struct {
	call *Call // the table's

	kind    Kind
	typ     netlink.MessageType
	echo    bool
	waits   bool // somebody does
	sentAt  int  // 0 before
	replies []string
	marked  bool // with NLM_F_DUMP_INTR
	acked   bool
	refused bool // a dump for want of room, with its answer perhaps to come
	doubted bool // a loss may have hit its answer
	overlap bool // its send was under way when that happened
	told    bool // there was a waiter, and he has his result
	err     error
	batch   *modelBatch // nil for any other kind
}

func newModel(family netlink.Family) *model {
	return &model{family: family, calls: make(map[uint32]*modelCall), joined: make(map[uint32]bool)}
}

func (m *model) open(c *Call) *modelCall {
	mc := &modelCall{call: c, kind: c.Kind, typ: c.Type, echo: c.Echo, waits: true, doubted: m.lossy, overlap: m.drops}
	if c.Kind == Batch {
		mc.batch = &modelBatch{n: c.Parts.N, echo: c.Parts.Echo}
		if mc.batch.echo == nil {
			mc.batch.echo = make([]bool, c.Parts.N)
		}
	}
	for i := range mc.width() {
		m.calls[c.Seq+i] = mc
	}
	return mc
}

func (m *model) holds(c *modelCall) bool { return m.calls[c.call.Seq] == c }

func (m *model) sent(c *modelCall) (drain bool) {
	c.sentAt = m.now
	return m.lossy && m.holds(c) && (c.doubted || c.refused || c.batch != nil && c.batch.unfenced)
}

func (m *model) withdraw(c *modelCall) {
	c.waits = false
	if m.holds(c) {
		m.remove(c)
	}
}

func (m *model) abandon(c *modelCall) bool {
	was := c.waits
	c.waits = false
	return was
}

func (m *model) remove(c *modelCall) {
	for i := range c.width() {
		delete(m.calls, c.call.Seq+i)
	}
	m.released = append(m.released, c.kind)
}

// tell gives the waiter, if there is one, his result.
func (m *model) tell(c *modelCall, err error) {
	if c.waits {
		c.waits, c.told, c.err = false, true, err
		m.ended = append(m.ended, c)
	}
}

func (m *model) end(c *modelCall, err error) {
	m.remove(c)
	m.tell(c, err)
}

func (m *model) overrun() {
	m.stats.Overruns++
	m.lossy, m.drops, m.mark = true, true, m.now
	for c := range m.each() {
		c.doubted = true
		c.overlap = c.overlap || c.sentAt == 0
	}
}

// drained ends those calls whose send had returned at the last mark: what the
// kernel had to say was queued then, or was dropped.
func (m *model) drained() (again bool) {
	if !m.lossy {
		return false
	}
	m.lossy, m.drops = false, false
	for c := range m.each() {
		returned := c.sentAt != 0 && c.sentAt < m.mark
		unsettled := c.doubted || c.batch != nil && c.batch.unfenced
		switch {
		case c.doubted && returned && c.kind == Deferred && c.acked:
			c.doubted = false // a kernel thread answers, and waits for room
		case c.batch != nil && unsettled && returned:
			m.conclude(c)
		case c.refused && !c.doubted, unsettled && returned:
			if c.waits {
				m.stats.RepliesLost++
			}
			m.end(c, ErrReplyLost)
		case unsettled:
			m.lossy = true
			again = again || c.sentAt != 0
		}
	}
	m.mark = m.now
	return again
}

func (m *model) fail(err error) {
	m.failed = err
	m.lossy = false
	for c := range m.each() {
		m.end(c, err)
	}
}

// place is where a message goes: to a call, to the event consumer, to both, or
// to neither.
func (m *model) place(h wire.Header, o Origin) (c *modelCall, event bool) {
	c = m.calls[h.Seq]
	own := h.PortID == port
	if o.Group != 0 {
		ending := h.Type == netlink.NLMSG_DONE || h.Type == netlink.NLMSG_ERROR
		if c == nil || !c.wantsEcho(h.Seq) || !own || ending || o.NSID != NoNSID {
			return nil, true
		}
		return c, m.joined[o.Group]
	}
	if h.PortID == 0 && m.family != netlink.NETLINK_AUDIT && m.family != netlink.NETLINK_RDMA {
		return nil, true
	}
	if h.PortID != 0 && !own {
		return nil, true
	}
	if c != nil {
		return c, false
	}
	return nil, h.Seq == 0 || h.PortID == 0
}

// spoil is for a datagram that could not be read to its end. No more than its
// first message says whose it is.
func (m *model) spoil(first wire.Message, o Origin) {
	c, _ := m.place(first.Header, o)
	switch {
	case o.Group != 0 || o.PortID != 0 || c == nil || c.kind != Dump || !c.waits:
	case o.Truncated:
		m.tell(c, ErrTruncated)
	default:
		m.stats.RepliesLost++
		m.tell(c, ErrReplyLost)
	}
}

// deliver takes whole messages. The last may be truncated.
func (m *model) deliver(msgs []wire.Message, o Origin, cut bool) (lost bool) {
	if o.PortID != 0 && m.family != netlink.NETLINK_USERSOCK {
		m.stats.Foreign++
		return false
	}
	for i, msg := range msgs {
		c, event := m.place(msg.Header, o)
		if o.PortID != 0 {
			c, event = nil, true
		}
		switch {
		case cut && i == len(msgs)-1:
			ending := msg.Header.Type == netlink.NLMSG_DONE || msg.Header.Type == netlink.NLMSG_ERROR
			if event || ending {
				return true
			}
			if c != nil {
				m.tell(c, ErrTruncated)
			}
			continue
		case event:
			m.events = append(m.events, string(msg.Payload))
		case c == nil:
			m.stats.Late++
		}
		if c != nil {
			m.reply(c, msg)
		}
	}
	return false
}

func (m *model) reply(c *modelCall, msg wire.Message) {
	if !c.waits {
		m.stats.Late++
	}
	ending := msg.Header.Type == netlink.NLMSG_DONE || msg.Header.Type == netlink.NLMSG_ERROR
	if c.batch != nil && ending {
		m.say(c, msg)
		return
	}
	if msg.Header.Flags&netlink.NLM_F_DUMP_INTR != 0 && c.waits {
		c.marked = true
	}
	switch msg.Header.Type {
	case netlink.NLMSG_ERROR:
		err := verdictOf(msg.Payload)
		switch {
		case c.kind == Dump && err == syscall.ENOBUFS:
			// The dump may come in spite of it. Now or later it is settled by a
			// drain, and not in doubt unless something else is lost.
			c.refused, c.doubted = true, false
			m.lossy = true
		case c.kind == Deferred && err == nil:
			c.acked = true
		case c.kind == Ack && c.doubted && (err == syscall.EAGAIN || err == syscall.ENOBUFS || err == nil && c.echo && (len(c.replies) == 0 || c.overlap)):
			// The acknowledgement tells that the reply was dropped, or the echo
			// that was asked for is not there.
			if c.waits {
				m.stats.RepliesLost++
			}
			m.end(c, ErrReplyLost)
		default:
			m.end(c, err)
		}
	case netlink.NLMSG_DONE:
		switch {
		case len(msg.Payload) > 0:
			m.end(c, verdictOf(msg.Payload))
		case c.kind != Ack:
			m.end(c, nil)
		}
	default:
		if c.waits {
			c.replies = append(c.replies, string(msg.Payload))
		}
		if c.kind == First || c.kind == Deferred && c.acked && c.typ != auditListRules {
			m.end(c, nil)
		}
	}
}

// verdictOf is what an ending with payload p says.
func verdictOf(p []byte) error {
	if len(p) < 4 {
		return wire.ErrMalformed
	}
	switch code := int32(binary.NativeEndian.Uint32(p)); {
	case code == 0:
		return nil
	case code < 0 && code != math.MinInt32:
		return syscall.Errno(-code)
	}
	return wire.ErrMalformed
}

// take returns what came of the last operation, and forgets it.
func (m *model) take() (events []string, released []Kind, ended []*modelCall) {
	events, released, ended = m.events, m.released, m.ended
	m.events, m.released, m.ended = nil, nil, nil
	slices.Sort(released)
	return events, released, ended
}
