package client_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
)

// steppedReader blocks every read from stop to goOn.
type steppedReader struct {
	*hooked

	stopped atomic.Bool
	steps   chan struct{}
}

// stop blocks the reads from the next one on. A read that has begun returns first, or
// it would find what the script queues next.
func (s *steppedReader) stop() {
	synctest.Wait()
	s.stopped.Store(true)
}

// step unblocks this number of reads.
func (s *steppedReader) step(reads int) {
	for range reads {
		s.steps <- struct{}{}
		synctest.Wait()
	}
}

// goOn unblocks the current read and all later ones.
func (s *steppedReader) goOn() {
	s.stopped.Store(false)
	s.step(1)
}

// dialStepped opens a Conn whose reads the script can stop.
func (k *kernel) dialStepped(opts ...client.Option) (*client.Conn, *steppedReader) {
	k.t.Helper()
	c := k.dial(opts...)
	s := &steppedReader{hooked: k.hooked(0), steps: make(chan struct{})}
	s.onRecv = func(ds []sock.Datagram) (int, error) {
		if s.stopped.Load() {
			<-s.steps
		}
		return s.Socket.Recv(ds[:1])
	}
	return c, s
}

// Two overruns mean that the queue was empty in between, so each has a gap. Any other
// loss says nothing about the queue, and one gap after it covers both.
func TestOnlyASecondOverrunMeansAnEmptyQueue(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second error
		gaps          []string
	}{
		{"two overruns", syscall.ENOBUFS, syscall.ENOBUFS, []string{"gap 0", "old", "gap 0"}},
		{"none, then an overrun", syscall.ENOMEM, syscall.ENOBUFS, []string{"old", "gap 0"}},
		{"an overrun, then none", syscall.ENOBUFS, syscall.ENOMEM, []string{"old", "gap 0"}},
		{"none at all", syscall.ENOMEM, syscall.ENOMEM, []string{"old", "gap 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c, reader := k.dialStepped()
				k.join(c, linkGroup)
				reader.stop()
				k.multicast(linkGroup, "old")
				reader.Overrun(tt.first)
				synctest.Wait()
				reader.step(1)
				reader.Overrun(tt.second)
				reader.step(1)
				reader.goOn()
				wantEvents(t, c, tt.gaps...)
				wantStats(t, c, client.Stats{Events: 1, Overruns: 2})
			})
		})
	}
}
