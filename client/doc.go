// Package client talks to the Linux kernel over netlink sockets that any number
// of goroutines share.
//
// [Dial] opens a [Conn] to one family. [Conn.Request] sends a message and
// returns the kernel's replies, [Conn.Batch] has many messages of nf_tables
// applied as one transaction, [Conn.Dump] walks through a table, and
// [Conn.AddMembership] makes multicast messages come out of [Conn.Receive].
// Messages are made and read with package wire.
//
// # Concurrency
//
// What a Conn promises:
//
//  1. Every method may be called by any number of goroutines at once. Requests
//     share one socket and do not wait for each other, beyond room for their
//     answers in its receive buffer. Those of a crowd that read NETLINK_ROUTE or
//     ask for nothing ([Conn.Noop]) may share a datagram: some wait, unsent, until
//     the goroutine that sends before them is done, and go together.
//  2. A reply goes to the request that it answers and to no other, whatever
//     numbers other processes or the kernel's notifications carry
//     (package demux has the rule).
//  3. A request that has been sent ends: with the kernel's answer, with the
//     kernel's refusal, with [ErrReplyLost], with ctx or with Close. What the
//     kernel drops without a word, such as a NETLINK_FIB_LOOKUP that is too
//     short, only the last two end.
//  4. Nothing waits for the consumer of Receive, and no loop over a dump waits
//     for another.
//  5. What is lost is told in its place: a reply by ErrReplyLost, an event by an
//     [Event] of type NLMSG_OVERRUN.
//  6. Close returns when the Conn's goroutines are gone. Nothing is left behind.
//
// What it does not promise:
//
//  1. Requests of different goroutines reach the kernel in no particular order.
//     One goroutine's do, one after the other.
//  2. A dump is no snapshot: see [ErrDumpInterrupted].
//  3. With [WithEventSocket] the order between replies and events is undefined.
//     Without, an event that a request causes is queued before its reply.
//  4. A Request that dumps waits for the others that do, and a Batch for other
//     batches. While the kernel makes a part of such a dump, for which it may have
//     to wait for its locks, nobody reads the other requests' replies, and a ctx
//     that ends then beats a reply that has arrived. Loops over Dump run side by
//     side and delay nobody.
//
// A Conn has one goroutine for each socket that can receive events, the reader,
// one more from the first event on, one that writes the capture of [WithCapture],
// and none for a request, but for an answer of many thousand messages: the list of
// them is made on all processors. The goroutine that asks usually reads its own
// answer, which the kernel has queued when the send returns. While requests follow
// each other closely, and no group is joined on their socket, the reader stays away
// for up to 1 ms at a time, and an unsolicited message may wait that long.
//
// # Cancellation
//
// A ctx ends the waiting, not the request: the kernel works on it inside the
// send, so it has probably been applied. [NotSent] tells the errors after which
// it certainly has not. An answer that has come is returned even if ctx has
// ended meanwhile. The answer to a request that nobody waits for any more is
// dropped; until it has come the request counts as pending.
//
// # Overrun
//
// The kernel drops what finds the receive buffer full, replies and events
// alike, and until that buffer has been read away it drops everything. The
// Conn's requests do not fill it: they wait for room, unsent. A burst of events
// can, and so can a batch of which the kernel refuses more messages than there
// is room for, some 250 with its default buffer. Then the requests whose answers
// are lost fail with ErrReplyLost, as soon as the rest has been read and without
// any timeout, and the gap is told in Receive; the Example Resync shows how to go
// on from there. [WithEventSocket] keeps requests out of the events' way.
//
// # Network namespaces
//
// A Conn belongs to the namespace of the thread that dialled it, for life.
// [WithNetNS] opens it elsewhere, without the calling goroutine having to lock
// its thread. Ports repeat across namespaces; with [WithListenAllNSID] an
// event's NSID tells them apart.
package client
