package main

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// mdlayher is mdlayher/netlink's Conn. Execute holds its lock until the answer is read,
// so goroutines that share a Conn take turns.
type mdlayher struct{ conn *netlink.Conn }

// mdOptions are options of a Conn of mdlayher/netlink.
type mdOptions struct{ config *netlink.Config }

var (
	// mdDefault makes a Conn look at the size of each datagram before it reads it.
	mdDefault = mdOptions{}

	// mdBuffered makes a Conn read into a buffer of fixed size, so it makes half as many
	// system calls to read. The size is that of the largest datagram of a dump
	// (netlink_recvmsg).
	mdBuffered = mdOptions{&netlink.Config{MessageBufferSize: 32 << 10}}
)

func (o mdOptions) dial() (Client, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, o.config)
	if err != nil {
		return nil, err
	}
	return mdlayher{conn}, nil
}

func mdMessage(typ, flags uint16, payload []byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.HeaderFlags(flags)},
		Data:   payload,
	}
}

func (c mdlayher) Noop() error {
	_, err := c.conn.Execute(mdMessage(unix.NLMSG_NOOP, unix.NLM_F_ACK, nil))
	return err
}

// GetLink does not request an acknowledgement: Execute reads one datagram of an answer
// that is not a dump, and would leave the acknowledgement queued for the next request.
func (c mdlayher) GetLink(payload []byte) ([]byte, error) {
	msgs, err := c.conn.Execute(mdMessage(unix.RTM_GETLINK, 0, payload))
	if err != nil {
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, errNoEntry
	}
	return msgs[0].Data, nil
}

func (c mdlayher) Do(typ, flags uint16, payload []byte) error {
	_, err := c.conn.Execute(mdMessage(typ, flags|unix.NLM_F_ACK, payload))
	return err
}

func (c mdlayher) Collect(typ uint16, payload []byte) (int, error) {
	msgs, err := c.conn.Execute(mdMessage(typ, unix.NLM_F_DUMP, payload))
	return len(msgs), err
}

// Stream is for one goroutine at a time: between Send and ReceiveIter the answers to
// two requests would mix.
func (c mdlayher) Stream(typ uint16, payload []byte) (n int, err error) {
	if _, err := c.conn.Send(mdMessage(typ, unix.NLM_F_DUMP, payload)); err != nil {
		return 0, err
	}
	for _, err := range c.conn.ReceiveIter() {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (c mdlayher) Close() error { return c.conn.Close() }

// mdQueue sends verdicts with Conn.Send, which does not wait for an answer either.
type mdQueue struct{ mdlayher }

func (o mdOptions) queue() (Queue, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, o.config)
	if err != nil {
		return nil, err
	}
	q := mdQueue{mdlayher{conn}}
	for _, config := range queueConfigs() {
		if err := q.Do(nfqConfig, 0, config); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return q, nil
}

func (q mdQueue) Next() ([]byte, error) {
	msgs, err := q.conn.Receive()
	if err != nil {
		return nil, err
	}
	if len(msgs) != 1 || msgs[0].Header.Type != nfqPacket {
		return nil, fmt.Errorf("%d messages, want one packet", len(msgs))
	}
	return msgs[0].Data, nil
}

func (q mdQueue) Send(verdict []byte) error {
	_, err := q.conn.Send(mdMessage(nfqVerdict, 0, verdict))
	return err
}

type mdListener struct{ conn *netlink.Conn }

func (o mdOptions) listen(group uint32) ([]Listener, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, o.config)
	if err != nil {
		return nil, err
	}
	if err := conn.JoinGroup(group); err != nil {
		conn.Close()
		return nil, err
	}
	return []Listener{mdListener{conn}}, nil
}

func (l mdListener) Run(on func(typ uint16, payload []byte), lost func()) error {
	for {
		msgs, err := l.conn.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case err != nil:
			return err
		}
		for _, m := range msgs {
			on(uint16(m.Header.Type), m.Data)
		}
	}
}

func (l mdListener) Close() error { return l.conn.Close() }
