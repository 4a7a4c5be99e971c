package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// Messages of nfqueue (include/uapi/linux/netfilter/nfnetlink_queue.h).
const (
	nfqPacket  = unix.NFNL_SUBSYS_QUEUE << 8
	nfqVerdict = unix.NFNL_SUBSYS_QUEUE<<8 | 1
	nfqConfig  = unix.NFNL_SUBSYS_QUEUE<<8 | 2

	sizeofNfgenmsg   = 4
	nfqPacketHeader  = 1 // NFQA_PACKET_HDR
	nfqVerdictHeader = 2 // NFQA_VERDICT_HDR
	nfqCommand       = 1 // NFQA_CFG_CMD
	nfqParams        = 2 // NFQA_CFG_PARAMS
	nfqBind          = 1 // NFQNL_CFG_CMD_BIND
	nfqCopyPacket    = 2 // NFQNL_COPY_PACKET
)

const (
	// queueNumber is the number of the queue.
	queueNumber = 7

	// queued is the number of packets that wait in the queue.
	queued = 32
)

// Queue is a client that is bound to the queue.
type Queue interface {
	// Next returns the payload of the next message of the queue.
	Next() ([]byte, error)
	// Send sends a verdict and does not wait for an answer.
	Send(payload []byte) error
	Close() error
}

// packets is the client of the work: it sends packets to itself through the queue.
type packets struct {
	Client // nil

	queue   Queue
	socket  *net.UDPConn
	verdict []byte // for any packet, with room for its id
}

func dialQueue(e *Entry) (Client, error) {
	q, err := e.Queue()
	if err != nil {
		return nil, err
	}
	s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		q.Close()
		return nil, err
	}
	p := &packets{queue: q, socket: s, verdict: queueMessage(nfqVerdictHeader, make([]byte, 8))}
	binary.BigEndian.PutUint32(p.verdict[8:], 1) // NF_ACCEPT
	for range queued {
		if err := p.send(); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *packets) send() error {
	_, err := p.socket.WriteTo([]byte("packet"), p.socket.LocalAddr())
	return err
}

// Pass sends a packet, and accepts the one that has waited longest.
func (p *packets) Pass() error {
	if err := p.send(); err != nil {
		return err
	}
	payload, err := p.queue.Next()
	if err != nil {
		return err
	}
	for a, err := range wire.Attrs(payload[sizeofNfgenmsg:]) {
		if err != nil {
			return err
		}
		if a.Type == nfqPacketHeader {
			copy(p.verdict[12:], a.Value[:4])
			return p.queue.Send(p.verdict)
		}
	}
	return errNoEntry
}

func (p *packets) Close() error { return errors.Join(p.queue.Close(), p.socket.Close()) }

// queueMessage is a message about the queue with one attribute.
func queueMessage(typ uint16, value []byte) []byte {
	h := make([]byte, sizeofNfgenmsg)
	binary.BigEndian.PutUint16(h[2:], queueNumber)
	var b wire.Builder
	b.Struct(h)
	b.Bytes(typ, value)
	return mustEncode(&b)
}

// queueConfigs bind the queue and request whole packets.
func queueConfigs() [][]byte {
	return [][]byte{
		queueMessage(nfqCommand, []byte{nfqBind, 0, 0, unix.AF_INET}),
		queueMessage(nfqParams, []byte{0, 0, 0xff, 0xff, nfqCopyPacket}),
	}
}

// queueOutput makes every UDP packet over lo pass through the queue.
func queueOutput() (undo func() error, err error) {
	if _, err := loopbackUp(); err != nil {
		return nil, err
	}
	conn, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// NFT_QUEUE is one way to the queue, the target of iptables with NFT_COMPAT another.
	err = addQueueRule(conn, "queue", func(b *wire.Builder) { b.Uint16BE(unix.NFTA_QUEUE_NUM, queueNumber) })
	if errors.Is(err, unix.ENOENT) {
		err = addQueueRule(conn, "target", func(b *wire.Builder) {
			b.String(unix.NFTA_TARGET_NAME, "NFQUEUE")
			b.Uint32BE(unix.NFTA_TARGET_REV, 0)
			info := make([]byte, 8) // struct xt_NFQ_info, aligned
			binary.NativeEndian.PutUint16(info, queueNumber)
			b.Bytes(unix.NFTA_TARGET_INFO, info)
		})
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPROTONOSUPPORT):
		return nil, fmt.Errorf("nftables rule for nfqueue: %w: %w", errLacking, err)
	case err != nil:
		return nil, err
	}
	if err := haveQueue(); err != nil {
		return nil, errors.Join(err, dropQueueRule())
	}
	return dropQueueRule, nil
}

// queueTable is the name of the table and of its chain.
const queueTable = "bench"

// addQueueRule makes a table with a chain on output and a rule of one expression.
func addQueueRule(conn *client.Conn, expression string, data func(*wire.Builder)) error {
	_, err := conn.Batch(context.Background(), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{
		nft(unix.NFT_MSG_NEWTABLE, netlink.NLM_F_CREATE, func(b *wire.Builder) {
			b.String(unix.NFTA_TABLE_NAME, queueTable)
		}),
		nft(unix.NFT_MSG_NEWCHAIN, netlink.NLM_F_CREATE, func(b *wire.Builder) {
			b.String(unix.NFTA_CHAIN_TABLE, queueTable)
			b.String(unix.NFTA_CHAIN_NAME, queueTable)
			b.String(unix.NFTA_CHAIN_TYPE, "filter")
			b.Nest(unix.NFTA_CHAIN_HOOK, func(b *wire.Builder) {
				b.Uint32BE(unix.NFTA_HOOK_HOOKNUM, 3) // NF_INET_LOCAL_OUT
				b.Uint32BE(unix.NFTA_HOOK_PRIORITY, 0)
			})
		}),
		nft(unix.NFT_MSG_NEWRULE, netlink.NLM_F_CREATE|netlink.NLM_F_APPEND, func(b *wire.Builder) {
			b.String(unix.NFTA_RULE_TABLE, queueTable)
			b.String(unix.NFTA_RULE_CHAIN, queueTable)
			b.Nest(unix.NFTA_RULE_EXPRESSIONS, func(b *wire.Builder) {
				b.Nest(unix.NFTA_LIST_ELEM, func(b *wire.Builder) {
					b.String(unix.NFTA_EXPR_NAME, expression)
					b.Nest(unix.NFTA_EXPR_DATA, data)
				})
			})
		}),
	})
	return err
}

func dropQueueRule() error {
	conn, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Batch(context.Background(), unix.NFNL_SUBSYS_NFTABLES, []client.BatchMessage{
		nft(unix.NFT_MSG_DELTABLE, 0, func(b *wire.Builder) { b.String(unix.NFTA_TABLE_NAME, queueTable) }),
	})
	return err
}

// nft makes a message about something in the IPv4 tables.
func nft(typ netlink.MessageType, flags netlink.Flags, attrs func(*wire.Builder)) client.BatchMessage {
	var b wire.Builder
	b.Struct(unix.Nfgenmsg{Nfgen_family: unix.AF_INET})
	attrs(&b)
	return client.BatchMessage{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | typ, Flags: flags, Payload: mustEncode(&b)}
}

// haveQueue returns an error that wraps errLacking if the kernel has no nfnetlink_queue.
func haveQueue() error {
	q, err := queueNlmux()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) { // nfnetlink_rcv_msg
		return fmt.Errorf("nfnetlink_queue: %w: %w", errLacking, err)
	}
	if err != nil {
		return err
	}
	return q.Close()
}
