package capture

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/capturetest"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// stopped is a writer whose writes wait for a token each.
type stopped struct {
	bytes.Buffer

	tokens chan struct{}
}

func (w *stopped) Write(p []byte) (int, error) {
	<-w.tokens
	return w.Buffer.Write(p)
}

// A loss is noted in the next packet that is recorded, if the packet after the loss is
// dropped.
func TestLossIsNotedInTheNextRecordedPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stopped{tokens: make(chan struct{})}
		r := NewRecorder(w, netlink.NETLINK_ROUTE)
		synctest.Wait()
		var k socktest.Kernel
		inner, _ := k.Open(sock.Config{})
		s := r.Socket(inner)
		recv := func(data []byte) {
			t.Helper()
			k.Sockets()[0].Queue(socktest.Datagram{Data: data})
			if _, err := s.Recv([]sock.Datagram{{Buf: make([]byte, limit)}}); err != nil {
				t.Fatal(err)
			}
		}
		const most = limit/snapLen - 1 // packets that are cut, with a few bytes of overhead
		long := make([]byte, snapLen)
		for range most {
			recv(long)
		}
		k.Sockets()[0].Overrun(syscall.ENOBUFS)
		if _, err := s.Recv([]sock.Datagram{{Buf: make([]byte, 1)}}); err != syscall.ENOBUFS {
			t.Fatal(err)
		}
		recv(long) // no room: the others are not written yet
		w.tokens <- struct{}{}
		synctest.Wait()
		recv([]byte{1})
		recv([]byte{2})
		close(w.tokens)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		sections, err := capturetest.Read(w.Bytes())
		if err != nil || len(sections[0].Packets) != most+2 {
			t.Fatalf("%v, %d packets, want %d", err, len(sections[0].Packets), most+2)
		}
		for i, noted := range []bool{false, true, false} {
			p := sections[0].Packets[most-1+i]
			if strings.Contains(p.Comment, "lost") != noted || (p.Dropped == 1) != noted {
				t.Errorf("packet %d: %q, %d dropped", i, p.Comment, p.Dropped)
			}
		}
	})
}

// failing is a writer that always fails.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A capture that has ended, for any reason, keeps no memory.
func TestNothingIsKeptAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := packet{direction: sent, data: make([]byte, 1000), length: 1000}
		failed := NewRecorder(failing{}, netlink.NETLINK_ROUTE)
		synctest.Wait() // the write of the header failed
		closed := NewRecorder(new(bytes.Buffer), netlink.NETLINK_ROUTE)
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Recorder{failed, closed} {
			if r.record(p) || len(r.waiting) != 0 {
				t.Errorf("%d bytes are queued", len(r.waiting))
			}
		}
		if err := failed.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	})
}

// counted counts the writes.
type counted struct {
	bytes.Buffer

	empty int // writes of nothing
}

func (w *counted) Write(p []byte) (int, error) {
	if len(p) == 0 {
		w.empty++
	}
	return w.Buffer.Write(p)
}

// An empty write may block, for example on a pipe.
func TestNoEmptyWrites(t *testing.T) {
	w := new(counted)
	r := NewRecorder(w, netlink.NETLINK_ROUTE)
	for range 1000 {
		r.record(packet{data: make([]byte, 20), length: 20})
	}
	if err := r.Close(); err != nil || w.empty != 0 {
		t.Errorf("%v, %d writes of nothing", err, w.empty)
	}
}

// The bytes kept of a packet count, not its length.
func TestPacketLongerThanTheQueue(t *testing.T) {
	var w bytes.Buffer
	r := NewRecorder(&w, netlink.NETLINK_ROUTE)
	if !r.record(packet{data: make([]byte, 2*limit), length: 2 * limit}) {
		t.Error("dropped")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if sections, err := capturetest.Read(w.Bytes()); err != nil || len(sections[0].Packets) != 1 {
		t.Fatalf("%+v, %v", sections, err)
	}
}
