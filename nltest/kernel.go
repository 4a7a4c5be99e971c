package nltest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// Kernel is the kernel's side of one family. Its methods may be called by any
// number of goroutines, the handler's included.
type Kernel struct {
	family  netlink.Family
	handler func(req wire.Message) []wire.Message
	sockets socktest.Kernel
	turn    chan struct{} // holds a token while a batch runs

	overruns atomic.Int64 // calls of Overrun

	mu sync.Mutex // guards following

	stopped error                    // what sends fail with, nil while the kernel is there
	asking  map[*socktest.Socket]int // datagrams that are being worked on
}

// New returns a kernel of that family. With a nil handler every request is
// acknowledged.
func New(family netlink.Family, handler func(req wire.Message) []wire.Message) *Kernel {
	k := &Kernel{
		family:  family,
		handler: handler,
		turn:    make(chan struct{}, 1),
		asking:  make(map[*socktest.Socket]int),
	}
	k.sockets.Request = k.request
	return k
}

// Dial returns a Conn to a kernel of its own whose requests handler answers. It
// panics if the options are wrong. The caller closes the Conn.
func Dial(family netlink.Family, handler func(req wire.Message) []wire.Message, opts ...client.Option) *client.Conn {
	return New(family, handler).Dial(opts...)
}

// Dial returns a Conn to the kernel. It panics if the options are wrong. Those
// that concern the kernel's side, such as buffer sizes and namespaces, have no
// effect. The caller closes the Conn.
func (k *Kernel) Dial(opts ...client.Option) *client.Conn {
	opts = append(opts[:len(opts):len(opts)], sock.ClientOption(k.sockets.Open).(client.Option))
	c, err := client.Dial(k.family, opts...)
	if err != nil {
		panic(fmt.Sprintf("nltest: %v", err))
	}
	return c
}

// Push sends an event. With a group it goes to every Conn that has joined the
// group, to each of its consumers, without one (0) to every Conn's port. A
// [client.Subscription] has the event in its channel, before a marker, after its Sync. The header is sent as it is, but
// for the Length. To a group of NETLINK_KOBJECT_UEVENT it is not sent at all, the
// payload being the whole event there.
func (k *Kernel) Push(group uint32, m wire.Message) { k.push(socktest.Datagram{Group: group}, m) }

// PushFrom is Push for an event from the network namespace with that id, as a
// Conn with [client.WithListenAllNSID] gets it.
func (k *Kernel) PushFrom(nsid int32, group uint32, m wire.Message) {
	k.push(socktest.Datagram{Group: group, NSID: nsid, HasNS: true}, m)
}

func (k *Kernel) push(d socktest.Datagram, m wire.Message) {
	d.Data = m.Payload
	if !demux.IsText(k.family, d.Group) {
		d.Data = wire.AppendMessage(nil, m)
	}
	for _, s := range k.sockets.Sockets() {
		if d.Group == 0 && !s.IsDumpSocket() || d.Group != 0 && s.Joined(d.Group) {
			s.Queue(d)
		}
	}
}

// Overrun makes every Conn's receive buffer overflow: what is sent to it is
// dropped until the Conn has read what it holds, and the Conn is told so. Called
// by the handler, that is the answer to the request at hand, which then fails
// with [client.ErrReplyLost]. A Conn that has joined a group gets a gap event, and so
// does one of a family that sends events without a membership.
func (k *Kernel) Overrun() {
	k.overruns.Add(1)
	k.mu.Lock()
	var full []*socktest.Socket
	for _, s := range k.sockets.Sockets() {
		// A dump's socket that waits for the next dump gets nothing that could
		// fill it.
		if !s.IsDumpSocket() || k.asking[s] > 0 {
			full = append(full, s)
		}
	}
	k.mu.Unlock()
	for _, s := range full {
		s.Overrun(syscall.ENOBUFS)
	}
}

// Stop makes the kernel go away, as a family does whose module is unloaded:
// sends fail with err from now on, such as unix.ECONNREFUSED. A nil err brings
// it back.
func (k *Kernel) Stop(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = err
}

// request works on a datagram inside its send.
func (k *Kernel) request(s *socktest.Socket, frame []byte) error {
	if err := k.begin(s); err != nil {
		return err
	}
	defer k.end(s)
	if k.isBatch(frame) {
		k.batch(s, frame)
		return nil
	}
	for req, err := range wire.Messages(frame) {
		if err != nil {
			// netlink_rcv_skb ends silently there.
			return nil
		}
		k.answer(s, req)
	}
	return nil
}

// begin notes that a datagram of s is worked on, if the kernel is there.
func (k *Kernel) begin(s *socktest.Socket) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped == nil {
		k.asking[s]++
	}
	return k.stopped
}

func (k *Kernel) end(s *socktest.Socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asking[s]--; k.asking[s] == 0 {
		delete(k.asking, s)
	}
}

// answer queues the answer to one request.
func (k *Kernel) answer(s *socktest.Socket, req wire.Message) {
	before := k.overruns.Load()
	var msgs []wire.Message
	kind := demux.KindOf(k.family, req.Header.Type)
	control := req.Header.Type < netlink.NLMSG_MIN_TYPE && kind == demux.Ack
	if k.handler != nil && !control {
		msgs = k.handler(req)
	}
	var answer []wire.Message
	for _, m := range complete(kind, demux.MayDump(k.family, req.Header.Type, req.Header.Flags), req, msgs) {
		fill(&m, req, s.PortID())
		answer = append(answer, m)
	}
	k.queue(s, answer, before)
}

// queue queues messages, unless there was an overrun since there had been as many
// as before: the Conn may have read that away by now, and would not lose them.
func (k *Kernel) queue(s *socktest.Socket, msgs []wire.Message, before int64) {
	if k.overruns.Load() != before {
		return
	}
	for _, m := range msgs {
		s.Queue(socktest.Datagram{Data: wire.AppendMessage(nil, m)})
	}
}
