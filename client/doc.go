// Package client talks to the Linux kernel over netlink sockets that any number
// of goroutines share.
//
// [Dial] opens a [Conn] to one family. [Conn.Request] sends a message and returns the
// kernel's replies, [Conn.Batch] applies many messages of nf_tables as one transaction,
// [Conn.Dump] iterates over a table, [Conn.Subscribe] makes a consumer of multicast
// messages, and [Conn.AddMembership] delivers them to [Conn.Receive]. Package wire encodes
// and decodes messages.
//
// # Concurrency
//
// What a Conn promises:
//
//  1. Every method may be called by any number of goroutines at once. Requests share one
//     socket. They wait for each other only for room in its receive buffer and for one of 64
//     send slots, since each send that waits for a lock in the kernel holds a thread. Dumps
//     have 64 slots of their own. Under load, NETLINK_ROUTE reads and Noops may be coalesced
//     into one datagram. A coalesced request waits, unsent, for the send in progress.
//  2. A reply goes to the request that it answers and to no other, whatever numbers other
//     processes or the kernel's notifications carry (package demux has the rule).
//  3. A request that was sent ends: with the kernel's answer or refusal, with [ErrReplyLost]
//     if the answer was dropped, with [ErrUnanswered] if the kernel ignored the request, with
//     ctx or with Close. No timeout is involved. (For one exception, see NETLINK_AUDIT at
//     [Conn.Request].)
//  4. Nothing waits for a consumer of events, and nothing waits for a dump. A consumer
//     that takes nothing loses its own events and no other's.
//  5. Losses are reported, in order: a lost reply by ErrReplyLost, lost events by an
//     [Event] of type NLMSG_OVERRUN, the gap.
//  6. Close returns when the Conn's goroutines are gone. No goroutine, descriptor or
//     thread is left.
//
// What it does not promise:
//
//  1. The order of requests from different goroutines. The
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
// A Conn runs one reader goroutine for each socket that can receive events, one for each
// consumer of events, from the first event on that its channel has no room for, and one
// that writes the capture of [WithCapture]. The reader starts when it is needed, and 1 ms
// after [Dial] in any case. Requests start none, except that very large replies are decoded
// in parallel. A goroutine usually reads the answer to its own request, which the kernel
// queued during the send. While requests follow each other closely, and for 50 ms
// afterwards, the reader checks the socket only every 1 ms if it has joined no group. An
// unsolicited message may wait that long. The same holds for a new Conn, until
// [Conn.Receive] or the reader's first check.
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
// request and no event. The goroutine that requests the dump sends and reads.
//
//   - The Conn keeps up to 8 idle sockets for later dumps and closes each after 10 s
//     without use.
//   - At most 8 dumps are collected at once. Further ones wait, unsent, for a socket.
//     Loops over Dump do not wait, since a loop body can hold another loop: each running loop
//     has a socket.
//   - The sockets have the Conn's options and network namespace, but not what was set
//     through [Conn.SyscallConn].
//   - Opening one needs no privilege that Dial did not need. The exception is a dump
//     that is requested by a thread in another network namespace than Dial's, without
//     [WithNetNS]: the kernel then requires CAP_NET_ADMIN and CAP_SYS_ADMIN. A program
//     that gives up socket(2) or a privilege after Dial uses [WithDumpSocket].
//   - A request whose flags may mean a dump runs there as well, and is acknowledged as
//     usual if it is none. Requests that are known to change something, or to bind
//     something to the socket, do not run there.
//   - No request is sent twice, except those that are known to change nothing: a
//     collected dump that the kernel marked as interrupted, and a request whose answer
//     was lost, once, on a socket of its own.
//
// # Cancellation
//
// The end of ctx ends the wait, not the request: the kernel handles it inside the send,
// so it has probably been applied. [NotSent] reports for which errors it certainly has
// not. An answer that has arrived is returned even if ctx has ended. A send that waits
// for a lock in the kernel returns when the kernel is done. The answer to an abandoned
// request is dropped; until the kernel is done the request counts as pending.
//
// # Overrun
//
// The kernel drops messages that find the receive buffer full, replies and events
// alike, and keeps dropping until the buffer has been drained. The Conn's own requests
// do not fill it: they wait for room, unsent. The room for an answer is learnt from
// earlier answers to requests of its type. A burst of events can fill it, and so can a
// batch of which the kernel refuses more messages than there is room for, about 250
// with the default buffer.
//
// Requests whose answers are lost then fail with ErrReplyLost, as soon as the buffer
// has been drained, without a timeout. The consumers of events get a gap; the Example
// Resync shows how to recover from it. [WithEventSocket] keeps events away from the requests'
// socket.
//
// # Network namespaces
//
// A Conn belongs for life to the namespace of the thread that dialled it. [WithNetNS]
// opens it in another one, and the calling goroutine need not lock its thread. Ports
// repeat across namespaces; with [WithListenAllNSID] an event's NSID distinguishes
// them.
package client
