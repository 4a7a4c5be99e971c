// Package demux routes netlink messages to requests and event consumers.
//
// A [Table] holds the requests that one socket has in flight. The reader of the
// socket hands it every datagram together with its [Origin]. The table gives each
// message to the request that waits for it, to the event consumer, to both, or
// drops it. The package does no I/O, reads no clock and has no goroutines, except
// those that decode a long list of replies inside [Call.Result]. So each order of
// messages that a kernel can produce is a plain test script.
//
// The package serves package client. It is exported for programs that bring a
// socket of their own, and may change in any version.
//
// # The rule
//
// Sequence numbers alone misroute: a notification can carry the number, and
// even the port, of the request that caused it, and families count
// notifications from 1 upwards. [Table.Deliver] gives one verdict for each
// message:
//
//  1. A message from a sender other than the kernel is dropped, unless processes talk to
//     each other in this family, or in this group of it.
//  2. A destination group makes an event, whatever the header says. The
//     requester's own copy of an NLM_F_ECHO notification keeps its group, so it
//     is a reply as well, and only a reply if the socket has not joined. (A socket
//     that has joined no group need not report groups.)
//  3. No group, our port, a sequence number in flight: a reply.
//  4. No group otherwise: an unsolicited event if the header names no request, the
//     late answer to a request that is gone if it names us.
//
// What is special about a family is in one table, family.go.
//
// # Life of a call
//
// [Table.Open] registers a [Call] before its request is sent. When the send fails,
// [Table.Withdraw] removes the call, or [Table.Reject] ends it if another goroutine
// sent it: several requests can share a datagram ([Coalescable]). When the send has
// returned, the goroutine that sent reads until the call has its result or nothing is
// queued any more, and [Table.Conclude] then ends what has no answer. An abandoned
// call ([Table.Abandon]) keeps its sequence number and its credit until then.
//
// The sum of the credit of the calls in the table is bounded. Open fails if there is not
// enough. [Table.Reserve] queues the call then.
//
// Dumps are not in a table. A dump has a socket of its own, on which every message
// of the kernel belongs to it; [MayDump] says which requests go there.
//
// # Losses
//
// See loss.go.
//
// # Concurrency
//
// Table.mu guards the table and every registered call, the [BatchState] of a batch
// included. No other lock is taken while it is held, and of the client's functions
// only dropped runs, see [New]. From [Call.Ready] on, a call is its waiter's. Deliver,
// MarkOverrun, MarkLost and MarkEmpty are called by one goroutine at a time, the one that
// reads the socket, so their order is the kernel's order. Everything else may be
// called by any goroutine.
//
// A few atomics stay outside the lock, so that the common request takes it twice
// only: whether a call's send has returned, whether its result is there, and the
// counters.
package demux
