// Package client talks to the Linux kernel over netlink sockets that any number
// of goroutines share.
//
// [Dial] opens a [Conn] to one family. [Conn.Request] sends a message and
// returns the kernel's replies, [Conn.Batch] has many messages of nf_tables
// applied as one transaction, [Conn.Dump] walks through a table, [Conn.Subscribe]
// makes a consumer of multicast messages, and [Conn.AddMembership] makes them come out
// of [Conn.Receive]. Messages are made and read with package wire.
//
// # Concurrency
//
// What a Conn promises:
//
//  1. Every method may be called by any number of goroutines at once. Requests
//     share one socket and wait for each other only for room in its receive buffer, and
//     for one of 64 places in the kernel: each send that waits for a lock there holds a
//     thread. Dumps have 64 places of their own.
//     Under load, NETLINK_ROUTE reads and Noops may be coalesced into one datagram. A
//     coalesced request waits, unsent, for the send in progress.
//  2. A reply goes to the request that it answers and to no other, whatever
//     numbers other processes or the kernel's notifications carry
//     (package demux has the rule).
//  3. A request that was sent ends: with the kernel's answer or refusal, with
//     [ErrReplyLost] if the answer was dropped, with [ErrUnanswered] if the kernel
//     ignored the request, with ctx or with Close. No timeout is involved. (One case
//     is not the Conn's to know, see NETLINK_AUDIT at [Conn.Request].)
//  4. Nothing waits for a consumer of events, and nothing waits for a dump. A consumer
//     that takes nothing loses its own events and no other's.
//  5. Losses are reported, in order: a lost reply by ErrReplyLost, lost events by an
//     [Event] of type NLMSG_OVERRUN, the gap.
//  6. Close returns when the Conn's goroutines are gone. Nothing is left.
//
// What it does not promise:
//
//  1. The order in which requests of different goroutines reach the kernel. The
//     requests of one goroutine reach it one after the other.
//  2. That a dump is a snapshot: see [ErrDumpInterrupted].
//  3. With [WithEventSocket], the order between replies and events. Without it, an
//     event that a request causes is queued before its reply.
//  4. The order between a dump's messages and events. An event from before the dump
//     may reach its consumer after Request has returned. [Subscription.Sync] marks the
//     place after it.
//  5. That batches run in parallel: a Batch waits for others on the same Conn.
//  6. The order between the events of two consumers.
//
// A Conn runs one goroutine for each socket that can receive events, the reader, one for
// each consumer, from its first event on, and one that writes the capture of
// [WithCapture]. The reader starts when it is needed, and 1 ms after [Dial] in any case.
// Requests start none, except that very large replies are decoded in
// parallel. The goroutine that sends usually reads its own answer, which the kernel
// has queued when the send returns. While requests follow each other closely, and no
// group is joined on their socket, the reader looks in every 1 ms only, and an
// unsolicited message may wait that long. So it may on a new Conn, until [Conn.Receive]
// or the reader's first look.
//
// # Events
//
// A Conn has any number of consumers of events, each with groups, a channel, a bounded
// queue and gaps of its own. [Conn.Receive] is one: it gets the messages of the groups of
// [Conn.AddMembership] and the unicast messages that answer no request. Each
// [Conn.Subscribe] makes another one.
//
//   - The socket is a member of a group from its first user to its last. A consumer gets
//     the messages that the kernel queues from its call on.
//   - The consumers of a message share one copy of it, which must not be modified.
//   - A gap that the kernel caused goes to every consumer that can have lost an event; one
//     of a full queue, to its consumer.
//   - A message of a group that only SyscallConn has joined is Receive's.
//
// # Dumps
//
// Every dump, collected by [Conn.Request] or streamed by [Conn.Dump], runs on a socket
// of its own. Dumps run in parallel, can be abandoned at any point, and delay no
// request and no event. The goroutine that asks for the dump sends and reads.
//
//   - The Conn keeps up to 8 sockets for the next dumps and closes them when they have
//     not been used for 10 s.
//   - At most 8 dumps are collected at once. Further ones wait, unsent, for a socket.
//     Loops over Dump do not wait, since a loop body can hold another loop: each loop
//     that runs has a socket.
//   - The sockets have the Conn's options and network namespace, but not what was set
//     through [Conn.SyscallConn].
//   - To open one takes no privilege that Dial did not need, unless a thread in another
//     network namespace than Dial's asks: without [WithNetNS] the kernel then wants
//     CAP_NET_ADMIN and CAP_SYS_ADMIN. A program that gives up socket(2) or a privilege
//     after Dial uses [WithDumpSocket].
//   - A request that only may be a dump, by its flags, runs there as well: it is
//     acknowledged as usual. What is known to change something, or to bind something to
//     the socket, does not.
//   - No request is sent twice, except those that are known to change nothing: a dump
//     of Request that the kernel marked as interrupted, and a request whose answer was
//     lost, once, on a socket of its own.
//
// # Cancellation
//
// A ctx ends the waiting, not the request: the kernel works on it inside the
// send, so it has probably been applied. [NotSent] reports for which errors it
// certainly has not. An answer that has come is returned even if ctx has
// ended meanwhile. A system call that the kernel keeps, because the request waits for
// a lock there, returns when the kernel is done. The answer to a request whose caller
// has left is dropped; until the kernel is done the request counts as pending.
//
// # Overrun
//
// The kernel drops what finds the receive buffer full, replies and events
// alike, and keeps dropping until the buffer has been drained. The
// Conn's requests do not fill it: they wait for room, unsent. How much an answer takes is
// learnt from the answers to requests of its type. A burst of events can, and so can a batch of which the kernel refuses more messages than there
// is room for, some 250 with its default buffer. Then the requests whose answers
// are lost fail with ErrReplyLost, as soon as the rest has been read and without
// any timeout, and the consumers of events get a gap; the Example Resync shows how to go
// on from there. [WithEventSocket] keeps requests out of the events' way.
//
// # Network namespaces
//
// A Conn belongs to the namespace of the thread that dialled it, for life.
// [WithNetNS] opens it elsewhere, without the calling goroutine having to lock
// its thread. Ports repeat across namespaces; with [WithListenAllNSID] an
// event's NSID tells them apart.
package client
