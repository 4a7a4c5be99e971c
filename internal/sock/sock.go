// Package sock is the interface between package client and the kernel: one netlink
// socket, with a send and a non-blocking receive of datagrams.
//
// [Open] makes the real one. Tests and package nltest make sockets with a scripted
// kernel.
package sock

import (
	"time"

	"github.com/nlmux/netlink"
)

// Socket is a netlink socket that is bound to a port. Any goroutine may call Send,
// Join, Leave and Close at any time. One at a time may call Recv.
type Socket interface {
	// PortID returns the port that the socket is bound to.
	PortID() uint32

	// Send passes b, one or more whole messages, to the kernel. The kernel handles the
	// requests in b inside the call, so the answers are queued or dropped when Send
	// returns. Exceptions are the later datagrams of a dump and answers from a thread
	// of the kernel (demux.Deferred). An error means that the kernel has not seen b.
	Send(b []byte) error

	// Recv reads the datagrams that are queued, up to len(ds) and without waiting, and
	// returns their number. If there is none, it returns an error:
	//   - EAGAIN when the queue is empty,
	//   - net.ErrClosed once the socket is closed,
	//   - any other error reports a loss, sets ds[0].Congested, and the socket stays
	//     usable.
	Recv(ds []Datagram) (int, error)

	// Watch calls ready at once and then, with the notification on, each time that a
	// datagram may have arrived since the last call and is still queued. It returns
	// net.ErrClosed when the socket has been closed, after the last call of ready has
	// returned.
	Watch(ready func()) error

	// SetNotify turns on or off the notification of Watch; it is off on a new socket.
	// Turned on, it calls ready at once if a datagram is queued. With an error nothing
	// has changed: it is net.ErrClosed, or the system lacks a resource. Only the
	// goroutine that is in Watch calls it.
	SetNotify(on bool) error

	// Pause waits for d > 0, which may be less than a millisecond: package time does not do
	// that exactly. With an error it has not waited: the system lacks a resource. Only the
	// goroutine that is in Watch calls it. Close does not end it.
	Pause(d time.Duration) error

	// ReportGroups makes Recv set the Group of datagrams from now on. It is called before
	// the first Join and the first request for an echo, while no other goroutine is in
	// Recv.
	ReportGroups() error

	// Join and Leave change the membership of a multicast group.
	Join(group uint32) error
	Leave(group uint32) error

	// Buffers returns the sizes of the receive and send buffers as the kernel
	// accounts for them, in bytes.
	Buffers() (receive, send int)

	// Backlog returns what the datagrams on the queue are charged to the receive
	// buffer, in bytes. Each is charged at least Charge more than its size.
	Backlog() int

	// Dropped reports whether the kernel has dropped something that no Recv has
	// reported yet. It is called while no other goroutine is in Recv.
	Dropped() bool

	// OpenLike opens a socket with the same options in the same network namespace,
	// bound to a port of the kernel's choice. Its caller reads the answers to its own
	// requests: the new socket has no Watch.
	OpenLike() (Socket, error)

	// Close ends Watch, waits until ready has returned, and frees the socket. A second
	// call returns net.ErrClosed.
	Close() error
}

// Charge is a lower bound of what the kernel charges the receive buffer for a datagram
// beyond its bytes: struct sk_buff and struct skb_shared_info (SKB_TRUESIZE in
// include/linux/skbuff.h), together 552 bytes on a 64-bit Linux 6.18.
const Charge = 512

// MaxRecv is the maximum number of datagrams that one Recv reads.
const MaxRecv = 8

// Datagram is one datagram as Recv fills it in.
type Datagram struct {
	Buf []byte // room for the datagram, set by the caller

	N         int    // bytes of Buf that are filled
	PortID    uint32 // the sender's port, 0 for the kernel
	Group     uint32 // destination group, 0 for unicast, and before ReportGroups
	NSID      int32  // id of the sender's namespace, -1 for the socket's own
	Truncated bool   // it did not fit Buf and its rest is gone

	// Congested: the queue was full, and the kernel drops every message until it is
	// empty. Set with the error that reports a loss.
	Congested bool
}

// Config says how Open makes a socket. The zero value is a socket of
// NETLINK_ROUTE in the calling thread's network namespace with the kernel's
// defaults.
type Config struct {
	Family         netlink.Family
	PortID         uint32 // 0: the kernel chooses
	NetNS          int    // with HasNetNS: descriptor of the namespace to open the socket in
	HasNetNS       bool
	ReceiveBuffer  int // bytes, 0: net.core.rmem_default
	SendBuffer     int // bytes, 0: net.core.wmem_default
	StrictChecking bool
	ListenAllNSID  bool
	Peers          bool                // processes may send to the port, not only the kernel
	Filter         []FilterInstruction // nil: none
}

// FilterInstruction is an instruction of a classic BPF program (struct sock_filter).
type FilterInstruction struct {
	Op     uint16
	Jt, Jf uint8
	K      uint32
}
