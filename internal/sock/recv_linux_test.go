package sock

import (
	"encoding/binary"
	"net"
	"reflect"
	"runtime"
	"syscall"
	"testing"

	"github.com/nlmux/netlink/wire"
)

// datagrams returns buffers for n datagrams.
func datagrams(n int) []Datagram {
	ds := make([]Datagram, n)
	for i := range ds {
		ds[i].Buf = make([]byte, 1024)
	}
	return ds
}

// want requires a read of n acknowledgements, numbered from first.
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

// A read returns what is queued, in order, up to the number of buffers and MaxRecv.
func TestRecvReadsWhatIsQueued(t *testing.T) {
	s := openSocket(t, Config{})
	ds := datagrams(MaxRecv + 4)
	noops(t, s, 1, 14)
	want(t, s, ds[:1], 1, 1)
	want(t, s, ds[:2], 2, 2)
	want(t, s, ds, 4, MaxRecv)
	want(t, s, ds, 4+MaxRecv, 11-MaxRecv)
	if n, err := s.Recv(ds); n != 0 || err != syscall.EAGAIN {
		t.Errorf("%d datagrams, %v; want none, EAGAIN", n, err)
	}
	// The caller may use its buffers for another socket.
	r := &s.(*socket).recv
	for i := range r.rest {
		if r.rest[i].iov.Base != nil {
			t.Errorf("the socket still holds buffer %d", i)
		}
	}
}

// A datagram that does not fit its buffer does not affect the others.
func TestRecvReportsWhichIsTruncated(t *testing.T) {
	s := openSocket(t, Config{})
	ds := datagrams(3)
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
		t.Errorf("%d bytes in a buffer of %d", ds[1].N, wire.HeaderLen)
	}
}

// A read that fails does not return the datagrams of an earlier one.
func TestRecvOfAClosedSocketReturnsNothing(t *testing.T) {
	s := openSocket(t, Config{})
	ds := datagrams(2)
	noops(t, s, 1, 2)
	want(t, s, ds, 1, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Recv(ds); n != 0 || err != net.ErrClosed {
		t.Errorf("%d datagrams, %v; want none, net.ErrClosed", n, err)
	}
}

// A read of a socket for dumps waits for the kernel's locks, and the scheduler has to know.
func TestOnlyReadsOfDumpsAreKnownToTheScheduler(t *testing.T) {
	s := openSocket(t, Config{})
	like := openLike(t, s)
	pointer := func(f any) uintptr { return reflect.ValueOf(f).Pointer() }
	if raw := pointer(s.(*socket).recv.call) == pointer(syscall.RawSyscall6); raw != (runtime.GOMAXPROCS(0) > 1) {
		t.Errorf("Open, %d processors: the scheduler knows of reads: %v", runtime.GOMAXPROCS(0), !raw)
	}
	if pointer(like.recv.call) != pointer(syscall.Syscall6) {
		t.Error("OpenLike: the scheduler does not know of reads")
	}
}

// Once connected and empty, only the kernel sends to a socket until it may join a group.
func TestReadsAskForTheSenderWhileAProcessMayBeIt(t *testing.T) {
	named := func(t *testing.T, s Socket, when string, want bool) {
		t.Helper()
		if got := s.(*socket).recv.named(); got != want {
			t.Errorf("%s: reads ask for the sender: %v, want %v", when, got, want)
		}
	}
	empty := func(t *testing.T, s Socket) {
		t.Helper()
		if _, err := s.Recv(datagrams(1)); err != syscall.EAGAIN {
			t.Fatalf("%v, want EAGAIN", err)
		}
	}
	s := openSocket(t, Config{})
	named(t, s, "new", true)
	empty(t, s)
	named(t, s, "emptied", false)
	noops(t, s, 1, 9)
	want(t, s, datagrams(1), 1, 1)
	want(t, s, datagrams(MaxRecv), 2, MaxRecv)
	if err := s.ReportGroups(); err != nil {
		t.Fatal(err)
	}
	named(t, s, "before a group is joined", true)

	s = openSocket(t, Config{Peers: true})
	empty(t, s)
	named(t, s, "in a family of processes", true)
}
