//go:build linux

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// address is an IPv4 address of a link. The peer of a point-to-point link (IFA_ADDRESS)
// is left out here.
type address struct {
	Link   uint32
	Prefix netip.Prefix
}

// encode returns the payload of a message about the address.
func (a address) encode() []byte {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: uint8(a.Prefix.Bits()), Index: a.Link})
	b.Bytes(unix.IFA_LOCAL, a.Prefix.Addr().AsSlice())
	payload, err := b.Encode()
	if err != nil {
		log.Fatal(err)
	}
	return payload
}

// decodeAddress reads the address that a message is about.
func decodeAddress(m wire.Message) (a address, err error) {
	var h unix.IfAddrmsg
	attrs, err := m.Struct(&h)
	if err != nil {
		return a, err
	}
	var ip netip.Addr
	d := wire.NewDecoder(attrs)
	for d.Next() {
		if d.Type() == unix.IFA_LOCAL {
			ip, _ = netip.AddrFromSlice(d.Bytes())
		}
	}
	return address{h.Index, netip.PrefixFrom(ip, int(h.Prefixlen))}, d.Err()
}

// mirror is a copy of the kernel's IPv4 addresses, kept up to date by events.
type mirror struct {
	conn      *client.Conn
	addresses map[address]bool
}

// resync reads all addresses, at the start and after a loss. If they changed meanwhile
// it starts again: even an unchanged address may be missing, and no event would report
// it.
func (m *mirror) resync(ctx context.Context) error {
	for {
		err := m.read(ctx)
		if !errors.Is(err, client.ErrDumpInterrupted) && !errors.Is(err, client.ErrReplyLost) {
			return err
		}
	}
}

func (m *mirror) read(ctx context.Context) error {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Family: unix.AF_INET})
	request, err := b.Encode()
	if err != nil {
		return err
	}
	clear(m.addresses)
	for entry, err := range m.conn.Dump(ctx, unix.RTM_GETADDR, request) {
		if err != nil {
			return err
		}
		a, err := decodeAddress(entry)
		if err != nil {
			return err
		}
		m.addresses[a] = true
	}
	return nil
}

// apply applies an event to the mirror. Events that were queued before a resync repeat
// what it has read, so applying an event twice must be harmless. It is for a table
// whose entries are added and deleted. It is not for IPv4 routes that are prepended or
// replaced (NLM_F_APPEND, NLM_F_REPLACE), because the order of entries counts there.
func (m *mirror) apply(ctx context.Context, e client.Event) error {
	if e.Header.Type == netlink.NLMSG_OVERRUN {
		return m.resync(ctx)
	}
	a, err := decodeAddress(e.Message)
	if err != nil {
		return err
	}
	switch e.Header.Type {
	case unix.RTM_NEWADDR:
		m.addresses[a] = true
	case unix.RTM_DELADDR:
		delete(m.addresses, a)
	}
	return nil
}

// original has the kernel's addresses, and announces changes.
type original struct {
	*nltest.Kernel
	mu        sync.Mutex
	addresses map[address]bool
}

// answer returns the kernel's answer to RTM_GETADDR.
func (k *original) answer(wire.Message) (entries []wire.Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for a := range k.addresses {
		entries = append(entries, wire.Message{Header: wire.Header{Type: unix.RTM_NEWADDR}, Payload: a.encode()})
	}
	return entries
}

func (k *original) add(a address) {
	k.mu.Lock()
	k.addresses[a] = true
	k.mu.Unlock()
	k.Push(unix.RTNLGRP_IPV4_IFADDR, wire.Message{Header: wire.Header{Type: unix.RTM_NEWADDR}, Payload: a.encode()})
}

func (k *original) remove(a address) {
	k.mu.Lock()
	delete(k.addresses, a)
	k.mu.Unlock()
	k.Push(unix.RTNLGRP_IPV4_IFADDR, wire.Message{Header: wire.Header{Type: unix.RTM_DELADDR}, Payload: a.encode()})
}

// A copy of a table survives the loss of events: after a gap, the table is read again.
// The scripted kernel loses events on demand.
func Example_resync() {
	const lo, eth0 = 1, 2
	home := address{lo, netip.MustParsePrefix("127.0.0.1/8")}
	first := address{eth0, netip.MustParsePrefix("192.0.2.1/24")}
	second := address{eth0, netip.MustParsePrefix("192.0.2.2/24")}

	k := &original{addresses: map[address]bool{home: true}}
	k.Kernel = nltest.New(netlink.NETLINK_ROUTE, k.answer)
	c := k.Dial()
	defer c.Close()

	// Join before the table is read, or a change in between would be missed.
	ctx := context.Background()
	if err := c.AddMembership(unix.RTNLGRP_IPV4_IFADDR); err != nil {
		log.Fatal(err)
	}
	k.add(first) // is in the dump, and an event that repeats it
	m := &mirror{conn: c, addresses: make(map[address]bool)}
	if err := m.resync(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.addresses)

	k.remove(home)
	k.Overrun()
	k.remove(first) // only the overrun reports these two
	k.add(second)

	for e := range c.Receive() {
		if err := m.apply(ctx, e); err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Header.Type, m.addresses)
		if e.Header.Type == netlink.NLMSG_OVERRUN {
			break // in this example; a program loops until Close
		}
	}
	// Output:
	// map[{1 127.0.0.1/8}:true {2 192.0.2.1/24}:true]
	// MessageType(20) map[{1 127.0.0.1/8}:true {2 192.0.2.1/24}:true]
	// MessageType(21) map[{2 192.0.2.1/24}:true]
	// NLMSG_OVERRUN map[{2 192.0.2.2/24}:true]
}
