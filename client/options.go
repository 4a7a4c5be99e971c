package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/nlmux/netlink/internal/sock"
)

// Option changes how [Dial] opens a Conn.
type Option func(*config)

// config is what the options have set.
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

// atLeast records an error when an option's value is below the least allowed.
func (c *config) atLeast(option string, value, least int) {
	if value < least && c.err == nil {
		c.err = fmt.Errorf("%s(%d): the least value is %d", option, value, least)
	}
}

// WithPortID binds the Conn to a port number of the caller's choice instead of
// one that the kernel chooses. Default and zero: the kernel chooses. No
// privilege is needed. Dial fails with EADDRINUSE when another socket of the
// family has the port in this network namespace.
//
// Together with [WithEventSocket] the port is that of the socket for requests.
func WithPortID(port uint32) Option {
	return func(c *config) { c.sock.PortID = port }
}

// WithNetNS opens the Conn in the network namespace that fd refers to, such as
// an open /proc/PID/ns/net or /run/netns/NAME. Default: the namespace of the
// thread that calls Dial. The descriptor stays the caller's, who may close it
// once Dial has returned. It needs CAP_SYS_ADMIN both in the user namespace of
// the caller and in that of the network namespace; Dial fails with EPERM
// without it, and with EINVAL or EBADF when fd is not a network namespace.
func WithNetNS(fd int) Option {
	return func(c *config) { c.sock.NetNS, c.sock.HasNetNS = fd, true }
}

// WithReceiveBuffer sets the size of the kernel's queue to the Conn, in bytes of
// its own accounting, where a small message counts several hundred bytes.
// Default: net.core.rmem_default. The kernel doubles the value. Past
// net.core.rmem_max it needs CAP_NET_ADMIN; without, the kernel takes the limit
// instead. [Conn.Stats] tells what was granted. Dial fails when bytes is below
// 1.
//
// A larger buffer lets more requests be in flight at once and a consumer of
// events fall behind further before the kernel drops events.
func WithReceiveBuffer(bytes int) Option {
	return func(c *config) {
		c.atLeast("WithReceiveBuffer", bytes, 1)
		c.sock.ReceiveBuffer = bytes
	}
}

// WithSendBuffer sets the size of the send buffer in bytes, which limits the
// size of one request, or of one batch, to 32 bytes less (netlink_sendmsg). Default: net.core.wmem_default. What
// [WithReceiveBuffer] says of doubling, limits and failures holds here too,
// with net.core.wmem_max.
func WithSendBuffer(bytes int) Option {
	return func(c *config) {
		c.atLeast("WithSendBuffer", bytes, 1)
		c.sock.SendBuffer = bytes
	}
}

// WithEventQueue sets the maximum number of events that wait in the Conn for one
// consumer, that of [Conn.Receive] or of a [Subscription], and with it their size: 4 KiB
// of payload for each on average. Further events are dropped, counted and reported to
// that consumer. Default: 4096 events, 16 MiB. An event that waits for several consumers
// is in memory once. No privilege is needed. Dial fails when n is below 1.
func WithEventQueue(n int) Option {
	return func(c *config) {
		c.atLeast("WithEventQueue", n, 1)
		c.eventQueue = n
	}
}

// WithEventSocket puts the memberships on a second socket with a reader of its
// own, so that a storm of events that overruns it cannot cost a request its
// reply. Default: one socket for both. No privilege is needed.
//
// What the kernel binds to the socket of a request stays with the requests: the packets
// of nfqueue and nflog, frames of nl80211 and other unicast messages, and filters that
// belong to a socket, such as that of proc events (Linux 6.6).
//
// The price is a second goroutine, two more descriptors (the socket and the epoll
// instance that watches it), and that the order between replies and events is not
// defined: the event that a request caused may come before or after its reply.
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

// WithEventFilter has the kernel run a classic BPF program (SO_ATTACH_FILTER) on each
// datagram of the groups that are joined, and drop it if the program returns 0. It implies
// [WithEventSocket], so that no reply is ever filtered. Default: none. No privilege is
// needed. Dial fails when prog is empty or has more than 4096 instructions, and with EINVAL
// when the kernel refuses it (sk_attach_filter in net/core/filter.c).
//
// The program sees the datagram from the netlink header on, in the byte order of the
// machine; loads of BPF are in big endian. It returns the number of bytes to keep: one that
// is less than the datagram's size cuts it off, and that is a loss. An event that the filter
// drops is not a loss and makes no gap.
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

