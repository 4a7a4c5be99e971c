package client

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// window bounds the requests in flight by the answers that the receive buffer can
// hold, since the kernel drops an answer that finds it full. A request gives its
// room back when the kernel is done with it, not when its waiter leaves.
type window struct {
	credit  *semaphore.Weighted // in the unit of Call.Credit
	size    int64
	counted bool // the unit is a request, otherwise answerRoom

	// learnt is what answers were charged, in bytes, by the low bits of the request's
	// type. Types that meet here take the room of the larger one.
	learnt [64]atomic.Int64
}

// answerRoom is what the answer to one request is taken to occupy of the
// receive buffer before larger ones were seen, in bytes of the kernel's accounting: an
// acknowledgement is charged 832, a link's RTM_NEWLINK up to 4,864 with its
// acknowledgement.
const answerRoom = 6 << 10

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
	return &window{credit: semaphore.NewWeighted(size), size: size, counted: n != 0}
}

// acquire waits for room for the answer to a call.
func (w *window) acquire(ctx context.Context, call *demux.Call) error {
	w.measure(call)
	return w.credit.Acquire(ctx, call.Credit)
}

// tryAcquire is acquire without the wait.
func (w *window) tryAcquire(call *demux.Call) bool {
	w.measure(call)
	return w.credit.TryAcquire(call.Credit)
}

// measure sets the room that a call takes.
func (w *window) measure(call *demux.Call) {
	call.Credit = 1
	switch {
	case w.counted:
	case call.Kind == demux.Batch:
		call.Credit = min(w.size, 1+int64(call.Batch.Answers())*refusalRoom/answerRoom)
	default:
		if bytes := w.of(call.Type).Load(); bytes > answerRoom {
			call.Credit = min(w.size, (bytes+answerRoom-1)/answerRoom)
		}
	}
}

func (w *window) of(typ netlink.MessageType) *atomic.Int64 { return &w.learnt[int(typ)%len(w.learnt)] }

// learn notes that the answer to a request of type typ was charged so many bytes. The
// estimate grows at once and shrinks slowly.
func (w *window) learn(typ netlink.MessageType, bytes int) {
	learnt := w.of(typ)
	old := learnt.Load()
	if n := max(int64(bytes), old-old/16); n != old && max(n, old) > answerRoom {
		learnt.Store(n)
	}
}

// learnLoss notes that the answer to a request of type typ was lost: requests of its type
// take four times the room.
func (w *window) learnLoss(typ netlink.MessageType) {
	learnt := w.of(typ)
	learnt.Store(min(4*max(learnt.Load(), answerRoom), w.size*answerRoom))
}

// release undoes acquire.
func (w *window) release(room int64) { w.credit.Release(room) }
