//go:build linux

package kerneltest

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// Message types of nfnetlink: the subsystem and its own number.
const (
	ctNew netlink.MessageType = unix.NFNL_SUBSYS_CTNETLINK << 8   // IPCTNL_MSG_CT_NEW
	ctGet netlink.MessageType = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET

	nftNewTable netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	nftGetTable netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	nftNewGen   netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN
	nftGetGen   netlink.MessageType = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN
)

// addNftTables creates tables in one transaction. Its messages have consecutive numbers
// from seq.
func addNftTables(t testing.TB, r *Raw, seq uint32, names ...string) {
	t.Helper()
	edge := func(typ netlink.MessageType) wire.Message {
		p := Pack(unix.Nfgenmsg{})
		binary.BigEndian.PutUint16(p[2:], unix.NFNL_SUBSYS_NFTABLES) // res_id
		return wire.Message{Header: wire.Header{Type: typ, Flags: netlink.NLM_F_REQUEST}, Payload: p}
	}
	batch := []wire.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}
	for _, name := range names {
		batch = append(batch, wire.Message{
			Header: wire.Header{Type: nftNewTable, Flags: netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE},
			Payload: Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
				b.String(unix.NFTA_TABLE_NAME, name)
			}),
		})
	}
	batch = append(batch, edge(unix.NFNL_MSG_BATCH_END))
	for i := range batch {
		batch[i].Header.Seq = seq + uint32(i)
		batch[i].Header.PortID = r.Port
	}
	r.Send(t, 0, batch...)
	for i := range names {
		r.AwaitAck(t, seq+1+uint32(i))
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

// addConntrack adds a UDP connection from port to the kernel's table.
func addConntrack(t testing.TB, c *client.Conn, port uint16) {
	t.Helper()
	Request(t, c, ctNew, Build(t, unix.Nfgenmsg{Nfgen_family: unix.AF_INET}, func(b *wire.Builder) {
		conntrackTuple(b, ctaTupleOrig, port)
		conntrackTuple(b, ctaTupleReply, port)
		b.Uint32BE(ctaTimeout, 600)
	}), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
}

// conntrackPort returns the port that a connection comes from.
func conntrackPort(t testing.TB, m wire.Message) uint16 {
	t.Helper()
	var h unix.Nfgenmsg
	for a := range Unpack(t, m, &h)[ctaTupleOrig].Attrs() {
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
