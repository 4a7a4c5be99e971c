package sock

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// openIn makes the descriptor, in the configured namespace. A socket belongs
// for life to the namespace of the thread that made it.
func openIn(cfg Config) (fd int, err error) {
	if !cfg.HasNetNS {
		return open(cfg)
	}
	return openAt(cfg.NetNS, cfg)
}

// openAt makes the descriptor in the namespace that netns refers to.
func openAt(netns int, cfg Config) (fd int, err error) {
	var g errgroup.Group
	g.Go(func() error {
		// The thread is not unlocked, so it dies with the goroutine and no
		// other goroutine ever runs in the namespace by mistake.
		runtime.LockOSThread()
		if err := unix.Setns(netns, unix.CLONE_NEWNET); err != nil {
			return wrap(fmt.Sprintf("setns to descriptor %d", netns), err)
		}
		fd, err = open(cfg)
		return err
	})
	err = g.Wait()
	return fd, err
}

func open(cfg Config) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(cfg.Family))
	return fd, wrap("socket", err)
}

// Twin makes a socket that stays in blocking mode and so out of the netpoller:
// what arrives on it wakes nobody. Every read asks not to wait by itself.
func (s *socket) Twin() (Socket, error) {
	cfg := s.cfg
	cfg.PortID = 0
	var fd int
	var err error
	if ctl := s.Control(func(like uintptr) { fd, err = openLike(int(like), cfg) }); ctl != nil {
		return nil, ctl
	}
	if err != nil {
		return nil, err
	}
	return newSocket(fd, cfg)
}

// openLike makes a descriptor in the namespace of the socket like. The thread
// that runs is usually in it already; where it is not, the kernel gives the
// namespace to CAP_NET_ADMIN, which the opener of like needed as well.
func openLike(like int, cfg Config) (int, error) {
	want, wantErr := netnsCookie(like)
	fd, err := open(cfg)
	if err != nil {
		return -1, err
	}
	got, err := netnsCookie(fd)
	if wantErr == nil && err == nil && got == want {
		return fd, nil
	}
	netns, err := unix.IoctlRetInt(like, unix.SIOCGSKNS)
	if err != nil {
		if wantErr != nil && !cfg.HasNetNS {
			// Linux before 5.14 has no cookies. Without WithNetNS and without
			// privilege the threads of this process are where Dial was.
			return fd, nil
		}
		unix.Close(fd)
		return -1, fmt.Errorf("network namespace of the Conn: %w", wrap("ioctl SIOCGSKNS", err))
	}
	unix.Close(fd)
	defer unix.Close(netns)
	return openAt(netns, cfg)
}

// netnsCookie returns the number of a socket's namespace, which no other has.
func netnsCookie(fd int) (uint64, error) {
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
}
