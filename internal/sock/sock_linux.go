package sock

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a Socket on AF_NETLINK.
type socket struct {
	file     descriptor
	notifier *notifier // nil for a socket of OpenLike
	port     uint32
	cfg      Config      // for OpenLike
	netns    *descriptor // for OpenLike: the configured network namespace, nil without

	recv  receiver // owned by the goroutine that is in Recv
	timer timer    // owned by the goroutine that is in Watch
}

// Open makes a socket, bound before it can join a group: the kernel leaves
// unbound sockets out of broadcasts, and a later bind would drop the first 32
// memberships (netlink_bind in net/netlink/af_netlink.c).
func Open(cfg Config) (Socket, error) {
	fd, err := openIn(cfg)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(fd, cfg)
	if err != nil {
		return nil, err
	}
	if runtime.GOMAXPROCS(0) > 1 {
		s.recv.call = syscall.RawSyscall6
	}
	s.notifier, err = newNotifier()
	if err == nil && cfg.HasNetNS {
		s.netns, err = keepNamespace(cfg.NetNS)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newSocket makes a Socket of a new descriptor, which it owns from here on.
func newSocket(fd int, cfg Config) (*socket, error) {
	if err := configure(fd, cfg); err != nil {
		unix.Close(fd)
		return nil, err
	}
	port, err := bind(fd, cfg.PortID)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	s := &socket{port: port, cfg: cfg}
	s.file.open(fd)
	s.recv.call = syscall.Syscall6
	s.recv.connected = !cfg.Peers && connect(fd)
	// Only recvmsg returns the namespace of a datagram.
	s.recv.extended = cfg.ListenAllNSID
	return s, nil
}

// connect makes the kernel refuse what processes send to the port
// (netlink_getsockbyportid). It reports false if that is not permitted.
func connect(fd int) bool {
	return unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) == nil
}

func configure(fd int, cfg Config) error {
	enable := func(opt int, name string) error {
		return wrap("setsockopt "+name, unix.SetsockoptInt(fd, unix.SOL_NETLINK, opt, 1))
	}
	// Optional: without these options, before 4.12 and 4.2, errors echo the request and
	// have no text. The parser accepts that.
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
	if cfg.Filter != nil {
		if err := attachFilter(fd, cfg.Filter); err != nil {
			return wrap("setsockopt SO_ATTACH_FILTER", err)
		}
	}
	if err := setBuffer(fd, cfg.ReceiveBuffer, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF); err != nil {
		return wrap("setsockopt SO_RCVBUF", err)
	}
	return wrap("setsockopt SO_SNDBUF", setBuffer(fd, cfg.SendBuffer, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF))
}

// setBuffer asks for a buffer beyond the system's limit, which needs CAP_NET_ADMIN, and
// falls back to the limit.
func setBuffer(fd, size, force, plain int) error {
	if size == 0 {
		return nil
	}
	size = min(size, math.MaxInt32) // the option is a C int
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size)
	if errors.Is(err, unix.EPERM) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
	}
	return err
}

// attachFilter puts a classic BPF program on the socket.
func attachFilter(fd int, filter []FilterInstruction) error {
	prog := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		prog[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
		Len: uint16(len(prog)), Filter: &prog[0],
	})
}

// bind binds the socket to a port, 0 for one that the kernel chooses, and returns it.
func bind(fd int, port uint32) (uint32, error) {
	err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port})
	if port == 0 && (err == unix.EACCES || err == unix.EPERM) {
		// A security policy refused it, as Android's does. The kernel binds a socket
		// when it sends (netlink_autobind), and drops a message shorter than a header.
		err = unix.Send(fd, make([]byte, 4), 0)
	}
	if err != nil {
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

// maxInterrupted is the maximum number of times in a row that an interrupted system
// call is repeated.
const maxInterrupted = 100

// Send sends without an address: to port 0, the kernel, connected or not (netlink_sendmsg).
func (s *socket) Send(b []byte) error {
	if !s.file.acquire() {
		return net.ErrClosed
	}
	var errno syscall.Errno
	for range maxInterrupted {
		_, _, errno = syscall.Syscall6(unix.SYS_SENDTO, uintptr(s.file.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
		if errno != unix.EINTR {
			break
		}
	}
	s.file.release()
	if errno != 0 {
		return errno
	}
	return nil
}

func (s *socket) Watch(ready func()) error {
	defer s.timer.close()
	return s.notifier.watch(ready)
}

func (s *socket) SetNotify(enable bool) error {
	return s.file.use(func(fd int) error { return s.notifier.set(fd, enable) })
}

func (s *socket) Pause(d time.Duration) error { return s.timer.wait(d) }

func (s *socket) Join(group uint32) error {
	return s.membership(unix.NETLINK_ADD_MEMBERSHIP, group)
}

func (s *socket) Leave(group uint32) error {
	return s.membership(unix.NETLINK_DROP_MEMBERSHIP, group)
}

func (s *socket) membership(opt int, group uint32) error {
	return s.file.use(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, opt, int(group))
	})
}

// ReportGroups sets NETLINK_PKTINFO: nl_groups in the address has groups 1 to 32 only.
// (Measured: a NOOP by plain system calls takes 13 percent longer with it.)
func (s *socket) ReportGroups() error {
	err := s.file.use(func(fd int) error {
		return wrap("setsockopt NETLINK_PKTINFO", unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_PKTINFO, 1))
	})
	s.recv.extended = s.recv.extended || err == nil
	return err
}

func (s *socket) Buffers() (receive, send int) {
	_ = s.file.use(func(fd int) error {
		receive, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		send, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
		return nil
	})
	return receive, send
}

// Close ends Watch before it closes the descriptor, since the kernel may make close wait: that
// of NETLINK_NETFILTER does for a batch of any process (nft_rcv_nl_event).
func (s *socket) Close() error {
	return s.file.use(func(int) error {
		err := s.file.close()
		if s.notifier != nil {
			s.notifier.close()
		}
		if s.netns != nil {
			s.netns.close()
		}
		return err
	})
}

// Control runs f on the descriptor, which is not closed meanwhile.
func (s *socket) Control(f func(fd uintptr)) error {
	return s.file.use(func(fd int) error {
		f(uintptr(fd))
		return nil
	})
}
