//go:build linux

package kerneltest

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// Raw is a netlink socket without a Conn: to a Conn, that of another program.
type Raw struct {
	FD   int
	Port uint32
}

// OpenRaw opens a socket of the family in ns.
func OpenRaw(t testing.TB, ns *nstest.NS, family netlink.Family) *Raw {
	t.Helper()
	return openRawIn(t, ns.Do, family)
}

// openRawHere is OpenRaw in the namespace of the process.
func openRawHere(t testing.TB, family netlink.Family) *Raw {
	t.Helper()
	return openRawIn(t, func(f func() error) error { return f() }, family)
}

func openRawIn(t testing.TB, do func(func() error) error, family netlink.Family) *Raw {
	t.Helper()
	r := &Raw{FD: -1}
	err := do(func() (err error) {
		r.FD, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(family))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(r.FD) })
	// A test must not hang if an answer does not come.
	limit := unix.NsecToTimeval(Patience.Nanoseconds())
	err = unix.SetsockoptTimeval(r.FD, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	err = errors.Join(err, unix.Bind(r.FD, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	if err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(r.FD)
	if err != nil {
		t.Fatal(err)
	}
	r.Port = sa.(*unix.SockaddrNetlink).Pid
	return r
}

// Send sends messages in one datagram, to the kernel or to another port. Any
// goroutine may call it.
func (r *Raw) Send(t testing.TB, to uint32, msgs ...wire.Message) {
	t.Helper()
	if err := r.sendTo(unix.SockaddrNetlink{Pid: to}, msgs...); err != nil {
		t.Error(err)
	}
}

func (r *Raw) sendTo(to unix.SockaddrNetlink, msgs ...wire.Message) error {
	var b []byte
	for _, m := range msgs {
		b = wire.AppendMessage(b, m)
	}
	to.Family = unix.AF_NETLINK
	return unix.Sendto(r.FD, b, 0, &to)
}

// Refused requires that the kernel refuses to send a message to a port.
func (r *Raw) Refused(t testing.TB, to uint32, m wire.Message) {
	t.Helper()
	if err := r.sendTo(unix.SockaddrNetlink{Pid: to}, m); err != unix.ECONNREFUSED {
		t.Errorf("a message to port %d: %v, want ECONNREFUSED", to, err)
	}
}

// SendToGroup sends a message to a group from 1 to 32. The kernel gets it too, and ignores
// it, since it is no request.
func (r *Raw) SendToGroup(t testing.TB, group int, m wire.Message) {
	t.Helper()
	if err := r.sendTo(unix.SockaddrNetlink{Groups: 1 << (group - 1)}, m); err != nil {
		t.Error(err)
	}
}

// AwaitAck reads until the kernel has acknowledged the message with number seq. A
// refusal fails the test.
func (r *Raw) AwaitAck(t testing.TB, seq uint32) {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(r.FD, b, 0)
		if err != nil {
			t.Fatalf("waiting for the acknowledgement of %d: %v", seq, err)
		}
		for m, err := range wire.Messages(b[:n]) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Header.Type != netlink.NLMSG_ERROR || m.Header.Seq != seq {
				continue
			}
			if refusal, err := wire.ParseAck(m); refusal != nil || err != nil {
				t.Fatalf("message %d: %v, %v", seq, refusal, err)
			}
			return
		}
	}
}

// ForgedAck is an acknowledgement of request seq of port.
func ForgedAck(port, seq uint32) wire.Message {
	return wire.Message{
		Header:  wire.Header{Type: netlink.NLMSG_ERROR, Flags: netlink.NLM_F_CAPPED, Seq: seq, PortID: port},
		Payload: make([]byte, 4+wire.HeaderLen),
	}
}
