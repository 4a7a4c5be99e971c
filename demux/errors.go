package demux

import (
	"errors"
	"syscall"
)

// ErrReplyLost is the result of a call whose answer the kernel dropped. The
// request may have been applied. It wraps ENOBUFS.
var ErrReplyLost error = &ownError{"reply lost in an overrun, the request may have been applied", syscall.ENOBUFS}

// ErrTruncated is the result of a call of which a message did not fit the
// receive buffer. It wraps EMSGSIZE.
var ErrTruncated error = &ownError{"reply larger than the receive buffer", syscall.EMSGSIZE}

// errUnanswered is the result of a batch that the kernel has not answered at
// all although nothing was lost: it has not understood it. It wraps EBADMSG.
var errUnanswered error = &ownError{"the kernel did not understand the batch and has ignored it", syscall.EBADMSG}

// ownError is a text of ours with an errno to match.
type ownError struct {
	text  string
	errno syscall.Errno
}

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return e.errno }

// isNoRoom reports whether the kernel refused a dump because the socket's queue
// was full. The dump is set up all the same and goes on as the queue is read
// (__netlink_dump_start in net/netlink/af_netlink.c leaves cb_running set).
// Only where the queue has been seen empty is the dump lost: it had no room
// again (netlink_dump), and stands still until something else is read.
func isNoRoom(err error) bool { return errors.Is(err, syscall.ENOBUFS) }

// isDropped reports whether an acknowledgement with this error can mean that the
// request was carried out and that its reply found no room: netlink_attachskb
// returns EAGAIN then, of which nfnetlink_unicast makes ENOBUFS, and when the
// queue is read meanwhile the acknowledgement still finds some.
func isDropped(err error) bool { return errors.Is(err, syscall.EAGAIN) || isNoRoom(err) }
