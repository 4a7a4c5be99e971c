package migration

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	mdnetlink "github.com/mdlayher/netlink"
	vishnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/bench/migration/mdlayher"
	"github.com/nlmux/netlink/bench/migration/nlmux"
	"github.com/nlmux/netlink/bench/migration/vishvananda"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
)

// library is the page's code of one library, connected to one namespace, in
// types that can be compared.
type library interface {
	link(name string) (index, mtu int, err error)
	addAddress(index int, addr netip.Prefix) (added bool, err error)
	deleteRoute(dst netip.Prefix) (deleted bool, err error)
	reason(err error) string
	addresses() ([]netip.Prefix, error)
	routes(each func(dst netip.Prefix) bool) error
	watch(stop <-chan struct{}, changed func(typ uint16), resync func() error) error
	setMTU(index, mtu int, patience time.Duration) error
	hasCarrier(link string) (exists, carrier bool, err error)
	mtus(names []string) ([]int, error)
}

var libraries = []struct {
	name string
	dial func(t *testing.T, ns *nstest.NS) library
}{
	{"nlmux", dialNlmux},
	{"mdlayher", dialMdlayher},
	{"vishvananda", dialVishvananda},
}

type nlmuxLibrary struct {
	ctx  context.Context
	ns   *nstest.NS
	conn *client.Conn
}

