package sock

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

func openSocket(t *testing.T, cfg Config) Socket {
	t.Helper()
	cfg.Family = netlink.NETLINK_ROUTE
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// noops sends n requests for an acknowledgement in one datagram, with
// sequence numbers from first on.
func noops(t *testing.T, s Socket, first uint32, n int) {
	t.Helper()
	var frame []byte
	for i := range n {
		frame = wire.AppendMessage(frame, wire.Message{Header: wire.Header{
			Type:  netlink.NLMSG_NOOP,
			Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_ACK,
			Seq:   first + uint32(i),
		}})
	}
	if err := s.Send(frame); err != nil {
		t.Fatal(err)
	}
}

// TestSocketReportsTruncation: a datagram that is larger than its buffer is truncated
// (MSG_TRUNC), with each of the system calls that read.
func TestSocketReportsTruncation(t *testing.T) {
	const ack = wire.HeaderLen + 4 + wire.HeaderLen // capped (NETLINK_CAP_ACK)
	s := openSocket(t, Config{})
	for _, room := range []int{1, 2} {
		for _, size := range []int{ack - 1, ack} {
			noops(t, s, 0, room)
			ds := make([]Datagram, room)
			for i := range ds {
				ds[i].Buf = make([]byte, size)
			}
			n, err := s.Recv(ds)
			if err != nil || n != room {
				t.Fatalf("%d datagrams, %v; want %d", n, err, room)
			}
			for _, d := range ds {
				if d.N != size || d.Truncated != (size < ack) {
					t.Errorf("%d bytes in a buffer of %d, truncated: %v", d.N, size, d.Truncated)
				}
			}
		}
	}
}

// TestSocketReportsAnOverrun once, before what is queued: until the queue has been
// empty the kernel drops every message.
func TestSocketReportsAnOverrun(t *testing.T) {
	s := openSocket(t, Config{ReceiveBuffer: 1}) // the smallest possible
	ds := []Datagram{{Buf: make([]byte, 4<<10)}}
	for range 3 {
		if s.Dropped() {
			t.Fatal("something was dropped before")
		}
		noops(t, s, 0, 100)
		if !s.Dropped() {
			t.Fatal("nothing was dropped")
		}
		if _, err := s.Recv(ds); !errors.Is(err, unix.ENOBUFS) || !ds[0].Congested {
			t.Fatalf("%v, congested: %v; want an overrun", err, ds[0].Congested)
		}
		if s.Dropped() {
			t.Fatal("dropped after the report")
		}
		read := 0
		for {
			if _, err := s.Recv(ds); err != nil {
				if !errors.Is(err, unix.EAGAIN) || ds[0].Congested {
					t.Fatalf("%v, congested: %v; want an empty queue", err, ds[0].Congested)
				}
				break
			}
			read++
		}
		if read == 0 || read == 100 {
			t.Fatalf("%d of 100 answers had room", read)
		}
	}
}

// TestSocketReportsItsBacklog: the backlog is no less than what reads count down, or an
// overrun would be taken for drained too early.
func TestSocketReportsItsBacklog(t *testing.T) {
	s := openSocket(t, Config{})
	if n := s.Backlog(); n != 0 {
		t.Fatalf("backlog of %d bytes in an empty queue", n)
	}
	noops(t, s, 0, 20)
	backlog, read := s.Backlog(), 0
	ds := []Datagram{{Buf: make([]byte, 4<<10)}}
	for range 20 {
		if _, err := s.Recv(ds); err != nil {
			t.Fatal(err)
		}
		read += ds[0].N + Charge
	}
	if backlog < read || s.Backlog() != 0 {
		t.Errorf("backlog of %d bytes, of which %d were read and %d are left", backlog, read, s.Backlog())
	}
}

// setMTU changes the MTU of the loopback device.
func setMTU(t *testing.T, s Socket, mtu uint32) {
	t.Helper()
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], 1) // ifi_index
	mtuAttr := binary.NativeEndian.AppendUint16(nil, 8)
	mtuAttr = binary.NativeEndian.AppendUint16(mtuAttr, unix.IFLA_MTU)
	mtuAttr = binary.NativeEndian.AppendUint32(mtuAttr, mtu)
	err := s.Send(wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: unix.RTM_NEWLINK, Flags: netlink.NLM_F_REQUEST},
		Payload: append(link, mtuAttr...),
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestSocketReportsGroups: with ReportGroups a datagram has its group and its
// namespace, and an acknowledgement has none.
func TestSocketReportsGroups(t *testing.T) {
	ns := nstest.New(t)
	for _, all := range []bool{false, true} {
		s := openSocket(t, Config{NetNS: ns.FD(), HasNetNS: true, ListenAllNSID: all})
		if err := errors.Join(s.ReportGroups(), s.Join(unix.RTNLGRP_LINK)); err != nil {
			t.Fatal(err)
		}
		for _, ds := range [][]Datagram{datagrams(1), datagrams(2)} {
			noops(t, s, 1, 1)
			want(t, s, ds, 1, 1)
			setMTU(t, s, uint32(1400+len(ds)))
			n, err := s.Recv(ds)
			if err != nil || n != 1 {
				t.Fatalf("%d datagrams, %v", n, err)
			}
			if ds[0].Group != unix.RTNLGRP_LINK || ds[0].PortID != 0 || ds[0].NSID != -1 {
				t.Errorf("%+v, want group %d", ds[0], unix.RTNLGRP_LINK)
			}
			for err == nil {
				_, err = s.Recv(ds) // the change may have more than one message
			}
		}
		if err := s.Leave(unix.RTNLGRP_LINK); err != nil {
			t.Fatal(err)
		}
		noops(t, s, 1, 2)
		want(t, s, datagrams(2), 1, 2)
	}
	closed := openSocket(t, Config{})
	closed.Close()
	if err := closed.ReportGroups(); err != net.ErrClosed {
		t.Errorf("closed: %v", err)
	}
}
