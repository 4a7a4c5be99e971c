package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver holds the memory of a read, so that it allocates nothing.
type receiver struct {
	call func(fd uintptr)
	ds   []Datagram
	n    int
	err  error

	drops  drops
	single bool // the system has no recvmmsg

	msgs [MaxRecv]mmsghdr
	rest [MaxRecv]incoming
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32 // bytes received
}

// incoming is what the kernel fills in besides the bytes of a datagram.
type incoming struct {
	control [64]byte // fits two small messages; first, so that it is aligned
	iov     unix.Iovec
	name    unix.RawSockaddrNetlink
}

func (s *socket) Recv(ds []Datagram) (int, error) {
	r := &s.recv
	r.ds, r.n = ds[:min(len(ds), MaxRecv)], 0
	err := closed(s.raw.Control(r.call))
	if err == nil {
		err = r.err
	}
	r.ds = nil
	return r.n, err
}

func (r *receiver) recv(fd uintptr) {
	for i := range r.ds {
		r.prepare(i)
	}
	n, errno := r.read(fd)
	if errno == 0 {
		r.n, r.err = n, nil
		for i := range n {
			r.fill(i)
		}
	} else {
		r.drops.note(fd, errno)
		r.err = errno
		r.ds[0].Congested = r.drops.overrun
	}
	for i := range r.ds {
		r.rest[i].iov.Base = nil // the buffers are the caller's
	}
}

// read reads with recvmmsg or recvmsg. A sandbox may refuse recvmmsg, with any errno,
// because its filter knows only recvmsg. So an error that recvmsg does not share means
// that recvmmsg is not available. The errors that report a loss do not: each is
// reported once.
func (r *receiver) read(fd uintptr) (n int, errno syscall.Errno) {
	if r.single || len(r.ds) == 1 {
		return r.recvmsg(fd)
	}
	switch n, errno = r.recvmmsg(fd); errno {
	case 0, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EMSGSIZE:
		return n, errno
	}
	refusal := errno
	n, errno = r.recvmsg(fd)
	r.single = errno != refusal
	return n, errno
}

func (r *receiver) recvmsg(fd uintptr) (n int, errno syscall.Errno) {
	for range maxInterrupted {
		var size uintptr
		size, _, errno = unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0].hdr)), unix.MSG_DONTWAIT)
		r.msgs[0].n = uint32(size)
		if errno != unix.EINTR {
			break
		}
	}
	return 1, errno
}

// recvmmsg returns the datagrams that it read. An error after a datagram is kept by the
// kernel for the next call (do_recvmmsg in net/socket.c).
func (r *receiver) recvmmsg(fd uintptr) (n int, errno syscall.Errno) {
	for range maxInterrupted {
		var got uintptr
		got, _, errno = unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(r.ds)), unix.MSG_DONTWAIT, 0, 0)
		n = int(got)
		if errno != unix.EINTR {
			break
		}
	}
	return n, errno
}

// prepare gives the kernel the buffers for the datagram at i.
func (r *receiver) prepare(i int) {
	in, h := &r.rest[i], &r.msgs[i].hdr
	in.iov.Base = &r.ds[i].Buf[0]
	in.iov.SetLen(len(r.ds[i].Buf))
	*h = unix.Msghdr{
		Name:    (*byte)(unsafe.Pointer(&in.name)),
		Namelen: unix.SizeofSockaddrNetlink,
		Iov:     &in.iov,
		Control: &in.control[0],
	}
	h.SetIovlen(1)
	h.SetControllen(len(in.control))
}

// fill copies what the kernel reports about the datagram at i.
func (r *receiver) fill(i int) {
	d, in, h := &r.ds[i], &r.rest[i], &r.msgs[i].hdr
	d.N, d.PortID, d.Group, d.NSID = int(r.msgs[i].n), in.name.Pid, 0, -1
	d.Truncated = h.Flags&unix.MSG_TRUNC != 0
	control := in.control[:h.Controllen]
	if h.Namelen < unix.SizeofSockaddrNetlink || h.Flags&unix.MSG_CTRUNC != 0 {
		// Its sender is unknown.
		d.N, d.PortID, d.Truncated, control = 0, 0, true, nil
	}
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			d.N, d.Truncated = 0, true
			return
		}
		if h.Level == unix.SOL_NETLINK && len(data) >= 4 {
			v := *(*uint32)(unsafe.Pointer(&data[0]))
			switch h.Type {
			case unix.NETLINK_PKTINFO: // struct nl_pktinfo { __u32 group; }
				d.Group = v
			case unix.NETLINK_LISTEN_ALL_NSID:
				d.NSID = int32(v)
			}
		}
		control = rest
	}
}
