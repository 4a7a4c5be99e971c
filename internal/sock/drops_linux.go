package sock

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// drops follows the socket's count of messages that found no room (sk_drops). It
// distinguishes an overrun from the other losses that a read reports.
type drops struct {
	count   uint32
	overrun bool // the last error was an overrun
	growing bool // an overrun was reported and the queue has not been empty since
}

// note records the error of a read.
func (d *drops) note(fd uintptr, errno syscall.Errno) {
	d.overrun = false
	switch {
	case errno == unix.ENOBUFS:
		// Without an overrun this error comes from a notification that the kernel could
		// not make (netlink_set_err), and nothing is counted.
		d.overrun = d.grown(fd)
		d.growing = true
	case errno == unix.EAGAIN && d.growing:
		// The kernel dropped messages until the queue was empty.
		d.growing = false
		d.grown(fd)
	}
}

// grown reports whether the count has grown since the last call. Without SO_MEMINFO it
// reports false.
func (d *drops) grown(fd uintptr) bool {
	info, ok := meminfo(fd)
	old := d.count
	d.count = info[unix.SK_MEMINFO_DROPS]
	return ok && d.count != old
}

func (s *socket) Dropped() (dropped bool) {
	_ = s.Control(func(fd uintptr) {
		info, ok := meminfo(fd)
		dropped = ok && info[unix.SK_MEMINFO_DROPS] != s.recv.drops.count
	})
	return dropped
}

// meminfo returns the socket's memory counters (SO_MEMINFO, Linux 4.12).
func meminfo(fd uintptr) (info [unix.SK_MEMINFO_DROPS + 1]uint32, ok bool) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	return info, errno == 0 && size == uint32(unsafe.Sizeof(info))
}

func (s *socket) Backlog() (bytes int) {
	_ = s.Control(func(fd uintptr) {
		info, _ := meminfo(fd)
		bytes = int(info[unix.SK_MEMINFO_RMEM_ALLOC])
	})
	return bytes
}
