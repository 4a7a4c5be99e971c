package sock

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver holds the memory of a read, so that it allocates nothing.
type receiver struct {
	// extended: a read returns the group and the namespace of a datagram, which recvfrom
	// does not.
	extended bool
	drops    drops

	// connected: the kernel refuses what processes send to the port. Once the queue was
	// empty after that, a read need not ask for the sender. (Measured: a NOOP by plain system
	// calls takes 4 percent longer if it does.)
	//
	// A process with CAP_NET_ADMIN whose send found the socket between bind and connect, and
	// was stopped inside the kernel until the queue had been empty, would be taken for the
	// kernel. It cannot know the number of a request.
	connected, emptied bool

	// call makes the system call of a read: syscall.Syscall6, since a read of a dump waits for
	// locks and the scheduler has to know. It need not know of the reads of Open's socket,
	// which do not wait: there it is syscall.RawSyscall6. (Measured: in a process with other
	// work for every processor, a NOOP takes 5 percent longer if it knows.) With one
	// processor it should: sysmon looks more often after it has taken a processor from a
	// thread in a system call, and so the time slices of the other work get shorter.
	// (Measured: without that, NOOPs have 3 percent less of the processor.) The memory that
	// the arguments point to is used after the call, which keeps it alive.
	call func(trap, fd, a, b, c, d, e uintptr) (r1, r2 uintptr, errno syscall.Errno)

	noRecvfrom, noRecvmmsg bool // the system call is not available

	namelen uint32 // for recvfrom
	msgs    [MaxRecv]mmsghdr
	rest    [MaxRecv]incoming
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

// Recv reads with recvmmsg, or a single datagram with recvfrom. A sandbox may refuse
// these, with any errno, because its filter knows only recvmsg. So an error that recvmsg
// does not share means that they are not available. The errors that report a loss do not:
// each is reported once.
func (s *socket) Recv(ds []Datagram) (n int, err error) {
	if !s.file.acquire() {
		return 0, net.ErrClosed
	}
	r, fd := &s.recv, uintptr(s.file.fd)
	var errno syscall.Errno
	switch {
	case len(ds) == 1 && !r.extended && !r.noRecvfrom:
		n, errno = r.recvfrom(fd, &ds[0])
		if isRefusal(errno) {
			n, errno = r.instead(fd, &ds[0], errno, &r.noRecvfrom)
		}
	case len(ds) > 1 && !r.noRecvmmsg:
		n, errno = r.recvmmsg(fd, ds[:min(len(ds), MaxRecv)])
		if isRefusal(errno) {
			n, errno = r.instead(fd, &ds[0], errno, &r.noRecvmmsg)
		}
	default:
		n, errno = r.recvmsg(fd, &ds[0])
	}
	if errno != 0 {
		r.emptied = r.emptied || errno == unix.EAGAIN
		r.drops.note(fd, errno)
		ds[0].Congested = r.drops.overrun
		n, err = 0, errno
	}
	s.file.release()
	return n, err
}

// isRefusal reports whether errno may mean that a system call is not available.
func isRefusal(errno syscall.Errno) bool {
	switch errno {
	case 0, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EMSGSIZE:
		return false
	}
	return true
}

// instead reads with recvmsg after another system call failed with errno, and sets
// unavailable if recvmsg does not.
func (r *receiver) instead(fd uintptr, d *Datagram, refusal syscall.Errno, unavailable *bool) (n int, errno syscall.Errno) {
	n, errno = r.recvmsg(fd, d)
	*unavailable = errno != refusal
	return n, errno
}

// named reports whether a read has to ask for the sender. Processes may send to a group
// (do_one_broadcast in net/netlink/af_netlink.c).
func (r *receiver) named() bool { return r.extended || !r.connected || !r.emptied }

// recvfrom costs the kernel less than recvmsg.
func (r *receiver) recvfrom(fd uintptr, d *Datagram) (n int, errno syscall.Errno) {
	var name *unix.RawSockaddrNetlink
	var namelen *uint32
	if r.named() {
		name, namelen = &r.rest[0].name, &r.namelen
	}
	var size uintptr
	for range maxInterrupted {
		r.namelen = unix.SizeofSockaddrNetlink
		size, _, errno = r.call(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&d.Buf[0])), uintptr(len(d.Buf)),
			unix.MSG_DONTWAIT|unix.MSG_TRUNC, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(namelen)))
		if errno != unix.EINTR {
			break
		}
	}
	if errno != 0 {
		return 0, errno
	}
	d.N, d.Truncated = min(int(size), len(d.Buf)), int(size) > len(d.Buf) // MSG_TRUNC: the size before the cut
	d.PortID, d.Group, d.NSID = 0, 0, -1
	if name != nil {
		d.setSender(name, r.namelen)
	}
	return 1, 0
}

