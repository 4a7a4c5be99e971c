package tree

// walk is a position in a Tree: a path from the root to an entry.
type walk struct {
	path []step // from the root to the leaf
	size int
}

type step struct {
	n *node
	i int // index of the child, or of the entry
}

// newWalk returns a walk at the first entry whose key is not less than from.
func newWalk(t Tree, from []byte) *walk {
	w := &walk{path: make([]step, 0, 6), size: t.size}
	n := t.root
	for !n.leaf() {
		i := max(lowerBound(n, from, t.size)-1, 0)
		w.path = append(w.path, step{n, i})
		n = n.children[i]
	}
	w.path = append(w.path, step{n, lowerBound(n, from, t.size)})
	w.settle()
	return w
}

func (w *walk) valid() bool   { return len(w.path) > 0 }
func (w *walk) leaf() *step   { return &w.path[len(w.path)-1] }
func (w *walk) key() []byte   { s := w.leaf(); return s.n.key(s.i, w.size) }
func (w *walk) value() []byte { s := w.leaf(); return s.n.value(s.i) }

// next moves to the next entry.
func (w *walk) next() {
	w.leaf().i++
	w.settle()
}

// settle moves from the end of a leaf to the first entry of the next one. After the last
// entry the path is empty.
func (w *walk) settle() {
	if s := w.leaf(); s.i >= len(s.n.ids) {
		w.skip(0)
	}
}

// descend extends the path to the first entry below n. A node of a Tree is never empty,
// except the root of an empty one.
func (w *walk) descend(n *node) {
	for ; !n.leaf(); n = n.children[0] {
		w.path = append(w.path, step{n, 0})
	}
	w.path = append(w.path, step{n, 0})
}

// starting returns the largest number h such that the walk is at the first entry below
// its node of height h; a leaf has height 0. It is -1 inside a leaf.
func (w *walk) starting() int {
	h := -1
	for j := len(w.path) - 1; j >= 0 && w.path[j].i == 0; j-- {
		h++
	}
	return h
}

func (w *walk) at(height int) *node { return w.path[len(w.path)-1-height].n }

// skip moves to the first entry after the node of that height.
func (w *walk) skip(height int) {
	for w.path = w.path[:len(w.path)-1-height]; len(w.path) > 0; w.path = w.path[:len(w.path)-1] {
		s := w.leaf()
		if s.i++; s.i < len(s.n.children) {
			w.descend(s.n.children[s.i])
			return
		}
	}
}
