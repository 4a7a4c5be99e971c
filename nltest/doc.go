// Package nltest is a scripted kernel for the tests of programs that use
// package client: no kernel, no privilege, any GOOS, but the real client.
//
// [Dial] gives a Conn whose requests a function answers. [New] gives the
// [Kernel] behind it as well, which can multicast events ([Kernel.Push]), lose
// what it should have delivered ([Kernel.Overrun]) and go away ([Kernel.Stop]).
//
// # The handler
//
// The handler gets each request that is not a control message and returns the
// messages of its answer, in order. It runs inside the send, in the goroutine
// that makes the request, as the kernel's does, and so for several requests at
// once if several are made; what it shares it has to lock. The request is the
// handler's to keep, and what it returns is copied. In that, a Seq or PortID of 0
// becomes the request's, and Length is computed. The end is added as the family's
// kernel would send it, unless the handler returns one:
//
//   - nil: the request is acknowledged
//   - data: the messages, then the acknowledgement, or NLMSG_DONE for a dump
//   - [Error]: the request is refused, optionally with an explanation
//   - data and [Done] with an errno: a dump that breaks off
//
// The handler must not use the Conn that asks: the request that it answers holds
// what the next one may wait for. If it ends the goroutine, as t.Fatal does, the
// request stays in flight until the Conn is closed.
//
// # Batches
//
// Of a batch ([client.Conn.Batch]) the handler gets each message, between one of
// type NFNL_MSG_BATCH_BEGIN, 16, and one of type NFNL_MSG_BATCH_END, 17; no other
// batch comes in between. Any of them may be refused with [Error]:
//
//   - the BEGIN: the batch is refused as a whole and its messages do not come. Its
//     payload is a struct nfgenmsg and, with [client.AtGeneration], an attribute
//     of type NFNL_BATCH_GENID
//   - a message: the next ones come, but not the END
//   - the END: the commit has failed, the batch is refused as a whole
//
// So a handler that keeps state notes what the messages change, forgets that at
// each BEGIN, and makes it true at the END. Data that it returns for a message is
// that message's echo, which only a batch that was applied brings.
//
// # Other systems
//
// Package golang.org/x/sys/unix has the constants of netlink families on Linux
// alone. A test that is to run elsewhere declares the few that it uses.
//
// # Determinism
//
// A Kernel uses nothing but channels, mutexes and the goroutines of its Conns,
// so it works in a testing/synctest bubble. A message that is pushed before a
// request is made is queued before its answer.
package nltest
