// Package sock is what lies between a client's connection and the kernel: one
// netlink socket, seen as a sender and a non-blocking receiver of datagrams.
//
// [Open] makes the real one. Tests and package nltest make others that script
// the kernel's side.
package sock

import "github.com/nlmux/netlink"

// Socket is a netlink socket that is bound to a port. Send, Join, Leave and
// Close may be called by any goroutine at any time; Recv by one at a time.
type Socket interface {
	// PortID returns the port that the socket is bound to.
	PortID() uint32

	// Send hands b, one or more whole messages, to the kernel. The kernel works
	// through the requests in b inside the call, so when Send returns the
	// answers are queued or dropped. Exceptions are the later datagrams of a dump and
	// what a thread of the kernel answers (demux.Deferred). An error means that the
	// kernel has not seen b.
	Send(b []byte) error

	// Recv reads as many datagrams as are queued and ds has room for, one at
	// least, without waiting, and returns how many. With an error there are none:
	// EAGAIN when the queue is empty, net.ErrClosed once the socket is closed; any
	// other error reports a loss, and the socket goes on. With such an error it
	// sets ds[0].Congested.
	Recv(ds []Datagram) (int, error)

	// Watch calls ready at once and then, unless muted, each time that a datagram
	// may have arrived since ready was called last. It returns net.ErrClosed when the
	// socket has been closed, after the last call of ready has returned.
	Watch(ready func()) error

	// Mute keeps Watch from calling ready, or has it do so again, at once if
	// something has arrived meanwhile. A new socket is muted. With an error all is as before: it is
	// net.ErrClosed, or the system lacks what it takes. It is for the goroutine
	// that is in Watch.
	Mute(on bool) error

	// Join and Leave change the membership of a multicast group.
	Join(group uint32) error
	Leave(group uint32) error

	// Buffers returns the sizes of the receive and send buffers as the kernel
	// accounts for them, in bytes.
	Buffers() (receive, send int)

	// Backlog returns what the datagrams on the queue are charged to the
	// receive buffer, in bytes: for each at least Charge more than it has.
	Backlog() int

	// Dropped reports whether the kernel has dropped something that no Recv has
	// reported yet. It is for the goroutine that is the only one to call Recv.
	Dropped() bool

	// OpenLike opens a socket with the same options in the same network namespace,
	// bound to a port of the kernel's choice, for a caller that reads what its
	// own requests have queued: the new socket has no Watch.
	OpenLike() (Socket, error)

	// Close wakes Watch and frees the socket. A second call returns
	// net.ErrClosed.
	Close() error
}

// Charge is less than the kernel charges the receive buffer for a datagram
// beyond its bytes: struct sk_buff and struct skb_shared_info (SKB_TRUESIZE in
// include/linux/skbuff.h), together 552 bytes on a 64-bit Linux 6.18.
const Charge = 512

// MaxRecv is the most datagrams that one Recv reads.
const MaxRecv = 8

// Datagram is one datagram as Recv fills it in.
type Datagram struct {
	Buf []byte // room for the datagram, set by the caller

	N         int    // bytes of Buf that are filled
	PortID    uint32 // the sender's port, 0 for the kernel
	Group     uint32 // destination group, 0 for unicast
	NSID      int32  // id of the namespace that it comes from, -1 for the socket's own
	Truncated bool   // it did not fit Buf and its rest is gone

	// Congested reports of a loss that the queue was full, and that the kernel
	// drops all that comes until it is empty.
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
	Filter         []FilterInstruction // nil: none
}

// FilterInstruction is an instruction of a classic BPF program (struct sock_filter).
type FilterInstruction struct {
	Op     uint16
	Jt, Jf uint8
	K      uint32
}
