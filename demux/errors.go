package demux

import (
	"errors"
	"syscall"
)

// ErrReplyLost is the result of a call whose answer the kernel dropped. The
// request may have been applied. It wraps ENOBUFS.
var ErrReplyLost error = &ownError{"reply lost in an overrun, the request may have been applied", syscall.ENOBUFS}

// ErrTruncated is the result of a call with a message that did not fit the
// receive buffer. It wraps EMSGSIZE.
var ErrTruncated error = &ownError{"reply larger than the receive buffer", syscall.EMSGSIZE}

// ErrUnanswered is the result of a call that the kernel did not answer although it
// dropped nothing. The request may have been applied. It wraps EBADMSG.
var ErrUnanswered error = &ownError{"kernel did not answer, the request may have been applied", syscall.EBADMSG}

// ErrNoCredit means that a call cannot be opened now, see [Table.Reserve].
var ErrNoCredit = errors.New("no credit for the answer")

// ownError is a text of ours with an errno to match.
type ownError struct {
	text  string
	errno syscall.Errno
}

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return e.errno }

// isDropped reports whether an acknowledgement with this error can mean that the
// kernel carried out the request and found no room for the reply:
// netlink_attachskb returns EAGAIN then, which nfnetlink_unicast turns into
// ENOBUFS. If the queue is read meanwhile, the acknowledgement still finds room.
func isDropped(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS)
}
