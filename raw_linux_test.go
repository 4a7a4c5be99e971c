package netlink_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// raw is a netlink socket without a Conn: another program, as far as a Conn can
// tell, that sends what it likes.
type raw struct {
	fd   int
	port uint32
}

func openRaw(t testing.TB, ns *nstest.NS, family netlink.Family) *raw {
	t.Helper()
	return openRawIn(t, ns.Do, family)
}

// openRawHere is openRaw in the namespace of the process.
func openRawHere(t testing.TB, family netlink.Family) *raw {
	t.Helper()
	return openRawIn(t, func(f func() error) error { return f() }, family)
}

func openRawIn(t testing.TB, do func(func() error) error, family netlink.Family) *raw {
	t.Helper()
	r := &raw{fd: -1}
	err := do(func() (err error) {
		r.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(family))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(r.fd) })
	// A test must not hang when an answer does not come.
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	err = unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	err = errors.Join(err, unix.Bind(r.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	if err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(r.fd)
	if err != nil {
		t.Fatal(err)
	}
	r.port = sa.(*unix.SockaddrNetlink).Pid
	return r
}

// send sends messages in one datagram, to the kernel or to another port. Any
// goroutine may call it.
func (r *raw) send(t testing.TB, to uint32, msgs ...wire.Message) {
	t.Helper()
	var b []byte
	for _, m := range msgs {
		b = wire.AppendMessage(b, m)
	}
	if err := unix.Sendto(r.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: to}); err != nil {
		t.Error(err)
	}
}

// awaitAck reads until the kernel has acknowledged the message with number seq,
// which it must not have refused.
func (r *raw) awaitAck(t testing.TB, seq uint32) {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(r.fd, b, 0)
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

// Message types of nfnetlink: the subsystem and its own number.
const (
	ctNew netlink.MessageType = unix.NFNL_SUBSYS_CTNETLINK << 8   // IPCTNL_MSG_CT_NEW
	ctGet netlink.MessageType = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET

	nftNewTable netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	nftGetTable netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	nftNewGen   netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN
	nftGetGen   netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN
)

// addNftTables makes tables in one transaction. Its messages carry consecutive
// numbers that start at seq.
func addNftTables(t testing.TB, r *raw, seq uint32, names ...string) {
	t.Helper()
	edge := func(typ netlink.MessageType) wire.Message {
		p := pack(unix.Nfgenmsg{})
		binary.BigEndian.PutUint16(p[2:], unix.NFNL_SUBSYS_NFTABLES) // res_id
		return wire.Message{Header: wire.Header{Type: typ, Flags: netlink.NLM_F_REQUEST}, Payload: p}
	}
	batch := []wire.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}
	for _, name := range names {
		batch = append(batch, wire.Message{
			Header: wire.Header{Type: nftNewTable, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE},
			Payload: build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
				b.String(unix.NFTA_TABLE_NAME, name)
			}),
		})
	}
	batch = append(batch, edge(unix.NFNL_MSG_BATCH_END))
	for i := range batch {
		batch[i].Header.Seq = seq + uint32(i)
		batch[i].Header.PortID = r.port
	}
	r.send(t, 0, batch...)
	for i := range names {
		r.awaitAck(t, seq+1+uint32(i))
	}
}

// Attributes of linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig, ctaTupleReply, ctaTimeout          = 1, 2, 7
	ctaTupleIP, ctaTupleProto                        = 1, 2
	ctaIPv4Source, ctaIPv4Destination                = 1, 2
	ctaProtoNum, ctaProtoSource, ctaProtoDestination = 1, 2, 3
)

// conntrackTuple appends one direction of a UDP connection from 192.0.2.1:port.
func conntrackTuple(b *wire.Builder, typ uint16, port uint16) {
	here, there := []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}
	source, destination := port, uint16(53)
	if typ == ctaTupleReply {
		here, there, source, destination = there, here, destination, source
	}
	b.Nest(typ, func(b *wire.Builder) {
		b.Nest(ctaTupleIP, func(b *wire.Builder) {
			b.Bytes(ctaIPv4Source, here)
			b.Bytes(ctaIPv4Destination, there)
		})
		b.Nest(ctaTupleProto, func(b *wire.Builder) {
			b.Uint8(ctaProtoNum, unix.IPPROTO_UDP)
			b.Uint16BE(ctaProtoSource, source)
			b.Uint16BE(ctaProtoDestination, destination)
		})
	})
}

// addConntrack makes the kernel believe in a UDP connection from port.
func addConntrack(t testing.TB, c *client.Conn, port uint16) {
	t.Helper()
	request(t, c, ctNew, build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
		conntrackTuple(b, ctaTupleOrig, port)
		conntrackTuple(b, ctaTupleReply, port)
		b.Uint32BE(ctaTimeout, 600)
	}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
}

// conntrackPort returns the port that a connection comes from.
func conntrackPort(t testing.TB, m wire.Message) uint16 {
	t.Helper()
	var h unix.Nfgenmsg
	for a := range unpack(t, m, &h)[ctaTupleOrig].Attrs() {
		if a.Type != ctaTupleProto {
			continue
		}
		for a := range a.Attrs() {
			if a.Type == ctaProtoSource {
				port, err := a.Uint16BE()
				if err != nil {
					t.Fatal(err)
				}
				return port
			}
		}
	}
	t.Fatalf("connection without a port: %v", m)
	return 0
}
