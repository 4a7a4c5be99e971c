// Package mdlayher holds what docs/MIGRATION.md shows of mdlayher/netlink.
package mdlayher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Dial opens a connection in the network namespace of a file,
// such as /run/netns/blue.
func Dial(path string) (*netlink.Conn, error) {
	ns, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: int(ns.Fd()), Strict: true})
}

// Link returns the index and the MTU of the link of that name.
func Link(c *netlink.Conn, name string) (index int32, mtu uint32, err error) {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, name)
	attrs, err := ae.Encode()
	if err != nil {
		return 0, 0, err
	}
	replies, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request},
		Data:   append(make([]byte, unix.SizeofIfInfomsg), attrs...),
	})
	if err != nil {
		return 0, 0, err
	}
	if len(replies) != 1 {
		return 0, 0, fmt.Errorf("%d replies", len(replies))
	}
	var link unix.IfInfomsg
	n, err := binary.Decode(replies[0].Data, binary.NativeEndian, &link)
	if err != nil {
		return 0, 0, err
	}
	ad, err := netlink.NewAttributeDecoder(replies[0].Data[n:])
	if err != nil {
		return 0, 0, err
	}
	for ad.Next() {
		if ad.Type() == unix.IFLA_MTU {
			mtu = ad.Uint32()
		}
	}
	return link.Index, mtu, ad.Err()
}

// AddAddress adds an IPv4 address to a link. An address that is there already
// is no error.
func AddAddress(c *netlink.Conn, index uint32, addr netip.Prefix) (added bool, err error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, addr.Addr().AsSlice())
	attrs, err := ae.Encode()
	if err != nil {
		return false, err
	}
	header := []byte{unix.AF_INET, byte(addr.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
	header = binary.NativeEndian.AppendUint32(header, index)
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  unix.RTM_NEWADDR,
			Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl,
		},
		Data: append(header, attrs...),
	})
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DeleteRoute deletes an IPv4 route. A route that is not there is no error.
func DeleteRoute(c *netlink.Conn, dst netip.Prefix) (deleted bool, err error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, dst.Addr().AsSlice())
	attrs, err := ae.Encode()
	if err != nil {
		return false, err
	}
	header := []byte{
		unix.AF_INET, byte(dst.Bits()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_UNSPEC, unix.RT_SCOPE_NOWHERE, unix.RTN_UNSPEC,
		0, 0, 0, 0,
	}
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_DELROUTE, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append(header, attrs...),
	})
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

// Reason returns the kernel's own words about a refusal. They come only with
// Config.Strict or the option ExtendedAcknowledge.
func Reason(err error) string {
	var refusal *netlink.OpError
	if errors.As(err, &refusal) {
		return refusal.Message
	}
	return ""
}

// Addresses returns all IPv4 addresses.
func Addresses(c *netlink.Conn) ([]netip.Prefix, error) {
	request := make([]byte, unix.SizeofIfAddrmsg)
	request[0] = unix.AF_INET
	replies, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETADDR, Flags: netlink.Request | netlink.Dump},
		Data:   request,
	})
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, m := range replies {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errors.New("the addresses changed meanwhile")
		}
		var addr unix.IfAddrmsg
		n, err := binary.Decode(m.Data, binary.NativeEndian, &addr)
		if err != nil {
			return nil, err
		}
		ad, err := netlink.NewAttributeDecoder(m.Data[n:])
		if err != nil {
			return nil, err
		}
		for ad.Next() {
			if ad.Type() == unix.IFA_LOCAL {
				ip, _ := netip.AddrFromSlice(ad.Bytes())
				addrs = append(addrs, netip.PrefixFrom(ip, int(addr.Prefixlen)))
			}
		}
		if err := ad.Err(); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// Routes calls each with the destinations of the IPv4 routes of the main table
// until it returns false. Nobody else may use c meanwhile.
func Routes(c *netlink.Conn, each func(dst netip.Prefix) bool) error {
	request := make([]byte, unix.SizeofRtMsg)
	request[0] = unix.AF_INET
	if _, err := c.Send(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
		Data:   request,
	}); err != nil {
		return err
	}
	for m, err := range c.ReceiveIter() {
		if err != nil {
			return err
		}
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return errors.New("the routes changed meanwhile")
		}
		var route unix.RtMsg
		n, err := binary.Decode(m.Data, binary.NativeEndian, &route)
		if err != nil {
			return err
		}
		if route.Table != unix.RT_TABLE_MAIN {
			continue
		}
		ip := netip.IPv4Unspecified()
		ad, err := netlink.NewAttributeDecoder(m.Data[n:])
		if err != nil {
			return err
		}
		for ad.Next() {
			if ad.Type() == unix.RTA_DST {
				ip, _ = netip.AddrFromSlice(ad.Bytes())
			}
		}
		if err := ad.Err(); err != nil {
			return err
		}
		if !each(netip.PrefixFrom(ip, int(route.Dst_len))) {
			return nil
		}
	}
	return nil
}

