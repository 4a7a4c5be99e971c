package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/nlmux/netlink/internal/sock"
)

// Option changes how [Dial] opens a Conn.
type Option func(*config)

// config has the values of the options.
type config struct {
	sock        sock.Config
	open        func(sock.Config) (sock.Socket, error)
	eventQueue  int
	eventSocket bool
	eventFilter []sock.FilterInstruction
	dumpRetries int
	dumpSockets int
	inFlight    int
	capture     io.Writer
	err         error // of an option's value
}

const (
	defaultEventQueue  = 4096
	defaultDumpRetries = 3
)

func newConfig(opts []Option) (config, error) {
	cfg := config{
		open:        sock.Open,
		eventQueue:  defaultEventQueue,
		dumpRetries: defaultDumpRetries,
	}
	for _, o := range opts {
		if o == nil {
			return cfg, errNilOption
		}
		o(&cfg)
	}
	return cfg, cfg.err
}

// atLeast records an error if an option's value is below the minimum.
func (c *config) atLeast(param string, value, least int) {
	if value < least && c.err == nil {
		c.err = fmt.Errorf("%s must be at least %d, got %d", param, least, value)
	}
}

// WithPortID binds the Conn to this port number. Default and zero: the kernel chooses
// one. No privilege is needed. Dial fails with EADDRINUSE if another socket of the
// family has the port in this network namespace.
//
// With [WithEventSocket] the port is that of the socket for requests.
func WithPortID(port uint32) Option {
	return func(c *config) { c.sock.PortID = port }
}

// WithNetNS opens the Conn in the network namespace that fd refers to, such as an open
// /proc/PID/ns/net or /run/netns/NAME. Default: the namespace of the thread that calls
// Dial. The caller keeps the descriptor and may close it when Dial has returned. It
// needs CAP_SYS_ADMIN in the caller's user namespace and in that of the network
// namespace. Dial fails with EPERM without it, and with EINVAL or EBADF if fd is not a
// network namespace.
func WithNetNS(fd int) Option {
	return func(c *config) { c.sock.NetNS, c.sock.HasNetNS = fd, true }
}

// WithReceiveBuffer sets the size of the socket's receive queue, in bytes as the kernel
// accounts for them: a small message counts several hundred. Default:
// net.core.rmem_default. The kernel doubles the value. Beyond net.core.rmem_max it
// needs CAP_NET_ADMIN; without it, the kernel uses the limit. [Conn.Stats] returns the
// granted size. Dial fails if bytes is below 1.
//
// With a larger buffer, more requests can be in flight at once, and a consumer of
// events can fall further behind before the kernel drops events.
func WithReceiveBuffer(bytes int) Option {
	return func(c *config) {
		c.atLeast("WithReceiveBuffer: bytes", bytes, 1)
		c.sock.ReceiveBuffer = bytes
	}
}

// WithSendBuffer sets the size of the send buffer in bytes. It limits the size of one
// request, or of one batch, to 32 bytes less (netlink_sendmsg). Default:
// net.core.wmem_default. Doubling, limits and failures are as for [WithReceiveBuffer],
// with net.core.wmem_max.
func WithSendBuffer(bytes int) Option {
	return func(c *config) {
		c.atLeast("WithSendBuffer: bytes", bytes, 1)
		c.sock.SendBuffer = bytes
	}
}

// WithEventQueue sets the maximum number of events that wait in the Conn for one
// consumer, that of [Conn.Receive] or of a [Subscription], and their maximum size: n times
// 4 KiB of payload. Further events are dropped, counted and reported to that consumer.
// Default: 4096 events, 16 MiB. An event that waits for several consumers is in memory
// once. No privilege is needed. Dial fails if n is below 1.
func WithEventQueue(n int) Option {
	return func(c *config) {
		c.atLeast("WithEventQueue: n", n, 1)
		c.eventQueue = n
	}
}

// WithEventSocket puts the memberships on a second socket with its own reader, so that
// an overrun by events cannot cost a request its reply. Default: one socket for both.
// No privilege is needed.
//
// Messages that the kernel sends to the requesting socket stay with the requests: the
// packets of nfqueue and nflog, frames of nl80211 and other unicast messages. So do
// filters that belong to a socket, such as that of proc events (Linux 6.6).
//
// It costs a second goroutine and two more descriptors (the socket and the epoll
// instance that watches it), and the order between replies and events is undefined: the
// event that a request causes may come before or after its reply.
func WithEventSocket() Option {
	return func(c *config) { c.eventSocket = true }
}

// FilterInstruction is one instruction of a classic BPF program: struct sock_filter of
// include/uapi/linux/filter.h.
type FilterInstruction struct {
	Op     uint16 // the kernel calls it code
	Jt, Jf uint8  // instructions to skip if a condition is true or false
	K      uint32 // operand
}

