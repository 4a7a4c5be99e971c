package mirror

import (
	"bytes"
	"slices"
)

// merge corrects the copy by a dump. All messages about what the dump shows are applied
// and logged. m.mu is locked.
func (m *Mirror) merge(p *pass, d *dump) {
	m.publish()
	g := &merger{m: m, p: p, t: p.t, d: d}
	t := p.t
	g.complete = !d.interrupted && !d.undecoded && !t.gap && (!t.kind.loses || len(t.log) == 0)
	switch {
	case d.undecoded:
		g.again = Undecodable
		t.stats.Undecodable++
	case !g.complete:
		g.again = Interrupted
	}
	if p.link == 0 {
		g.mergeTable()
	} else if g.complete {
		g.mergeLink()
	}
	m.finish(p, g.again)
	m.publish()
}

// merger does the work of merge.
type merger struct {
	m *Mirror
	p *pass
	t *table
	d *dump
	// complete is set if the dump has every entry that did not change meanwhile. What
	// another one lacks may be there, and several in a row can lack the same entry.
	complete bool
	again    Reason // why another pass has to follow, None: it has not
}

// mergeTable merges a dump of the whole table.
func (g *merger) mergeTable() {
	t := g.t
	changed := g.d.changed.Commit()
	if g.p.base.Len() == 0 {
		// The copy has nothing but what the log has.
		t.txn = g.d.changed
		t.note.rest = Resync
		for key := range t.log {
			g.settle(key, changed.Get([]byte(key)))
		}
		return
	}
	for key, dumped := range changed.All() {
		g.settle(string(key), g.withHeld(key, dumped))
	}
	if g.complete {
		g.removeMissing()
	}
	for key := range t.log {
		if changed.Get([]byte(key)) == nil {
			if held, n := g.d.finder.Find([]byte(key)); held != nil && g.d.seen.has(n) {
				g.settle(key, held)
			} else if held == nil {
				g.settle(key, nil)
			}
		}
	}
}

// withHeld adds to a group of an incomplete dump the members that the base has and the
// dump lacks.
func (g *merger) withHeld(key []byte, dumped group) group {
	held := group(g.p.base.Get(key))
	if g.complete || g.t.kind.single || held == nil {
		return dumped
	}
	return union(dumped, held)
}

// removeMissing removes the groups of the base that the dump lacks.
func (g *merger) removeMissing() {
	n := -1
	for key := range g.p.base.All() {
		if n++; !g.d.seen.has(n) {
			g.settle(string(key), nil)
		}
	}
}

// settle makes a group what the dump and then the log say.
func (g *merger) settle(key string, dumped group) {
	k := []byte(key)
	final, sure := replay(g.t.kind, dumped, g.t.log[key])
	if !sure {
		// Messages alone have kept the copy exact unless it was in doubt before.
		if g.p.suspects.has(key) {
			g.t.suspects.add(k)
			if g.again == None {
				g.again = Ambiguous
			}
		}
		return
	}
	held := slices.Clone(g.t.group(k))
	if bytes.Equal(held, final) {
		return
	}
	g.t.stats.Repaired++
	g.m.set(g.t, k, held, final, Resync)
}

// mergeLink removes the entries of one link that its complete dump lacks. What else may
// differ is found by a pass over the whole table.
func (g *merger) mergeLink() {
	t, link := g.t, g.p.link
	var gone []message
	for _, s := range removals(g.p.base, func(v []byte) bool { return t.kind.uses(v, link) }) {
		dumped := g.dumpedLink(s.key)
		switch {
		case index(dumped, s.value) >= 0:
		case len(t.log[string(s.key)]) > 0:
			if index(t.group(s.key).values(), s.value) >= 0 {
				g.unclear()
			}
		case len(dumped) > 0 || !t.kind.usesOnly(s.value, link):
			g.unclear() // changed, or without this link
		default:
			gone = append(gone, s)
		}
	}
	g.m.removeImplied(t, gone)
	for key, dumped := range g.d.changed.Current().All() {
		held := t.group(key).values()
		for _, v := range group(dumped).values() {
			if index(held, v) < 0 && len(t.log[string(key)]) == 0 {
				g.unclear()
			}
		}
	}
}

// unclear makes a pass over the whole table follow.
func (g *merger) unclear() {
	g.again = Ambiguous
	g.t.suspects.all = true
}

// dumpedLink returns the members of a group that the dump of a link has.
func (g *merger) dumpedLink(key []byte) [][]byte {
	if changed := group(g.d.changed.Get(key)); changed != nil {
		return changed.values()
	}
	if held, n := g.d.finder.Find(key); held != nil && g.d.seen.has(n) {
		return group(held).values()
	}
	return nil
}

// replay returns what a group is after the messages of a log, if a dump has shown it at
// some time between the first and the last of them. The result is not sure if that
// depends on the time.
func replay(k *kind, dumped group, log []message) (final group, sure bool) {
	if len(log) == 0 {
		return dumped, true
	}
	if last := &log[len(log)-1]; k.single {
		if last.new {
			return appendRecord(nil, last.value), true
		}
		return nil, true
	}
	// What the group may be after each message, if the dump has shown it before that.
	states := []possible{{group: dumped}}
	for i := range log {
		msg := log[i]
		msg.doubt = false
		next := states[:0:0]
		for _, s := range states {
			list, v := msg.do(k, slices.Clone(s.group).values())
			if v != impossible {
				next = addState(next, possible{appendGroup(nil, list), s.open || v == uncertain})
			}
		}
		if msg.precedes(k, dumped.values()) {
			next = addState(next, possible{group: dumped})
		}
		states = next
	}
	if len(states) != 1 || states[0].open {
		return nil, false
	}
	return states[0].group, true
}

// possible is what a group may be; open: or something else.
type possible struct {
	group group
	open  bool
}

func addState(states []possible, s possible) []possible {
	for i := range states {
		if bytes.Equal(states[i].group, s.group) {
			states[i].open = states[i].open || s.open
			return states
		}
	}
	return append(states, s)
}
