package mirror

import (
	"testing"
	"time"

	"github.com/nlmux/netlink"
)

// offline returns a Mirror without a kernel, whose tables are empty and exact.
func offline() *Mirror {
	m := &Mirror{byBit: map[Tables]*table{}, byType: map[netlink.MessageType][]*table{}, wake: make(chan struct{}, 1)}
	m.state.Store(&state{newer: make(chan struct{})})
	m.addTables(All, nil)
	for _, t := range m.tables {
		t.doubt, t.wanted, t.suspects = None, None, suspects{}
	}
	m.publish()
	return m
}

// put adds members to a table, one message each.
func (m *Mirror) put(t *table, payloads ...[]byte) {
	for _, p := range payloads {
		msg, _, _ := t.kind.parse(p, nil, nil)
		msg.flags = netlink.NLM_F_CREATE | netlink.NLM_F_APPEND
		m.apply(t, &msg, Event)
	}
	m.publish()
}

func rulePayload(priority, mark byte) []byte {
	p := []byte{afInet, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0}
	p = appendAttribute(p, fraPriority, []byte{priority, 0, 0, 0})
	return appendAttribute(p, 10, []byte{mark, 0, 0, 0})
}

// route6Payload is an IPv6 route with a hop on each of the links.
func route6Payload(links ...byte) []byte {
	p := []byte{afInet6, 64, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0}
	p = appendAttribute(p, rtaTable, []byte{254, 0, 0, 0})
	p = appendAttribute(p, rtaDst, make([]byte, 16))
	var hops []byte
	for _, link := range links {
		hop := appendAttribute([]byte{28, 0, 0, 0, link, 0, 0, 0}, rtaGateway, append(make([]byte, 15), link))
		hops = append(hops, hop...)
	}
	return appendAttribute(p, rtaMultipath, hops)
}

func (m *Mirror) count(t *table) (n int) {
	for _, g := range t.tree.All() {
		n += len(group(g).values())
	}
	return n
}

// TestIncompleteDumpLacksAMember: a rule that a dump of a changing table lacks stays, in a
// group of which the dump has another member, too.
func TestIncompleteDumpLacksAMember(t *testing.T) {
	m := offline()
	rules := m.table(TableRules4)
	m.put(rules, rulePayload(1, 1), rulePayload(1, 2), rulePayload(2, 1))
	m.want(rules, Overrun)
	p := m.begin(rules, time.Now())
	d := newDump(rules, p.base, 0)
	m.put(rules, rulePayload(9, 9)) // another one, meanwhile
	d.add(rulePayload(1, 1))
	d.flush()
	m.merge(p, d)
	if n := m.count(rules); n != 4 {
		t.Errorf("%d rules, want 4", n)
	}
	if rules.exact() || rules.wanted == None {
		t.Errorf("exact %v, another pass because of %v", rules.exact(), rules.wanted)
	}
}

// TestLinkDumpLacksASet: a set whose hops lead to several links is not removed because the
// dump of one of them lacks it.
func TestLinkDumpLacksASet(t *testing.T) {
	m := offline()
	routes := m.table(TableRoutes6)
	m.put(routes, route6Payload(1, 2))
	m.wantByLink(TableRoutes6, 1, LinkDown)
	p := m.begin(routes, time.Now())
	if p.link != 1 {
		t.Fatalf("pass over link %d", p.link)
	}
	m.merge(p, newDump(routes, p.base, p.link))
	if n := m.count(routes); n != 1 {
		t.Errorf("%d routes, want 1", n)
	}
	if routes.exact() || !routes.suspects.all {
		t.Error("no pass over the whole table follows")
	}
}

// TestWantedDuringAPass: what comes up during a pass keeps the table in doubt after it.
func TestWantedDuringAPass(t *testing.T) {
	for name, cause := range map[string]func(*Mirror, *table){
		"whole": func(m *Mirror, t *table) { m.want(t, SourceGone) },
		"link":  func(m *Mirror, t *table) { m.wantByLink(TableRoutes4, 3, AddrGone) },
	} {
		m := offline()
		routes := m.table(TableRoutes4)
		m.want(routes, Overrun)
		p := m.begin(routes, time.Now())
		d := newDump(routes, p.base, 0)
		cause(m, routes)
		m.merge(p, d)
		if routes.exact() {
			t.Errorf("%s: exact", name)
		}
		p = m.begin(routes, time.Now())
		m.merge(p, newDump(routes, p.base, p.link))
		if !routes.exact() {
			t.Errorf("%s: not exact after another pass: %v", name, routes.doubt)
		}
	}
}

func TestPace(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	const ms = time.Millisecond
	p := pace{settle: 10 * ms}
	due := func(last time.Duration) time.Duration { return p.due(at(last)).Sub(start) }
	p.gap(at(0))
	if got := due(0); got != 10*ms {
		t.Errorf("after a gap: due at %v", got)
	}
	// Passes with gaps in them wait longer and longer, up to a second.
	for i, want := range []time.Duration{20 * ms, 40 * ms, 80 * ms} {
		p.gap(at(0))
		p.done(at(0), 0, 10*ms, false, true)
		if got := due(0); got != want {
			t.Errorf("after %d passes with gaps: due at %v, want %v", i+1, got, want)
		}
	}
	for range 10 {
		p.done(at(0), 0, 10*ms, false, true)
	}
	if got := due(0); got != maxDelay {
		t.Errorf("after many gaps: due at %v", got)
	}
	// A clean pass starts over. While messages come, a pass waits for three times the
	// last one; in silence for less.
	p.done(at(0), 600*ms, 10*ms, true, false)
	p.gap(at(-100 * ms))
	if got := due(0); got != time.Second {
		t.Errorf("in silence: due at %v", got)
	}
	if got := due(2000 * ms); got != 1800*ms {
		t.Errorf("under load: due at %v", got)
	}
	// Passes that leave the table in doubt wait longer and longer.
	p = pace{}
	for _, want := range []time.Duration{5 * ms, 10 * ms, 20 * ms} {
		p.done(at(0), 0, 10*ms, false, false)
		if got := due(0); got != want {
			t.Errorf("retry due at %v, want %v", got, want)
		}
	}
}
