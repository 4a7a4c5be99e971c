package sock

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dropping is a socket whose receive buffer holds next to nothing.
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

// drop has the kernel drop messages.
func (s *dropping) drop() {
	s.Helper()
	noops(s.T, s.Socket, 0, 100)
}

// The EINVAL that a dump leaves behind tells nothing, unless the kernel has
// dropped messages: then it stands where ENOBUFS would.
func TestEINVALIsALossOnlyIfMessagesWereDropped(t *testing.T) {
	s := newDropping(t)
	var d drops
	for range 2 {
		if !d.falseAlarm(s.fd, unix.EINVAL) {
			t.Fatal("a loss, and nothing was dropped")
		}
		s.drop()
		if d.falseAlarm(s.fd, unix.EINVAL) || d.overrun {
			t.Fatalf("no loss, or an overrun (%v), and messages were dropped", d.overrun)
		}
	}
}

// ENOBUFS is a loss in any case, and an overrun if messages found no room.
func TestENOBUFSIsAnOverrunOnlyIfMessagesWereDropped(t *testing.T) {
	s := newDropping(t)
	var d drops
	for _, dropped := range []bool{false, true, false} {
		if dropped {
			s.drop()
		}
		if d.falseAlarm(s.fd, unix.ENOBUFS) || d.overrun != dropped {
			t.Fatalf("a false alarm, or an overrun: %v; want %v", d.overrun, dropped)
		}
	}
}

// Other errors are none.
func TestOtherErrorsAreNoOverrun(t *testing.T) {
	s := newDropping(t)
	var d drops
	s.drop()
	for _, errno := range []syscall.Errno{unix.ENOMEM, unix.EINVAL, unix.EAGAIN} {
		if d.falseAlarm(s.fd, errno) || d.overrun {
			t.Errorf("%v is an overrun", errno)
		}
	}
}

// What is dropped from an overrun until the queue is empty belongs to that.
func TestDropsUntilTheQueueIsEmptyAreOfOneOverrun(t *testing.T) {
	s := newDropping(t)
	var d drops
	s.drop()
	if d.falseAlarm(s.fd, unix.ENOBUFS) || !d.overrun {
		t.Fatal("no overrun")
	}
	s.drop()
	if d.falseAlarm(s.fd, unix.EAGAIN) || d.overrun {
		t.Fatal("an empty queue is an overrun")
	}
	if d.falseAlarm(s.fd, unix.ENOBUFS) || d.overrun {
		t.Fatal("a second overrun, and nothing was dropped since the queue was empty")
	}
}
