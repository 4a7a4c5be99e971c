package client_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// recvSizes records the number of buffers of each read that returns datagrams.
type recvSizes struct {
	*hooked

	got []int
}

// want requires these sizes since the last call.
func (s *recvSizes) want(t *testing.T, want ...int) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(s.got, want) {
		t.Errorf("reads with %d buffers, want %d", s.got, want)
	}
	s.got = nil
}

// recvSizes records the sizes of the reads of the first socket from now on.
func (k *kernel) recvSizes() *recvSizes {
	s := &recvSizes{hooked: k.hooked(0)}
	s.onRecv = func(ds []sock.Datagram) (int, error) {
		n, err := s.Socket.Recv(ds)
		if err == nil {
			s.got = append(s.got, len(ds))
		}
		return n, err
	}
	return s
}

// A read has as many buffers as earlier reads found datagrams, so that a lone goroutine
// needs one buffer and many goroutines read in batches.
func TestReadHasBuffersForAsManyAsTheLastFound(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.parked() // or the reader would read some of the datagrams
		s := k.recvSizes()
		texts := func(n int) (texts []string) {
			for i := range n {
				texts = append(texts, fmt.Sprint(i))
			}
			return texts
		}
		ask := func(replies int) {
			t.Helper()
			k.during(func(req request) error {
				// All are there before the first is read.
				var ds [][]byte
				for _, text := range texts(replies) {
					ds = append(ds, req.data(text))
				}
				req.send(append(ds, req.end(netlink.NLMSG_ERROR, 0))...)
				return nil
			})
			wantTexts(t, k.get(bg, c), texts(replies)...)
		}
		ask(0)
		s.want(t, 1)
		ask(0)
		s.want(t, 1)
		ask(3)
		s.want(t, 1, 1, 2)
		ask(3)
		s.want(t, 4)
		ask(0)
		s.want(t, 4)
		ask(0)
		s.want(t, 1)
		ask(40)
		s.want(t, 1, 1, 2, 4, 8, 8, 8, 8, 8)
		ask(1)
		s.want(t, 8)
	})
}

// Datagrams that were read before a loss are delivered.
func TestDatagramsReadBeforeALossAreDelivered(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		s := k.hooked(0)
		k.join(c, linkGroup)
		k.multicast(linkGroup, "1", "2")
		wantEvents(t, c, "1", "2")
		s.Queue(
			socktest.Datagram{Data: event("3"), Group: linkGroup},
			socktest.Datagram{Data: []byte("garbage"), Group: linkGroup},
			socktest.Datagram{Data: event("4"), Group: linkGroup},
		)
		wantEvents(t, c, "3", "gap 0", "4")
		s.Overrun(syscall.ENOBUFS)
		wantEvents(t, c, "gap 0")
	})
}
