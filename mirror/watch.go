package mirror

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/nlmux/netlink/mirror/internal/tree"
)

// Batch is the difference between two states of a View: one commit, or several if the
// loop was slow. It stays valid, and can be ranged over any number of times.
type Batch[K comparable, V any] struct {
	Rev     Rev  // of the newer state
	Initial bool // the first of a loop: everything is added
	Resync  bool // tables were read again; Change.Why says which changes are from that
	Exact   bool // the tables of the View are exact

	// Changes has the differences in the order of the keys. It is empty if only Exact
	// has changed.
	Changes iter.Seq[Change[K, V]]
}

// Change is one entry that differs between two states.
type Change[K comparable, V any] struct {
	Key K
	Why Why // what the last change of the entry is known from

	codec    *codec[K, V]
	kind     *kind
	raw      []byte
	old, new [][]byte
}

// Old returns the earlier value, false if the entry was added. It is decoded at each call.
func (c Change[K, V]) Old() (V, bool) { return c.value(c.old) }

// New returns the later value, false if the entry was removed. It is decoded at each call.
func (c Change[K, V]) New() (V, bool) { return c.value(c.new) }

// Added reports whether there was no such entry before.
func (c Change[K, V]) Added() bool { return len(c.old) == 0 }

// Removed reports whether the entry is gone.
func (c Change[K, V]) Removed() bool { return len(c.new) == 0 }

func (c Change[K, V]) value(members [][]byte) (v V, found bool) {
	if len(members) == 0 {
		return v, false
	}
	return c.codec.value(c.kind, c.raw, members), true
}

// Watch returns an iterator over what happens to the View that of returns, such as
// [Snapshot.Links]. The first Batch comes when the tables of the View have been exact
// once, and has all entries. Each further one has the differences to the one before, or
// says that Exact has changed.
//
// A slow loop misses no difference: what happens meanwhile is coalesced, and costs no
// memory but what the two states do not share. of must return the same part of each
// Snapshot.
//
// The error is the last pair: ctx's, or one for which errors.Is(err, net.ErrClosed)
// holds, when the Mirror has ended.
func Watch[K comparable, V any](ctx context.Context, m *Mirror, of func(Snapshot) View[K, V]) iter.Seq2[Batch[K, V], error] {
	return func(yield func(Batch[K, V], error) bool) {
		var last View[K, V]
		for {
			s := m.state.Load()
			view := of(Snapshot{s})
			b, any := difference(last, view)
			switch {
			case s.err != nil:
				yield(Batch[K, V]{}, s.err)
				return
			case ctx.Err() != nil:
				yield(Batch[K, V]{}, fmt.Errorf("mirror: watch: %w", ctx.Err()))
				return
			case any:
				last = view
				if !yield(b, nil) {
					return
				}
				continue
			}
			select {
			case <-s.newer:
			case <-ctx.Done():
			}
		}
	}
}

// difference returns the Batch between two Views, and whether there is anything to
// report. The first View may be zero.
func difference[K comparable, V any](a, b View[K, V]) (Batch[K, V], bool) {
	batch := Batch[K, V]{Rev: b.s.rev, Initial: a.s == nil, Exact: b.Exact(), Changes: changes(a, b)}
	if batch.Initial {
		batch.Resync = true
		return batch, b.s.synced&b.tables() == b.tables()
	}
	batch.Resync = b.s.resynced(a.s.rev, b.tables())
	if batch.Exact != a.Exact() {
		return batch, true
	}
	for range batch.Changes {
		return batch, true
	}
	return batch, false
}

// resynced reports whether one of the tables was changed by reading it again.
func (s *state) resynced(since Rev, tables Tables) bool {
	if s.forgot > since {
		return true
	}
	for _, n := range s.notes {
		if n.rev <= since || n.table&tables == 0 {
			continue
		}
		if n.rest == Resync {
			return true
		}
		for _, w := range n.keys {
			if w == Resync {
				return true
			}
		}
	}
	return false
}

// changes returns an iterator over the differences between two Views.
func changes[K comparable, V any](a, b View[K, V]) iter.Seq[Change[K, V]] {
	return func(yield func(Change[K, V]) bool) {
		for _, sp := range b.spans {
			k, more := sp.kind, true
			old := tree.New(k.layout.size)
			if a.s != nil {
				old = a.tree(k)
			}
			tree.Diff(old, b.tree(k), sp.from, sp.to, func(raw, x, y []byte) bool {
				c := Change[K, V]{Why: Resync, codec: b.codec, kind: k, raw: raw}
				if a.s != nil {
					c.Why = b.s.because(a.s.rev, k.bit, raw)
				}
				more = c.each(group(x).values(), group(y).values(), yield)
				return more
			})
			if !more {
				return
			}
		}
	}
}

// each yields the changes of one group.
func (c Change[K, V]) each(old, new [][]byte, yield func(Change[K, V]) bool) bool {
	if !c.codec.members {
		c.Key, c.old, c.new = c.codec.key(c.kind, c.raw, 0), old, new
		return yield(c)
	}
	for i := range max(len(old), len(new)) {
		c.Key = c.codec.key(c.kind, c.raw, i)
		c.old, c.new = old[min(i, len(old)):min(i+1, len(old))], new[min(i, len(new)):min(i+1, len(new))]
		if len(c.old) == 1 && len(c.new) == 1 && bytes.Equal(c.old[0], c.new[0]) {
			continue
		}
		if !yield(c) {
			return false
		}
	}
	return true
}
