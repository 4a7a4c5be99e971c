package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// nlmux is this repository's client, with its default options.
type nlmux struct{ conn *client.Conn }

func dialNlmux() (Client, error) {
	conn, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return nlmux{conn}, nil
}

func (c nlmux) Noop() error { return c.conn.Noop(context.Background()) }

func (c nlmux) GetLink(payload []byte) ([]byte, error) {
	msgs, err := c.conn.Request(context.Background(), unix.RTM_GETLINK, payload, 0)
	if err != nil {
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, errNoEntry
	}
	return msgs[0].Payload, nil
}

func (c nlmux) Do(typ, flags uint16, payload []byte) error {
	_, err := c.conn.Request(context.Background(), netlink.MessageType(typ), payload, netlink.Flags(flags))
	return err
}

func (c nlmux) Collect(typ uint16, payload []byte) (int, error) {
	msgs, err := c.conn.Request(context.Background(), netlink.MessageType(typ), payload, netlink.NLM_F_DUMP)
	return len(msgs), err
}

func (c nlmux) Stream(typ uint16, payload []byte) (n int, err error) {
	for _, err := range c.conn.Dump(context.Background(), netlink.MessageType(typ), payload) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Close also fails the cell if a loss was reported without a request that ended with
// it.
func (c nlmux) Close() error {
	s := c.conn.Stats()
	if err := c.conn.Close(); err != nil {
		return err
	}
	if s.RepliesLost != 0 || s.Overruns != 0 || s.Malformed != 0 || s.Truncated != 0 {
		return fmt.Errorf("losses in %+v", s)
	}
	return nil
}

// nlmuxQueue sends verdicts with Conn.Send.
type nlmuxQueue struct{ nlmux }

func queueNlmux() (Queue, error) {
	conn, err := client.Dial(netlink.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	q := nlmuxQueue{nlmux{conn}}
	for _, config := range queueConfigs() {
		if err := q.Do(nfqConfig, 0, config); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return q, nil
}

func (q nlmuxQueue) Next() ([]byte, error) {
	e, ok := <-q.conn.Receive()
	if !ok || e.Header.Type != nfqPacket {
		return nil, fmt.Errorf("event %v instead of a packet", e.Header)
	}
	return e.Payload, nil
}

func (q nlmuxQueue) Send(verdict []byte) error {
	return q.conn.Send(context.Background(), nfqVerdict, verdict, 0)
}

// nlmuxListener is a consumer of events. It counts gaps as reports of losses.
type nlmuxListener struct {
	events <-chan client.Event
	close  func() error
}

func listenNlmux(group uint32) ([]Listener, error) {
	conn, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := conn.AddMembership(group); err != nil {
		conn.Close()
		return nil, err
	}
	return []Listener{nlmuxListener{conn.Receive(), conn.Close}}, nil
}

// subscribers is the number of consumers of the work of that name.
const subscribers = 8

// subscribeNlmux returns consumers of one Conn. Each of them closes it.
func subscribeNlmux(group uint32) ([]Listener, error) {
	conn, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	var all []Listener
	for range subscribers {
		s, err := conn.Subscribe(group)
		if err != nil {
			conn.Close()
			return nil, err
		}
		all = append(all, nlmuxListener{s.Events(), conn.Close})
	}
	return all, nil
}

func (l nlmuxListener) Run(on func(typ uint16, payload []byte), lost func()) error {
	for e := range l.events {
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			lost()
			continue
		}
		on(uint16(e.Header.Type), e.Payload)
	}
	return nil
}

func (l nlmuxListener) Close() error { return l.close() }
