package mirror

import (
	"slices"

	"github.com/nlmux/netlink"
)

// kind describes one of the kernel's tables: how to read it, what identifies an entry,
// what a message does to it, and what goes with it without a message. A file for each
// has all of that; kinds lists them.
type kind struct {
	name   string
	bit    Tables
	family uint8  // of the messages; their first byte
	needs  Tables // whose messages say what changes here without one

	anyFamily bool // messages of all families belong to the table

	get, new, del netlink.MessageType
	multicast     uint32 // group

	layout layout
	// request returns the payload of a dump request. With a link it asks for the
	// entries that use the link only.
	request func(family uint8, link uint32) []byte
	// loses is set if a dump lacks unchanged entries while others change, and the kernel
	// does not mark it: it continues a dump at a count (fib6_dump_table in
	// net/ipv6/ip6_fib.c, dump_rules in net/core/fib_rules.c). Dumps of links,
	// addresses and next hops are marked (NLM_F_DUMP_INTR), those of IPv4 routes and
	// neighbours have what does not change.
	loses bool

	// clean removes from a value what changes without a message. It may return other
	// memory. It returns nil if the message does not belong to the table.
	clean func(value []byte) []byte
	// restore returns a value as the kernel would send it. Nil: as it is stored.
	restore func(value []byte) []byte
	// absent reports whether an entry is as good as not there. Nil: never.
	absent func(value []byte) bool
	// arrange orders the members of a group that a dump has. Nil: they stay as they are.
	arrange func(list [][]byte) [][]byte
	// apply does to the members of a group what the message says, in place or not.
	apply func(list [][]byte, m *message) ([][]byte, verdict)
	// follows reports whether a group can be in this state right after the message.
	follows func(list [][]byte, m *message) bool
	// single is set if a group has one member, and each message says all about it.
	single bool
	// uses reports whether a value depends on the link. Only for tables that can be
	// dumped by link.
	uses func(value []byte, link uint32) bool
	// usesOnly reports whether it depends on no other link.
	usesOnly func(value []byte, link uint32) bool
	// announced is called before a message of the kernel is applied. It finds what has
	// gone before the message. Nil: nothing.
	announced func(m *Mirror, t *table, msg *message)
	// changed is called when a group has changed, and when one was removed that was
	// absent; old or new are empty if the group is not there. It finds what goes along
	// without a message.
	changed func(m *Mirror, t *table, key []byte, old, new group)
}

// verdict says what a message reveals about the group that it was applied to.
type verdict uint8

const (
	certain    verdict = iota // the group is now what the kernel has
	uncertain                 // it may be something else
	impossible                // the kernel had something else before
)

// message is a message about a table, or what stands for one that the kernel did not
// send.
type message struct {
	new   bool
	flags netlink.Flags
	key   []byte
	value []byte

	// gone is set if the message stands for an implied removal: of all members of the
	// group whose values it reports true for, whatever else they are.
	gone func(value []byte) bool
	// doubt is set if the group may already differ from the kernel's.
	doubt bool
}

// do does to the members of a group what the message says.
func (m *message) do(k *kind, list [][]byte) ([][]byte, verdict) {
	if m.gone != nil {
		return slices.DeleteFunc(list, m.gone), certain
	}
	return k.apply(list, m)
}

// precedes reports whether a group can be in this state right after the message.
func (m *message) precedes(k *kind, list [][]byte) bool {
	if m.gone != nil {
		return !slices.ContainsFunc(list, m.gone)
	}
	return k.follows(list, m)
}

// parse cuts a payload and returns the message, whose key and value are appended to buf.
// It reports ok if the payload could be cut apart, and mine if it is about k's table.
func (k *kind) parse(payload, key, value []byte) (m message, mine, ok bool) {
	if len(payload) == 0 {
		return m, false, false
	}
	if payload[0] != k.family && !k.anyFamily {
		return m, false, true
	}
	key, value, ok = k.layout.split(payload, key, value)
	if !ok {
		return m, false, false
	}
	m = message{new: true, key: key, value: value}
	if k.clean != nil {
		m.value = k.clean(value)
	}
	return m, m.value != nil, true
}

// applySingle is kind.apply for tables whose groups have one member.
func applySingle(list [][]byte, m *message) ([][]byte, verdict) {
	if m.new {
		return append(list[:0], m.value), certain
	}
	return list[:0], certain
}

// followsMember is kind.follows where a message is about one member of its group.
func followsMember(list [][]byte, m *message) bool {
	return (index(list, m.value) >= 0) == m.new
}

// kinds has the tables, in the order in which they are read.
var kinds = []*kind{
	links,
	addrs4, addrs6,
	nexthops,
	neighs4, neighs6,
	rules4, rules6,
	routes4, routes6,
}
