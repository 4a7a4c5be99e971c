package client

import (
	"errors"
	"net"
	"syscall"
)

var _ syscall.Conn = (*Conn)(nil)

// SyscallConn returns access to the descriptor of the socket for requests, for
// options that this package does not know and for reading counters of the
// socket. Only Control works. The Conn itself reads and writes: Read and Write
// fail with [errors.ErrUnsupported]. After [Conn.Close], Control fails with
// net.ErrClosed.
//
// A socket filter (SO_ATTACH_FILTER) sees the answers to requests too, and
// NETLINK_NO_ENOBUFS makes losses silent: neither belongs on a Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.requests.sock.(interface {
		Control(f func(fd uintptr)) error
	})
	if !ok {
		return nil, opError("syscallconn", errors.ErrUnsupported, true)
	}
	return rawConn{s.Control}, nil
}

// rawConn is the part of a descriptor's RawConn that is safe beside a reader.
type rawConn struct {
	control func(f func(fd uintptr)) error
}

func (r rawConn) Control(f func(fd uintptr)) error {
	if err := r.control(f); err != nil {
		return opError("control", net.ErrClosed, true)
	}
	return nil
}

func (r rawConn) Read(func(fd uintptr) bool) error {
	return opError("read", errors.ErrUnsupported, true)
}

func (r rawConn) Write(func(fd uintptr) bool) error {
	return opError("write", errors.ErrUnsupported, true)
}
