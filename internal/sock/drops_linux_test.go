package sock

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dropping is a socket with the smallest receive buffer.
type dropping struct {
	*testing.T
	Socket
	fd uintptr
}

func newDropping(t *testing.T) *dropping {
	t.Helper()
	d := &dropping{T: t, Socket: openSocket(t, Config{ReceiveBuffer: 1})}
	if err := d.Socket.(*socket).Control(func(fd uintptr) { d.fd = fd }); err != nil {
		t.Fatal(err)
	}
	return d
}

// drop makes the kernel drop messages.
func (s *dropping) drop() {
	s.Helper()
	noops(s.T, s.Socket, 0, 100)
}

// ENOBUFS is an overrun if messages were dropped, and another loss otherwise.
func TestENOBUFSIsAnOverrunOnlyIfMessagesWereDropped(t *testing.T) {
	s := newDropping(t)
	var d drops
	for _, dropped := range []bool{false, true, false} {
		if dropped {
			s.drop()
		}
		if d.note(s.fd, unix.ENOBUFS); d.overrun != dropped {
			t.Fatalf("an overrun: %v; want %v", d.overrun, dropped)
		}
	}
}

// Other errors are no overrun.
func TestOtherErrorsAreNoOverrun(t *testing.T) {
	s := newDropping(t)
	var d drops
	s.drop()
	for _, errno := range []syscall.Errno{unix.ENOMEM, unix.EINVAL, unix.EAGAIN} {
		if d.note(s.fd, errno); d.overrun {
			t.Errorf("%v is an overrun", errno)
		}
	}
}

// Drops between an overrun and the empty queue belong to that overrun.
func TestDropsUntilTheQueueIsEmptyAreOfOneOverrun(t *testing.T) {
	s := newDropping(t)
	var d drops
	s.drop()
	if d.note(s.fd, unix.ENOBUFS); !d.overrun {
		t.Fatal("no overrun")
	}
	s.drop()
	if d.note(s.fd, unix.EAGAIN); d.overrun {
		t.Fatal("an empty queue is an overrun")
	}
	if d.note(s.fd, unix.ENOBUFS); d.overrun {
		t.Fatal("a second overrun, although nothing was dropped since the queue was empty")
	}
}

// A second overrun counts, and another error after it does not.
func TestEachErrorIsJudgedAlone(t *testing.T) {
	s := newDropping(t)
	var d drops
	for range 3 {
		s.drop()
		if d.note(s.fd, unix.ENOBUFS); !d.overrun {
			t.Fatal("no overrun")
		}
		if d.note(s.fd, unix.ENOMEM); d.overrun {
			t.Fatal("ENOMEM is an overrun")
		}
		d.note(s.fd, unix.EAGAIN)
	}
}

// An empty queue only ends an overrun. Drops before the report of an overrun count for
// it, even if reads found the queue empty.
func TestEmptyQueueWithoutAnOverrunHidesNoDrops(t *testing.T) {
	s := newDropping(t)
	var d drops
	s.drop()
	d.note(s.fd, unix.EAGAIN)
	if d.note(s.fd, unix.ENOBUFS); !d.overrun {
		t.Fatal("no overrun")
	}
}

// A kernel without SO_MEMINFO shows no count; neither does a file that is no socket.
func TestLossWithoutACountIsNoOverrun(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	d := drops{count: 7}
	if d.note(null.Fd(), unix.ENOBUFS); d.overrun {
		t.Error("an overrun")
	}
}
