//go:build linux

package kerneltest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/wire"
)

// Messages of nfqueue (include/uapi/linux/netfilter/nfnetlink_queue.h).
const (
	queuePacket  netlink.MessageType = unix.NFNL_SUBSYS_QUEUE << 8
	queueVerdict netlink.MessageType = unix.NFNL_SUBSYS_QUEUE<<8 | 1
	queueConfig  netlink.MessageType = unix.NFNL_SUBSYS_QUEUE<<8 | 2

	queueNumber = 7
)

// dialQueue binds a Conn to the queue that every packet of ns passes. It skips the test
// if the kernel has no nfqueue, or no rule for it.
func dialQueue(t *testing.T, ns *nstest.NS) *client.Conn {
	t.Helper()
	const (
		cfgCmd, cfgParams = 1, 2 // NFQA_CFG_CMD, NFQA_CFG_PARAMS
		bind, copyPacket  = 1, 2 // NFQNL_CFG_CMD_BIND, NFQNL_COPY_PACKET
	)
	c := dialNetfilter(t, ns, "nf_tables", nftGetTable)
	configure(t, c, "nfqueue", queueConfig, queueNumber, func(b *wire.Builder) {
		b.Bytes(cfgCmd, []byte{bind, 0, 0, unix.AF_INET})
	})
	configure(t, c, "nfqueue", queueConfig, queueNumber, func(b *wire.Builder) {
		b.Bytes(cfgParams, []byte{0, 0, 0xff, 0xff, copyPacket})
	})
	// NFT_QUEUE is one way to the queue, the target of iptables with NFT_COMPAT another.
	err := addOutputRule(t, c, "queue", func(b *wire.Builder) { b.Uint16BE(unix.NFTA_QUEUE_NUM, queueNumber) })
	if errors.Is(err, unix.ENOENT) {
		err = addOutputRule(t, c, "target", func(b *wire.Builder) {
			b.String(unix.NFTA_TARGET_NAME, "NFQUEUE")
			b.Uint32BE(unix.NFTA_TARGET_REV, 0)
			info := make([]byte, 8) // struct xt_NFQ_info, aligned
			binary.NativeEndian.PutUint16(info, queueNumber)
			b.Bytes(unix.NFTA_TARGET_INFO, info)
		})
	}
	if errors.Is(err, unix.ENOENT) {
		nstest.Skip(t, "nft_queue", "neither NFT_QUEUE nor NFT_COMPAT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verdict returns the payload of a verdict about a packet.
func verdict(t *testing.T, verdict byte, id []byte) []byte {
	t.Helper()
	const verdictHeader = 2                           // NFQA_VERDICT_HDR
	h := [4]byte{2: queueNumber >> 8, 3: queueNumber} // struct nfgenmsg with res_id
	return Build(t, h, func(b *wire.Builder) { b.Bytes(verdictHeader, append([]byte{0, 0, 0, verdict}, id...)) })
}

// TestVerdicts: packets are events of the socket that is bound to the queue, and the
// kernel applies the verdicts. Most are sent without an acknowledgement. The refusal of
// one is then an event.
func TestVerdicts(t *testing.T) {
	const (
		packetHeader, payload = 1, 10 // NFQA_PACKET_HDR, NFQA_PAYLOAD
		drop, accept          = 0, 1  // NF_DROP, NF_ACCEPT
		n                     = 200
	)
	ns := nstest.New(t)
	c := dialQueue(t, ns)
	socket := udpOverLo(t, ns)
	for i := range n {
		text := fmt.Sprint("packet ", i)
		sendToItself(t, socket, text)
		e := NextEvent(t, c)
		var h unix.Nfgenmsg
		attrs := Unpack(t, e.Message, &h)
		if e.Header.Type != queuePacket || e.Group != 0 || !bytes.HasSuffix(attrs[payload].Value, []byte(text)) {
			t.Fatalf("event %+v; want %q", e, text)
		}
		v := byte(accept)
		if i%2 != 0 {
			v = drop
		}
		payload := verdict(t, v, attrs[packetHeader].Value[:4])
		if i < 2 {
			Request(t, c, queueVerdict, payload, 0)
		} else if err := c.Send(Patient(t), queueVerdict, payload, 0); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	for i := 0; i < n; i += 2 {
		if got, err := socket.Read(buf); err != nil || string(buf[:got]) != fmt.Sprint("packet ", i) {
			t.Fatalf("received %q, %v; want packet %d", buf[:got], err, i)
		}
	}

	if err := c.Send(Patient(t), queueVerdict, verdict(t, accept, []byte{255, 255, 255, 255}), 0); err != nil {
		t.Fatal(err)
	}
	e := NextEvent(t, c)
	if refusal, err := wire.ParseAck(e.Message); err != nil || refusal == nil || refusal.Errno != unix.ENOENT || refusal.Request != queueVerdict {
		t.Errorf("event %+v; want ENOENT for the verdict about no packet", e)
	}
	NoLosses(t, c)
}
