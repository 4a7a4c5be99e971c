// Package socktest is the scripted kernel of this module: a [sock.Socket] whose other
// side is a function. It behaves as the kernel does where a client can see it: requests
// are handled inside Send, and a full queue drops every message until it has been
// empty, and reports that once, before the queued data. It uses channels and mutexes
// only, so it works in a testing/synctest bubble.
package socktest

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/nlmux/netlink/internal/sock"
)

// Datagram is a datagram on its way to a socket.
type Datagram struct {
	Data   []byte
	PortID uint32 // the sender's port, 0 for the kernel
	Group  uint32
	NSID   int32 // namespace id, with HasNS
	HasNS  bool
}

// Socket is the client's end of a scripted socket.
type Socket struct {
	kernel   *Kernel
	cfg      sock.Config
	forDumps bool
	port     uint32

	wake   chan struct{} // one token: look at the queue
	closed chan struct{} // closed by Close

	mu sync.Mutex // guards following

	queue        []Datagram
	err          error // reported by the next Recv, once
	dropped      bool  // something was dropped that was not reported
	growing      bool  // reported, and the queue has not been empty since
	congested    bool  // dropping until the queue has been empty
	groups       bool  // ReportGroups was called
	joined       map[uint32]bool
	silent       bool
	setNotifyErr error         // of the next SetNotify, once
	watched      chan struct{} // closed when Watch has returned, nil if it was not called
	isClosed     bool
}

var _ sock.Socket = (*Socket)(nil)

// PortID returns the port.
func (s *Socket) PortID() uint32 { return s.port }

// errEnded is the error of a send whose function has ended its goroutine.
var errEnded = errors.New("the handler ended its goroutine, as t.Fatal does")

// Send hands the frame to the kernel's function, in a goroutine of its own, and returns
// its error.
func (s *Socket) Send(b []byte) error {
	s.mu.Lock()
	closed := s.isClosed
	s.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	result := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() { result <- err }()
		err = s.kernel.request(s, bytes.Clone(b))
	}()
	return <-result
}

// Recv takes datagrams off the queue.
func (s *Socket) Recv(ds []sock.Datagram) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return 0, net.ErrClosed
	}
	if err := s.err; err != nil {
		s.err, s.dropped, s.growing = nil, false, true
		ds[0].Congested = err == syscall.ENOBUFS
		s.congested = s.congested && len(s.queue) > 0
		return 0, err
	}
	n := min(len(ds), len(s.queue))
	for i, q := range s.queue[:n] {
		q.copyTo(&ds[i])
		if !s.groups {
			ds[i].Group = 0
		}
	}
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.congested = false
	}
	if n == 0 {
		if s.growing {
			s.dropped, s.growing = false, false
		}
		return 0, syscall.EAGAIN
	}
	return n, nil
}

func (q *Datagram) copyTo(d *sock.Datagram) {
	d.N = copy(d.Buf, q.Data)
	d.Truncated = d.N < len(q.Data)
	d.PortID, d.Group, d.NSID = q.PortID, q.Group, -1
	if q.HasNS {
		d.NSID = q.NSID
	}
}

// Watch calls ready each time that something was queued.
func (s *Socket) Watch(ready func()) error {
	watched := make(chan struct{})
	defer close(watched)
	s.mu.Lock()
	if !s.isClosed {
		s.watched = watched
	}
	s.mu.Unlock()
	for !s.Closed() {
		ready()
		select {
		case <-s.wake:
		case <-s.closed:
		}
	}
	return net.ErrClosed
}

// SetNotify turns the notification of Watch on, or off if the kernel allows it.
func (s *Socket) SetNotify(on bool) error {
	if !on && !s.kernel.CanSilence {
		return errors.ErrUnsupported
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return net.ErrClosed
	}
	if err := s.setNotifyErr; err != nil {
		s.setNotifyErr = nil
		return err
	}
	s.silent = !on
	if on && (len(s.queue) > 0 || s.err != nil) {
		s.notifyLocked()
	}
	return nil
}

// Pause waits.
func (s *Socket) Pause(d time.Duration) error {
	time.Sleep(d)
	return nil
}

// FailSetNotify makes the next SetNotify fail.
func (s *Socket) FailSetNotify(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setNotifyErr = err
}

// Silent reports whether the notification is off.
func (s *Socket) Silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent
}

// ReportGroups makes Recv set the Group of datagrams.
func (s *Socket) ReportGroups() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return net.ErrClosed
	}
	s.groups = true
	return nil
}

// Join makes the socket a member of group, if the kernel knows it.
func (s *Socket) Join(group uint32) error { return s.member(group, true) }

// Leave undoes Join.
func (s *Socket) Leave(group uint32) error { return s.member(group, false) }

func (s *Socket) member(group uint32, joined bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return net.ErrClosed
	}
	if s.kernel.Groups != 0 && group > s.kernel.Groups {
		return syscall.EINVAL
	}
	s.joined[group] = joined
	return nil
}

// Joined reports whether the socket is a member of group.
func (s *Socket) Joined(group uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.joined[group]
}

// Backlog returns the charge of the queue.
func (s *Socket) Backlog() (bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.queue {
		bytes += len(d.Data) + sock.Charge
	}
	return bytes
}

// Dropped reports whether something was dropped that Recv has not reported.
func (s *Socket) Dropped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// OpenLike opens another socket of the same kernel.
func (s *Socket) OpenLike() (sock.Socket, error) {
	if s.Closed() {
		return nil, net.ErrClosed
	}
	cfg := s.cfg
	cfg.PortID = 0
	return s.kernel.open(cfg, true), nil
}

// IsDumpSocket reports whether OpenLike made the socket.
func (s *Socket) IsDumpSocket() bool { return s.forDumps }

// Buffers returns the kernel's sizes.
func (s *Socket) Buffers() (receive, send int) { return s.kernel.buffer(), s.kernel.buffer() }

// Close ends Watch and waits for its end, as the real one does (os.File.Close).
func (s *Socket) Close() error {
	s.mu.Lock()
	closed, watched := s.isClosed, s.watched
	s.isClosed = true
	s.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	close(s.closed)
	if watched != nil {
		<-watched
	}
	return nil
}

// Closed reports whether the socket has been closed.
func (s *Socket) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isClosed
}

// Queue puts datagrams on the socket's queue, or drops them when it is full, as
// netlink_attachskb and netlink_overrun do.
func (s *Socket) Queue(ds ...Datagram) {
	s.mu.Lock()
	for _, d := range ds {
		switch {
		case s.congested:
			s.dropped = true
		case s.kernel.Limit != 0 && len(s.queue) >= s.kernel.Limit:
			s.congested, s.dropped = true, true
			s.err = syscall.ENOBUFS
		default:
			s.queue = append(s.queue, d)
		}
	}
	s.mu.Unlock()
	s.notify()
}

// Overrun makes the next Recv report err, and drops messages until the queue has been
// empty, at least until that Recv.
func (s *Socket) Overrun(err error) {
	s.mu.Lock()
	s.err = err
	s.congested = true
	s.mu.Unlock()
	s.notify()
}

// DropUnreported drops a message without a report: the kernel counts a drop at once,
// and may report it later (netlink_overrun).
func (s *Socket) DropUnreported() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = true
}

func (s *Socket) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.silent {
		s.notifyLocked()
	}
}

func (s *Socket) notifyLocked() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
