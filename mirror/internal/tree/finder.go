package tree

import "bytes"

// Finder looks up keys in a Tree. It is fast where the keys come in the order of the
// Tree, as in a dump.
type Finder struct {
	tree  Tree
	leaf  *node
	first int    // number of the first entry of the leaf in the Tree
	i     int    // index of the entry that was found last
	high  []byte // keys from here on belong to other leaves, nil: no bound
}

// NewFinder returns a Finder for t.
func NewFinder(t Tree) *Finder { return &Finder{tree: t} }

// Find returns the value of key, and the number of its entry in the Tree: 0 for the first
// one. The value is nil if there is none.
func (f *Finder) Find(key []byte) (value []byte, number int) {
	k := f.tree.size
	if f.leaf != nil {
		if i := f.i + 1; i < f.leaf.count && bytes.Equal(f.leaf.key(i, k), key) {
			f.i = i
			return f.leaf.value(i), f.first + i
		}
		if f.leaf.count == 0 || bytes.Compare(key, f.leaf.key(0, k)) < 0 || f.high != nil && bytes.Compare(key, f.high) >= 0 {
			f.leaf = nil
		}
	}
	if f.leaf == nil {
		f.descend(key)
	}
	i, found := f.leaf.search(key)
	if !found {
		f.i = i - 1
		return nil, 0
	}
	f.i = i
	return f.leaf.value(i), f.first + i
}

func (f *Finder) descend(key []byte) {
	n := f.tree.root
	f.first, f.high = 0, nil
	for !n.leaf() {
		i := n.child(key)
		f.first += sumOf(n.children[:i])
		if i+1 < len(n.children) {
			f.high = n.key(i+1, f.tree.size)
		}
		n = n.children[i]
	}
	f.leaf = n
}
