package sock

import (
	"fmt"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// openIn makes the descriptor, in the configured namespace. A socket belongs for life
// to the namespace of the thread that opened it.
func openIn(cfg Config) (fd int, err error) {
	if !cfg.HasNetNS {
		return open(cfg)
	}
	return openAt(cfg.NetNS, cfg)
}

// openAt makes the descriptor in the namespace that netns refers to, on another thread.
// Every thread keeps its namespace.
func openAt(netns int, cfg Config) (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fd, err = openOnThread(netns, cfg)
	}()
	<-done
	return fd, err
}

func openOnThread(netns int, cfg Config) (fd int, err error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread cannot be ended, and /proc/self shows its namespace. While
		// this goroutine holds it, another goroutine gets another thread.
		defer runtime.UnlockOSThread()
		return openAt(netns, cfg)
	}
	// A thread that cannot return to its namespace is not unlocked, so it ends with the
	// goroutine.
	here, hereErr := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if hereErr == nil {
		defer unix.Close(here)
	}
	if err := unix.Setns(netns, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return -1, wrap(fmt.Sprintf("setns to descriptor %d", netns), err)
	}
	fd, err = open(cfg)
	if hereErr == nil && unix.Setns(here, unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return fd, err
}

func open(cfg Config) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(cfg.Family))
	return fd, wrap("socket", err)
}

// keepNamespace returns a descriptor of a network namespace that does not depend on
// netns. The caller of Open may close its own before OpenLike needs it, and the kernel
// opens another one (SIOCGSKNS) only with CAP_NET_ADMIN.
func keepNamespace(netns int) (*descriptor, error) {
	fd, err := unix.FcntlInt(uintptr(netns), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("fcntl F_DUPFD_CLOEXEC", err)
	}
	d := new(descriptor)
	d.open(fd)
	return d, nil
}

// OpenLike makes a socket without a notifier: its datagrams wake no goroutine.
func (s *socket) OpenLike() (Socket, error) {
	cfg := s.cfg
	cfg.PortID = 0
	fd, err := s.openLike(cfg)
	if err != nil {
		return nil, err
	}
	like, err := newSocket(fd, cfg)
	if err != nil {
		return nil, err
	}
	return like, nil
}

// openLike makes a descriptor in the namespace of s. The current thread is usually in
// it. If not, this needs the privilege of WithNetNS, or also CAP_NET_ADMIN if s was
// opened by a thread that had moved to another namespace.
func (s *socket) openLike(cfg Config) (fd int, err error) {
	fd, err = open(cfg)
	if err != nil {
		return -1, err
	}
	same, err := s.shares(fd)
	if same {
		return fd, nil
	}
	unix.Close(fd)
	if err != nil {
		return -1, err
	}
	if s.netns != nil {
		err = s.netns.use(func(netns int) (err error) {
			fd, err = openAt(netns, cfg)
			return err
		})
		return fd, err
	}
	err = s.file.use(func(like int) error {
		netns, err := unix.IoctlRetInt(like, unix.SIOCGSKNS)
		if err != nil {
			return fmt.Errorf("network namespace of the Conn: %w", wrap("ioctl SIOCGSKNS", err))
		}
		defer unix.Close(netns)
		fd, err = openAt(netns, cfg)
		return err
	})
	return fd, err
}

// shares reports whether the new socket fd is in the namespace of s. Before Linux 5.14
// namespaces have no cookies. Without a configured namespace, fd is then taken to be in
// the same one if the port of s is in use: ports are unique in a namespace
// (netlink_insert in net/netlink/af_netlink.c).
func (s *socket) shares(fd int) (bool, error) {
	var want uint64
	err := s.file.use(func(like int) (err error) {
		want, err = netnsCookie(like)
		return err
	})
	switch {
	case err == net.ErrClosed:
		return false, err
	case err == nil:
		got, err := netnsCookie(fd)
		return err == nil && got == want, nil
	}
	return s.netns == nil && unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: s.port}) != nil, nil
}

// netnsCookie returns the number of a socket's namespace, which is unique.
func netnsCookie(fd int) (uint64, error) {
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
}
