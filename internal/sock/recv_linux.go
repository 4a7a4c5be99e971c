package sock

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver holds what one recvmsg needs, so that it allocates nothing.
type receiver struct {
	call func(fd uintptr)
	d    *Datagram
	err  error

	drops drops

	hdr     unix.Msghdr
	iov     unix.Iovec
	name    unix.RawSockaddrNetlink
	control [128]byte // two small messages fit several times over
}

func (s *socket) Recv(d *Datagram) error {
	r := &s.recv
	r.d = d
	err := closed(s.raw.Control(r.call))
	if err == nil {
		err = r.err
	}
	r.d = nil
	return err
}

func (r *receiver) recvmsg(fd uintptr) {
	r.iov.Base = &r.d.Buf[0]
	r.iov.SetLen(len(r.d.Buf))
	r.hdr = unix.Msghdr{
		Name:    (*byte)(unsafe.Pointer(&r.name)),
		Namelen: unix.SizeofSockaddrNetlink,
		Iov:     &r.iov,
		Control: &r.control[0],
	}
	r.hdr.SetIovlen(1)
	r.hdr.SetControllen(len(r.control))
	for {
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.hdr)), unix.MSG_DONTWAIT)
		switch {
		case errno == 0:
			r.err = r.fill(int(n))
			return
		case errno == unix.EINTR || r.drops.falseAlarm(fd, errno):
		default:
			r.err = errno
			r.d.Congested = r.drops.overrun
			return
		}
	}
}

// fill takes over sender, group and namespace.
func (r *receiver) fill(n int) error {
	d := r.d
	d.N, d.PortID, d.Group, d.NSID = n, r.name.Pid, 0, -1
	d.Truncated = r.hdr.Flags&unix.MSG_TRUNC != 0
	if r.hdr.Namelen < unix.SizeofSockaddrNetlink || r.hdr.Flags&unix.MSG_CTRUNC != 0 {
		return fmt.Errorf("recvmsg: incomplete address or control message")
	}
	for control := r.control[:r.hdr.Controllen]; len(control) >= unix.SizeofCmsghdr; {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return wrap("recvmsg", err)
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
	return nil
}
