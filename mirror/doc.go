// Package mirror keeps a copy of the kernel's links, addresses, next hops, neighbours,
// policy routing rules and routes that is exact, or says that it is not.
//
// [Open] starts a [Mirror]. [Mirror.Snapshot] returns one instant of all tables, at no
// cost, and [Watch] iterates over the differences between such instants. The values are
// those of the packages below [github.com/nlmux/netlink/ynl], such as
// [github.com/nlmux/netlink/ynl/rtlink.Link].
//
//	m, err := mirror.Open(ctx, mirror.All)
//	...
//	err = m.Synced(ctx)
//	link, found := m.Snapshot().Links().Get(index)
//
// # Why a list and its events are not enough
//
//   - The kernel drops messages when a socket's buffer is full, and reports the loss only.
//   - Most of its dumps are not atomic. Those of routes, neighbours and rules are never
//     marked, and those of IPv6 routes and rules lack unchanged entries while others change.
//   - Many changes are not announced. A link that goes down, or loses its last IPv4
//     address, takes its IPv4 routes along without a message; one that loses its carrier
//     its next hops and their routes.
//   - What a message does depends on what is there: NLM_F_REPLACE takes the place of the
//     first route of its group, and some routes replace others without a message.
//
// A Mirror knows these cases. Where a message or a dump leaves open what the kernel has,
// the table is in doubt until it was read again.
//
// # Promises
//
//  1. Convergence. When the kernel is quiet, a table soon equals a dump of it, whatever was
//     lost: within 10 ms and the time of one or two dumps after the last loss. A table of
//     IPv6 routes or rules in doubt needs a pass during which it does not change, since a
//     dump may lack unchanged entries otherwise. Under constant change passes over a table
//     take a quarter of the time at most.
//  2. Doubt is shown. While a table may differ from the kernel's, [Snapshot.Exact] is
//     false, and [Mirror.Status] says why. Nothing is removed on doubt alone.
//  3. Never back. No entry is shown with a value older than one that was shown before. A
//     table that is read again changes by the difference; it is never empty in between.
//  4. Watchers. A watcher gets the initial state, and then every difference between the
//     states that it sees, with exact old and new values. None is missed. A slow watcher
//     costs others nothing, and memory only for what has changed meanwhile.
//  5. One order. All tables change in the order of the kernel's messages, and a Snapshot is
//     one instant of all. With a link its addresses, neighbours, next hops and IPv4 routes
//     go in the same Snapshot.
//  6. Read your writes. After a change that the kernel has acknowledged, on any socket,
//     [Mirror.Barrier] returns a revision from which on Snapshots have it.
//  7. Only real changes. A message that changes nothing makes no new revision.
//
// # What is not promised
//
//   - Intermediate states: what changes twice between two reads of the socket changes once.
//   - An order relative to other sockets, but for Barrier.
//   - Fields that the kernel changes without a message. They are left out: counters and
//     ages, [rtlink.Link.AfSpec], the state of the spanning tree, timers and ports of
//     bridges, the state of LACP, whether a next hop is dead, the lifetimes of addresses and
//     IPv6 routes, the MTU of IPv6 routes, and the hop limit of those that a router has
//     advertised. The alias of a link that is down is as of the link's last message. A
//     carrier is announced up to a second after it has changed.
//   - Entries that the kernel makes without a message are left out: tentative IPv6
//     addresses, neighbours that are incomplete or without address resolution, cached
//     routes. So are proxy neighbours and the forwarding tables of bridges.
//   - The order in which two processors of the kernel announce changes of one neighbour.
//   - IPv6 routes that the kernel itself does not show: those that its list has between two
//     hops of an ECMP set.
//
// # Concurrency
//
// All functions and methods may be called by any number of goroutines at once. A Mirror
// runs two goroutines: one applies messages, one reads tables. Snapshots, Views and
// Batches are immutable and stay valid after Close.
package mirror
