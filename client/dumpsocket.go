package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// dumpSocket is a socket that runs one dump at a time. Only the goroutine that
// requested the dump uses it: it sends and reads.
//
// It needs no reader. The kernel queues the first datagram of a dump inside the send,
// and each later one inside the read before it (netlink_recvmsg in
// net/netlink/af_netlink.c). So the queue is empty only after the end of the dump, or
// after a loss. And no read runs alongside the send: otherwise datagrams of the dump
// could change order, or a read could find the dump at its end and leave EINVAL as the
// error of the socket (netlink_dump).
type dumpSocket struct {
	sock sock.Socket
	pool *pool

	req     dumpRequest
	seq     uint32 // of req
	frame   []byte
	replies demux.Replies // of a dump that is collected

	clean bool        // the dump was read to its end and nothing is queued
	loss  demux.Stats // counts of this dump's losses
}

// dumpRequest is the request for a dump.
type dumpRequest struct {
	typ     netlink.MessageType
	payload []byte
	flags   netlink.Flags
	ack     *wire.Ack // receives the last message of the dump; nil: not needed
}

// maxStalls is the maximum number of consecutive pokes of a dump that does not
// continue.
const maxStalls = 3

// errTooLarge is the result of a request whose answer was lost on a socket of its own.
var errTooLarge = fmt.Errorf("%w: the answer is larger than the receive buffer (WithReceiveBuffer)", ErrReplyLost)

// errBrokenOff reports that the loop body broke out.
var errBrokenOff = errors.New("broken off")

// newDumpSocket returns a dump socket on s, which it owns.
func newDumpSocket(s sock.Socket, p *pool) *dumpSocket {
	d := &dumpSocket{sock: s, pool: p, seq: rand.Uint32(), clean: true}
	d.prime()
	return d
}

// prime makes one read with a large buffer. The kernel sizes the datagrams of a dump by
// the largest read so far, and makes the first one before the dump's first read
// (netlink_dump).
func (s *dumpSocket) prime() {
	b := buffers.Get().(*recvBuffers)
	defer buffers.Put(b)
	// The dump itself reports any error again.
	if s.poke() == nil {
		_, _ = s.sock.Recv(b.first(1))
	}
}

// poke sends a request that does nothing. The kernel queues its answer in the send.
// When that answer is read, the kernel continues a dump for which it had no memory.
func (s *dumpSocket) poke() error {
	return s.sock.Send(s.encode(dumpRequest{typ: netlink.NLMSG_NOOP}, 0))
}

// encode returns the frame of a request with sequence number seq, 0 if its answer is
// not needed.
func (s *dumpSocket) encode(req dumpRequest, seq uint32) []byte {
	s.frame = wire.AppendMessage(s.frame[:0], wire.Message{
		Header: wire.Header{
			Type:   req.typ,
			Flags:  req.flags | netlink.NLM_F_REQUEST | netlink.NLM_F_ACK,
			Seq:    seq,
			PortID: s.sock.PortID(),
		},
		Payload: req.payload,
	})
	return s.frame
}

// start sends the request for a dump.
func (s *dumpSocket) start(ctx context.Context, req dumpRequest) error {
	if !s.clean {
		if err := s.drain(ctx); err != nil {
			return err
		}
	}
	// A loop holds a slot only during a system call, since its body can hold another
	// loop.
	if err := s.pool.slots.acquire(ctx, s.pool.closed); err != nil {
		return err
	}
	defer s.pool.slots.release()
	s.req, s.clean, s.loss = req, false, demux.Stats{}
	if s.seq++; s.seq == 0 {
		s.seq++
	}
	return s.sock.Send(s.encode(req, s.seq))
}

// recv reads a datagram. During the read the kernel may make the next one.
func (s *dumpSocket) recv(ctx context.Context, ds []sock.Datagram) error {
	if err := s.pool.slots.acquire(ctx, s.pool.closed); err != nil {
		return err
	}
	defer s.pool.slots.release()
	_, err := s.sock.Recv(ds)
	return err
}

// drain reads the rest of a dump that was not read to its end.
func (s *dumpSocket) drain(ctx context.Context) error {
	b := buffers.Get().(*recvBuffers)
	defer buffers.Put(b)
	for {
		if err := s.pool.ended(ctx); err != nil {
			return err
		}
		if err := s.recv(ctx, b.first(1)); err == syscall.EAGAIN {
			return nil
		}
	}
}

// dumpState is the progress of a dump.
type dumpState struct {
	begun       bool  // a datagram of the dump came
	lost        bool  // the kernel reported that it dropped something
	poked       bool  // the answer to a poke may still be queued
	interrupted bool  // a message bore NLM_F_DUMP_INTR
	refusal     error // ENOBUFS at the start, see ends
	stalls      int   // in a row
}

