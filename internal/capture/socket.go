package capture

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/nlmux/netlink/internal/sock"
)

// socket is a Socket whose frames and datagrams are recorded. It embeds none, so that a
// new method of Socket does not bypass the recorder.
type socket struct {
	inner    sock.Socket
	recorder *Recorder

	loss error // reported by Recv since the last datagram that was recorded; Recv's
}

// descriptor is implemented by a socket with a descriptor.
type descriptor interface {
	Control(f func(fd uintptr)) error
}

// withDescriptor is a socket with a descriptor.
type withDescriptor struct {
	*socket
	descriptor
}

// Socket returns a socket that records what s sends and receives. So do the sockets of
// its OpenLike. It has a method Control if s has one.
func (r *Recorder) Socket(s sock.Socket) sock.Socket {
	x := &socket{inner: s, recorder: r}
	if d, ok := s.(descriptor); ok {
		return withDescriptor{x, d}
	}
	return x
}

// Send records b before it sends it. The kernel answers inside the send, so another
// goroutine may read and record the answer before the send returns. And a request that
// hangs in the kernel, or crashes the process, is in the capture. If the send fails,
// the frame is recorded again, with a comment.
func (s *socket) Send(b []byte) error {
	s.recorder.record(packet{direction: sent, data: b, length: len(b)})
	err := s.inner.Send(b)
	if err != nil {
		s.recorder.record(packet{
			direction: sent,
			data:      b,
			length:    len(b),
			comment:   fmt.Sprintf("not sent, so the kernel has not seen it: %v", err),
		})
	}
	return err
}

func (s *socket) Recv(ds []sock.Datagram) (int, error) {
	n, err := s.inner.Recv(ds)
	for i := range n {
		s.received(&ds[i])
	}
	if err != nil && err != syscall.EAGAIN && err != net.ErrClosed {
		s.loss = err
	}
	return n, err
}

// received records a datagram.
func (s *socket) received(d *sock.Datagram) {
	p := packet{direction: unicast, data: d.Buf[:d.N], length: d.N, comment: s.comment(d)}
	if d.Group != 0 {
		p.direction = multicast
	}
	if d.Truncated {
		p.length++ // its true length is unknown
	}
	if s.recorder.record(p) {
		s.loss = nil
	}
}

// comment returns what the bytes of a datagram do not show, "" for a complete unicast
// message of the kernel.
func (s *socket) comment(d *sock.Datagram) string {
	var c []string
	if s.loss != nil {
		c = append(c, fmt.Sprintf("the socket lost messages: %v", s.loss))
	}
	if d.Group != 0 {
		c = append(c, fmt.Sprintf("group %d", d.Group))
	}
	if d.PortID != 0 {
		c = append(c, fmt.Sprintf("from port %d", d.PortID))
	}
	if d.NSID >= 0 {
		c = append(c, fmt.Sprintf("from network namespace %d", d.NSID))
	}
	if d.Group != 0 || d.PortID != 0 {
		c = append(c, fmt.Sprintf("to port %d", s.PortID()))
	}
	if d.Truncated {
		c = append(c, "the end was not read, so the length is not known")
	}
	return strings.Join(c, ", ")
}

func (s *socket) OpenLike() (sock.Socket, error) {
	like, err := s.inner.OpenLike()
	if err != nil {
		return nil, err
	}
	return s.recorder.Socket(like), nil
}

func (s *socket) PortID() uint32               { return s.inner.PortID() }
func (s *socket) Watch(ready func()) error     { return s.inner.Watch(ready) }
func (s *socket) SetNotify(on bool) error      { return s.inner.SetNotify(on) }
func (s *socket) Pause(d time.Duration) error  { return s.inner.Pause(d) }
func (s *socket) ReportGroups() error          { return s.inner.ReportGroups() }
func (s *socket) Join(group uint32) error      { return s.inner.Join(group) }
func (s *socket) Leave(group uint32) error     { return s.inner.Leave(group) }
func (s *socket) Buffers() (receive, send int) { return s.inner.Buffers() }
func (s *socket) Backlog() int                 { return s.inner.Backlog() }
func (s *socket) Dropped() bool                { return s.inner.Dropped() }
func (s *socket) Close() error                 { return s.inner.Close() }
