package client

import (
	"errors"
	"net"
	"syscall"
)

var _ syscall.Conn = (*Conn)(nil)

// SyscallConn returns access to the descriptor of the socket for requests, for
// options that this package does not know and for reading counters of the
// socket. With [WithEventSocket] the memberships are on another socket, and dumps are on
// others in any case; neither can be reached. Only Control works. The Conn itself reads and writes: Read and Write
// fail with [errors.ErrUnsupported]. After [Conn.Close], Control fails with
// net.ErrClosed.
//
// What the Conn relies on must stay as it is. A socket filter (SO_ATTACH_FILTER) sees the
// answers to requests too ([WithEventFilter] filters events only), NETLINK_NO_ENOBUFS
// makes losses silent, and the receive buffer has the size that [WithReceiveBuffer] says.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.requests.sock.(interface {
		Control(f func(fd uintptr)) error
	})
	if !ok {
		return nil, opError("syscallconn", errors.ErrUnsupported, true)
	}
	return rawConn{c, s.Control}, nil
}

// rawConn is the part of a descriptor's RawConn that is safe beside a reader.
type rawConn struct {
	conn    *Conn // must not be collected meanwhile
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
