package capture

import (
	"io"
	"sync"
	"time"

	"github.com/nlmux/netlink"
)

// limit is the maximum number of bytes that wait for the writer: a hundred datagrams of
// a dump, or sixteen of the largest datagrams that are read.
const limit = 4 << 20

// Recorder records the traffic of one Conn's sockets to a writer. No caller waits for
// the writer: packets are queued and a goroutine writes them. Packets that find the
// queue full are dropped and counted, in the next packet that is recorded and in the
// statistics at the end.
type Recorder struct {
	w      io.Writer
	family netlink.Family

	wake chan struct{} // one token: there is something to write
	done chan struct{} // closed when the goroutine is gone

	mu sync.Mutex // guards following

	waiting []byte // whole blocks, for the writer
	seen    uint64 // packets so far
	dropped uint64 // of those, not recorded
	pending uint64 // of those, not in the count of a packet yet
	closed  bool   // nothing is recorded any more
	err     error  // of the writer
}

// NewRecorder starts a capture with a section of its own. One goroutine uses the
// writer, until Close has returned.
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

// notify wakes the goroutine.
func (r *Recorder) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// record queues a packet with the time of the call, or drops it, and reports whether it
// is queued. Packets and times in the file have the order of the calls.
func (r *Recorder) record(p packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.seen++
	if len(r.waiting)+min(len(p.data), snapLen)+len(p.comment)+overhead > limit {
		r.dropped++
		r.pending++
		return false
	}
	p.time, p.dropped, r.pending = now(), r.pending, 0
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
			// Written together with earlier packets.
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

// take returns the blocks that wait, in exchange for the buffer that was written, and
// reports whether they are the last.
func (r *Recorder) take(written []byte) (b []byte, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, r.waiting = r.waiting, written[:0]
	return b, r.closed
}

// fail ends the capture: blocks after a hole could not be read.
func (r *Recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.err, r.waiting = true, err, nil
}

// Close writes what is queued, ends the section with its statistics and returns when
// the goroutine is gone, with the first error of the writer. Nothing is written after
// an error. Close is called once.
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
