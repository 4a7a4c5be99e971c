package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// stream is a socket that runs one dump at a time for one loop, whose goroutine
// alone uses it. It needs no reader: the kernel puts a dump's first part on the
// queue inside the send and each later one inside the read before it
// (netlink_recvmsg in net/netlink/af_netlink.c), so the queue is empty only
// behind the end of the dump, or when a part was lost.
type stream struct {
	sock   sock.Socket
	family netlink.Family
	closed *atomic.Bool // the Conn's

	seq   uint32 // of the dump
	frame []byte

	clean bool        // the dump was read to its end and nothing is queued
	loss  demux.Stats // what went wrong with this dump
}

// maxStalls is how often in a row a dump is poked that does not go on.
const maxStalls = 3

// errBrokenOff says that the loop body wants no more.
var errBrokenOff = errors.New("broken off")

// newStream makes a stream on s, which it owns.
func newStream(family netlink.Family, s sock.Socket, closed *atomic.Bool) *stream {
	x := &stream{sock: s, family: family, closed: closed, seq: rand.Uint32()}
	x.prime()
	return x
}

// prime makes one read with a large buffer. The kernel sizes the parts of a
// dump by the largest read so far, and the first part is made before the dump's
// first read (netlink_dump).
func (s *stream) prime() {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	// What comes of it is for the dump itself to find out.
	if s.poke() == nil {
		_, _ = s.sock.Recv(r.first(1))
	}
}

// poke sends a request that does nothing, whose answer is queued in the send:
// reading that makes the kernel go on with a dump that it could not find memory
// for.
func (s *stream) poke() error {
	return s.sock.Send(s.message(netlink.NLMSG_NOOP, 0, 0, nil))
}

// message encodes a request with sequence number seq, 0 for one whose answer
// does not matter.
func (s *stream) message(typ netlink.MessageType, flags netlink.Flags, seq uint32, payload []byte) []byte {
	s.frame = wire.AppendMessage(s.frame[:0], wire.Message{
		Header: wire.Header{
			Type:   typ,
			Flags:  flags | netlink.NLM_F_REQUEST | netlink.NLM_F_ACK,
			Seq:    seq,
			PortID: s.sock.PortID(),
		},
		Payload: payload,
	})
	return s.frame
}

// start sends the request for a dump.
func (s *stream) start(typ netlink.MessageType, payload []byte) error {
	s.clean, s.loss = false, demux.Stats{}
	if s.seq++; s.seq == 0 {
		s.seq++
	}
	return s.sock.Send(s.message(typ, netlink.NLM_F_DUMP, s.seq, payload))
}

// read yields the messages of the dump. The error is nil at its end.
func (s *stream) read(ctx context.Context, yield func(wire.Message, error) bool) error {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	ds := r.first(1)
	d := &ds[0]

	poked, interrupted := false, false
	for stalls := 0; ; {
		if err := s.ended(ctx); err != nil {
			return err
		}
		_, err := s.sock.Recv(ds)
		if err == net.ErrClosed {
			return err
		}
		if err != nil {
			if stalls++; stalls > maxStalls {
				s.loss.RepliesLost++
				return ErrReplyLost
			}
			// Any error but EAGAIN reports a lack of memory, and EAGAIN follows.
			if err == syscall.EAGAIN {
				poked = true
				if err := s.poke(); err == net.ErrClosed {
					return err
				}
			}
			continue
		}
		if d.PortID != 0 {
			s.loss.Foreign++
			continue
		}
		for rest := d.Buf[:d.N]; len(rest) > 0; {
			var m wire.Message
			if rest, err = m.Decode(rest); err != nil {
				return s.unreadable(d, err)
			}
			if !demux.IsReply(s.family, s.sock.PortID(), s.seq, m.Header, d.Group) {
				continue
			}
			stalls = 0
			interrupted = interrupted || m.Header.Flags&netlink.NLM_F_DUMP_INTR != 0
			if demux.IsEnd(m.Header.Type) {
				// Else the answer to a poke may still be queued, or the dump may
				// run on behind an error (isNoRoom in package demux).
				s.clean = !poked && m.Header.Type == netlink.NLMSG_DONE
				return result(m, interrupted)
			}
			if err := s.ended(ctx); err != nil {
				return err
			}
			if !yield(m, nil) {
				return errBrokenOff
			}
		}
		if d.Truncated {
			// A cut between two messages shows in no message.
			return s.unreadable(d, nil)
		}
	}
}

// ended returns why the loop must end although the dump goes on, if it must.
func (s *stream) ended(ctx context.Context) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	return ctx.Err()
}

// unreadable returns the error of a datagram that cannot be read to its end.
func (s *stream) unreadable(d *sock.Datagram, err error) error {
	if d.Truncated {
		s.loss.Truncated++
		return ErrTruncated
	}
	s.loss.Malformed++
	return err
}

// result returns what the last message says of the dump.
func result(m wire.Message, interrupted bool) error {
	refusal, err := wire.ParseAck(m)
	switch {
	case refusal != nil:
		return refusal
	case err == nil && interrupted:
		return ErrDumpInterrupted
	}
	return err
}
