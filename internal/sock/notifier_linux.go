package sock

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// notifier reports datagrams on a socket while it is on. It is an epoll instance that
// the Go netpoller watches in place of the socket: interest in a descriptor of the
// netpoller cannot be changed, and waking a thread that waits there costs more than the
// whole request whose answer its sender is about to read.
type notifier struct {
	fd   int      // of file
	file *os.File // non-blocking, so it joins the netpoller
	raw  syscall.RawConn
}

// newNotifier returns a notifier without a socket.
func newNotifier() (*notifier, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, wrap("epoll_create1", err)
	}
	if _, err = unix.FcntlInt(uintptr(ep), unix.F_SETFL, unix.O_RDWR|unix.O_NONBLOCK); err != nil {
		unix.Close(ep)
		return nil, wrap("fcntl F_SETFL", err)
	}
	file, err := watchedFile(ep, "netlink-epoll")
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &notifier{ep, file, raw}, nil
}

// watchedFile returns the file of a non-blocking descriptor, which it owns. os.NewFile does
// not report that the netpoller has refused it: the system may be out of watches
// (fs.epoll.max_user_watches). Only a file that the netpoller watches accepts a deadline.
func watchedFile(fd int, name string) (*os.File, error) {
	file := os.NewFile(uintptr(fd), name)
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, fmt.Errorf("the netpoller does not watch the socket: %w", err)
	}
	return file, nil
}

// watch stays inside one RawConn.Read: each time that the netpoller reports the descriptor
// readable, Read calls the function again. The netpoller is edge-triggered, so ready has
// to read the socket to the empty queue. The event stays in the epoll instance: the
// netpoller is notified of every arrival (ep_poll_callback in fs/eventpoll.c) as long as
// the socket's queue is not empty when it checks.
func (n *notifier) watch(ready func()) error {
	_ = n.raw.Read(func(uintptr) bool {
		ready()
		return false
	})
	return net.ErrClosed
}

// set adds the socket to the epoll instance, which notifies at once if a datagram is queued
// (ep_insert in fs/eventpoll.c), or removes it. Its caller is in watch, so the instance is
// open. To keep the socket there and wait for no event would be simpler, but each arrival
// would still call back: a NOOP of a lone goroutine then takes 6 percent longer.
func (n *notifier) set(fd int, enable bool) error {
	op := unix.EPOLL_CTL_DEL
	if enable {
		op = unix.EPOLL_CTL_ADD
	}
	return unix.EpollCtl(n.fd, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
}

func (n *notifier) close() { n.file.Close() }
