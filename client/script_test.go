package client_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// Types of NETLINK_ROUTE (include/uapi/linux/rtnetlink.h).
const (
	newLink netlink.MessageType = 16
	getLink netlink.MessageType = 18
	newAddr netlink.MessageType = 20
	getAddr netlink.MessageType = 22
)

// batchBegin opens a batch (NFNL_MSG_BATCH_BEGIN of
// include/uapi/linux/netfilter/nfnetlink.h). NETLINK_ROUTE's newLink has the same
// number, and is sent alone.
const batchBegin netlink.MessageType = 16

// linkGroup is a multicast group of NETLINK_ROUTE (RTNLGRP_LINK).
const linkGroup = 1

// bg is a ctx that never ends.
var bg = context.Background()

// kernel is the other side of a test's sockets. Requests are queued until the script
// takes them with want, and answered in any order. As with the real kernel, a send
// returns when its request has been answered or dropped. Only the test's own goroutine
// calls these methods.
type kernel struct {
	socktest.Kernel

	t    *testing.T
	hook func(*hooked) // set before dial, changes each socket that is opened; nil: none
	over chan struct{} // closed when the script ends

	mu sync.Mutex // guards following

	inSend  func(request) error // see during
	asked   []request
	wrapped []*hooked // see hooked
	primed  map[*socktest.Socket]bool
}

// request is a request that was sent to the kernel, and its socket. Its send returns
// when the script has ended its answer, or drops it.
type request struct {
	wire.Message

	from  *socktest.Socket
	batch []wire.Message // of a batch, all messages after the one that opens it
	held  chan struct{}  // has room for one token: its send may return
}

// drop lets the send of a request return without a further answer.
func (req request) drop() {
	select {
	case req.held <- struct{}{}:
	default:
	}
}

// play runs a script in a bubble. Time does not pass there, synctest.Wait returns when
// every goroutine is blocked, and a goroutine that is left at the end fails the test.
func play(t *testing.T, script func(t *testing.T, k *kernel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &kernel{t: t, over: make(chan struct{}), primed: make(map[*socktest.Socket]bool)}
		k.Request = k.asks
		t.Cleanup(func() { close(k.over) })
		script(t, k)
	})
}

// asks runs inside Send, in a goroutine of its own. A datagram holds one request,
// several coalesced ones, or a batch.
func (k *kernel) asks(s *socktest.Socket, frame []byte) error {
	var reqs []request
	for m, err := range wire.Messages(frame) {
		switch {
		case err != nil:
			k.t.Errorf("sent %x: %v", frame, err)
			return nil
		case len(reqs) > 0 && reqs[0].Header.Type == batchBegin:
			reqs[0].batch = append(reqs[0].batch, m)
		default:
			reqs = append(reqs, request{Message: m, from: s, held: make(chan struct{}, 1)})
		}
	}
	k.mu.Lock()
	inSend := k.inSend
	if s.IsDumpSocket() && !k.primed[s] {
		// Its first request is a NOOP for one read with a large buffer: see prime.
		k.primed[s] = true
		inSend = func(req request) error { req.ack(); return nil }
	}
	if inSend == nil {
		k.asked = append(k.asked, reqs...)
	}
	k.mu.Unlock()
	if inSend == nil {
		for _, req := range reqs {
			select {
			case <-req.held:
			case <-k.over:
			}
		}
		return nil
	}
	for _, req := range reqs {
		if err := inSend(req); err != nil {
			return err
		}
	}
	return nil
}

// during makes f handle requests inside their send, as the real kernel does, instead of
// queueing them. f's error is the send's. A nil f ends that.
func (k *kernel) during(f func(request) error) {
	k.mu.Lock()
	k.inSend = f
	k.mu.Unlock()
}

// dial opens a Conn of NETLINK_ROUTE on the kernel. At the end of the test, nothing may
// be pending, and its sockets must be closed with it.
func (k *kernel) dial(opts ...client.Option) *client.Conn {
	k.t.Helper()
	return k.dialFamily(netlink.NETLINK_ROUTE, opts...)
}

func (k *kernel) dialFamily(family netlink.Family, opts ...client.Option) *client.Conn {
	k.t.Helper()
	c := k.dialNew(family, opts...)
	time.Sleep(2 * time.Millisecond) // until the reader is there
	synctest.Wait()
	return c
}

// dialNew is dialFamily without the time in which the reader comes.
func (k *kernel) dialNew(family netlink.Family, opts ...client.Option) *client.Conn {
	k.t.Helper()
	c, err := client.Dial(family, append([]client.Option{client.WithSocket(k.open)}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		k.wantIdle("the script has ended")
		if n := c.Stats().Pending; n != 0 {
			k.t.Errorf("%d requests still pending at the end", n)
		}
		c.Close()
		for i, s := range k.Sockets() {
			if !s.Closed() {
				k.t.Errorf("socket %d is open after Close", i)
			}
		}
	})
	return c
}

func (k *kernel) open(cfg sock.Config) (sock.Socket, error) {
	s, err := k.Open(cfg)
	if err != nil {
		return nil, err
	}
	return k.wrap(s), nil
}

// want takes the oldest request in the queue.
func (k *kernel) want(typ netlink.MessageType) request {
	k.t.Helper()
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.asked) == 0 {
		k.t.Fatalf("no request, want one of type %d", typ)
	}
	req := k.asked[0]
	k.asked = k.asked[1:]
	if req.Header.Type != typ {
		k.t.Fatalf("request of type %d, want %d", req.Header.Type, typ)
	}
	return req
}

