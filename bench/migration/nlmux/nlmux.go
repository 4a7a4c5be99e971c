// Package nlmux holds what docs/MIGRATION.md shows of this module.
package nlmux

import (
	"context"
	"encoding/binary"
	"errors"
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

// Dial opens a connection in the network namespace that a file stands for,
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
	b.Struct(make([]byte, unix.SizeofIfInfomsg))
	b.String(unix.IFLA_IFNAME, name)
	payload, err := b.Encode()
	if err != nil {
		return 0, 0, err
	}
	replies, err := c.Request(ctx, unix.RTM_GETLINK, payload, 0)
	if err != nil {
		return 0, 0, err
	}
	var link unix.IfInfomsg
	n, err := binary.Decode(replies[0].Payload, binary.NativeEndian, &link)
	if err != nil {
		return 0, 0, err
	}
	for a, err := range wire.Attrs(replies[0].Payload[n:]) {
		if err != nil {
			return 0, 0, err
		}
		if a.Type == unix.IFLA_MTU {
			mtu, err = a.Uint32()
			return link.Index, mtu, err
		}
	}
	return 0, 0, errors.New("a link without an MTU")
}

// AddAddress adds an IPv4 address to a link. An address that is there already
// is no error.
func AddAddress(ctx context.Context, c *client.Conn, index uint32, addr netip.Prefix) (added bool, err error) {
	var b wire.Builder
	b.Struct([]byte{unix.AF_INET, byte(addr.Bits()), 0, unix.RT_SCOPE_UNIVERSE})
	b.Struct(binary.NativeEndian.AppendUint32(nil, index))
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
	b.Struct([]byte{
		unix.AF_INET, byte(dst.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_UNSPEC, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC,
		0, 0, 0, 0,
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
	request := make([]byte, unix.SizeofIfAddrmsg)
	request[0] = unix.AF_INET
	replies, err := c.Request(ctx, unix.RTM_GETADDR, request, netlink.NLM_F_DUMP)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, m := range replies {
		for a, err := range wire.Attrs(m.Payload[unix.SizeofIfAddrmsg:]) {
			if err != nil {
				return nil, err
			}
			if a.Type == unix.IFA_LOCAL {
				ip, _ := netip.AddrFromSlice(a.Bytes())
				addrs = append(addrs, netip.PrefixFrom(ip, int(m.Payload[1])))
			}
		}
	}
	return addrs, nil
}

// Routes calls each with the destinations of the IPv4 routes of the main table
// until it returns false.
func Routes(ctx context.Context, c *client.Conn, each func(dst netip.Prefix) bool) error {
	request := make([]byte, unix.SizeofRtMsg)
	request[0] = unix.AF_INET
	for m, err := range c.Dump(ctx, unix.RTM_GETROUTE, request) {
		if err != nil {
			return err
		}
		if m.Payload[4] != unix.RT_TABLE_MAIN {
			continue
		}
		ip := netip.IPv4Unspecified()
		for a, err := range wire.Attrs(m.Payload[unix.SizeofRtMsg:]) {
			if err != nil {
				return err
			}
			if a.Type == unix.RTA_DST {
				ip, _ = netip.AddrFromSlice(a.Bytes())
			}
		}
		if !each(netip.PrefixFrom(ip, int(m.Payload[1]))) {
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
	link, err := binary.Append(nil, binary.NativeEndian, unix.IfInfomsg{Index: index})
	if err != nil {
		return err
	}
	var b wire.Builder
	b.Struct(link)
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

// HasCarrier asks ethtool whether a link has a carrier. exists tells whether
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
	for a, err := range wire.Attrs(replies[0].Payload) {
		if err != nil {
			return true, false, err
		}
		if a.Type == unix.ETHTOOL_A_LINKSTATE_LINK {
			up, err := a.Uint8()
			return true, up == 1, err
		}
	}
	return true, false, nil
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
