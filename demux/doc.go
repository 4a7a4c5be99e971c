// Package demux decides whom a netlink message is for.
//
// A [Table] holds the requests that one socket has in flight. The socket's
// reader hands it every datagram together with its [Origin], and the table
// gives each message to the request that waits for it, to the event consumer,
// to both, or to nobody. The package does no I/O, reads no clock and has no
// goroutines, but for those that make a long list of replies inside [Call.Result].
// So each ordering that a kernel can produce is a plain test script.
//
// # The rule
//
// Sequence numbers alone misroute: a notification can carry the number, and
// even the port, of the request that caused it, and families count
// notifications from 1 upwards. [Table.Deliver] gives one verdict for each
// message:
//
//  1. A sender other than the kernel is not believed.
//  2. A destination group makes an event, whatever the header says. The
//     requester's own copy of an NLM_F_ECHO notification keeps its group, so it
//     is a reply as well, and only a reply where the socket has not joined.
//  3. No group, our port, a sequence number in flight: a reply.
//  4. No group otherwise: unsolicited when the header names no request, the
//     late answer to a request that is gone when it names us.
//
// # Life of a call
//
// [Table.Open] registers a [Call] before its request is sent, and [Table.Sent]
// notes that the send has returned. When the send fails, [Table.Withdraw] takes
// the call back, or [Table.Reject] ends it, if another than its waiter has sent:
// several requests can share a datagram ([Shares]), of which one sender calls
// [Table.SentAll]. Otherwise the kernel has the last word: an abandoned call
// ([Table.Abandon]) keeps its sequence number, and whatever the client lent to it,
// until the kernel's final message, or until the socket was seen drained after a
// loss.
//
// # Batches
//
// A batch of nfnetlink is one call with many sequence numbers, so the number of
// an answer tells which message it is about; see [Parts]. The kernel answers some
// of its messages, or none, so nothing that it says of them ends the call: the
// barrier does, and on the way to it only the refusals are taken down.
//
// # Losses
//
// Every reply but a dump's later parts is queued on the socket before the send
// returns (netlink_unicast_kernel in net/netlink/af_netlink.c runs the request
// inside sendmsg). So once a read finds the queue empty, a request whose send
// had returned before that read and that has no answer will never have one.
// [Table.Overrun] notes a loss, [Table.Drained] draws this conclusion, and
// [Table.Sent] tells a sender whose send overlapped the loss that it must have
// the socket drained once more. A dump is the exception: its parts are queued
// while all else is dropped, so one whose call has ended as lost may still run on
// ([Table.Tail]), and then the queue may be empty only until its next part.
//
// # Concurrency
//
// Table.mu guards the table and every registered call, a batch's [Parts]
// included; no other lock is taken and no function of the client's runs while it
// is held. From the token of [Call.Done] on, a call is its waiter's. Deliver,
// Overrun and Drained are called by whoever holds the read side of the socket,
// one at a time, so their order is the kernel's order. Everything else may be
// called by any goroutine.
//
// A few atomics stand beside the lock, so that the common request takes it twice
// only: whether any call is in doubt, whether a dump may run on, that a call's send
// has returned, and the counters.
package demux