// WithEventFilter makes the kernel run a classic BPF program (SO_ATTACH_FILTER) on each
// datagram of the joined groups, and drop the datagram if the program returns 0. It
// implies [WithEventSocket], so no reply is filtered. Default: none. No privilege is
// needed. Dial fails if prog is empty or has more than 4096 instructions, and with
// EINVAL if the kernel refuses it (sk_attach_filter in net/core/filter.c).
//
// The program sees the datagram from the netlink header on, in the machine's byte
// order; BPF loads are big endian. It returns the number of bytes to keep. A number
// below the datagram's size truncates it, which is a loss. An event that the filter
// drops is no loss and makes no gap.
func WithEventFilter(prog []FilterInstruction) Option {
	return func(c *config) {
		const most = 4096 // BPF_MAXINSNS
		if n := len(prog); (n == 0 || n > most) && c.err == nil {
			c.err = fmt.Errorf("WithEventFilter: n must be from 1 to %d instructions, got %d", most, n)
		}
		c.eventSocket = true
		c.eventFilter = make([]sock.FilterInstruction, len(prog))
		for i, f := range prog {
			c.eventFilter[i] = sock.FilterInstruction(f)
		}
	}
}

// WithStrictChecking makes the kernel refuse dump requests with unknown fields or
// attributes, and filter rtnetlink dumps by the known ones (NETLINK_GET_STRICT_CHK).
// Default: off. No privilege is needed. Dial fails with ENOPROTOOPT before Linux 4.20.
func WithStrictChecking() Option {
	return func(c *config) { c.sock.StrictChecking = true }
}

// WithListenAllNSID delivers the events of all network namespaces that have an id in
// the Conn's own namespace, with the id in [Event.NSID] (NETLINK_LISTEN_ALL_NSID).
// Default: off. It needs CAP_NET_BROADCAST in the user namespace of the network
// namespace; Dial fails with EPERM without it.
func WithListenAllNSID() Option {
	return func(c *config) { c.sock.ListenAllNSID = true }
}

// WithDumpSocket makes Dial open a socket for dumps, which stays open until
// [Conn.Close]. Default: dumps open sockets when they need them, and close them
// after some seconds. No privilege is needed. Dial fails if the socket cannot be
// opened.
//
// It is for a program that cannot open sockets later, because it gives up socket(2),
// setns(2) or its privileges after Dial: one dump at a time then needs none of them. If
// that dump is abandoned, the next one reads it to its end.
func WithDumpSocket() Option {
	return func(c *config) { c.dumpSockets = 1 }
}

// WithDumpRetries sets the maximum number of times that a dump collected by
// [Conn.Request] is repeated because the table changed during it. A dump that may reset
// the values that it reads is never repeated. Default: 3. With 0 the first interruption
// is returned. No privilege is needed. Dial fails if n is negative.
func WithDumpRetries(n int) Option {
	return func(c *config) {
		c.atLeast("WithDumpRetries: n", n, 0)
		c.dumpRetries = n
	}
}

// WithInFlight sets the maximum number of requests in flight; further ones wait,
// unsent. Default: as many as the receive buffer has room for answers. No privilege is
// needed. Dial fails if n is below 1. A larger n than the default can overrun the
// receive buffer, so that requests end with [ErrReplyLost].
func WithInFlight(n int) Option {
	return func(c *config) {
		c.atLeast("WithInFlight: n", n, 1)
		c.inFlight = n
	}
}

// WithCapture writes what the Conn sends and receives to w as pcapng, the format of
// Wireshark: on its sockets for requests, events and dumps. Default: none, at no cost.
// No privilege is needed, nor an nlmon device. Dial fails if w is nil.
//
// Each frame that is sent and each datagram that is read is a packet. Causes come
// first: a request comes before its answer, and is written even while the kernel works
// on it. The time of a datagram is the time of its read. Packet comments record what
// the bytes do not: the multicast group, a sender other than the kernel, kernel drops,
// and failed sends (the request appears twice). A packet is cut at 256 KiB.
//
// The Conn never waits for w. One goroutine writes, in pieces of any size. Up to 4 MiB
// are queued for it. Further packets are dropped and counted, in the next packet
// (epb_dropcount) and in the statistics at the end (isb_ifdrop). The first error of w
// ends the capture and nothing else. [Conn.Close] writes what is queued, however long w
// takes, and returns w's error. After that w is the caller's again; the caller syncs
// and closes it. A Write must not call Close.
//
// A writer serves one Conn at a time. Wireshark reads the captures of several Conns,
// one after the other, as one file.
//
// A capture contains everything in the messages, including keys of xfrm and WireGuard.
func WithCapture(w io.Writer) Option {
	return func(c *config) {
		if w == nil && c.err == nil {
			c.err = errors.New("WithCapture: nil writer")
		}
		c.capture = w
	}
}

// withSocket makes the Conn open its sockets with a function other than [sock.Open].
func withSocket(open func(sock.Config) (sock.Socket, error)) Option {
	return func(c *config) { c.open = open }
}

func init() {
	sock.ClientOption = func(open func(sock.Config) (sock.Socket, error)) any { return withSocket(open) }
}
