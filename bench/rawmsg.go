package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawMessage is the memory of a read with recvmsg.
type rawMessage struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	name    unix.RawSockaddrNetlink
	control [64]byte
}

// dialRawMsg returns a raw client whose reads also return the group of a datagram, as those
// of nlmux do after its first join. So it is the floor of a client that can distinguish a
// reply from an event.
func dialRawMsg() (Client, error) {
	r, err := openRaw()
	if err != nil {
		return nil, err
	}
	for _, option := range []int{unix.NETLINK_PKTINFO, unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, option, 1); err != nil {
			r.Close()
			return nil, err
		}
	}
	m := new(rawMessage)
	m.iov.Base = &r.buf[0]
	m.iov.SetLen(len(r.buf))
	m.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&m.name)), Iov: &m.iov, Control: &m.control[0]}
	m.hdr.SetIovlen(1)
	r.read = func() (n int, sender uint32, err error) { return m.recv(r.fd) }
	return r, nil
}

// recv returns EINTR for a datagram that was sent to a group: it is not for a client
// that has joined none.
func (m *rawMessage) recv(fd int) (n int, sender uint32, err error) {
	m.hdr.Namelen = unix.SizeofSockaddrNetlink
	m.hdr.SetControllen(len(m.control))
	got, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr)), unix.MSG_TRUNC)
	if errno != 0 {
		return 0, 0, errno
	}
	if m.group() != 0 {
		return 0, 0, unix.EINTR
	}
	return int(got), m.name.Pid, nil
}

// group returns the group of the datagram that was read, 0 if it was sent to this socket
// alone. NETLINK_PKTINFO is the only control message of the socket.
func (m *rawMessage) group() uint32 {
	data := unix.CmsgLen(0)
	if int(m.hdr.Controllen) < data+4 {
		return 0
	}
	return *(*uint32)(unsafe.Pointer(&m.control[data])) // struct nl_pktinfo
}
