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
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/ethtool"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
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
	link, err := rtlink.New(c).GetLink(ctx, rtlink.ByName(name))
	if err != nil {
		return 0, 0, err
	}
	return link.Index, link.MTU.Value, nil
}

// AddAddress adds an address to a link. An address that is there already is no
// error.
func AddAddress(ctx context.Context, c *client.Conn, index int32, addr netip.Prefix) (added bool, err error) {
	err = rtaddr.New(c).NewAddr(ctx, rtaddr.At(index, addr), netlink.NLM_F_CREATE|netlink.NLM_F_EXCL)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DeleteRoute deletes a route. A route that is not there is no error.
func DeleteRoute(ctx context.Context, c *client.Conn, dst netip.Prefix) (deleted bool, err error) {
	r := rtroute.To(dst)
	r.Protocol, r.Scope, r.Type = rtroute.RTPROT_UNSPEC, rtroute.RT_SCOPE_NOWHERE, rtroute.RTN_UNSPEC // any
	err = rtroute.New(c).DelRoute(ctx, r)
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
	request := &rtaddr.Addr{Ifaddrmsg: rtaddr.Ifaddrmsg{Family: unix.AF_INET}}
	list, err := rtaddr.New(c).DumpAddr(ctx, request).List()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, a := range list {
		addrs = append(addrs, a.Prefix())
	}
	return addrs, nil
}

// Routes calls each with the destinations of the IPv4 routes of the main table
// until it returns false.
func Routes(ctx context.Context, c *client.Conn, each func(dst netip.Prefix) bool) error {
	request := &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: unix.AF_INET}}
	for r, err := range rtroute.New(c).DumpRoute(ctx, request, ynl.Reuse) {
		if err != nil {
			return err
		}
		if r.Table.Value == rtroute.RT_TABLE_MAIN && !each(r.Prefix()) {
			return nil
		}
	}
	return nil
}

// Watch calls changed for each change of a link or an address, and resync at the
// start and wherever changes were lost, until c is closed or ctx ends.
func Watch(ctx context.Context, c *client.Conn, changed func(ynl.Event), resync func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	events := ynl.Events(ctx, c, &rtlink.Family, &rtaddr.Family)
	if err := resync(); err != nil {
		return err
	}
	for e := range events {
		switch {
		case e.Err != nil:
			return e.Err
		case e.Value != nil:
			changed(e) // e.Value is a *rtlink.Link or a *rtaddr.Addr
		case e.Header.Type == netlink.NLMSG_OVERRUN:
			if err := resync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetMTU changes a link and waits no longer than that for it. After an error c
// is as good as before.
func SetMTU(c *client.Conn, index int32, mtu uint32, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	link := rtlink.ByIndex(index)
	link.MTU = ynl.Some(mtu)
	return rtlink.New(c).SetLink(ctx, link)
}

// HasCarrier asks ethtool whether a link has a carrier. exists reports whether
// the kernel has ethtool. c is a connection to NETLINK_GENERIC.
func HasCarrier(ctx context.Context, c *client.Conn, link string) (exists, carrier bool, err error) {
	request := &ethtool.Linkstate{Header: &ethtool.Header{DevName: ynl.Some(link)}}
	state, err := ethtool.New(c).LinkstateGet(ctx, request)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist), false, err
	}
	return true, state.Link.Value == 1, nil
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

// RawHasCarrier is HasCarrier without the package ethtool.
func RawHasCarrier(ctx context.Context, c *client.Conn, link string) (exists, carrier bool, err error) {
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
