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
	batch      *semaphore.Weighted // one batch at a time, as in the kernel (nf_tables_valid_genid locks)
	size       int64
	counted    bool // the unit is a request
	dumpWeight int64

	batchWeight int64 // of the batch that has the slot
}

// answerRoom is what the answer to one request is taken to occupy of the
// receive buffer, in bytes of the kernel's accounting: an acknowledgement is
// charged 832, a link's RTM_NEWLINK up to 4,864 with its acknowledgement.
const answerRoom = 6 << 10

// dumpPart is the most that one part of a dump occupies: 32 KiB of messages
// and the kernel's overhead.
const dumpPart = 40 << 10

// refusalRoom is what one answer to a batch is taken to occupy: a refusal is
// charged 832 bytes, the kernel's explanation included, and echoes share
// datagrams.
const refusalRoom = 832

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
		batch:      semaphore.NewWeighted(1),
		size:       size,
		counted:    n != 0,
		dumpWeight: max(1, min(dump, size-1)),
	}
}

// weight returns how much room a request of this kind takes.
func (w *window) weight(kind demux.Kind) int64 {
	switch kind {
	case demux.Dump:
		return w.dumpWeight
	case demux.Batch:
		return w.batchWeight
	}
	return 1
}

// slot returns what only one request of this kind can have at a time, nil if
// there may be many.
func (w *window) slot(kind demux.Kind) *semaphore.Weighted {
	switch kind {
	case demux.Dump:
		return w.dump
	case demux.Batch:
		return w.batch
	}
	return nil
}

// acquire waits for the slot, if there is one, and for room for the answer to a
// call.
func (w *window) acquire(ctx context.Context, call *demux.Call) error {
	slot := w.slot(call.Kind)
	if slot != nil {
		// First, so that who waits for it occupies no room.
		if err := slot.Acquire(ctx, 1); err != nil {
			return err
		}
	}
	if call.Kind == demux.Batch {
		w.batchWeight = 1
		if !w.counted {
			w.batchWeight = min(w.size, 1+int64(call.Parts.Answers())*refusalRoom/answerRoom)
		}
	}
	err := w.room.Acquire(ctx, w.weight(call.Kind))
	if err != nil && slot != nil {
		slot.Release(1)
	}
	return err
}

// tryAcquire is acquire for a request of a kind without slot. It does not wait.
func (w *window) tryAcquire(kind demux.Kind) bool {
	return w.room.TryAcquire(w.weight(kind))
}

// release undoes acquire.
func (w *window) release(kind demux.Kind) {
	w.room.Release(w.weight(kind))
	if slot := w.slot(kind); slot != nil {
		slot.Release(1)
	}
}
