package capture

import (
	"io"
	"sync"
	"time"

	"github.com/nlmux/netlink"
)

// limit is how many bytes wait for the writer at most: a hundred parts of a
// dump, or sixteen of the largest datagrams that are read.
const limit = 4 << 20

// Recorder writes what goes over the sockets of one Conn to a writer. Nobody
// waits for that writer: packets are queued, a goroutine writes them, and what
// finds the queue full is dropped and told in the file, by the count of the next
// packet that is recorded and by the statistics at the end.
type Recorder struct {
	w      io.Writer
	family netlink.Family

	wake chan struct{} // one token: there is something to write
	done chan struct{} // closed when the goroutine is gone

	mu sync.Mutex // guards following

	waiting []byte // whole blocks, for the writer
	seen    uint64 // packets so far
	dropped uint64 // of those, not recorded
	untold  uint64 // of those, not in the count of a packet yet
	closed  bool   // nothing is recorded any more
	err     error  // of the writer
}

// NewRecorder starts a capture with a section of its own. The writer is used by
// one goroutine, until Close has returned.
func NewRecorder(w io.Writer, family netlink.Family) *Recorder {
	r := &Recorder{
		w:       w,
		family:  family,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		waiting: native.header(nil, family),
	}
	r.notify()
	go r.run()
	return r
}

// notify has the goroutine look at what waits.
func (r *Recorder) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// record queues a packet with the time of the call, or drops it, and reports
// whether it is queued. The order of the calls is the order in the file, and of
// the times.
func (r *Recorder) record(p packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.seen++
	if len(r.waiting)+min(len(p.data), snapLen)+len(p.comment)+overhead > limit {
		r.dropped++
		r.untold++
		return false
	}
	p.time, p.dropped, r.untold = now(), r.untold, 0
	r.waiting = native.packet(r.waiting, r.family, p)
	r.notify()
	return true
}

func now() uint64 { return uint64(time.Now().UnixNano()) }

// run is the goroutine that writes.
func (r *Recorder) run() {
	defer close(r.done)
	var b []byte
	for last := false; !last; {
		<-r.wake
		b, last = r.take(b)
		if len(b) == 0 {
			// Taken together with what came before it.
			continue
		}
		n, err := r.w.Write(b)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			r.fail(err)
			return
		}
	}
}

// take returns what waits, in exchange for the buffer of what was written, and
// whether nothing will follow.
func (r *Recorder) take(written []byte) (b []byte, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, r.waiting = r.waiting, written[:0]
	return b, r.closed
}

// fail ends the capture: what is behind a hole could not be read.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.err, r.waiting = true, err, nil
}

// Close writes what is queued, ends the section with its statistics and returns
// when the goroutine is gone, with the first error of the writer. After one
// nothing more is written. It is called once.
func (r *Recorder) Close() error {
	r.end()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recorder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.waiting = native.statistics(r.waiting, now(), r.seen, r.dropped)
		r.notify()
	}
}
