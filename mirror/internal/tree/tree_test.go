package tree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"
)

const testKeySize = 4

func key(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

// model is a Tree as a map.
type model map[string]string

func (m model) keys() []string { return slices.Sorted(maps.Keys(m)) }

func randomValue(r *rand.Rand) []byte {
	switch r.Intn(20) {
	case 0: // unlike the others
		v := make([]byte, 1+r.Intn(200))
		r.Read(v)
		return v
	case 1:
		return bytes.Repeat([]byte{1}, maxValues/3)
	}
	return fmt.Appendf(nil, "value %d", r.Intn(12))
}

// edit makes n changes to both; keys are numbers below span.
func edit(r *rand.Rand, x *Txn, m model, n, span int, deletes float64) {
	at := r.Intn(span)
	for range n {
		if at = (at + 1) % span; r.Intn(3) == 0 {
			at = r.Intn(span)
		}
		k := key(at)
		if r.Float64() < deletes {
			x.Delete(k)
			delete(m, string(k))
			continue
		}
		v := randomValue(r)
		x.Put(k, v)
		m[string(k)] = string(v)
	}
}

func check(t *testing.T, tree Tree, m model) {
	t.Helper()
	keys := m.keys()
	if tree.Len() != len(keys) {
		t.Fatalf("Len = %d, want %d", tree.Len(), len(keys))
	}
	i := 0
	f := NewFinder(tree)
	for k, v := range tree.All() {
		if i >= len(keys) || string(k) != keys[i] || string(v) != m[keys[i]] {
			t.Fatalf("entry %d is %x: %.20q, want %x: %.20q", i, k, v, keys[i], m[keys[i]])
		}
		if got, number := f.Find(k); !bytes.Equal(got, v) || number != i {
			t.Fatalf("Find(%x) = %q, %d, want %q, %d", k, got, number, v, i)
		}
		i++
	}
	if i != len(keys) {
		t.Fatalf("All ended after %d of %d entries", i, len(keys))
	}
	checkNode(t, tree.root, tree.size, nil, nil, true)
}

// checkNode checks what a node promises, and returns its height.
func checkNode(t *testing.T, n *node, k int, low, high []byte, root bool) int {
	t.Helper()
	if n.leaf() {
		checkLeaf(t, n, k, low, high)
		return 0
	}
	if len(n.children) > maxChildren || len(n.keys) != len(n.children)*k || n.count != sumOf(n.children) {
		t.Fatalf("inner node with %d children, %d bytes of keys, count %d of %d", len(n.children), len(n.keys), n.count, sumOf(n.children))
	}
	if len(n.children) < 2 && root {
		t.Fatal("a root with one child")
	}
	height := -1
	for i, c := range n.children {
		l, h := low, high
		if i > 0 {
			l = n.key(i, k)
		}
		if i+1 < len(n.children) {
			h = n.key(i+1, k)
		}
		if got := checkNode(t, c, k, l, h, false); height >= 0 && got != height {
			t.Fatal("leaves at different depths")
		} else {
			height = got
		}
		if c.count == 0 {
			t.Fatal("an empty node below the root")
		}
	}
	return height + 1
}

func checkLeaf(t *testing.T, n *node, k int, low, high []byte) {
	t.Helper()
	if n.count != len(n.ids) || len(n.keys) != n.count*k || n.count > maxEntries {
		t.Fatalf("leaf of %d entries, %d ids, %d bytes of keys", n.count, len(n.ids), len(n.keys))
	}
	used := map[byte]bool{}
	for i, id := range n.ids {
		used[id] = true
		if kk := n.key(i, k); bytes.Compare(kk, low) < 0 || high != nil && bytes.Compare(kk, high) >= 0 {
			t.Fatalf("key %x outside %x..%x", kk, low, high)
		}
	}
	distinct := map[string]bool{}
	for id := range n.dict.ends {
		v := string(n.dict.value(byte(id)))
		if used[byte(id)] != (v != "") {
			t.Fatalf("id %d: used %v, value %q", id, used[byte(id)], v)
		}
		if v != "" && distinct[v] {
			t.Fatalf("value %q twice in a dictionary", v)
		}
		distinct[v] = true
	}
}

func TestRandomChangesAgreeWithAMap(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		span := []int{10, 1000, 100_000}[r.Intn(3)]
		x, m := New(testKeySize).Begin(), model{}
		type version struct {
			tree Tree
			m    model
		}
		var versions []version
		for round := range 12 {
			edit(r, x, m, r.Intn(4000), span, []float64{0.1, 0.5, 0.9}[round%3])
			for range 100 {
				k := key(r.Intn(span))
				if got, want := string(x.Get(k)), m[string(k)]; got != want {
					t.Fatalf("seed %d: Get(%x) = %q, want %q", seed, k, got, want)
				}
			}
			versions = append(versions, version{x.Commit(), maps.Clone(m)})
		}
		// Every version is what it was when it was committed.
		for _, v := range versions {
			check(t, v.tree, v.m)
		}
		for range 30 {
			a, b := versions[r.Intn(len(versions))], versions[r.Intn(len(versions))]
			checkDiff(t, a.tree, b.tree, a.m, b.m, nil, nil)
			from, to := key(r.Intn(span)), key(r.Intn(span))
			checkDiff(t, a.tree, b.tree, a.m, b.m, from, to)
			checkRange(t, a.tree, a.m, from, to)
		}
	}
}

