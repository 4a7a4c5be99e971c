package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver holds what a read needs, so that it allocates nothing.
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

// incoming is what the kernel fills in of a datagram beside its bytes.
type incoming struct {
	control [64]byte // two small messages fit; first, so that it is aligned as they are
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
	r.err = nil
	for {
		n, errno := r.read(fd)
		switch {
		case errno == 0:
			r.n = n
			for i := range n {
				r.fill(i)
			}
		case errno == unix.EINTR:
			continue
		case !r.single && len(r.ds) > 1 && (errno == unix.ENOSYS || errno == unix.EPERM):
			// A sandbox's filter may know recvmsg only.
			r.single = true
			continue
		default:
			r.drops.note(fd, errno)
			r.err = errno
			r.ds[0].Congested = r.drops.overrun
		}
		break
	}
	for i := range r.ds {
		r.rest[i].iov.Base = nil // the buffers are the caller's
	}
}

// read makes the system call. The kernel keeps an error that it meets behind a
// datagram for the next one (do_recvmmsg in net/socket.c).
func (r *receiver) read(fd uintptr) (n int, errno syscall.Errno) {
	if r.single || len(r.ds) == 1 {
		size, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0].hdr)), unix.MSG_DONTWAIT)
		r.msgs[0].n = uint32(size)
		return 1, errno
	}
	got, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(r.ds)), unix.MSG_DONTWAIT, 0, 0)
	return int(got), errno
}

// prepare gives the kernel room for the datagram at i.
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

// fill takes over what the kernel says of the datagram at i.
func (r *receiver) fill(i int) {
	d, in, h := &r.ds[i], &r.rest[i], &r.msgs[i].hdr
	d.N, d.PortID, d.Group, d.NSID = int(r.msgs[i].n), in.name.Pid, 0, -1
	d.Truncated = h.Flags&unix.MSG_TRUNC != 0
	control := in.control[:h.Controllen]
	if h.Namelen < unix.SizeofSockaddrNetlink || h.Flags&unix.MSG_CTRUNC != 0 {
		// Whose it is cannot be told.
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
