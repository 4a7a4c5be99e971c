package mirror

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"github.com/nlmux/netlink/mirror/internal/tree"
)

// table is the copy of one of the kernel's tables. Mirror.mu guards it.
type table struct {
	kind *kind
	txn  *tree.Txn
	tree tree.Tree // what was published last
	hops *table    // the next hop objects that these routes use; nil for other tables
	only []uint32  // routing tables whose routes there are here; empty: all

	// The pass under way.
	pass *pass                // nil: none
	log  map[string][]message // messages since it began, by key; nil: no pass
	gap  bool                 // messages were lost since it began

	// The passes to come.
	wanted   Reason          // why the whole table has to be read; None: it has not
	suspects suspects        // the keys that this is about
	links    map[uint32]bool // links whose entries have to be read
	pace     pace

	doubt Reason    // why the copy may differ from the kernel's table; None: it is exact
	since time.Time // since when
	stats TableStatus

	note    note // of what no message has announced since the last publication
	scratch [2]group
	list    [][]byte
}

func newTable(k *kind, now time.Time) *table {
	t := &table{kind: k, tree: tree.New(k.layout.size), links: map[uint32]bool{}, since: now}
	t.txn = t.tree.Begin()
	t.doubt, t.wanted, t.suspects.all = Starting, Starting, true
	return t
}

// suspects are the keys under which a copy may differ from the kernel's table. The copy
// of the others is kept exact by messages.
type suspects struct {
	all  bool
	keys map[string]bool
}

func (s *suspects) add(key []byte) {
	if s.all {
		return
	}
	if s.keys == nil {
		s.keys = map[string]bool{}
	}
	s.keys[string(key)] = true
}

func (s *suspects) has(key string) bool { return s.all || s.keys[key] }

// group returns the members under key as they are now, valid until the next change.
func (t *table) group(key []byte) group { return t.txn.Get(key) }

// under returns the members whose keys begin with the prefix, as messages that remove
// them.
func (t *table) under(prefix []byte) []message {
	var out []message
	for key, g := range t.txn.Current().Range(prefix, after(prefix)) {
		out = appendRemovals(out, key, g, nil)
	}
	return out
}

// members returns the members whose values match, as messages that remove them.
func (t *table) members(match func(value []byte) bool) []message {
	return removals(t.txn.Current(), match)
}

// some reports whether the value of a member matches.
func (t *table) some(match func(value []byte) bool) bool {
	for range matching(t.txn.Current(), match) {
		return true
	}
	return false
}

// has reports whether there is a key that begins with the prefix.
func (t *table) has(prefix []byte) bool {
	for range t.txn.Current().Range(prefix, after(prefix)) {
		return true
	}
	return false
}

func removals(in tree.Tree, match func(value []byte) bool) []message {
	var out []message
	for key, g := range matching(in, match) {
		out = appendRemovals(out, key, g, match)
	}
	return out
}

// matching returns an iterator over the groups with a member whose value matches.
func matching(in tree.Tree, match func(value []byte) bool) iter.Seq2[[]byte, []byte] {
	return in.Select(func(g []byte) bool { return slices.ContainsFunc(group(g).values(), match) })
}

func appendRemovals(out []message, key []byte, g group, match func(value []byte) bool) []message {
	key = bytes.Clone(key)
	for _, v := range g.values() {
		if match == nil || match(v) {
			out = append(out, message{key: key, value: bytes.Clone(v)})
		}
	}
	return out
}

// after returns the smallest bound that is greater than all keys with the prefix, nil if
// there is none.
func after(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return b[:i+1]
		}
	}
	return nil
}

// clone returns a message that shares no memory with m.
func (m *message) clone() message {
	c := *m
	c.key, c.value = bytes.Clone(m.key), bytes.Clone(m.value)
	return c
}

// keeps reports whether the entries under key belong to the copy.
func (t *table) keeps(key []byte) bool {
	return len(t.only) == 0 || slices.Contains(t.only, keyNumber(key))
}

// request returns the payload of a dump request, with a link as for kind.request.
func (t *table) request(link uint32) []byte {
	p := t.kind.request(t.kind.family, link)
	if len(t.only) == 1 {
		p = appendAttribute(p, rtaTable, native.AppendUint32(nil, t.only[0]))
	}
	return p
}

// exact reports whether the copy is that of the kernel.
func (t *table) exact() bool { return t.why() == None }

// why returns why the copy may differ from the kernel's table. Next hop objects that have
// gone without a message have taken their routes along.
func (t *table) why() Reason {
	if t.doubt == None && t.hops != nil {
		return t.hops.doubt
	}
	return t.doubt
}

// sinceWhen returns since when the copy is exact or not.
func (t *table) sinceWhen() time.Time {
	if t.doubt == None && t.hops != nil {
		return later(t.since, t.hops.since)
	}
	return t.since
}
