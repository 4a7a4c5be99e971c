package main

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// raw is the floor of Go: one goroutine, one blocking socket, one system call to send
// and one for each datagram of the answer, and allocations only for what the caller
// keeps.
type raw struct {
	fd    int
	port  uint32
	seq   uint32
	frame []byte
	buf   []byte

	// read reads a datagram into buf and returns its size and its sender.
	read func() (n int, sender uint32, err error)

	// noAck omits NLM_F_ACK if there is a reply.
	noAck bool
}

// rawBuffer is the size of the buffer for a datagram. The kernel makes datagrams of a
// dump up to 32 KiB large if the buffer has room for them.
const rawBuffer = 64 << 10

func openRaw() (*raw, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	r := &raw{fd: fd, buf: make([]byte, rawBuffer)}
	r.read = r.recvfromAny
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	r.port = sa.(*unix.SockaddrNetlink).Pid
	return r, nil
}

func dialRaw() (Client, error) { return openRaw() }

// dialRawConnected returns a raw client that is connected to the kernel, as nlmux is. The
// kernel refuses what processes send to it, so a read need not ask for the sender.
func dialRawConnected() (Client, error) {
	r, err := openRaw()
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(r.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		r.Close()
		return nil, err
	}
	r.read = func() (n int, sender uint32, err error) {
		n, err = r.recvfrom(nil, nil)
		return n, 0, err
	}
	return r, nil
}

func dialRawNoAck() (Client, error) {
	r, err := openRaw()
	if err != nil {
		return nil, err
	}
	r.noAck = true
	return r, nil
}

// send sends one request, to port 0, the kernel.
func (r *raw) send(typ, flags uint16, payload []byte) error {
	r.seq++
	r.frame = wire.AppendMessage(r.frame[:0], wire.Message{
		Header: wire.Header{
			Type:  netlink.MessageType(typ),
			Flags: netlink.NLM_F_REQUEST | netlink.Flags(flags),
			Seq:   r.seq,
		},
		Payload: payload,
	})
	return unix.Send(r.fd, r.frame, 0)
}

// recv returns the next datagram from the kernel, in r.buf.
func (r *raw) recv() ([]byte, error) {
	for {
		n, sender, err := r.read()
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n > len(r.buf):
			return nil, fmt.Errorf("datagram of %d bytes: %w", n, unix.EMSGSIZE)
		case sender == 0:
			return r.buf[:n], nil
		}
	}
}

// recvfromAny reads a datagram and returns its sender.
func (r *raw) recvfromAny() (n int, sender uint32, err error) {
	var from unix.RawSockaddrNetlink
	size := uint32(unsafe.Sizeof(from))
	n, err = r.recvfrom(&from, &size)
	return n, from.Pid, err
}

// recvfrom is unix.Recvfrom, which allocates the sender's address.
func (r *raw) recvfrom(from *unix.RawSockaddrNetlink, size *uint32) (n int, err error) {
	got, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(r.fd),
		uintptr(unsafe.Pointer(&r.buf[0])), uintptr(len(r.buf)), unix.MSG_TRUNC,
		uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(size)))
	if errno != 0 {
		return 0, errno
	}
	return int(got), nil
}

// answer reads the answer to the last request: on gets each entry, and the
// answer ends with an acknowledgement, the end of a dump, or, without either,
// with the first entry.
func (r *raw) answer(acked bool, on func(payload []byte)) error {
	for {
		b, err := r.recv()
		if err != nil {
			return err
		}
		for len(b) > 0 {
			var m wire.Message
			if b, err = m.Decode(b); err != nil {
				return err
			}
			switch {
			case m.Header.Seq != r.seq || m.Header.PortID != r.port:
			case m.Header.Type == netlink.NLMSG_ERROR || m.Header.Type == netlink.NLMSG_DONE:
				refusal, err := wire.ParseAck(m)
				if refusal != nil {
					return refusal
				}
				return err
			default:
				on(m.Payload)
				if !acked {
					return nil
				}
			}
		}
	}
}

func (r *raw) Noop() error { return r.Do(unix.NLMSG_NOOP, 0, nil) }

func (r *raw) GetLink(payload []byte) (link []byte, err error) {
	var flags uint16 = unix.NLM_F_ACK
	if r.noAck {
		flags = 0
	}
	if err := r.send(unix.RTM_GETLINK, flags, payload); err != nil {
		return nil, err
	}
	err = r.answer(!r.noAck, func(p []byte) { link = append([]byte(nil), p...) })
	if err == nil && link == nil {
		err = errNoEntry
	}
	return link, err
}

func (r *raw) Do(typ, flags uint16, payload []byte) error {
	if err := r.send(typ, flags|unix.NLM_F_ACK, payload); err != nil {
		return err
	}
	return r.answer(true, func([]byte) {})
}

// Collect copies entry by entry.
func (r *raw) Collect(typ uint16, payload []byte) (int, error) {
	if err := r.send(typ, unix.NLM_F_DUMP, payload); err != nil {
		return 0, err
	}
	var entries [][]byte
	err := r.answer(true, func(p []byte) { entries = append(entries, append([]byte(nil), p...)) })
	return len(entries), err
}

func (r *raw) Stream(typ uint16, payload []byte) (n int, err error) {
	if err := r.send(typ, unix.NLM_F_DUMP, payload); err != nil {
		return 0, err
	}
	err = r.answer(true, func([]byte) { n++ })
	return n, err
}

func (r *raw) Close() error { return unix.Close(r.fd) }

// rawListener wakes up periodically, because closing a socket does not wake a thread
// that blocks in a read of it.
type rawListener struct {
	*raw
	closing atomic.Bool
	stopped chan struct{} // closed when Run is gone
}

func listenRaw(group uint32) ([]Listener, error) {
	r, err := openRaw()
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, int(group))
	if err == nil {
		err = unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000})
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return []Listener{&rawListener{raw: r, stopped: make(chan struct{})}}, nil
}

func (l *rawListener) Run(on func(typ uint16, payload []byte), lost func()) error {
	defer close(l.stopped)
	for !l.closing.Load() {
		b, err := l.recv()
		switch err {
		case nil:
		case unix.EAGAIN:
			continue
		case unix.ENOBUFS:
			lost()
			continue
		default:
			return err
		}
		for len(b) > 0 {
			var m wire.Message
			if b, err = m.Decode(b); err != nil {
				return err
			}
			on(uint16(m.Header.Type), m.Payload)
		}
	}
	return nil
}

func (l *rawListener) Close() error {
	l.closing.Store(true)
	<-l.stopped
	return l.raw.Close()
}
