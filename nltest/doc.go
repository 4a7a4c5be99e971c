// Package nltest is a scripted kernel for the tests of programs that use
// package client: no kernel, no privilege, any GOOS, but the real client.
//
// [Dial] returns a Conn whose requests a function answers. [New] returns a [Kernel]
// that can also multicast events ([Kernel.Push]), overrun its sockets
// ([Kernel.Overrun]) and stop ([Kernel.Stop]).
//
// # The handler
//
// The handler gets each request that is not a control message and returns the messages
// of its answer, in order. It runs inside the send, as the kernel does, in a goroutine of
// its own; concurrent requests call it concurrently, so it locks its state. The handler may
// keep the request. What it returns is copied: a Seq or PortID of 0 becomes the request's, and Length is computed. The end of the answer is
// added as the family's kernel sends it, unless the handler returns one:
//
//   - nil: the request is acknowledged
//   - data: the messages, then the acknowledgement, or NLMSG_DONE for a dump
//   - [Error]: the request is refused, optionally with an explanation
//   - data and [Done] with an errno: a dump that breaks off
//
// The handler must not use the Conn of the request: the request holds what the next one may
// wait for. If the handler ends its goroutine, as t.Fatal does, the request fails. A panic in
// it ends the program.
//
// # Batches
//
// Of a batch ([client.Conn.Batch]) the handler gets each message, after one of type
// NFNL_MSG_BATCH_BEGIN, 16, and before one of type NFNL_MSG_BATCH_END, 17. Batches do
// not overlap. Any of these messages may be refused with [Error]:
//
//   - the BEGIN: the batch is refused as a whole and its messages do not come. Its
//     payload is a struct nfgenmsg and, with [client.AtGeneration], an attribute
//     of type NFNL_BATCH_GENID
//   - a message: the next ones come, but not the END
//   - the END: the commit has failed, the batch is refused as a whole
//
// So a handler with state records the changes of the messages, drops them at each
// BEGIN, and applies them at the END. Data that it returns for a message is that
// message's echo; the client gets it only if the batch is applied.
//
// # Other systems
//
// Package golang.org/x/sys/unix has the constants of netlink families on Linux only. A
// test for other systems declares those that it uses.
//
// # Determinism
//
// A Kernel uses only channels, mutexes and the goroutines of its Conns, so it works in
// a testing/synctest bubble. A message that is pushed before a request is made is
// queued before its answer.
//
// # Types
//
// Package ynl/ynltest makes handlers from functions on the types of package ynl.
package nltest
