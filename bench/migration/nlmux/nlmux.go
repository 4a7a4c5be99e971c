// Package nlmux holds what docs/MIGRATION.md shows of this module.
package nlmux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/wire"
)

// Dial opens a connection in the network namespace of a file,
// such as /run/netns/blue.
func Dial(path string) (*client.Conn, error) {
	ns, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return client.Dial(netlink.NETLINK_ROUTE, client.WithNetNS(int(ns.Fd())))
}

// Link returns the index and the MTU of the link of that name.
func Link(ctx context.Context, c *client.Conn, name string) (index int32, mtu uint32, err error) {
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{})
	b.String(unix.IFLA_IFNAME, name)
	payload, err := b.Encode()
	if err != nil {
		return 0, 0, err
	}
	replies, err := c.Request(ctx, unix.RTM_GETLINK, payload, 0)
	if err != nil {
		return 0, 0, err
	}
	if len(replies) != 1 {
		return 0, 0, fmt.Errorf("%d replies", len(replies))
	}
	var link unix.IfInfomsg
	attrs, err := replies[0].Struct(&link)
	if err != nil {
		return 0, 0, err
	}
	d := wire.NewDecoder(attrs)
	for d.Next() {
		if d.Type() == unix.IFLA_MTU {
			mtu = d.Uint32()
		}
	}
	return link.Index, mtu, d.Err()
}

// AddAddress adds an IPv4 address to a link. An address that is there already
// is no error.
func AddAddress(ctx context.Context, c *client.Conn, index uint32, addr netip.Prefix) (added bool, err error) {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: uint8(addr.Bits()), Index: index})
	b.Bytes(unix.IFA_LOCAL, addr.Addr().AsSlice())
	payload, err := b.Encode()
	if err != nil {
		return false, err
	}
	_, err = c.Request(ctx, unix.RTM_NEWADDR, payload, netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DeleteRoute deletes an IPv4 route. A route that is not there is no error.
func DeleteRoute(ctx context.Context, c *client.Conn, dst netip.Prefix) (deleted bool, err error) {
	var b wire.Builder
	b.Struct(&unix.RtMsg{
		Family: unix.AF_INET, Dst_len: uint8(dst.Bits()),
		Table: unix.RT_TABLE_MAIN, Scope: unix.RT_SCOPE_NOWHERE,
	})
	b.Bytes(unix.RTA_DST, dst.Addr().AsSlice())
	payload, err := b.Encode()
	if err != nil {
		return false, err
	}
	_, err = c.Request(ctx, unix.RTM_DELROUTE, payload, 0)
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

// Reason returns the kernel's own words about a refusal.
func Reason(err error) string {
	var refusal *wire.KernelError
	if errors.As(err, &refusal) {
		return refusal.Ext.Message
	}
	return ""
}

// Addresses returns all IPv4 addresses.
func Addresses(ctx context.Context, c *client.Conn) ([]netip.Prefix, error) {
	var b wire.Builder
	b.Struct(&unix.IfAddrmsg{Family: unix.AF_INET})
	request, err := b.Encode()
	if err != nil {
		return nil, err
	}
	replies, err := c.Request(ctx, unix.RTM_GETADDR, request, netlink.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, m := range replies {
		var addr unix.IfAddrmsg
		attrs, err := m.Struct(&addr)
		if err != nil {
			return nil, err
		}
		d := wire.NewDecoder(attrs)
		for d.Next() {
			if d.Type() == unix.IFA_LOCAL {
				ip, _ := netip.AddrFromSlice(d.Bytes())
				addrs = append(addrs, netip.PrefixFrom(ip, int(addr.Prefixlen)))
			}
		}
		if err := d.Err(); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// Routes calls each with the destinations of the IPv4 routes of the main table
// until it returns false.
func Routes(ctx context.Context, c *client.Conn, each func(dst netip.Prefix) bool) error {
	var b wire.Builder
	b.Struct(&unix.RtMsg{Family: unix.AF_INET})
	request, err := b.Encode()
	if err != nil {
		return err
	}
	for m, err := range c.Dump(ctx, unix.RTM_GETROUTE, request) {
		if err != nil {
			return err
		}
		var route unix.RtMsg
		attrs, err := m.Struct(&route)
		if err != nil {
			return err
		}
		if route.Table != unix.RT_TABLE_MAIN {
			continue
		}
		ip := netip.IPv4Unspecified()
		d := wire.NewDecoder(attrs)
		for d.Next() {
			if d.Type() == unix.RTA_DST {
				ip, _ = netip.AddrFromSlice(d.Bytes())
			}
		}
		if err := d.Err(); err != nil {
			return err
		}
		if !each(netip.PrefixFrom(ip, int(route.Dst_len))) {
			return nil
		}
	}
	return nil
}

// Watch calls changed for each change of a link or an IPv4 address, and resync
// at the start and wherever changes were lost, until c is closed.
func Watch(c *client.Conn, changed func(typ uint16), resync func() error) error {
	for _, group := range []uint32{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR} {
		if err := c.AddMembership(group); err != nil {
			return err
		}
	}
	if err := resync(); err != nil {
		return err
	}
	for e := range c.Receive() {
		if e.Header.Type != netlink.NLMSG_OVERRUN {
			changed(uint16(e.Header.Type))
		} else if err := resync(); err != nil {
			return err
		}
	}
	return nil
}

// SetMTU changes a link and waits no longer than that for it. After an error c
// is as good as before.
func SetMTU(c *client.Conn, index int32, mtu uint32, patience time.Duration) error {
	var b wire.Builder
	b.Struct(&unix.IfInfomsg{Index: index})
	b.Uint32(unix.IFLA_MTU, mtu)
	payload, err := b.Encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = c.Request(ctx, unix.RTM_SETLINK, payload, 0)
	return err
}

// HasCarrier asks ethtool whether a link has a carrier. exists reports whether
// the kernel has ethtool. c is a connection to NETLINK_GENERIC.
func HasCarrier(ctx context.Context, c *client.Conn, link string) (exists, carrier bool, err error) {
	ethtool, err := genl.Resolve(ctx, c, "ethtool")
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist), false, err
	}
	var b wire.Builder
	b.Nest(unix.ETHTOOL_A_LINKSTATE_HEADER, func(b *wire.Builder) {
		b.String(unix.ETHTOOL_A_HEADER_DEV_NAME, link)
	})
	request, err := b.Encode()
	if err != nil {
		return true, false, err
	}
	replies, err := ethtool.Request(ctx, c, unix.ETHTOOL_MSG_LINKSTATE_GET, request, 0)
	if err != nil {
		return true, false, err
	}
	if len(replies) != 1 {
		return true, false, fmt.Errorf("%d replies", len(replies))
	}
	d := wire.NewDecoder(replies[0].Payload)
	for d.Next() {
		if d.Type() == unix.ETHTOOL_A_LINKSTATE_LINK {
			carrier = d.Uint8() == 1
		}
	}
	return true, carrier, d.Err()
}

// MTUs asks for many links at once.
func MTUs(ctx context.Context, c *client.Conn, names []string) ([]uint32, error) {
	mtus, errs := make([]uint32, len(names)), make([]error, len(names))
	var g sync.WaitGroup
	for i, name := range names {
		g.Go(func() { _, mtus[i], errs[i] = Link(ctx, c, name) })
	}
	g.Wait()
	return mtus, errors.Join(errs...)
}
