package mirror

import (
	"bytes"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// maxCommit is the maximum number of messages that are published at once.
const maxCommit = 4096

// consume applies the messages of the kernel. It is the only goroutine that changes a
// copy. What has arrived when it looks is one commit.
func (m *Mirror) consume() {
	defer m.end()
	for e := range m.sub.Events() {
		m.mu.Lock()
		m.lastEvent = time.Now()
		m.event(e)
		m.pending()
		m.publish()
		m.mu.Unlock()
	}
}

// pending applies the messages that wait already.
func (m *Mirror) pending() {
	for range maxCommit - 1 {
		select {
		case e, ok := <-m.sub.Events():
			if !ok {
				return
			}
			m.event(e)
		default:
			return
		}
	}
}

func (m *Mirror) event(e client.Event) {
	switch {
	case e.Header.Type == netlink.NLMSG_OVERRUN:
		m.overrun()
	case e.Header.Type == netlink.NLMSG_NOOP && e.Payload == nil:
		if len(m.marks) > 0 {
			f := m.marks[0]
			m.marks = m.marks[1:]
			f()
		}
	case e.NSID < 0 && e.Sender == 0:
		for _, t := range m.byType[e.Header.Type] {
			m.message(t, e)
		}
	}
}

// overrun puts all tables in doubt.
func (m *Mirror) overrun() {
	for _, t := range m.tables {
		t.gap = true
		t.stats.Gaps++
		t.pace.gap(m.lastEvent)
		m.want(t, Overrun)
	}
}

// message applies a message to a table, if it is about that.
func (m *Mirror) message(t *table, e client.Event) {
	msg, mine, ok := t.kind.parse(e.Payload, m.parsed[0][:0], m.parsed[1][:0])
	switch {
	case !ok:
		t.stats.Undecodable++
		m.want(t, Undecodable)
	case mine && t.keeps(msg.key):
		m.parsed = [2][]byte{msg.key, msg.value}
		msg.new, msg.flags = e.Header.Type == t.kind.new, e.Header.Flags
		if t.kind.announced != nil {
			t.kind.announced(m, t, &msg)
		}
		m.apply(t, &msg, Event)
	}
}

// apply does to a table what a message says.
func (m *Mirror) apply(t *table, msg *message, why Why) {
	if msg.new && t.kind.absent != nil && t.kind.absent(msg.value) {
		msg.new = false
	}
	msg.doubt = !t.exact()
	if t.log != nil {
		t.log[string(msg.key)] = append(t.log[string(msg.key)], msg.clone())
	}
	old := append(t.scratch[0][:0], t.group(msg.key)...)
	list, verdict := msg.do(t.kind, old.appendTo(t.list[:0]))
	new := appendGroup(t.scratch[1][:0], list)
	t.scratch, t.list = [2]group{old, new}, list[:0]
	if verdict != certain {
		m.suspect(t, msg.key)
	}
	m.set(t, msg.key, old, new, why)
}

// set replaces a group, and finds what goes along. old must not alias the store.
func (m *Mirror) set(t *table, key []byte, old, new group, why Why) {
	switch {
	case len(old) == 0 && len(new) == 0:
		// The kernel announces the end of what was absent, too: see kind.absent.
	case bytes.Equal(old, new):
		return
	case len(new) == 0:
		t.txn.Delete(key)
		t.noteKey(key, why)
	default:
		t.txn.Put(key, new)
		t.noteKey(key, why)
	}
	if t.kind.changed != nil {
		t.kind.changed(m, t, key, old, new)
	}
}

// removeImplied removes members that are gone without a message. They go the way of a
// message, so that a pass under way does not bring them back.
func (m *Mirror) removeImplied(t *table, gone []message) {
	for i := range gone {
		t.stats.Implied++
		m.apply(t, &gone[i], Implied)
	}
}

// removeMatching removes all members that match, of which the kernel has none any more.
func (m *Mirror) removeMatching(t *table, why Reason, match func(value []byte) bool) {
	gone := t.members(match)
	for i := range gone {
		gone[i].gone = match
	}
	m.removeImplied(t, gone)
	if t.pass != nil {
		m.want(t, why) // its dump may have others
	}
}

// want puts a table in doubt until it was read. A nil table is ignored.
func (m *Mirror) want(t *table, why Reason) {
	if t == nil {
		return
	}
	if t.wanted == None || !t.suspects.all {
		t.wanted = why
	}
	t.suspects.all = true
	m.inDoubt(t, why)
}

// suspect puts a table in doubt because of one key, until that was read. A pass over the
// whole table that is under way finds out what the message means.
func (m *Mirror) suspect(t *table, key []byte) {
	if t.pass != nil && t.pass.link == 0 {
		t.pass.suspects.add(key)
		m.inDoubt(t, Ambiguous)
		return
	}
	if t.wanted == None {
		t.wanted = Ambiguous
	}
	t.suspects.add(key)
	m.inDoubt(t, Ambiguous)
}

// wantByLink puts tables in doubt until their entries of one link were read.
func (m *Mirror) wantByLink(tables Tables, link uint32, why Reason) {
	for _, t := range m.tables {
		if t.kind.bit&tables != 0 {
			t.links[link] = true
			m.inDoubt(t, why)
		}
	}
}

func (m *Mirror) inDoubt(t *table, why Reason) {
	if t.doubt == None {
		t.doubt, t.since = why, time.Now()
	}
	m.wakePasses()
}
