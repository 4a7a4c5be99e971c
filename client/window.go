package client

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/nlmux/netlink/demux"
)

// window bounds what is in flight by what the receive buffer can hold, since an
// answer that finds it full is dropped. Room is given back when the kernel has
// said its last word on a request, whether or not somebody still waits.
type window struct {
	room       *semaphore.Weighted // in the unit of weight
	dump       *semaphore.Weighted // the socket's one dump (netlink_dump_start: EBUSY)
	size       int64
	dumpWeight int64
}

// answerRoom is what the answer to one request is taken to occupy of the
// receive buffer, in bytes of the kernel's accounting: an acknowledgement is
// charged 832, a link's RTM_NEWLINK up to 4,864 with its acknowledgement.
const answerRoom = 6 << 10

// dumpPart is the most that one part of a dump occupies: 32 KiB of messages
// and the kernel's overhead.
const dumpPart = 40 << 10

// newWindow returns the window of a socket whose receive buffer has this many
// bytes, or of n requests if n is not 0.
func newWindow(receiveBuffer, n int) *window {
	size := int64(n)
	if n == 0 {
		size = max(1, int64(receiveBuffer)/answerRoom)
	}
	// The kernel goes on with a dump while less than half of the buffer is
	// taken (netlink_recvmsg), so it can have half and one part. One request
	// can always go beside it, or is the only one that ever can.
	dump := (int64(receiveBuffer)/2 + dumpPart) / answerRoom
	if n != 0 {
		dump = 1
	}
	return &window{
		room:       semaphore.NewWeighted(size),
		dump:       semaphore.NewWeighted(1),
		size:       size,
		dumpWeight: max(1, min(dump, size-1)),
	}
}

// weight returns how much room a request of this kind takes.
func (w *window) weight(kind demux.Kind) int64 {
	if kind == demux.Dump {
		return w.dumpWeight
	}
	return 1
}

// acquire waits for room for a request, and for the dump slot if it is one.
func (w *window) acquire(ctx context.Context, kind demux.Kind) error {
	if kind == demux.Dump {
		// First the slot, so that a waiting dump occupies no room.
		if err := w.dump.Acquire(ctx, 1); err != nil {
			return err
		}
	}
	err := w.room.Acquire(ctx, w.weight(kind))
	if err != nil && kind == demux.Dump {
		w.dump.Release(1)
	}
	return err
}

// tryAcquire is acquire for a request that is no dump, without waiting.
func (w *window) tryAcquire(kind demux.Kind) bool {
	return w.room.TryAcquire(w.weight(kind))
}

// release undoes acquire.
func (w *window) release(kind demux.Kind) {
	w.room.Release(w.weight(kind))
	if kind == demux.Dump {
		w.dump.Release(1)
	}
}