// setSender sets the sender of d to the address that the kernel has filled in.
func (d *Datagram) setSender(name *unix.RawSockaddrNetlink, size uint32) {
	d.PortID = name.Pid
	if size < unix.SizeofSockaddrNetlink {
		d.discard()
	}
}

func (r *receiver) recvmsg(fd uintptr, d *Datagram) (n int, errno syscall.Errno) {
	r.prepare(0, d)
	defer r.releaseBuffers(1)
	for range maxInterrupted {
		var size uintptr
		size, _, errno = r.call(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0].hdr)), unix.MSG_DONTWAIT, 0, 0, 0)
		r.msgs[0].n = uint32(size)
		if errno != unix.EINTR {
			break
		}
	}
	if errno != 0 {
		return 0, errno
	}
	r.fill(0, d)
	return 1, 0
}

// recvmmsg returns the datagrams that it read. An error after a datagram is kept by the
// kernel for the next call (do_recvmmsg in net/socket.c).
func (r *receiver) recvmmsg(fd uintptr, ds []Datagram) (n int, errno syscall.Errno) {
	for i := range ds {
		r.prepare(i, &ds[i])
	}
	defer r.releaseBuffers(len(ds))
	for range maxInterrupted {
		var got uintptr
		got, _, errno = r.call(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs[0])), uintptr(len(ds)), unix.MSG_DONTWAIT, 0, 0)
		n = int(got)
		if errno != unix.EINTR {
			break
		}
	}
	if errno != 0 {
		return 0, errno
	}
	for i := range n {
		r.fill(i, &ds[i])
	}
	return n, 0
}

// prepare gives the kernel the buffer for the datagram at i.
func (r *receiver) prepare(i int, d *Datagram) {
	in, h := &r.rest[i], &r.msgs[i].hdr
	in.iov.Base = &d.Buf[0]
	in.iov.SetLen(len(d.Buf))
	*h = unix.Msghdr{Iov: &in.iov}
	h.SetIovlen(1)
	if r.named() {
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&in.name)), unix.SizeofSockaddrNetlink
	}
	if r.extended {
		h.Control = &in.control[0]
		h.SetControllen(len(in.control))
	}
}

// releaseBuffers drops the first n buffers, which are the caller's again.
func (r *receiver) releaseBuffers(n int) {
	for i := range n {
		r.rest[i].iov.Base = nil
	}
}

// fill copies what the kernel reports about the datagram at i.
func (r *receiver) fill(i int, d *Datagram) {
	in, h := &r.rest[i], &r.msgs[i].hdr
	d.N, d.PortID, d.Group, d.NSID = int(r.msgs[i].n), 0, 0, -1
	d.Truncated = h.Flags&unix.MSG_TRUNC != 0
	if h.Name != nil {
		d.setSender(&in.name, h.Namelen)
	}
	if r.extended && h.Flags&unix.MSG_CTRUNC != 0 {
		d.discard()
		return
	}
	control := in.control[:h.Controllen]
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			d.discard()
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

// discard drops the bytes of a datagram whose origin is not known.
func (d *Datagram) discard() { d.N, d.PortID, d.Truncated = 0, 0, true }
