package mirror

import (
	"bytes"
	"iter"

	"github.com/nlmux/netlink/mirror/internal/tree"
)

// View is a part of a Snapshot: entries of one type in the order of their keys, those of
// IPv4 before those of IPv6. It never changes. Values are decoded when they are asked
// for, each time anew, and belong to the caller. The zero value is empty.
type View[K comparable, V any] struct {
	s     *state
	codec *codec[K, V]
	spans []span
}

// span is a range of keys of one table, from <= key < to; nil is no bound.
type span struct {
	kind     *kind
	from, to []byte
}

// codec says how the entries of a View are made of groups.
type codec[K comparable, V any] struct {
	// members is set if each member of a group is an entry; otherwise the group is.
	members bool
	key     func(k *kind, key []byte, i int) K
	value   func(k *kind, key []byte, members [][]byte) V
	// locate returns the table and the key in the store, and the place in the group. The
	// kind is nil if there can be no such entry.
	locate func(K) (k *kind, key []byte, i int)
}

func newView[K comparable, V any](s *state, c *codec[K, V], ks ...*kind) View[K, V] {
	v := View[K, V]{s: s, codec: c}
	for _, k := range ks {
		if s.have&k.bit != 0 {
			v.spans = append(v.spans, span{kind: k})
		}
	}
	return v
}

func (v View[K, V]) tree(k *kind) tree.Tree { return v.s.trees[k.bit.number()] }

// tables returns the tables of the View.
func (v View[K, V]) tables() (t Tables) {
	for _, sp := range v.spans {
		t |= sp.kind.bit
	}
	return t
}

// Exact reports whether the tables of the View are exact.
func (v View[K, V]) Exact() bool {
	return v.s != nil && v.s.exact&v.tables() == v.tables()
}

// Len returns the number of entries.
func (v View[K, V]) Len() (n int) {
	for _, sp := range v.spans {
		if t := v.tree(sp.kind); !v.codec.members {
			n += t.Count(sp.from, sp.to)
		} else {
			for _, g := range t.Range(sp.from, sp.to) {
				n += len(group(g).values())
			}
		}
	}
	return n
}

// find returns what there is under key. It appends the members to list.
func (v View[K, V]) find(key K, list [][]byte) (k *kind, raw []byte, members [][]byte) {
	if v.codec == nil {
		return nil, nil, nil
	}
	k, raw, i := v.codec.locate(key)
	for _, sp := range v.spans {
		if sp.kind != k || bytes.Compare(raw, sp.from) < 0 || sp.to != nil && bytes.Compare(raw, sp.to) >= 0 {
			continue
		}
		members = group(v.tree(k).Get(raw)).appendTo(list)
		if v.codec.members {
			members = members[min(i, len(members)):min(i+1, len(members))]
		}
	}
	return k, raw, members
}

// Get returns the value of key, and whether it is there.
func (v View[K, V]) Get(key K) (value V, found bool) {
	k, raw, members := v.find(key, nil)
	if len(members) == 0 {
		return value, false
	}
	return v.codec.value(k, raw, members), true
}

// Has reports whether key is there, without decoding its value.
func (v View[K, V]) Has(key K) bool {
	var list [8][]byte
	_, _, members := v.find(key, list[:0])
	return len(members) > 0
}

// All returns an iterator over all entries.
func (v View[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		v.each(func(k *kind, raw []byte, i int, members [][]byte) bool {
			return yield(v.codec.key(k, raw, i), v.codec.value(k, raw, members))
		})
	}
}

// Keys returns an iterator over all keys. It decodes no value.
func (v View[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		v.each(func(k *kind, raw []byte, i int, _ [][]byte) bool { return yield(v.codec.key(k, raw, i)) })
	}
}

func (v View[K, V]) each(f func(k *kind, raw []byte, i int, members [][]byte) bool) {
	var list [][]byte
	for _, sp := range v.spans {
		for raw, g := range v.tree(sp.kind).Range(sp.from, sp.to) {
			list = group(g).appendTo(list[:0])
			if !v.codec.members {
				if !f(sp.kind, raw, 0, list) {
					return
				}
				continue
			}
			for i := range list {
				if !f(sp.kind, raw, i, list[i:i+1]) {
					return
				}
			}
		}
	}
}

// Range returns an iterator over the entries with from <= key < to, in the View's order.
// It is empty if there can be no entry with one of the keys.
func (v View[K, V]) Range(from, to K) iter.Seq2[K, V] {
	if v.codec == nil {
		return func(func(K, V) bool) {}
	}
	lowKind, low, lowPlace := v.codec.locate(from)
	highKind, high, highPlace := v.codec.locate(to)
	part := v
	part.spans = nil
	if lowKind != nil && highKind != nil {
		part.spans = between(v.spans, lowKind, low, highKind, after(high))
	}
	return func(yield func(K, V) bool) {
		part.each(func(k *kind, raw []byte, i int, members [][]byte) bool {
			switch {
			case k == lowKind && bytes.Equal(raw, low) && i < lowPlace:
				return true
			case k == highKind && bytes.Equal(raw, high) && i >= highPlace:
				return false
			}
			return yield(v.codec.key(k, raw, i), v.codec.value(k, raw, members))
		})
	}
}

// between returns the parts of spans from low until before high.
func between(spans []span, lowKind *kind, low []byte, highKind *kind, high []byte) (out []span) {
	for _, sp := range spans {
		if sp.kind.bit < lowKind.bit || sp.kind.bit > highKind.bit {
			continue
		}
		if sp.kind == lowKind && bytes.Compare(low, sp.from) > 0 {
			sp.from = low
		}
		if sp.kind == highKind && high != nil && (sp.to == nil || bytes.Compare(high, sp.to) < 0) {
			sp.to = high
		}
		out = append(out, sp)
	}
	return out
}

// under returns the part of the View whose keys in the store begin with the prefix.
func (v View[K, V]) under(prefix []byte) View[K, V] {
	spans := make([]span, len(v.spans))
	for i, sp := range v.spans {
		spans[i] = span{kind: sp.kind, from: prefix, to: after(prefix)}
	}
	v.spans = spans
	return v
}
