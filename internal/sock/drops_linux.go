package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// drops follows the socket's count of messages that found no room (sk_drops).
//
// It tells a loss from a false alarm. A read that finds a dump running helps it
// on (netlink_recvmsg calls netlink_dump). When the dump was started by a send
// that is still at it and comes to its end first, the read finds nothing to do
// and leaves EINVAL on the socket for the next read. Nothing was lost then,
// unless that EINVAL took the place of the ENOBUFS of an overrun, which the
// kernel has counted. Seen on Linux 6.18, about once in ten dumps from a
// socket that is busy with other requests. Those that the client knows to be dumps
// are sent while nobody reads; flags can make a dump of other requests.
type drops struct {
	count   uint32
	overrun bool // the error is of an overrun
	blind   bool // the kernel does not tell the count
	growing bool // an overrun was reported and the queue has not been empty since
}

// falseAlarm reports whether the error of a read tells nothing. It wants to be
// asked about every error.
func (d *drops) falseAlarm(fd uintptr, errno syscall.Errno) bool {
	d.overrun = false
	switch {
	case errno == unix.EINVAL:
		return !d.grown(fd)
	case errno == unix.ENOBUFS:
		// Other than by an overrun this error comes from a notification that
		// could not be made (netlink_set_err), and then nothing is counted.
		d.overrun = d.grown(fd) && !d.blind
		d.growing = true
	case errno == unix.EAGAIN && d.growing:
		// Messages went on being dropped until the queue was empty.
		d.growing = false
		d.grown(fd)
	}
	return false
}

// grown reports whether messages were dropped since the last time that it was
// asked. In doubt they were.
func (d *drops) grown(fd uintptr) bool {
	info, ok := meminfo(fd)
	if d.blind = !ok; d.blind {
		return true
	}
	old := d.count
	d.count = info[unix.SK_MEMINFO_DROPS]
	return d.count != old
}

// meminfo returns the socket's counters of memory (SO_MEMINFO, Linux 4.12).
func meminfo(fd uintptr) (info [unix.SK_MEMINFO_DROPS + 1]uint32, ok bool) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return info, errno == 0 && size == uint32(unsafe.Sizeof(info))
}

func (s *socket) Backlog() (bytes int) {
	_ = s.raw.Control(func(fd uintptr) {
		info, _ := meminfo(fd)
		bytes = int(info[unix.SK_MEMINFO_RMEM_ALLOC])
	})
	return bytes
}
