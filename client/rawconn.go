package client

import (
	"errors"
	"net"
	"syscall"
)

var _ syscall.Conn = (*Conn)(nil)

// SyscallConn returns access to the descriptor of the socket for requests: for socket
// options without a method here, and for reading its counters. The sockets of
// [WithEventSocket] and of dumps cannot be reached. Only Control works; Read and Write
// fail with [errors.ErrUnsupported], since the Conn itself reads and writes. After
// [Conn.Close], Control fails with net.ErrClosed.
//
// The caller must not change what the Conn relies on, nor send with the descriptor: a dump
// would run while the Conn reads, in a system call of which the Go scheduler does not
// know. A socket filter (SO_ATTACH_FILTER) also sees the answers to requests
// ([WithEventFilter] filters events only), NETLINK_NO_ENOBUFS hides losses, and the receive
// buffer must keep the size of [WithReceiveBuffer].
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.requests.sock.(interface {
		Control(f func(fd uintptr)) error
	})
	if !ok {
		return nil, opError("syscallconn", errors.ErrUnsupported, true)
	}
	// The caller may join a group, or have the kernel report more with each message, for
	// which a read must have room.
	if err := c.requests.recv.reportGroups(); err != nil && err != net.ErrClosed {
		return nil, opError("syscallconn", err, true)
	}
	return rawConn{c, s.Control}, nil
}

// rawConn is the part of a descriptor's RawConn that is safe alongside a reader.
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
