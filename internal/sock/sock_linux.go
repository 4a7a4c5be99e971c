package sock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a Socket on AF_NETLINK. The descriptor is an os.File, so the Go
// netpoller watches it, and every system call runs inside the file's RawConn,
// which keeps the descriptor from being closed and reused under it.
type socket struct {
	file *os.File
	raw  syscall.RawConn
	port uint32

	recv receiver // owned by the goroutine that is in Recv
}

// Open makes a socket, bound before it can join a group: the kernel leaves
// unbound sockets out of broadcasts, and a later bind would drop the first 32
// memberships (netlink_bind in net/netlink/af_netlink.c).
func Open(cfg Config) (Socket, error) {
	fd, err := openIn(cfg)
	if err != nil {
		return nil, err
	}
	if err := configure(fd, cfg); err != nil {
		unix.Close(fd)
		return nil, err
	}
	port, err := bind(fd, cfg.PortID)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	// The descriptor is non-blocking, so the file joins the netpoller.
	file := os.NewFile(uintptr(fd), "netlink")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	s := &socket{file: file, raw: raw, port: port}
	s.recv.call = s.recv.recvmsg
	return s, nil
}

func configure(fd int, cfg Config) error {
	enable := func(opt int, name string) error {
		return wrap("setsockopt "+name, unix.SetsockoptInt(fd, unix.SOL_NETLINK, opt, 1))
	}
	// Without the destination group an event cannot be told from a reply:
	// nl_groups of the address knows groups 1 to 32 only.
	if err := enable(unix.NETLINK_PKTINFO, "NETLINK_PKTINFO"); err != nil {
		return err
	}
	// Kernels before 4.12 and 4.2 do without: errors then echo the request and
	// bring no text, which the parser takes as well.
	_ = enable(unix.NETLINK_EXT_ACK, "NETLINK_EXT_ACK")
	_ = enable(unix.NETLINK_CAP_ACK, "NETLINK_CAP_ACK")
	if cfg.StrictChecking {
		if err := enable(unix.NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK"); err != nil {
			return err
		}
	}
	if cfg.ListenAllNSID {
		if err := enable(unix.NETLINK_LISTEN_ALL_NSID, "NETLINK_LISTEN_ALL_NSID"); err != nil {
			return err
		}
	}
	if err := setBuffer(fd, cfg.ReceiveBuffer, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF); err != nil {
		return wrap("setsockopt SO_RCVBUF", err)
	}
	return wrap("setsockopt SO_SNDBUF", setBuffer(fd, cfg.SendBuffer, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF))
}

// setBuffer asks for a buffer past the system's limit, which needs
// CAP_NET_ADMIN, and settles for what the limit allows.
func setBuffer(fd, size, force, plain int) error {
	if size == 0 {
		return nil
	}
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
	}
	return err
}

func bind(fd int, port uint32) (uint32, error) {
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}); err != nil {
		return 0, wrap("bind", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, wrap("getsockname", err)
	}
	nl, ok := sa.(*unix.SockaddrNetlink)
	if !ok {
		return 0, fmt.Errorf("getsockname: address of type %T", sa)
	}
	return nl.Pid, nil
}

func wrap(op string, err error) error {
	if err != nil {
		return os.NewSyscallError(op, err)
	}
	return nil
}

func (s *socket) PortID() uint32 { return s.port }

// closed turns the error of a RawConn, which fails only after Close, into the
// one that Socket promises.
func closed(err error) error {
	if err != nil {
		return net.ErrClosed
	}
	return nil
}

// sender is one Send. The closure that RawConn wants is made once and used
// again, or every request would allocate it.
type sender struct {
	call func(fd uintptr)
	b    []byte
	err  error
}

var senders = sync.Pool{New: func() any {
	s := new(sender)
	s.call = s.write
	return s
}}

// write sends without an address: an unconnected netlink socket speaks to port
// 0, the kernel (netlink_sendmsg).
func (s *sender) write(fd uintptr) {
	for {
		_, s.err = unix.Write(int(fd), s.b)
		if s.err != unix.EINTR {
			return
		}
	}
}

// Send runs under Control and not under Write: there is nothing to wait for
// and, datagrams being atomic, nothing to lock.
func (s *socket) Send(b []byte) error {
	op := senders.Get().(*sender)
	op.b = b
	err := closed(s.raw.Control(op.call))
	if err == nil {
		err = op.err
	}
	op.b, op.err = nil, nil
	senders.Put(op)
	return err
}

// receiver holds what one recvmsg needs, so that it allocates nothing.
type receiver struct {
	call func(fd uintptr)
	d    *Datagram
	err  error

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
		switch errno {
		case 0:
			r.err = r.fill(int(n))
			return
		case unix.EINTR:
		default:
			r.err = errno
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

// Watch stays inside one RawConn.Read: each time that the netpoller reports
// the descriptor readable, Read calls the function again. The netpoller is
// edge-triggered, so ready has to read to the empty queue.
func (s *socket) Watch(ready func()) error {
	err := s.raw.Read(func(uintptr) bool {
		ready()
		return false
	})
	return closed(err)
}

func (s *socket) Join(group uint32) error {
	return s.membership(unix.NETLINK_ADD_MEMBERSHIP, group)
}

func (s *socket) Leave(group uint32) error {
	return s.membership(unix.NETLINK_DROP_MEMBERSHIP, group)
}

func (s *socket) membership(opt int, group uint32) error {
	var err error
	if err := closed(s.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, opt, int(group))
	})); err != nil {
		return err
	}
	return err
}

func (s *socket) Buffers() (receive, send int) {
	_ = s.raw.Control(func(fd uintptr) {
		receive, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return receive, send
}

func (s *socket) Close() error {
	return closed(s.file.Close())
}

// Control runs f on the descriptor, which is not closed meanwhile.
func (s *socket) Control(f func(fd uintptr)) error { return closed(s.raw.Control(f)) }
