package tree

import "bytes"

// Diff calls f for each key with from <= key < to whose values in a and b differ, in the
// order of the keys. A nil bound is none. old is nil if a lacks the key, new if b does.
// Diff ends when f returns false. What a and b share is skipped, so the cost is that of
// the changes between two versions of one Tree.
func Diff(a, b Tree, from, to []byte, f func(key, old, new []byte) bool) {
	if a.Same(b) {
		return
	}
	x, y := newWalk(a, from), newWalk(b, from)
	for x.valid() || y.valid() {
		if x.valid() && y.valid() && (skipShared(x, y) || skipEqual(x, y)) {
			continue
		}
		var key, old, new []byte
		switch c := compare(x, y); {
		case c < 0:
			key, old = x.key(), x.value()
			x.next()
		case c > 0:
			key, new = y.key(), y.value()
			y.next()
		default:
			key, old, new = x.key(), x.value(), y.value()
			x.next()
			y.next()
		}
		if to != nil && bytes.Compare(key, to) >= 0 {
			return
		}
		if (old == nil || new == nil || !bytes.Equal(old, new)) && !f(key, old, new) {
			return
		}
	}
}

// skipShared moves both walks after the largest node that they share and that both are at
// the start of. It reports whether there is one.
func skipShared(x, y *walk) bool {
	for h := min(x.starting(), y.starting()); h >= 0; h-- {
		if x.at(h) == y.at(h) {
			if h+1 < min(len(x.path), len(y.path)) {
				lastShared(&x.path[len(x.path)-2-h], &y.path[len(y.path)-2-h])
			}
			x.skip(h)
			y.skip(h)
			return true
		}
	}
	return false
}

// lastShared moves two steps, which are at a child that their nodes share, to the last
// one of the children that follow and are shared, too.
func lastShared(a, b *step) {
	for a.i+1 < len(a.n.children) && b.i+1 < len(b.n.children) && a.n.children[a.i+1] == b.n.children[b.i+1] {
		a.i++
		b.i++
	}
}

// skipEqual moves both walks over the entries that are equal in two versions of one leaf.
// It reports whether there was one.
func skipEqual(x, y *walk) bool {
	a, b := x.leaf(), y.leaf()
	from, n := a.i, len(a.n.ids)
	if a.i != b.i || n != len(b.n.ids) || &a.n.keys[0] != &b.n.keys[0] {
		return false
	}
	// Neighbours often have the same value.
	equal, id := false, byte(0)
	for ; a.i < n; a.i++ {
		if a.n.ids[a.i] != b.n.ids[a.i] {
			break
		}
		if a.i == from || a.n.ids[a.i] != id {
			id = a.n.ids[a.i]
			equal = bytes.Equal(a.n.dict.value(id), b.n.dict.value(id))
		}
		if !equal {
			break
		}
	}
	b.i = a.i
	if a.i == from {
		return false
	}
	x.settle()
	y.settle()
	return true
}

// compare compares the keys of two walks; the end is greater than any key.
func compare(x, y *walk) int {
	switch {
	case !x.valid():
		return 1
	case !y.valid():
		return -1
	}
	return bytes.Compare(x.key(), y.key())
}
