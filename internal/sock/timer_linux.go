package sock

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timer waits for less than a millisecond: in an idle process the runtime rounds the wait
// for its own timers up to that (netpoll in runtime/netpoll_epoll.go). The goroutine waits in
// the netpoller: in a system call such as nanosleep it would keep its processor. The first
// wait opens the file. The zero value is a timer that has none.
type timer struct {
	file *os.File
	fd   int // of file
}

func (t *timer) wait(d time.Duration) error {
	if t.file == nil {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
		if err != nil {
			return wrap("timerfd_create", err)
		}
		file, err := watchedFile(fd, "netlink-timer")
		if err != nil {
			return err
		}
		t.fd, t.file = fd, file
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	if err := unix.TimerfdSettime(t.fd, 0, &at, nil); err != nil {
		return wrap("timerfd_settime", err)
	}
	var expirations [8]byte // their number
	_, err := t.file.Read(expirations[:])
	return err
}

func (t *timer) close() {
	if t.file != nil {
		t.file.Close()
	}
}
