// Package vishvananda holds what docs/MIGRATION.md shows of
// vishvananda/netlink.
package vishvananda

import (
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Dial opens a connection in the network namespace of a file,
// such as /run/netns/blue.
func Dial(path string) (*netlink.Handle, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns, unix.NETLINK_ROUTE, unix.NETLINK_GENERIC)
}

// Link returns the index and the MTU of the link of that name.
func Link(h *netlink.Handle, name string) (index, mtu int, err error) {
	link, err := h.LinkByName(name)
	if err != nil {
		return 0, 0, err
	}
	return link.Attrs().Index, link.Attrs().MTU, nil
}

// AddAddress adds an address to a link. An address that is there already is no
// error.
func AddAddress(h *netlink.Handle, index int, addr *net.IPNet) (added bool, err error) {
	err = h.AddrAdd(nil, &netlink.Addr{LinkIndex: index, IPNet: addr})
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DeleteRoute deletes a route. A route that is not there is no error.
func DeleteRoute(h *netlink.Handle, dst *net.IPNet) (deleted bool, err error) {
	err = h.RouteDel(&netlink.Route{Dst: dst, Scope: netlink.SCOPE_NOWHERE})
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

// Reason returns the kernel's own words about a refusal, which are part of the
// text. They come with nl.EnableErrorMessageReporting = true, and then from the
// functions of the package and not from a Handle.
func Reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return strings.TrimPrefix(strings.TrimPrefix(err.Error(), errno.Error()), ": ")
	}
	return ""
}

// Addresses returns all IPv4 addresses.
func Addresses(h *netlink.Handle) ([]*net.IPNet, error) {
	list, err := h.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, err
	}
	var addrs []*net.IPNet
	for _, a := range list {
		addrs = append(addrs, a.IPNet)
	}
	return addrs, nil
}

// Routes calls each with the destinations of the IPv4 routes of the main table
// until it returns false. each must not use h.
func Routes(h *netlink.Handle, each func(dst *net.IPNet) bool) error {
	return h.RouteListFilteredIter(netlink.FAMILY_V4, &netlink.Route{}, 0, func(r netlink.Route) bool {
		return each(r.Dst)
	})
}

// Watch calls changed for each change of a link or an address, and resync at
// the start and wherever changes were lost, until done is closed.
func Watch(done <-chan struct{}, changed func(typ uint16), resync func() error) error {
	for {
		links, addrs := make(chan netlink.LinkUpdate), make(chan netlink.AddrUpdate)
		stop := make(chan struct{})
		if err := netlink.LinkSubscribe(links, stop); err != nil {
			return err
		}
		if err := netlink.AddrSubscribe(addrs, stop); err != nil {
			close(stop)
			go drain(links)
			return err
		}
		err := resync()
		over := false
		for open := err == nil; open && !over; {
			// An overrun ends a subscription: its channel is closed.
			select {
			case u, ok := <-links:
				if open = ok; ok {
					changed(u.Header.Type)
				}
			case u, ok := <-addrs:
				switch open = ok; {
				case u.NewAddr:
					changed(unix.RTM_NEWADDR)
				case ok:
					changed(unix.RTM_DELADDR)
				}
			case <-done:
				over = true
			}
		}
		close(stop)
		go drain(links)
		go drain(addrs)
		if err != nil || over {
			return err
		}
	}
}

// drain takes what a subscription still has, without which it would not end.
func drain[T any](updates <-chan T) {
	for range updates {
	}
}

// SetMTU changes a link and waits no longer than that for it. The timeout stays
// set, for all goroutines that use h.
func SetMTU(h *netlink.Handle, index, mtu int, patience time.Duration) error {
	if err := h.SetSocketTimeout(patience); err != nil {
		return err
	}
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	return h.LinkSetMTU(link, mtu) // unix.EAGAIN when the time is over
}

// HasCarrier asks ethtool whether a link has a carrier. exists reports whether
// the kernel has ethtool.
func HasCarrier(link string) (exists, carrier bool, err error) {
	ethtool, err := netlink.GenlFamilyGet("ethtool")
	if err != nil {
		return !errors.Is(err, os.ErrNotExist), false, err
	}
	req := nl.NewNetlinkRequest(int(ethtool.ID), 0)
	req.AddData(&nl.Genlmsg{Command: unix.ETHTOOL_MSG_LINKSTATE_GET, Version: 1})
	header := nl.NewRtAttr(unix.ETHTOOL_A_LINKSTATE_HEADER|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(unix.ETHTOOL_A_HEADER_DEV_NAME, nl.ZeroTerminated(link))
	req.AddData(header)
	replies, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return true, false, err
	}
	if len(replies) != 1 || len(replies[0]) < nl.SizeofGenlmsg {
		return true, false, errors.New("no link in the reply")
	}
	attrs, err := nl.ParseRouteAttr(replies[0][nl.SizeofGenlmsg:])
	if err != nil {
		return true, false, err
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.ETHTOOL_A_LINKSTATE_LINK && len(a.Value) == 1 {
			carrier = a.Value[0] == 1
		}
	}
	return true, carrier, nil
}

// MTUs asks for many links at once. The requests on h take turns.
func MTUs(h *netlink.Handle, names []string) ([]int, error) {
	mtus, errs := make([]int, len(names)), make([]error, len(names))
	var g sync.WaitGroup
	for i, name := range names {
		g.Go(func() { _, mtus[i], errs[i] = Link(h, name) })
	}
	g.Wait()
	return mtus, errors.Join(errs...)
}