// wantIdle requires that the script has taken every request.
func (k *kernel) wantIdle(why string) {
	k.t.Helper()
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, req := range k.asked {
		k.t.Errorf("request of type %d, want none: %s", req.Header.Type, why)
	}
}

// answer makes a message that answers req.
func (req request) answer(typ netlink.MessageType, flags netlink.Flags, payload []byte) []byte {
	return wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: typ, Flags: flags, Seq: req.Header.Seq, PortID: req.from.PortID()},
		Payload: payload,
	})
}

// data makes a reply of req with a text as payload.
func (req request) data(text string) []byte { return req.answer(req.Header.Type-2, 0, []byte(text)) }

// end makes an NLMSG_ERROR or NLMSG_DONE, with the header of the request after the
// errno, as netlink_ack does with NETLINK_CAP_ACK.
func (req request) end(typ netlink.MessageType, errno syscall.Errno) []byte {
	p := binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	if typ == netlink.NLMSG_DONE {
		return req.answer(typ, netlink.NLM_F_MULTI, p)
	}
	return req.answer(typ, netlink.NLM_F_CAPPED, append(p, wire.AppendMessage(nil, req.Message)[:wire.HeaderLen]...))
}

// send queues datagrams from the kernel to the requester, all before the Conn can read
// the first. If the end of the answer is among them, or if they answer a batch, the
// send of the request returns.
func (req request) send(datagrams ...[]byte) {
	var ds []socktest.Datagram
	ends := req.batch != nil
	for _, d := range datagrams {
		ds = append(ds, socktest.Datagram{Data: d})
		for m := range wire.Messages(d) {
			end := m.Header.Type == netlink.NLMSG_ERROR || m.Header.Type == netlink.NLMSG_DONE
			ends = ends || end && m.Header.Seq == req.Header.Seq
		}
	}
	req.from.Queue(ds...)
	if ends {
		req.drop()
	}
}

// reply sends a data message for each text, each in its own datagram.
func (req request) reply(texts ...string) {
	var ds [][]byte
	for _, s := range texts {
		ds = append(ds, req.data(s))
	}
	req.send(ds...)
}

// ack, fail and done send the end of the answer to req.
func (req request) ack()                     { req.fail(0) }
func (req request) fail(errno syscall.Errno) { req.send(req.end(netlink.NLMSG_ERROR, errno)) }
func (req request) done()                    { req.send(req.end(netlink.NLMSG_DONE, 0)) }

// finish sends the end that belongs to the kind of the request.
func (req request) finish() {
	if req.Header.Flags&netlink.NLM_F_DUMP == netlink.NLM_F_DUMP {
		req.done()
	} else {
		req.ack()
	}
}

// socket returns the i-th socket that was opened.
func (k *kernel) socket(i int) *socktest.Socket { return k.Sockets()[i] }

// event makes a message as the kernel multicasts it without a request.
func event(text string) []byte {
	return wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: newLink}, Payload: []byte(text)})
}

// multicast sends events, one datagram for each text, to those sockets that have
// joined group.
func (k *kernel) multicast(group uint32, texts ...string) {
	var ds []socktest.Datagram
	for _, s := range texts {
		ds = append(ds, socktest.Datagram{Data: event(s), Group: group})
	}
	for _, s := range k.Sockets() {
		if s.Joined(group) {
			s.Queue(ds...)
		}
	}
}

// join makes c a member of group.
func (k *kernel) join(c *client.Conn, group uint32) {
	k.t.Helper()
	if err := c.AddMembership(group); err != nil {
		k.t.Fatal(err)
	}
}

// TestTestKernel is the tutorial for the other tests.
func TestTestKernel(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()

		// A call runs alongside the script, which takes its request from the queue.
		call := k.get(bg, c)
		req := k.want(getLink)
		if string(req.Payload) != "get" || req.from != k.socket(0) {
			t.Fatalf("request %+v", req)
		}
		call.wantWaiting("the kernel has not answered")

		// What the script queues, the Conn reads at the next Wait, which every
		// verb that starts with want does.
		req.reply("eth0", "eth1")
		call.wantWaiting("only the acknowledgement ends an answer")
		req.ack()
		wantTexts(t, call, "eth0", "eth1")

		// Until then the request was in its send, as in the real kernel. The kernel can
		// also ignore a request.
		call = k.get(bg, c)
		k.want(getLink).drop()
		wantError(t, call, client.ErrUnanswered, false)

		// A dump has a socket of its own.
		call = k.dump(bg, c)
		req = k.want(getAddr)
		if req.from != k.socket(1) || !req.from.IsDumpSocket() {
			t.Fatalf("request %+v", req)
		}
		req.reply("a", "b")
		req.done()
		wantTexts(t, call, "a", "b")

		// Events go to the sockets that have joined.
		k.multicast(linkGroup, "no socket has joined")
		k.join(c, linkGroup)
		k.multicast(linkGroup, "up", "down")
		wantEvents(t, c, "up", "down")

		// Requests can be handled inside the send as well.
		k.during(func(req request) error { req.fail(syscall.ENODEV); return nil })
		_, err := c.Request(bg, getLink, nil, 0)
		if !errors.Is(err, syscall.ENODEV) {
			t.Fatal(err)
		}
		k.wantIdle("the request was answered")

		// A hook replaces a method of a socket.
		s := k.hooked(0)
		s.onSend = func([]byte) error { return syscall.ENOMEM }
		wantError(t, k.get(bg, c), syscall.ENOMEM, true)
		s.onSend = nil
		wantStats(t, c, client.Stats{Events: 2})
	})
}