func checkDiff(t *testing.T, a, b Tree, am, bm model, from, to []byte) {
	t.Helper()
	all := maps.Clone(am)
	maps.Copy(all, bm)
	var want []string
	for _, k := range all.keys() {
		if k >= string(from) && (to == nil || k < string(to)) && am[k] != bm[k] {
			want = append(want, fmt.Sprintf("%x %.20q %.20q", k, am[k], bm[k]))
		}
	}
	var got []string
	Diff(a, b, from, to, func(k, old, new []byte) bool {
		got = append(got, fmt.Sprintf("%x %.20q %.20q", k, old, new))
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("Diff from %x to %x:\n got %v\nwant %v", from, to, got, want)
	}
}

func checkRange(t *testing.T, tree Tree, m model, from, to []byte) {
	t.Helper()
	var got, want []string
	for k := range tree.Range(from, to) {
		got = append(got, string(k))
	}
	for _, k := range m.keys() {
		if k >= string(from) && k < string(to) {
			want = append(want, k)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Range(%x, %x) = %x, want %x", from, to, got, want)
	}
	if n := tree.Count(from, to); n != len(want) {
		t.Fatalf("Count(%x, %x) = %d, want %d", from, to, n, len(want))
	}
}

func TestLeavesAreFullWhereEntriesArriveInOrder(t *testing.T) {
	x := New(testKeySize).Begin()
	// Sorted runs in any order, as a dump of several routing tables has.
	for _, run := range []int{3, 1, 2, 0} {
		for i := range 10 * maxEntries {
			x.Put(key(run<<16+i), []byte("v"))
		}
	}
	leaves, entries := 0, 0
	var visit func(n *node)
	visit = func(n *node) {
		if n.leaf() {
			leaves++
			entries += n.count
		}
		for _, c := range n.children {
			visit(c)
		}
	}
	visit(x.Commit().root)
	if leaves > 44 {
		t.Errorf("%d entries in %d leaves, want about 40", entries, leaves)
	}
}

func TestPrefixesAreBounds(t *testing.T) {
	x, m := New(testKeySize).Begin(), model{}
	for i := range 3000 {
		x.Put(key(i), []byte("v"))
		m[string(key(i))] = "v"
	}
	tree := x.Commit()
	checkRange(t, tree, m, []byte{0, 0, 3}, []byte{0, 0, 5})
}

func TestSelectFindsEveryEntryWithTheValue(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	x, m := New(testKeySize).Begin(), model{}
	edit(r, x, m, 5000, 2000, 0.2)
	var got, want []string
	for k := range x.Commit().Select(func(v []byte) bool { return string(v) == "value 3" }) {
		got = append(got, string(k))
	}
	for _, k := range m.keys() {
		if m[k] == "value 3" {
			want = append(want, k)
		}
	}
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("Select found %d entries, want %d", len(got), len(want))
	}
}

func TestDiffSkipsWhatIsShared(t *testing.T) {
	x := New(testKeySize).Begin()
	for i := range 200_000 {
		x.Put(key(i), fmt.Appendf(nil, "value %d", i%20))
	}
	old := x.Commit()
	for i := range 10 {
		x.Put(key(i*19_999), []byte("changed"))
	}
	visited := 0
	a, b := newWalk(old, nil), newWalk(x.Commit(), nil)
	for a.valid() {
		if !skipShared(a, b) {
			visited++
			a.next()
			b.next()
		}
	}
	if visited > 10*maxEntries {
		t.Errorf("a difference of 10 changes visits %d of %d entries", visited, old.Len())
	}
}

func TestFinderFindsWhatIsThere(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	x, m := New(testKeySize).Begin(), model{}
	edit(r, x, m, 20_000, 10_000, 0.3)
	f := NewFinder(x.Commit())
	for range 20_000 {
		k := key(r.Intn(10_000))
		if v, _ := f.Find(k); string(v) != m[string(k)] {
			t.Fatalf("Find(%x) = %.20q, want %.20q", k, v, m[string(k)])
		}
	}
	if v, _ := NewFinder(New(testKeySize)).Find(key(1)); v != nil {
		t.Error("found something in an empty Tree")
	}
}

func BenchmarkCommitOfOneChange(b *testing.B) {
	x := New(14).Begin()
	k := make([]byte, 14)
	for i := range 1_000_000 {
		binary.BigEndian.PutUint32(k[4:], uint32(i))
		x.Put(k, fmt.Appendf(nil, "a value of some bytes %d", i*7919%20))
	}
	x.Commit()
	r := rand.New(rand.NewSource(1))
	b.ReportAllocs()
	for b.Loop() {
		i := r.Intn(1_000_000)
		binary.BigEndian.PutUint32(k[4:], uint32(i))
		x.Put(k, fmt.Appendf(nil, "a value of some bytes %d", r.Intn(20)))
		x.Commit()
	}
}

func BenchmarkGet(b *testing.B) {
	x := New(14).Begin()
	k := make([]byte, 14)
	for i := range 1_000_000 {
		binary.BigEndian.PutUint32(k[4:], uint32(i))
		x.Put(k, fmt.Appendf(nil, "a value of some bytes %d", i*7919%20))
	}
	t := x.Commit()
	r := rand.New(rand.NewSource(1))
	b.ReportAllocs()
	for b.Loop() {
		binary.BigEndian.PutUint32(k[4:], uint32(r.Intn(1_000_000)))
		if t.Get(k) == nil {
			b.Fatal("not found")
		}
	}
}