// WithStrictChecking makes the kernel refuse dump requests with fields or
// attributes that it does not understand, and makes it filter rtnetlink dumps
// by the fields that it does (NETLINK_GET_STRICT_CHK). Default: off. No
// privilege is needed. Dial fails with ENOPROTOOPT before Linux 4.20.
func WithStrictChecking() Option {
	return func(c *config) { c.sock.StrictChecking = true }
}

// WithListenAllNSID delivers the events of all network namespaces that have an
// id in the Conn's own one, with the id in [Event.NSID]
// (NETLINK_LISTEN_ALL_NSID). Default: off. It needs CAP_NET_BROADCAST in the
// user namespace of the network namespace; Dial fails with EPERM without it.
func WithListenAllNSID() Option {
	return func(c *config) { c.sock.ListenAllNSID = true }
}

// WithDumpSocket makes Dial open a socket for dumps, which stays open until
// [Conn.Close]. Default: dumps open sockets when they need them, and close them
// after some seconds. No privilege is needed. Dial fails if the socket cannot be
// opened.
//
// It is for a program that cannot open sockets later, because it gives up socket(2)
// or setns(2) or its privileges after Dial: one dump at a time then needs none of
// them. A dump that is broken off is read to its end by the next one.
func WithDumpSocket() Option {
	return func(c *config) { c.dumpSockets = 1 }
}

// WithDumpRetries sets the maximum number of times that a dump collected by
// [Conn.Request] is sent again after the kernel reported that the table changed
// during it. A dump that resets what it reads, or of which that is not known, is never
// sent again. Default: 3. With 0 the first interruption is returned. No privilege is
// needed. Dial fails when n is negative.
func WithDumpRetries(n int) Option {
	return func(c *config) {
		c.atLeast("WithDumpRetries", n, 0)
		c.dumpRetries = n
	}
}

// WithInFlight sets how many requests may wait for the kernel at once; further
// ones wait, unsent, for their turn. Default: as many as the receive buffer has
// room for the answers of. No privilege is needed. Dial fails when n is below
// 1. More than the default can overrun the receive buffer, so that requests
// end with [ErrReplyLost].
func WithInFlight(n int) Option {
	return func(c *config) {
		c.atLeast("WithInFlight", n, 1)
		c.inFlight = n
	}
}

// WithCapture writes what the Conn sends and receives to w as pcapng, the format
// of Wireshark: over its sockets for requests and events and over those of
// dumps. Default: none, and then it costs nothing. No privilege
// is needed, nor an nlmon device. Dial fails when w is nil.
//
// Each frame that is sent and each datagram that is read is a packet, in an
// order in which causes come first: a request stands before its answer, and it
// is written even while the kernel still works on it. The time of a datagram is
// that of reading it. The comment of a packet tells what its bytes do not: the
// multicast group and who else than the kernel has sent it, that the kernel
// dropped messages before it, or, of a request that is there a second time, that
// the send failed. Of a packet, 256 KiB are kept at most.
//
// The Conn never waits for w. One goroutine writes, in pieces of any size. Up to
// 4 MiB wait for it; packets beyond are dropped, which the next one tells
// (epb_dropcount) and the statistics at the end (isb_ifdrop). The first error of
// w ends the capture and nothing else. [Conn.Close] writes what is queued, waits
// for that as long as w takes, and returns w's error. After that w is the
// caller's again; closing and syncing it is the caller's in any case. A Write
// must not call Close.
//
// The writer belongs to one Conn at a time. The captures of several Conns, one
// after the other, are one file to Wireshark.
//
// A capture holds whatever the messages do, such as the keys of xfrm and
// WireGuard.
func WithCapture(w io.Writer) Option {
	return func(c *config) {
		if w == nil && c.err == nil {
			c.err = errors.New("WithCapture: nil writer")
		}
		c.capture = w
	}
}

// withSocket has the Conn open its sockets with a function other than [sock.Open].
func withSocket(open func(sock.Config) (sock.Socket, error)) Option {
	return func(c *config) { c.open = open }
}

func init() {
	sock.ClientOption = func(open func(sock.Config) (sock.Socket, error)) any { return withSocket(open) }
}
