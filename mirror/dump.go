package mirror

import (
	"bytes"
	"slices"
	"syscall"

	"github.com/nlmux/netlink/mirror/internal/tree"
)

// errNoLink is the kernel's answer to a request for the entries of a link that does not
// exist.
const errNoLink = syscall.ENODEV

// errNoTable is its answer to a request for the routes of a routing table that does not
// exist.
const errNoTable = syscall.ENOENT

// dump compares a dump with the base of its pass, as it comes.
type dump struct {
	kind        *kind
	keeps       func(key []byte) bool
	link        uint32 // only entries of this link were asked for, 0: all
	base        tree.Tree
	interrupted bool // the kernel has marked it
	undecoded   bool // it had a message that could not be decoded

	finder  *tree.Finder
	seen    bitmap    // the groups of the base that the dump has
	changed *tree.Txn // the groups that differ from the base

	key   []byte // of the group that is being read
	group group
	any   bool // there is one

	buf  [2][]byte
	list [][]byte
}

func newDump(t *table, base tree.Tree, link uint32) *dump {
	k := t.kind
	return &dump{
		kind: k, keeps: t.keeps, link: link, base: base,
		finder:  tree.NewFinder(base),
		seen:    make(bitmap, (base.Len()+63)/64),
		changed: tree.New(k.layout.size).Begin(),
	}
}

// add takes a message of the dump.
func (d *dump) add(payload []byte) {
	msg, mine, ok := d.kind.parse(payload, d.buf[0][:0], d.buf[1][:0])
	if !ok {
		d.undecoded = true
		return
	}
	if !mine || !d.keeps(msg.key) {
		return
	}
	d.buf = [2][]byte{msg.key, msg.value}
	if d.kind.absent != nil && d.kind.absent(msg.value) {
		return
	}
	// Without strict checking the kernel dumps what was not asked for, too.
	if d.link != 0 && !d.kind.uses(msg.value, d.link) {
		return
	}
	if !d.any || !bytes.Equal(d.key, msg.key) {
		d.flush()
		d.key, d.any = append(d.key[:0], msg.key...), true
	}
	if d.kind.single {
		d.group = d.group[:0] // entered twice: the later one is newer
	}
	d.group = appendRecord(d.group, msg.value)
}

// flush ends the group that is being read.
func (d *dump) flush() {
	if !d.any {
		return
	}
	g := d.group
	d.group, d.any = d.group[:0], false
	if d.kind.arrange != nil {
		d.list = d.kind.arrange(g.appendTo(d.list[:0]))
		g = appendGroup(nil, d.list)
	}
	if d.base.Len() == 0 {
		if earlier := group(d.changed.Insert(d.key, g)); earlier != nil {
			d.again(earlier, g)
		}
		return
	}
	held, number := d.finder.Find(d.key)
	switch {
	case held != nil && !d.seen.has(number):
		d.seen.set(number)
		if !bytes.Equal(held, g) {
			d.changed.Put(d.key, g)
		}
	default:
		earlier := group(d.changed.Get(d.key))
		if earlier == nil {
			earlier = held
		}
		d.again(earlier, g)
	}
}

// again takes a group that was in the dump before, or is new.
func (d *dump) again(earlier, g group) {
	if !d.kind.single {
		g = union(earlier, g)
	}
	d.changed.Put(d.key, g)
}

// union returns the members of a, and then those of b that a lacks.
func union(a, b group) group {
	if len(a) == 0 {
		return b
	}
	out, have := slices.Clone(a), a.values()
	for _, v := range b.values() {
		if index(have, v) < 0 {
			out = appendRecord(out, v)
		}
	}
	return out
}

// bitmap is a set of numbers.
type bitmap []uint64

func (b bitmap) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitmap) set(i int)      { b[i/64] |= 1 << (i % 64) }
