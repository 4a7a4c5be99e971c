package sock

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// places returns room for n datagrams.
func places(n int) []Datagram {
	ds := make([]Datagram, n)
	for i := range ds {
		ds[i].Buf = make([]byte, 1024)
	}
	return ds
}

// want requires a read of the acknowledgements from first on, n of them.
func want(t *testing.T, s Socket, ds []Datagram, first uint32, n int) {
	t.Helper()
	got, err := s.Recv(ds)
	if got != n || err != nil {
		t.Fatalf("read %d datagrams, %v; want %d", got, err, n)
	}
	for i := range n {
		d := &ds[i]
		if d.N < wire.HeaderLen || binary.NativeEndian.Uint32(d.Buf[8:]) != first+uint32(i) {
			t.Errorf("datagram %d: %x, want number %d", i, d.Buf[:d.N], first+uint32(i))
		}
		if d.PortID != 0 || d.Group != 0 || d.NSID != -1 || d.Truncated {
			t.Errorf("datagram %d: %+v", i, d)
		}
	}
}

// A read brings what is queued and has a place, in order, and no more than
// MaxRecv.
func TestRecvReadsWhatIsQueued(t *testing.T) {
	s := openSocket(t, Config{})
	ds := places(MaxRecv + 4)
	noops(t, s, 1, 14)
	want(t, s, ds[:1], 1, 1)
	want(t, s, ds[:2], 2, 2)
	want(t, s, ds, 4, MaxRecv)
	want(t, s, ds, 4+MaxRecv, 11-MaxRecv)
	if n, err := s.Recv(ds); n != 0 || err != syscall.EAGAIN {
		t.Errorf("%d datagrams, %v; want none, EAGAIN", n, err)
	}
	// The caller may lend its buffers to another socket.
	r := &s.(*socket).recv
	for i := range r.rest {
		if r.rest[i].iov.Base != nil {
			t.Errorf("the socket still holds buffer %d", i)
		}
	}
}

// A datagram that does not fit its place costs the others nothing.
func TestRecvTellsWhichIsTruncated(t *testing.T) {
	s := openSocket(t, Config{})
	ds := places(3)
	ds[1].Buf = ds[1].Buf[:wire.HeaderLen]
	noops(t, s, 1, 3)
	if n, err := s.Recv(ds); n != 3 || err != nil {
		t.Fatalf("%d datagrams, %v", n, err)
	}
	for i, want := range []bool{false, true, false} {
		if ds[i].Truncated != want {
			t.Errorf("datagram %d: truncated = %t", i, !want)
		}
	}
	if ds[1].N != wire.HeaderLen {
		t.Errorf("%d bytes in a place of %d", ds[1].N, wire.HeaderLen)
	}
}

// What an earlier read has brought is not brought again by one that fails.
func TestRecvOfAClosedSocketBringsNothing(t *testing.T) {
	s := openSocket(t, Config{})
	ds := places(2)
	noops(t, s, 1, 2)
	want(t, s, ds, 1, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Recv(ds); n != 0 || err != net.ErrClosed {
		t.Errorf("%d datagrams, %v; want none, net.ErrClosed", n, err)
	}
}