func dialNlmux(t *testing.T, ns *nstest.NS) library {
	c, err := nlmux.Dial(path(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return nlmuxLibrary{t.Context(), ns, c}
}

func (l nlmuxLibrary) link(name string) (index, mtu int, err error) {
	i, m, err := nlmux.Link(l.ctx, l.conn, name)
	return int(i), int(m), err
}

func (l nlmuxLibrary) addAddress(index int, addr netip.Prefix) (bool, error) {
	return nlmux.AddAddress(l.ctx, l.conn, int32(index), addr)
}

func (l nlmuxLibrary) deleteRoute(dst netip.Prefix) (bool, error) {
	return nlmux.DeleteRoute(l.ctx, l.conn, dst)
}

func (l nlmuxLibrary) reason(err error) string { return nlmux.Reason(err) }

func (l nlmuxLibrary) addresses() ([]netip.Prefix, error) { return nlmux.Addresses(l.ctx, l.conn) }

func (l nlmuxLibrary) routes(each func(netip.Prefix) bool) error {
	return nlmux.Routes(l.ctx, l.conn, each)
}

func (l nlmuxLibrary) watch(stop <-chan struct{}, changed func(uint16), resync func() error) error {
	c, err := nlmux.Dial(path(l.ns))
	if err != nil {
		return err
	}
	go func() {
		<-stop
		c.Close()
	}()
	return nlmux.Watch(l.ctx, c, func(e ynl.Event) { changed(e.Type) }, resync)
}

func (l nlmuxLibrary) setMTU(index, mtu int, patience time.Duration) error {
	return nlmux.SetMTU(l.conn, int32(index), uint32(mtu), patience)
}

func (l nlmuxLibrary) hasCarrier(link string) (exists, carrier bool, err error) {
	c, err := client.Dial(netlink.NETLINK_GENERIC, client.WithNetNS(l.ns.FD()))
	if err != nil {
		return false, false, err
	}
	defer c.Close()
	return nlmux.HasCarrier(l.ctx, c, link)
}

func (l nlmuxLibrary) mtus(names []string) ([]int, error) {
	mtus, err := nlmux.MTUs(l.ctx, l.conn, names)
	return ints(mtus), err
}

type mdlayherLibrary struct {
	ns   *nstest.NS
	conn *mdnetlink.Conn
}

func dialMdlayher(t *testing.T, ns *nstest.NS) library {
	c, err := mdlayher.Dial(path(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return mdlayherLibrary{ns, c}
}

func (l mdlayherLibrary) link(name string) (index, mtu int, err error) {
	i, m, err := mdlayher.Link(l.conn, name)
	return int(i), int(m), err
}

func (l mdlayherLibrary) addAddress(index int, addr netip.Prefix) (bool, error) {
	return mdlayher.AddAddress(l.conn, uint32(index), addr)
}

func (l mdlayherLibrary) deleteRoute(dst netip.Prefix) (bool, error) {
	return mdlayher.DeleteRoute(l.conn, dst)
}

func (l mdlayherLibrary) reason(err error) string { return mdlayher.Reason(err) }

func (l mdlayherLibrary) addresses() ([]netip.Prefix, error) { return mdlayher.Addresses(l.conn) }

func (l mdlayherLibrary) routes(each func(netip.Prefix) bool) error {
	return mdlayher.Routes(l.conn, each)
}

func (l mdlayherLibrary) watch(stop <-chan struct{}, changed func(uint16), resync func() error) error {
	c, err := mdlayher.Dial(path(l.ns))
	if err != nil {
		return err
	}
	go func() {
		<-stop
		c.Close()
	}()
	err = mdlayher.Watch(c, changed, resync)
	select {
	case <-stop:
		return nil // whatever it is: no error means the end
	default:
		return err
	}
}

func (l mdlayherLibrary) setMTU(index, mtu int, patience time.Duration) error {
	return mdlayher.SetMTU(l.conn, int32(index), uint32(mtu), patience)
}

func (l mdlayherLibrary) hasCarrier(link string) (exists, carrier bool, err error) {
	c, err := mdnetlink.Dial(unix.NETLINK_GENERIC, &mdnetlink.Config{NetNS: l.ns.FD()})
	if err != nil {
		return false, false, err
	}
	defer c.Close()
	return mdlayher.HasCarrier(c, link)
}

func (l mdlayherLibrary) mtus(names []string) ([]int, error) {
	pool := []*mdnetlink.Conn{l.conn}
	for len(pool) < 4 {
		c, err := mdlayher.Dial(path(l.ns))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		pool = append(pool, c)
	}
	mtus, err := mdlayher.MTUs(pool, names)
	return ints(mtus), err
}

type vishvanandaLibrary struct {
	ns     *nstest.NS
	handle *vishnetlink.Handle
}

func dialVishvananda(t *testing.T, ns *nstest.NS) library {
	h, err := vishvananda.Dial(path(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return vishvanandaLibrary{ns, h}
}

func (l vishvanandaLibrary) link(name string) (index, mtu int, err error) {
	return vishvananda.Link(l.handle, name)
}

func (l vishvanandaLibrary) addAddress(index int, addr netip.Prefix) (bool, error) {
	return vishvananda.AddAddress(l.handle, index, ipNet(addr))
}

// deleteRoute uses the zero Handle, which does what the functions of the
// package do: only their errors hold the kernel's words.
func (l vishvanandaLibrary) deleteRoute(dst netip.Prefix) (deleted bool, err error) {
	l.ns.Do(func() error {
		deleted, err = vishvananda.DeleteRoute(&vishnetlink.Handle{}, ipNet(dst))
		return nil
	})
	return deleted, err
}

func (l vishvanandaLibrary) reason(err error) string { return vishvananda.Reason(err) }

func (l vishvanandaLibrary) addresses() (addrs []netip.Prefix, err error) {
	nets, err := vishvananda.Addresses(l.handle)
	for _, n := range nets {
		addrs = append(addrs, prefix(n))
	}
	return addrs, err
}

func (l vishvanandaLibrary) routes(each func(netip.Prefix) bool) error {
	return vishvananda.Routes(l.handle, func(dst *net.IPNet) bool { return each(prefix(dst)) })
}

func (l vishvanandaLibrary) watch(stop <-chan struct{}, changed func(uint16), resync func() error) error {
	return l.ns.Do(func() error { return vishvananda.Watch(stop, changed, resync) })
}

func (l vishvanandaLibrary) setMTU(index, mtu int, patience time.Duration) error {
	return vishvananda.SetMTU(l.handle, index, mtu, patience)
}

func (l vishvanandaLibrary) hasCarrier(link string) (exists, carrier bool, err error) {
	l.ns.Do(func() error {
		exists, carrier, err = vishvananda.HasCarrier(link)
		return nil
	})
	return exists, carrier, err
}

func (l vishvanandaLibrary) mtus(names []string) ([]int, error) {
	return vishvananda.MTUs(l.handle, names)
}

func ints(list []uint32) (out []int) {
	for _, v := range list {
		out = append(out, int(v))
	}
	return out
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet) netip.Prefix {
	ip, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), bits)
}
