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

	stopped error                    // the error of every send, nil while the kernel runs
	asking  map[*socktest.Socket]int // datagrams in progress
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

// Push sends an event. With a group it goes to every Conn that has joined the group, to
// each of its consumers; with group 0 to every Conn's port. Once a
// [client.Subscription] has had its Sync, the event is in its channel, before the marker.
// The header is sent as it is, except for the Length. To a group of
// NETLINK_KOBJECT_UEVENT only the payload is sent, which is the whole event there.
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

// Overrun makes every Conn's receive buffer overflow. Messages to a Conn are dropped
// until it has read what is queued, and the overrun is reported to it. If the handler
// calls Overrun, the answer to the current request is dropped, and the request fails
// with [client.ErrReplyLost]. A Conn receives a gap event if it has joined a group, or
// if its family sends events without a membership.
func (k *Kernel) Overrun() {
	k.overruns.Add(1)
	k.mu.Lock()
	var full []*socktest.Socket
	for _, s := range k.sockets.Sockets() {
		// Nothing is sent to an idle dump socket, so it cannot overrun.
		if !s.IsDumpSocket() || k.asking[s] > 0 {
			full = append(full, s)
		}
	}
	k.mu.Unlock()
	for _, s := range full {
		s.Overrun(syscall.ENOBUFS)
	}
}

// Stop makes every send fail with err, such as unix.ECONNREFUSED, as when the module of
// the family is unloaded. A nil err restarts the kernel.
func (k *Kernel) Stop(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = err
}

// request handles a datagram inside its send.
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

// begin records that a datagram of s is in progress, if the kernel runs.
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

// queue queues messages, unless there was an overrun since before was counted: the Conn
// may have drained the queue by now, and would not lose them. They are queued at once. If
// the Conn drained the queue between a reply and its acknowledgement, it would get only the
// latter, but a kernel that cannot queue a reply acknowledges with EAGAIN.
func (k *Kernel) queue(s *socktest.Socket, msgs []wire.Message, before int64) {
	if k.overruns.Load() != before {
		return
	}
	var ds []socktest.Datagram
	for _, m := range msgs {
		ds = append(ds, socktest.Datagram{Data: wire.AppendMessage(nil, m)})
	}
	s.Queue(ds...)
}
