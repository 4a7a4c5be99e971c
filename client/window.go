package client

import (
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
)

// window sets the credit of each request: the estimated room for its answer. It bounds the
// requests in flight, because the kernel drops an answer that finds the receive buffer full.
// demux.Table counts the credit. It is free again when the kernel is done with the request,
// not when the waiter leaves.
type window struct {
	size    int64 // in the unit of Call.Credit
	counted bool  // the unit is a request, otherwise answerSize

	// learnt has the bytes charged for answers, by the low bits of the request's type.
	// Types that share an entry use the larger value.
	learnt [64]atomic.Int64
}

// answerSize is the initial estimate of the charge for an answer, in bytes as the
// kernel accounts for them: an acknowledgement is charged 832, a link's RTM_NEWLINK up
// to 4,864 with its acknowledgement.
const answerSize = 6 << 10

// refusalSize is the estimate for one answer to a batch: a refusal is charged 832
// bytes, including the kernel's explanation, and echoes share datagrams.
const refusalSize = 832

// newWindow returns the window of a socket with a receive buffer of this many bytes, or
// of n requests if n is not 0.
func newWindow(receiveBuffer, n int) *window {
	size := int64(n)
	if n == 0 {
		size = max(1, int64(receiveBuffer)/answerSize)
	}
	return &window{size: size, counted: n != 0}
}

// measure sets the credit of a call.
func (w *window) measure(call *demux.Call) {
	call.Credit = 1
	switch {
	case w.counted:
	case call.Kind == demux.Batch:
		call.Credit = min(w.size, 1+int64(call.Batch.Answers())*refusalSize/answerSize)
	default:
		if bytes := w.of(call.Type).Load(); bytes > answerSize {
			call.Credit = min(w.size, (bytes+answerSize-1)/answerSize)
		}
	}
}

func (w *window) of(typ netlink.MessageType) *atomic.Int64 { return &w.learnt[int(typ)%len(w.learnt)] }

// learn records the charge for the answer to a request of type typ. The estimate grows
// at once and shrinks slowly.
func (w *window) learn(typ netlink.MessageType, bytes int) {
	learnt := w.of(typ)
	old := learnt.Load()
	if n := max(int64(bytes), old-old/16); n != old && max(n, old) > answerSize {
		learnt.Store(n)
	}
}

// learnLoss records that the answer to a request of type typ was lost: the estimate for
// its type is multiplied by four.
func (w *window) learnLoss(typ netlink.MessageType) {
	learnt := w.of(typ)
	learnt.Store(min(4*max(learnt.Load(), answerSize), w.size*answerSize))
}
