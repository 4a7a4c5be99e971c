package tree

import (
	"bytes"
	"encoding/binary"
)

const (
	maxEntries  = 256     // entries of a leaf; an index into its dictionary is one byte
	maxValues   = 8 << 10 // bytes of a leaf's dictionary, unless it has one entry
	maxChildren = 64      // children of an inner node

	// A node that is smaller than this is merged with a neighbour, if both fit.
	minEntries  = maxEntries / 4
	minChildren = maxChildren / 4
)

// node is a leaf or an inner node. It is immutable once its Txn has committed.
//
// A copy of a node shares its keys until they change: spare capacity in keys is only
// there if the node is their only user.
type node struct {
	owner uint64 // the transaction that may change the node
	keys  []byte // leaf: the key of each entry; inner: a lower bound of each child's keys
	count int    // entries in the node and below

	children []*node // inner node: the children

	// Leaf: the values.
	ids  []byte // for each entry, which value of the dictionary it has
	dict dictionary
}

func (n *node) leaf() bool { return n.children == nil }

// key returns the key at index i; k is the size of a key.
func (n *node) key(i, k int) []byte { return n.keys[i*k : i*k+k : i*k+k] }

// search returns the index of the first key in n that is not less than key, and whether
// it is equal.
func (n *node) search(key []byte) (i int, found bool) {
	k, first := len(key), head(key)
	lo, hi := 0, len(n.keys)/k
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		switch c := compareKey(n.key(m, k), key, first); {
		case c < 0:
			lo = m + 1
		case c == 0:
			return m, true
		default:
			hi = m
		}
	}
	return lo, false
}

// head returns the first 8 bytes of a key as a number, 0 if it is shorter.
func head(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}

// compareKey is bytes.Compare for keys of one size. Most keys differ in the first bytes,
// and a search spends its time here.
func compareKey(a, b []byte, headOfB uint64) int {
	switch h := head(a); {
	case h < headOfB:
		return -1
	case h > headOfB:
		return 1
	}
	return bytes.Compare(a, b)
}

// child returns the index of the child of n that key belongs to. The first bound does
// not count: smaller keys belong to the first child, too.
func (n *node) child(key []byte) int {
	i, found := n.search(key)
	if found {
		return i
	}
	return max(i-1, 0)
}

// value returns the value of entry i of a leaf. Its capacity is its length.
func (n *node) value(i int) []byte { return n.dict.value(n.ids[i]) }

// full reports whether a leaf has no room for another entry.
func (n *node) full() bool {
	return len(n.ids) >= maxEntries || len(n.ids) > 1 && len(n.dict.bytes) > maxValues
}

// insertEntry adds an entry to a leaf.
func (n *node) insertEntry(i int, key, value []byte) {
	id := n.dict.intern(value)
	n.keys = insert(n.keys, i*len(key), key)
	n.ids = insert(n.ids, i, []byte{id})
	n.count++
}

// removeEntry removes an entry from a leaf; k is the size of a key.
func (n *node) removeEntry(i, k int) {
	id := n.ids[i]
	n.keys = remove(n.keys, i*k, k)
	n.ids = remove(n.ids, i, 1)
	n.release(id)
	n.count--
}

// setValue replaces the value of an entry of a leaf.
func (n *node) setValue(i int, value []byte) {
	if bytes.Equal(n.value(i), value) {
		return
	}
	id := n.ids[i]
	// Two steps, so that the dictionary never needs more ids than there are entries.
	n.ids = remove(n.ids, i, 1)
	n.release(id)
	n.ids = insert(n.ids, i, []byte{n.dict.intern(value)})
}

// release frees the id unless an entry uses it.
func (n *node) release(id byte) {
	if bytes.IndexByte(n.ids, id) < 0 {
		n.dict.replace(id, nil)
	}
}

// take moves the entries or children of n from index at on to a new node.
func (n *node) take(at, k int) *node {
	right := &node{owner: n.owner}
	if n.leaf() {
		right.keys = make([]byte, 0, maxEntries*k)
		right.ids = make([]byte, 0, maxEntries)
		for i := at; i < len(n.ids); i++ {
			right.insertEntry(i-at, n.key(i, k), n.value(i))
		}
		for i := len(n.ids) - 1; i >= at; i-- {
			n.removeEntry(i, k)
		}
		return right
	}
	right.children = append(make([]*node, 0, maxChildren+1), n.children[at:]...)
	right.keys = append(make([]byte, 0, (maxChildren+1)*k), n.keys[at*k:]...)
	clear(n.children[at:])
	n.children, n.keys = n.children[:at], n.keys[:at*k:at*k]
	n.count, right.count = sumOf(n.children), sumOf(right.children)
	return right
}

// join appends the entries or children of right, whose keys are greater.
func (n *node) join(right *node, k int) {
	if n.leaf() {
		for i := range right.ids {
			n.insertEntry(len(n.ids), right.key(i, k), right.value(i))
		}
		return
	}
	n.children = append(n.children, right.children...)
	n.keys = insert(n.keys, len(n.keys), right.keys)
	n.count += right.count
}

// insertChild adds a child to an inner node.
func (n *node) insertChild(i int, child *node, bound []byte) {
	n.children = append(n.children, nil)
	copy(n.children[i+1:], n.children[i:])
	n.children[i] = child
	n.keys = insert(n.keys, i*len(bound), bound)
}

// removeChild removes a child, whose entries must be gone or elsewhere.
func (n *node) removeChild(i, k int) {
	n.children = append(n.children[:i], n.children[i+1:]...)
	n.keys = remove(n.keys, i*k, k)
}

func sumOf(children []*node) (count int) {
	for _, c := range children {
		count += c.count
	}
	return count
}

// insert inserts v before s[i]. Without spare capacity it copies, with a little room.
func insert(s []byte, i int, v []byte) []byte {
	n := len(s) + len(v)
	if n > cap(s) {
		s = append(make([]byte, 0, n+8*len(v)), s...)
	}
	s = s[:n]
	copy(s[i+len(v):], s[i:])
	copy(s[i:], v)
	return s
}

// remove removes n bytes from s[i] on. Without spare capacity it copies.
func remove(s []byte, i, n int) []byte {
	if len(s) == cap(s) {
		s = append(make([]byte, 0, len(s)), s...)
	}
	copy(s[i:], s[i+n:])
	return s[:len(s)-n]
}
