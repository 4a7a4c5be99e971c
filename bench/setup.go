package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// loopbackUp sets lo up, which is down in a new network namespace.
func loopbackUp() (func() error, error) {
	r, err := openRaw()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := r.Do(unix.RTM_SETLINK, 0, linkMessage(loIndex, unix.IFF_UP, unix.IFF_UP)); err != nil {
		return nil, fmt.Errorf("set lo up: %w", err)
	}
	return func() error { return nil }, nil
}

func addAddrs(n int) (func() error, error) {
	if _, err := loopbackUp(); err != nil {
		return nil, err
	}
	payload := func(i int) []byte { return addrMessage(loIndex, dumpBase+1+uint32(i)) }
	if err := fill(n, unix.RTM_NEWADDR, createFlags, payload); err != nil {
		return nil, fmt.Errorf("add %d addresses: %w", n, err)
	}
	return func() error { return fill(n, unix.RTM_DELADDR, 0, payload) }, nil
}

func addRoutes(n int) (func() error, error) {
	payload := func(i int) []byte { return routeMessage(routeBase + uint32(i)) }
	if err := fill(n, unix.RTM_NEWROUTE, createFlags, payload); err != nil {
		return nil, fmt.Errorf("add %d routes: %w", n, err)
	}
	return func() error { return fill(n, unix.RTM_DELROUTE, 0, payload) }, nil
}

// fillBatch is the number of messages in one datagram, well below the send buffer.
const fillBatch = 256

// fill sends n requests, many in one datagram, and fails if one is refused.
func fill(n int, typ, flags uint16, payload func(i int) []byte) error {
	r, err := openRaw()
	if err != nil {
		return err
	}
	defer r.Close()
	for i := 0; i < n; {
		end := min(i+fillBatch, n)
		b := r.batch()
		for ; i < end; i++ {
			b.add(typ, flags, payload(i))
		}
		if err := b.send(); err != nil {
			return err
		}
	}
	return nil
}

// batch is a datagram of many requests.
type batch struct {
	*raw
	first uint32 // sequence number of the first request
}

func (r *raw) batch() batch {
	r.frame = r.frame[:0]
	return batch{r, r.seq + 1}
}

func (b batch) add(typ, flags uint16, payload []byte) {
	b.seq++
	b.frame = wire.AppendMessage(b.frame, wire.Message{
		Header: wire.Header{
			Type:  netlink.MessageType(typ),
			Flags: netlink.NLM_F_REQUEST | netlink.Flags(flags),
			Seq:   b.seq,
		},
		Payload: payload,
	})
}

// send sends the batch and returns the first refusal. Only the no-op at the end of the
// batch is acknowledged, last.
func (b batch) send() error {
	b.add(unix.NLMSG_NOOP, unix.NLM_F_ACK, nil)
	if err := unix.Send(b.fd, b.frame, 0); err != nil {
		return err
	}
	var refused error
	for {
		p, err := b.recv()
		if err != nil {
			return errors.Join(refused, err)
		}
		var m wire.Message
		if _, err := m.Decode(p); err != nil {
			return err
		}
		refusal, err := wire.ParseAck(m)
		switch {
		case err != nil:
			return err
		case m.Header.Seq == b.seq:
			return refused
		case refused == nil && refusal != nil:
			refused = fmt.Errorf("request %d of a batch: %w", m.Header.Seq-b.first, refusal)
		}
	}
}
