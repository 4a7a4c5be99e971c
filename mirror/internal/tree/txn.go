package tree

import (
	"bytes"
	"sync/atomic"
)

// Txn makes a new version of a Tree. It changes nodes that it made in place, and copies
// those that it shares with other versions. A Txn belongs to one goroutine at a time.
type Txn struct {
	root  *node
	size  int
	owner uint64

	// The path to the leaf of the last change, and the keys that belong to that leaf:
	// low <= key < high; nil is no bound. The Txn owns the whole path. Changes of
	// neighbouring keys need no search from the root. The path is empty after nodes
	// were added or removed.
	path      []step
	low, high []byte
}

// owners numbers the transactions of the process.
var owners atomic.Uint64

// Begin returns a Txn that starts with the content of t.
func (t Tree) Begin() *Txn { return &Txn{root: t.root, size: t.size, owner: owners.Add(1)} }

// Commit returns the new version. The Txn goes on from there.
func (x *Txn) Commit() Tree {
	x.owner = owners.Add(1)
	x.path = x.path[:0]
	return x.tree()
}

func (x *Txn) tree() Tree { return Tree{root: x.root, size: x.size} }

// Changed reports whether there may be something to commit since t.
func (x *Txn) Changed(t Tree) bool { return x.root != t.root }

// Len returns the number of entries.
func (x *Txn) Len() int { return x.root.count }

// Get is Tree.Get. The value is valid until the next change.
func (x *Txn) Get(key []byte) []byte {
	if !x.near(key) {
		return x.tree().Get(key)
	}
	n := x.path[len(x.path)-1].n
	if i, found := n.search(key); found {
		return n.value(i)
	}
	return nil
}

// Current returns the content so far, valid until the next change.
func (x *Txn) Current() Tree { return x.tree() }

// Put sets the value of key. It copies both; value must not be empty.
func (x *Txn) Put(key, value []byte) {
	if x.Insert(key, value) == nil {
		return
	}
	n := x.seek(key)
	i, _ := n.search(key)
	n.setValue(i, value)
}

// Insert is Put for a key that is not there. If it is, Insert returns its value, valid
// until the next change, and changes nothing.
func (x *Txn) Insert(key, value []byte) (held []byte) {
	n := x.seek(key)
	i, found := n.search(key)
	if found {
		return n.value(i)
	}
	if n.full() {
		x.split(i, key)
		n = x.seek(key)
		i, _ = n.search(key)
	}
	n.insertEntry(i, key, value)
	x.addCount(1)
	return nil
}

// Delete removes key, if it is there.
func (x *Txn) Delete(key []byte) {
	if x.Get(key) == nil {
		return
	}
	n := x.seek(key)
	i, _ := n.search(key)
	n.removeEntry(i, x.size)
	x.addCount(-1)
	if n.count < minEntries {
		x.shrink()
	}
}

// near reports whether key belongs to the leaf of the last change.
func (x *Txn) near(key []byte) bool {
	return len(x.path) > 0 && bytes.Compare(key, x.low) >= 0 &&
		(x.high == nil || bytes.Compare(key, x.high) < 0)
}

// seek returns the leaf that key belongs to, after making the path to it x's own.
func (x *Txn) seek(key []byte) *node {
	if x.near(key) {
		return x.path[len(x.path)-1].n
	}
	x.path, x.low, x.high = x.path[:0], nil, nil
	n := x.own(x.root)
	x.root = n
	for !n.leaf() {
		i := n.child(key)
		if i > 0 {
			x.low = n.key(i, x.size)
		}
		if i+1 < len(n.children) {
			x.high = n.key(i+1, x.size)
		}
		x.path = append(x.path, step{n, i})
		n.children[i] = x.own(n.children[i])
		n = n.children[i]
	}
	x.path = append(x.path, step{n: n})
	return n
}

// own returns n, or a copy of it that x may change.
func (x *Txn) own(n *node) *node {
	if n.owner == x.owner {
		return n
	}
	c := &node{owner: x.owner, count: n.count, keys: n.keys[:len(n.keys):len(n.keys)]}
	if n.leaf() {
		c.ids = append(make([]byte, 0, len(n.ids)+8), n.ids...)
		c.dict = n.dict.clone()
	} else {
		c.children = append(make([]*node, 0, maxChildren+1), n.children...)
	}
	return c
}

// addCount corrects the counts above the leaf of the path.
func (x *Txn) addCount(delta int) {
	for _, s := range x.path[:len(x.path)-1] {
		s.n.count += delta
	}
}

// split makes room for an entry at index i of the leaf of the path. Where entries arrive
// in order, at the end or before the begin of what is there, nodes stay full.
func (x *Txn) split(i int, key []byte) {
	n := x.path[len(x.path)-1].n
	at, bound := n.count/2, key
	if i == 0 || i == n.count {
		at = i
	}
	right := n.take(at, x.size)
	if right.count > 0 {
		bound = right.key(0, x.size)
	}
	x.addSibling(len(x.path)-1, right, bytes.Clone(bound))
	x.path = x.path[:0]
}

// addSibling inserts a node after the one at that level of the path, and splits the nodes
// above where there is no room.
func (x *Txn) addSibling(level int, right *node, bound []byte) {
	if level == 0 {
		left := x.path[0].n
		x.root = &node{
			owner:    x.owner,
			keys:     append(make([]byte, x.size), bound...),
			children: []*node{left, right},
			count:    left.count + right.count,
		}
		return
	}
	n, i := x.path[level-1].n, x.path[level-1].i+1
	n.insertChild(i, right, bound)
	if len(n.children) <= maxChildren {
		return
	}
	at := len(n.children) / 2
	if i == len(n.children)-1 {
		at = i
	}
	bound = bytes.Clone(n.key(at, x.size))
	x.addSibling(level-1, n.take(at, x.size), bound)
}

// shrink merges the nodes of the path that have become small with a neighbour.
func (x *Txn) shrink() {
	for level := len(x.path) - 1; level > 0; level-- {
		n, parent, i := x.path[level].n, x.path[level-1].n, x.path[level-1].i
		switch {
		case n.count == 0:
			parent.removeChild(i, x.size)
		case n.leaf() && n.count >= minEntries || !n.leaf() && len(n.children) >= minChildren:
			level = 0
		case i > 0 && fits(parent.children[i-1], n):
			x.mergeChildren(parent, i-1)
		case i+1 < len(parent.children) && fits(n, parent.children[i+1]):
			x.mergeChildren(parent, i)
		}
	}
	for len(x.root.children) == 1 {
		x.root = x.root.children[0]
	}
	if x.root.count == 0 {
		x.root = &node{owner: x.owner}
	}
	x.path = x.path[:0]
}

// mergeChildren joins children i and i+1 of n.
func (x *Txn) mergeChildren(n *node, i int) {
	n.children[i] = x.own(n.children[i])
	n.children[i].join(n.children[i+1], x.size)
	n.removeChild(i+1, x.size)
}

// fits reports whether two neighbours together leave room in one node.
func fits(a, b *node) bool {
	if a.leaf() {
		return a.count+b.count <= maxEntries*3/4 && len(a.dict.bytes)+len(b.dict.bytes) <= maxValues
	}
	return len(a.children)+len(b.children) <= maxChildren*3/4
}
