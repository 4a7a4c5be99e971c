package client

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/wire"
)

// readSocket is a socket on which nothing but Recv is called.
type readSocket struct {
	sock.Socket

	recv func(ds []sock.Datagram) (int, error)
}

func (s *readSocket) Recv(ds []sock.Datagram) (int, error) { return s.recv(ds) }

// A goroutine that lets another one read keeps its memory to itself.
func TestMemoryOfAReadHasOneUser(t *testing.T) {
	for range 100 {
		s := new(readSocket)
		r := newReceiver(netlink.NETLINK_ROUTE, s, 1<<16, demux.New(netlink.NETLINK_ROUTE, 1, 0, 1, nil), newQueue(1<<20))
		r.kept = new(recvBuffers) // of a goroutine that sends
		event := wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: 16}, Payload: []byte("text")})
		looker, read := make(chan struct{}), make(chan struct{})
		reads, let := 0, false
		// Recv is called with the read lock. The other goroutine finds the queue empty.
		s.recv = func(ds []sock.Datagram) (int, error) {
			switch reads++; {
			case reads == 1:
				close(looker)
				for r.waiting.Load() == 0 {
					runtime.Gosched()
				}
			case !let && r.waiting.Load() == 0:
				let = true
				return 0, syscall.EAGAIN
			case let:
				b := buffers.Get().(*recvBuffers)
				if &b[0] == &ds[0] {
					t.Error("the memory of a read is free while it is in use")
				}
				buffers.Put(b)
				return 0, syscall.EAGAIN
			}
			ds[0].N, ds[0].NSID = copy(ds[0].Buf, event), demux.NoNSID
			return 1, nil
		}
		go func() {
			defer close(read)
			<-looker
			r.readFor(demux.NewCall())
		}()
		r.look(1 << 20)
		<-read
		if r.kept != nil {
			t.Fatal("memory is kept after a look")
		}
	}
}
