package tree

import (
	"bytes"
	"iter"
)

// Tree is an immutable ordered map. Its zero value is not usable; New makes an empty
// one. A Tree may be copied and read by any number of goroutines. Keys and values that
// its methods return alias the Tree and must not be modified.
type Tree struct {
	root *node
	size int // of a key, in bytes
}

// New returns an empty Tree for keys of that many bytes.
func New(keySize int) Tree { return Tree{root: &node{}, size: keySize} }

// KeySize returns the size of a key in bytes.
func (t Tree) KeySize() int { return t.size }

// Len returns the number of entries.
func (t Tree) Len() int { return t.root.count }

// Same reports whether t and u are the same version, or equal because one was made out
// of the other without a change.
func (t Tree) Same(u Tree) bool { return t.root == u.root }

// Get returns the value of key, nil if there is none.
func (t Tree) Get(key []byte) []byte {
	n := t.root
	for !n.leaf() {
		n = n.children[n.child(key)]
	}
	if i, found := n.search(key); found {
		return n.value(i)
	}
	return nil
}

// All returns an iterator over all entries in the order of their keys.
func (t Tree) All() iter.Seq2[[]byte, []byte] { return t.Range(nil, nil) }

// Range returns an iterator over the entries with from <= key < to, in the order of
// their keys. A nil bound is none. A bound may be shorter than a key.
func (t Tree) Range(from, to []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for w := newWalk(t, from); w.valid(); w.next() {
			key := w.key()
			if to != nil && bytes.Compare(key, to) >= 0 || !yield(key, w.value()) {
				return
			}
		}
	}
}

// Count returns the number of entries with from <= key < to, without visiting them.
func (t Tree) Count(from, to []byte) int {
	end := t.Len()
	if to != nil {
		end = t.rank(to)
	}
	return max(end-t.rank(from), 0)
}

// rank returns the number of entries whose keys are less than bound.
func (t Tree) rank(bound []byte) int {
	n, rank := t.root, 0
	for !n.leaf() {
		i := lowerBound(n, bound, t.size)
		// The child before the first bound that is not less may hold smaller keys.
		i = max(i-1, 0)
		for _, c := range n.children[:i] {
			rank += c.count
		}
		n = n.children[i]
	}
	return rank + lowerBound(n, bound, t.size)
}

// Select returns an iterator over the entries that match reports true for, in the order
// of their keys. It calls match for each distinct value of a leaf once, so a search of
// a large table costs little.
func (t Tree) Select(match func(value []byte) bool) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) { t.root.selectEach(t.size, match, yield) }
}

func (n *node) selectEach(k int, match func([]byte) bool, yield func(key, value []byte) bool) bool {
	for _, c := range n.children {
		if !c.selectEach(k, match, yield) {
			return false
		}
	}
	var matches [maxEntries]bool
	any := false
	for id := range n.dict.ends {
		v := n.dict.value(byte(id))
		matches[id] = len(v) > 0 && match(v)
		any = any || matches[id]
	}
	if !any {
		return true
	}
	for i, id := range n.ids {
		if matches[id] && !yield(n.key(i, k), n.dict.value(id)) {
			return false
		}
	}
	return true
}

// lowerBound is search for a bound that may be shorter than a key.
func lowerBound(n *node, bound []byte, k int) int {
	lo, hi := 0, len(n.keys)/k
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if bytes.Compare(n.key(m, k), bound) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}
