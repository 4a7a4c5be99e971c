package main

import (
	"errors"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// vish is vishvananda/netlink's package nl. Without a socket of its own every request
// opens one, as that module's functions do outside of a Handle.
type vish struct {
	sockets map[int]*nl.SocketHandle
}

func dialVishDefault() (Client, error) { return &vish{}, nil }

func dialVishShared() (Client, error) {
	s, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	// The timeouts are those of the sockets that a request opens for itself.
	if err := s.SetSendTimeout(&nl.SocketTimeoutTv); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.SetReceiveTimeout(&nl.SocketTimeoutTv); err != nil {
		s.Close()
		return nil, err
	}
	return &vish{map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}}}, nil
}

func (c *vish) request(typ, flags uint16, payload []byte) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(int(typ), int(flags))
	req.Sockets = c.sockets
	if payload != nil {
		req.AddRawData(payload)
	}
	return req
}

func (c *vish) Noop() error { return c.Do(unix.NLMSG_NOOP, 0, nil) }

// GetLink requests an acknowledgement as LinkByIndex does. Execute returns before it;
// on a shared socket the next request skips it.
func (c *vish) GetLink(payload []byte) ([]byte, error) {
	msgs, err := c.request(unix.RTM_GETLINK, unix.NLM_F_ACK, payload).Execute(unix.NETLINK_ROUTE, 0)
	if err != nil {
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, errNoEntry
	}
	return msgs[0], nil
}

func (c *vish) Do(typ, flags uint16, payload []byte) error {
	_, err := c.request(typ, flags|unix.NLM_F_ACK, payload).Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func (c *vish) Collect(typ uint16, payload []byte) (int, error) {
	msgs, err := c.request(typ, unix.NLM_F_DUMP, payload).Execute(unix.NETLINK_ROUTE, 0)
	return len(msgs), err
}

func (c *vish) Stream(typ uint16, payload []byte) (n int, err error) {
	err = c.request(typ, unix.NLM_F_DUMP, payload).ExecuteIter(unix.NETLINK_ROUTE, 0, func([]byte) bool {
		n++
		return true
	})
	return n, err
}

func (c *vish) Close() error {
	for _, s := range c.sockets {
		s.Close()
	}
	return nil
}

type vishListener struct{ socket *nl.NetlinkSocket }

func listenVish(group uint32) ([]Listener, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, uint(group))
	if err != nil {
		return nil, err
	}
	return []Listener{vishListener{s}}, nil
}

func (l vishListener) Run(on func(typ uint16, payload []byte), lost func()) error {
	for {
		msgs, _, err := l.socket.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case err != nil:
			return err
		}
		for _, m := range msgs {
			on(m.Header.Type, m.Data)
		}
	}
}

func (l vishListener) Close() error {
	l.socket.Close()
	return nil
}
