package sock

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bell rings when something arrives on a socket, unless it is muted. It is an
// epoll instance of the socket's own that the Go netpoller watches in the
// socket's place: the netpoller's interest in a descriptor cannot be changed,
// and waking a thread that waits there costs more than the whole request whose
// answer its sender is about to read by itself.
type bell struct {
	file *os.File // non-blocking, so it joins the netpoller
	raw  syscall.RawConn
}

// newBell makes a bell on which no socket hangs.
func newBell() (*bell, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, wrap("epoll_create1", err)
	}
	if _, err = unix.FcntlInt(uintptr(ep), unix.F_SETFL, unix.O_RDWR|unix.O_NONBLOCK); err != nil {
		unix.Close(ep)
		return nil, wrap("fcntl F_SETFL", err)
	}
	file := os.NewFile(uintptr(ep), "netlink-epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = watched(file)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &bell{file: file, raw: raw}, nil
}

// watched returns an error if the netpoller has refused the file, of which os.NewFile
// says nothing: the system may be out of watches (fs.epoll.max_user_watches). Only a file
// that it watches takes a deadline.
func watched(file *os.File) error {
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("the netpoller does not watch the socket: %w", err)
	}
	return nil
}

// watch stays inside one RawConn.Read: each time that the netpoller reports
// the descriptor readable, Read calls the function again. The netpoller is
// edge-triggered, so ready has to read the socket to the empty queue. Nobody
// takes the event out of the bell's own epoll: it rings for every arrival
// (ep_poll_callback in fs/eventpoll.c) as long as the socket has something when
// the netpoller looks.
func (b *bell) watch(ready func()) error {
	return closed(b.raw.Read(func(uintptr) bool {
		ready()
		return false
	}))
}

// mute takes the socket off the bell, or hangs it on, which rings if there
// is something already (ep_insert in fs/eventpoll.c). To leave it on the bell and
// wait for no event would be simpler, but each arrival would still call the bell:
// a NOOP of a lone goroutine then takes 6 percent longer.
func (b *bell) mute(fd int, mute bool) error {
	op := unix.EPOLL_CTL_ADD
	if mute {
		op = unix.EPOLL_CTL_DEL
	}
	return on(b.raw, func(ep int) error {
		return unix.EpollCtl(ep, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
	})
}

func (b *bell) close() { b.file.Close() }
