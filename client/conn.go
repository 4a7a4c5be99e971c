package client

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/capture"
)

// Conn is a connection to one netlink family. All its methods may be called by
// any number of goroutines at once. Make one with [Dial] and end it with
// [Conn.Close]; the zero value is not usable.
//
// A Conn that is dropped without Close is closed when the garbage collector finds it.
// [Conn.Receive] keeps it: the consumer of the channel needs no other reference.
type Conn struct{ *core }

// core is what a Conn is made of. The collector can find that the Conn is gone because
// nothing here, and no goroutine, has a reference to it; see queue.owner.
type core struct {
	family      netlink.Family
	dumpRetries int
	eventQueue  int // maximum number of events that wait for one consumer

	requests *mux
	events   *mux   // of the memberships; requests unless WithEventSocket
	queue    *queue // of Receive
	dumps    *pool
	capture  *capture.Recorder // nil unless WithCapture

	closing  sync.Once
	closeErr error

	// memberMu makes changes of the memberships one after the other. It is held across
	// the system call.
	memberMu sync.Mutex
}

// Dial opens a connection to a netlink family. It needs no privilege; what the
// kernel then allows depends on the family and the request. The connection
// belongs to the network namespace of the calling thread, see [WithNetNS].
//
// The error is an [*OpError] that names the family. It wraps EPROTONOSUPPORT
// where the kernel does not have the family, the option's own errno where an
// option could not be honoured, and [errors.ErrUnsupported] on systems other
// than Linux.
func Dial(family netlink.Family, opts ...Option) (*Conn, error) {
	k, err := dial(family, opts)
	if err != nil {
		return nil, opError("dial "+family.String(), err, true)
	}
	c := &Conn{k}
	runtime.AddCleanup(c, func(k *core) { go k.close() }, k)
	return c, nil
}

func dial(family netlink.Family, opts []Option) (*core, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	cfg.sock.Family, cfg.sock.Peers = family, demux.HasPeers(family)
	requests, err := cfg.open(cfg.sock)
	if err != nil {
		return nil, err
	}
	events := requests
	if cfg.eventSocket {
		cfg.sock.PortID, cfg.sock.Filter = 0, cfg.eventFilter
		if events, err = cfg.open(cfg.sock); err != nil {
			requests.Close()
			return nil, err
		}
	}
	c := &core{
		family:      family,
		dumpRetries: cfg.dumpRetries,
		eventQueue:  cfg.eventQueue,
		queue:       newQueue(cfg.eventQueue),
	}
	if cfg.capture != nil {
		c.capture = capture.NewRecorder(cfg.capture, family)
		requests, events = c.capture.Socket(requests), c.capture.Socket(events)
	}
	c.dumps = newPool(requests)
	if err := c.dumps.prepare(cfg.dumpSockets); err != nil {
		c.dumps.close()
		requests.Close()
		if cfg.eventSocket {
			events.Close()
		}
		return nil, err
	}
	c.requests = newMux(family, requests, cfg.inFlight, c.queue)
	c.events = c.requests
	if cfg.eventSocket {
		c.events = newMux(family, events, 0, c.queue)
	}
	return c, nil
}

// Family returns the family that the Conn was dialled to.
func (c *Conn) Family() netlink.Family { return c.family }

// PortID returns the port that requests are sent from. Messages that the
// Conn's own requests caused often carry it in Header.PortID. It stays the same
// after Close.
func (c *Conn) PortID() uint32 { return c.requests.sock.PortID() }

// String returns the family and the port, such as "NETLINK_ROUTE port 4711".
func (c *Conn) String() string { return fmt.Sprintf("%v port %d", c.family, c.PortID()) }

// Receive returns the channel of events: multicast messages of the groups that
// [Conn.AddMembership] has joined, and messages sent to the Conn's port that answer no
// request. It is the same channel for the life of the Conn. [Conn.Close] closes it.
// [Conn.Subscribe] makes further consumers.
//
// Nothing waits for the channel's consumer. Up to [WithEventQueue] events wait;
// those beyond are dropped, and so does the kernel drop what finds the
// receive buffer full. Either way an Event of type NLMSG_OVERRUN stands in
// their place; see [Event].
func (c *Conn) Receive() <-chan Event {
	c.requests.startReader() // of unicast messages
	c.events.startReader()
	return c.queue.own(c)
}

// Close ends the Conn and returns when its goroutines are gone. Every waiting call ends
// with an error for which errors.Is(err, net.ErrClosed) holds. The channels of Receive and
// of every [Subscription] are closed; events that the consumer had not taken yet may be
// lost. A second call returns the first call's error, once the Conn is closed.
//
// Close does not wait for a system call that the kernel keeps, such as the send of a
// request that waits for a lock in the kernel, or a read that makes a datagram of a
// dump. That socket and its port are released when the call returns. In NETLINK_NETFILTER
// the kernel may make the close of a socket itself wait for a batch of any process
// (nft_rcv_nl_event in net/netfilter/nf_tables_api.c), and so Close. The writer of
// [WithCapture] delays Close when everything else has ended already; its error is
// Close's.
func (c *Conn) Close() error { return c.close() }

func (c *core) close() error {
	c.closing.Do(func() {
		err := c.requests.close()
		if c.events != c.requests {
			err = errors.Join(err, c.events.close())
		}
		c.dumps.close()
		c.requests.recv.dispatcher.close()
		c.events.recv.dispatcher.close()
		if c.capture != nil {
			err = errors.Join(err, c.captured())
		}
		if err != nil {
			c.closeErr = opError("close", err, true)
		}
	})
	return c.closeErr
}

// captured ends the capture.
func (c *core) captured() error {
	if err := c.capture.Close(); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}
