package mirror

import (
	"math/bits"

	"github.com/nlmux/netlink/mirror/internal/tree"
)

// Rev numbers the states that a Mirror publishes. It grows.
type Rev uint64

const tableCount = 10

// number returns the place of a table in the arrays of a state.
func (t Tables) number() int { return bits.TrailingZeros16(uint16(t)) }

// state is one instant of all tables. It is immutable.
type state struct {
	rev    Rev
	have   Tables // there are copies of these
	exact  Tables // these equal the kernel's
	synced Tables // these have been exact at some time
	trees  [tableCount]tree.Tree
	err    error         // why there will be no newer one
	newer  chan struct{} // closed when there is a newer one

	notes  []note
	forgot Rev // notes up to this revision were dropped
}

// note says which changes of a revision the kernel did not announce.
type note struct {
	rev   Rev
	table Tables
	keys  map[string]Why
	rest  Why // of the keys that are not listed
}

const (
	maxNotes    = 64
	maxNoteKeys = 1024
)

// Why is what a change is known from.
type Why uint8

const (
	Event   Why = iota // a message of the kernel
	Resync             // the table was read again, after a loss or in doubt, or for the first time
	Implied            // another change that takes this along without a message
)

// String returns the name in lower case.
func (w Why) String() string {
	switch w {
	case Event:
		return "event"
	case Resync:
		return "resync"
	case Implied:
		return "implied"
	}
	return "?"
}

// because returns what the last change of key between two states is known from.
func (s *state) because(since Rev, table Tables, key []byte) Why {
	if s.forgot > since {
		return Resync
	}
	why := Event
	for _, n := range s.notes {
		if n.rev <= since || n.table != table {
			continue
		}
		if w, listed := n.keys[string(key)]; listed {
			why = w
		} else if n.rest != Event {
			why = n.rest
		}
	}
	return why
}

// publish makes what has changed since the last call visible. m.mu is locked.
func (m *Mirror) publish() {
	last := m.state.Load()
	s := *last
	s.rev++
	s.exact = 0
	changed := last.rev == 0
	for _, t := range m.tables {
		bit := t.kind.bit
		if t.txn.Changed(t.tree) {
			t.tree = t.txn.Commit()
			changed = true
		}
		s.have |= bit
		s.trees[bit.number()] = t.tree
		if t.exact() {
			s.exact |= bit
		}
		if n, any := t.takeNote(s.rev); any {
			s.addNote(n)
		}
	}
	s.synced |= s.exact
	if changed || s.exact != last.exact {
		m.store(&s)
	}
}

// store makes s the state.
func (m *Mirror) store(s *state) {
	last := m.state.Load()
	s.newer = make(chan struct{})
	m.state.Store(s)
	close(last.newer)
}

// addNote adds a note to a state that is not published yet.
func (s *state) addNote(n note) {
	notes := s.notes
	if len(notes) == maxNotes {
		s.forgot = notes[0].rev
		notes = notes[1:]
	}
	s.notes = append(append(make([]note, 0, len(notes)+1), notes...), n)
}

// noteKey remembers what a change is known from that no message has announced.
func (t *table) noteKey(key []byte, why Why) {
	if why == Event {
		return
	}
	if len(t.note.keys) < maxNoteKeys {
		if t.note.keys == nil {
			t.note.keys = map[string]Why{}
		}
		t.note.keys[string(key)] = why
		return
	}
	t.note.rest = why
}

// takeNote returns what was noted since the last call.
func (t *table) takeNote(rev Rev) (n note, any bool) {
	n = t.note
	if n.keys == nil && n.rest == Event {
		return n, false
	}
	t.note = note{}
	n.rev, n.table = rev, t.kind.bit
	return n, true
}