// Watch calls changed for each change of a link or an IPv4 address, and resync
// at the start and wherever changes were lost, until c fails or is closed.
// resync needs another Conn: on c the events would be taken for its replies.
func Watch(c *netlink.Conn, changed func(typ uint16), resync func() error) error {
	for _, group := range []uint32{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR} {
		if err := c.JoinGroup(group); err != nil {
			return err
		}
	}
	if err := resync(); err != nil {
		return err
	}
	for {
		events, err := c.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			if err = drain(c); err == nil {
				err = resync()
			}
		}
		if err != nil {
			return err // after Close, too: "use of closed file" or EBADF
		}
		for _, m := range events {
			changed(uint16(m.Header.Type))
		}
	}
}

// drain reads away what c has queued. Until that is done, the kernel drops all
// that comes, without another report: a resync would be too early.
func drain(c *netlink.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		for {
			_, _, err := unix.Recvfrom(int(fd), nil, unix.MSG_DONTWAIT)
			if err != nil && err != unix.EINTR && err != unix.ENOBUFS {
				return true // EAGAIN: nothing is left
			}
		}
	})
}

// SetMTU changes a link and waits no longer than that for it.
func SetMTU(c *netlink.Conn, index int32, mtu uint32, patience time.Duration) error {
	link, err := binary.Append(nil, binary.NativeEndian, unix.IfInfomsg{Index: index})
	if err != nil {
		return err
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(unix.IFLA_MTU, mtu)
	attrs, err := ae.Encode()
	if err != nil {
		return err
	}
	// The deadline is that of all goroutines that use c.
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	defer c.SetDeadline(time.Time{})
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_SETLINK, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append(link, attrs...),
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.Close() // or the answer, when it comes, fails the next Execute
	}
	return err
}

// HasCarrier asks ethtool whether a link has a carrier. exists reports whether
// the kernel has ethtool. c is a connection to NETLINK_GENERIC.
func HasCarrier(c *netlink.Conn, link string) (exists, carrier bool, err error) {
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.CTRL_ATTR_FAMILY_NAME, "ethtool")
	attrs, err := ae.Encode()
	if err != nil {
		return true, false, err
	}
	replies, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.GENL_ID_CTRL, Flags: netlink.Request},
		Data:   append([]byte{unix.CTRL_CMD_GETFAMILY, 1, 0, 0}, attrs...),
	})
	if err != nil {
		return !errors.Is(err, os.ErrNotExist), false, err
	}
	if len(replies) != 1 || len(replies[0].Data) < unix.GENL_HDRLEN {
		return true, false, errors.New("no family in the reply")
	}
	ad, err := netlink.NewAttributeDecoder(replies[0].Data[unix.GENL_HDRLEN:])
	if err != nil {
		return true, false, err
	}
	var id uint16
	for ad.Next() {
		if ad.Type() == unix.CTRL_ATTR_FAMILY_ID {
			id = ad.Uint16()
		}
	}
	if err := ad.Err(); err != nil {
		return true, false, err
	}

	ae = netlink.NewAttributeEncoder()
	ae.Nested(unix.ETHTOOL_A_LINKSTATE_HEADER, func(ae *netlink.AttributeEncoder) error {
		ae.String(unix.ETHTOOL_A_HEADER_DEV_NAME, link)
		return nil
	})
	if attrs, err = ae.Encode(); err != nil {
		return true, false, err
	}
	replies, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(id), Flags: netlink.Request},
		Data:   append([]byte{unix.ETHTOOL_MSG_LINKSTATE_GET, 1, 0, 0}, attrs...),
	})
	if err != nil {
		return true, false, err
	}
	if len(replies) != 1 || len(replies[0].Data) < unix.GENL_HDRLEN {
		return true, false, errors.New("no link in the reply")
	}
	if ad, err = netlink.NewAttributeDecoder(replies[0].Data[unix.GENL_HDRLEN:]); err != nil {
		return true, false, err
	}
	for ad.Next() {
		if ad.Type() == unix.ETHTOOL_A_LINKSTATE_LINK {
			carrier = ad.Uint8() == 1
		}
	}
	return true, carrier, ad.Err()
}

// MTUs asks for many links at once, over as many connections as there are in
// the pool.
func MTUs(pool []*netlink.Conn, names []string) ([]uint32, error) {
	free := make(chan *netlink.Conn, len(pool))
	for _, c := range pool {
		free <- c
	}
	mtus, errs := make([]uint32, len(names)), make([]error, len(names))
	var g sync.WaitGroup
	for i, name := range names {
		g.Go(func() {
			c := <-free
			defer func() { free <- c }()
			_, mtus[i], errs[i] = Link(c, name)
		})
	}
	g.Wait()
	return mtus, errors.Join(errs...)
}
