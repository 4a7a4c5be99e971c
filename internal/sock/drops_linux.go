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
// socket that is busy with other requests.
type drops struct {
	count   uint32
	growing bool // an overrun was reported and the queue has not been empty since
}

// falseAlarm reports whether the error of a read tells nothing. It wants to be
// asked about every error.
func (d *drops) falseAlarm(fd uintptr, errno syscall.Errno) bool {
	switch {
	case errno == unix.EINVAL:
		return !d.grown(fd)
	case errno == unix.ENOBUFS:
		d.growing = true
		d.grown(fd)
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
	var info [unix.SK_MEMINFO_DROPS + 1]uint32
	size := uint32(unsafe.Sizeof(info)) // the kernel gives as much as it knows
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(unsafe.Sizeof(info)) {
		return true
	}
	old := d.count
	d.count = info[unix.SK_MEMINFO_DROPS]
	return d.count != old
}