// read reads the dump that start requested. It passes the data messages to yield, or to
// s.replies if yield is nil. The error is nil at the end of the dump, and errBrokenOff
// if yield returned false.
func (s *dumpSocket) read(ctx context.Context, yield func(wire.Message, error) bool) error {
	b := buffers.Get().(*recvBuffers)
	defer buffers.Put(b)
	ds := b.first(1)
	var state dumpState
	for {
		if err := s.receive(ctx, ds, &state); err != nil {
			return err
		}
		d := &ds[0]
		done, err := s.deliver(ctx, d, &state, yield)
		switch {
		case done:
			return err
		case err != nil:
			return err
		case d.Truncated:
			s.loss.Truncated++
			return ErrTruncated // a cut between two messages shows in no message
		}
	}
}

// receive reads a datagram of the kernel.
func (s *dumpSocket) receive(ctx context.Context, ds []sock.Datagram, state *dumpState) error {
	for {
		if err := s.pool.ended(ctx); err != nil {
			return err
		}
		err := s.recv(ctx, ds)
		switch {
		case err == nil && ds[0].PortID == 0:
			return nil
		case err == nil:
			s.loss.Foreign++
			continue
		case err == net.ErrClosed:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if state.stalls++; state.stalls > maxStalls {
			return s.stalled(state)
		}
		if err != syscall.EAGAIN {
			// The kernel had no memory for a datagram, and EAGAIN follows.
			state.lost = true
			continue
		}
		state.poked = true
		if err := s.poke(); err == net.ErrClosed {
			return err
		}
	}
}

// stalled returns the error of a dump that does not continue.
func (s *dumpSocket) stalled(state *dumpState) error {
	switch {
	case state.refusal != nil && !state.lost && s.loss.Foreign == 0:
		return state.refusal
	case state.lost && s.req.flags&netlink.NLM_F_DUMP == 0:
		s.loss.RepliesLost++
		return errTooLarge
	case state.begun || state.lost || state.refusal != nil:
		// Of a refusal: messages of other processes took the room, see ends.
		s.loss.RepliesLost++
		return ErrReplyLost
	}
	return ErrUnanswered
}

// deliver passes on the data messages of a datagram, and reports whether the dump has
// reached its end.
//
// Whatever its numbers, a message belongs to the dump: there is no other request on
// this socket, which has joined no group. (The family thermal sends the messages of its
// dumps with number and port 0.) Only the end must have the number of the request, since
// the answer to a poke has another.
func (s *dumpSocket) deliver(ctx context.Context, d *sock.Datagram, state *dumpState, yield func(wire.Message, error) bool) (done bool, err error) {
	// count data messages at the head of from are kept in s.replies.
	from, count := d.Buf[:d.N], 0
	keep := func(rest []byte) {
		if count > 0 {
			s.replies.Keep(from[:len(from)-len(rest)], count)
		}
	}
	var m wire.Message
	for at := from; len(at) > 0; {
		rest, err := m.Decode(at)
		switch {
		case err != nil:
			return false, s.unreadable(d, err)
		case demux.IsEnd(m.Header.Type):
			keep(at)
			if m.Header.Seq == s.seq {
				if done, err := s.ends(m, state); done {
					return true, err
				}
			}
			from, count = rest, 0
		default:
			state.begun, state.stalls = true, 0
			state.interrupted = state.interrupted || m.Header.Flags&netlink.NLM_F_DUMP_INTR != 0
			if yield == nil {
				count++
				break
			}
			if err := s.pool.ended(ctx); err != nil {
				return false, err
			}
			if !yield(m, nil) {
				return false, errBrokenOff
			}
		}
		at = rest
	}
	keep(nil)
	return false, nil
}

// unreadable returns the error of a datagram that cannot be read to its end.
func (s *dumpSocket) unreadable(d *sock.Datagram, err error) error {
	if d.Truncated {
		s.loss.Truncated++
		return ErrTruncated
	}
	s.loss.Malformed++
	return err
}

// ends returns the result of a dump whose last message is m. A refusal with ENOBUFS is
// not the end: if the queue was full, because another process sent to this socket, the
// dump is set up nevertheless and continues as the queue is read (__netlink_dump_start
// leaves cb_running set).
func (s *dumpSocket) ends(m wire.Message, state *dumpState) (done bool, err error) {
	refusal, err := wire.ParseAck(m)
	switch {
	case err != nil:
		return true, err
	case refusal != nil && m.Header.Type == netlink.NLMSG_ERROR && refusal.Errno == syscall.ENOBUFS:
		state.refusal = refusal
		return false, nil
	}
	s.clean = !state.poked && state.refusal == nil
	if s.req.ack != nil {
		*s.req.ack, _ = wire.DecodeAck(m) // which ParseAck could read
	}
	switch {
	case refusal != nil:
		return true, refusal
	case state.interrupted || m.Header.Flags&netlink.NLM_F_DUMP_INTR != 0:
		return true, ErrDumpInterrupted
	}
	return true, nil
}
