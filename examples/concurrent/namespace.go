//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// namespace creates a network namespace and fills it. It returns the options that open
// connections in it, none without the privilege.
func namespace(ctx context.Context) ([]client.Option, error) {
	fd, err := unshare()
	if errors.Is(err, unix.EPERM) {
		fmt.Println("no privilege for a namespace of our own: asking about this machine")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fmt.Println("working in a network namespace of our own")
	// Open as long as the process: every Dial needs it.
	opts := []client.Option{client.WithNetNS(fd)}
	c, err := client.Dial(netlink.NETLINK_ROUTE, opts...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return opts, fill(ctx, c)
}

// unshare returns a descriptor of a new network namespace.
func unshare() (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
	}()
	<-done
	return fd, err
}

// pairs is the number of pairs of virtual Ethernet devices in the namespace, each with
// addresses, a route and a neighbour.
const pairs = 16

const create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL

// vethPeer is VETH_INFO_PEER of include/uapi/linux/veth.h.
const vethPeer = 1

// addrGenModeNone is IN6_ADDR_GEN_MODE_NONE of include/uapi/linux/if_link.h.
const addrGenModeNone = 1

func fill(ctx context.Context, c *client.Conn) error {
	for i := range pairs {
		a, b := fmt.Sprintf("left%d", i), fmt.Sprintf("right%d", i)
		if err := do(ctx, c, unix.RTM_NEWLINK, create, func(req *wire.Builder) {
			req.Struct(&unix.IfInfomsg{})
			req.String(unix.IFLA_IFNAME, a)
			req.Nest(unix.IFLA_LINKINFO, func(info *wire.Builder) {
				info.String(unix.IFLA_INFO_KIND, "veth")
				info.Nest(unix.IFLA_INFO_DATA, func(data *wire.Builder) {
					data.Nest(vethPeer, func(peer *wire.Builder) {
						peer.Struct(&unix.IfInfomsg{})
						peer.String(unix.IFLA_IFNAME, b)
					})
				})
			})
		}); err != nil {
			return fmt.Errorf("link %s: %w", a, err)
		}
		for side, name := range []string{a, b} {
			index, err := up(ctx, c, name)
			if err != nil {
				return fmt.Errorf("link %s: %w", name, err)
			}
			if err := populate(ctx, c, index, byte(i), byte(side)); err != nil {
				return fmt.Errorf("link %s: %w", name, err)
			}
		}
	}
	return nil
}

// up sets a link up and returns its index.
func up(ctx context.Context, c *client.Conn, name string) (uint32, error) {
	var req wire.Builder
	req.Struct(&unix.IfInfomsg{})
	req.String(unix.IFLA_IFNAME, name)
	payload, err := req.Encode()
	if err != nil {
		return 0, err
	}
	reply, err := c.Request(ctx, unix.RTM_GETLINK, payload, 0)
	if err != nil {
		return 0, err
	}
	if len(reply) != 1 {
		return 0, fmt.Errorf("%d links of that name", len(reply))
	}
	var link unix.IfInfomsg
	if _, err := reply[0].Struct(&link); err != nil {
		return 0, err
	}
	index := uint32(link.Index)
	// Without a link-local address, which the kernel would add later, and its routes.
	if err := do(ctx, c, unix.RTM_NEWLINK, 0, func(req *wire.Builder) {
		req.Struct(&unix.IfInfomsg{Index: int32(index)})
		req.Nest(unix.IFLA_AF_SPEC, func(families *wire.Builder) {
			families.Nest(unix.AF_INET6, func(inet6 *wire.Builder) {
				inet6.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, addrGenModeNone)
			})
		})
	}); err != nil {
		return 0, err
	}
	return index, do(ctx, c, unix.RTM_NEWLINK, 0, func(req *wire.Builder) {
		req.Struct(&unix.IfInfomsg{Index: int32(index), Flags: unix.IFF_UP, Change: unix.IFF_UP})
	})
}

// populate adds an address of each family, a neighbour and a route through it.
func populate(ctx context.Context, c *client.Conn, index uint32, pair, side byte) error {
	own := netip.AddrFrom4([4]byte{10, 77, 2*pair + side, 1})
	next := netip.AddrFrom4([4]byte{10, 77, 2*pair + side, 2})
	own6 := netip.AddrFrom16([16]byte{0: 0xfd, 13: pair, 14: side, 15: 1})
	if err := newAddr(ctx, c, unix.RTM_NEWADDR, create, index, own, 24); err != nil {
		return err
	}
	if err := newAddr(ctx, c, unix.RTM_NEWADDR, create, index, own6, 120); err != nil {
		return err
	}
	if err := do(ctx, c, unix.RTM_NEWNEIGH, create, func(req *wire.Builder) {
		req.Struct(&unix.NdMsg{Family: unix.AF_INET, Ifindex: int32(index), State: unix.NUD_PERMANENT})
		req.Bytes(unix.NDA_DST, next.AsSlice())
		req.Bytes(unix.NDA_LLADDR, []byte{2, 0, 0, 0, pair, side})
	}); err != nil {
		return err
	}
	return do(ctx, c, unix.RTM_NEWROUTE, create, func(req *wire.Builder) {
		req.Struct(&unix.RtMsg{
			Family: unix.AF_INET, Dst_len: 24, Table: unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
		})
		req.Bytes(unix.RTA_DST, []byte{10, 78, 2*pair + side, 0})
		req.Bytes(unix.RTA_GATEWAY, next.AsSlice())
		req.Uint32(unix.RTA_OIF, index)
	})
}

// newAddr adds or, with RTM_DELADDR, removes an address.
func newAddr(ctx context.Context, c *client.Conn, typ netlink.MessageType, flags netlink.Flags, index uint32, a netip.Addr, bits byte) error {
	return do(ctx, c, typ, flags, func(req *wire.Builder) {
		h := unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: bits, Index: index}
		if a.Is6() {
			// Without duplicate address detection, which would change it later.
			h.Family, h.Flags = unix.AF_INET6, unix.IFA_F_NODAD
		}
		req.Struct(h)
		req.Bytes(unix.IFA_LOCAL, a.AsSlice())
		req.Bytes(unix.IFA_ADDRESS, a.AsSlice())
	})
}

// do sends a request that is only acknowledged.
func do(ctx context.Context, c *client.Conn, typ netlink.MessageType, flags netlink.Flags, build func(*wire.Builder)) error {
	var req wire.Builder
	build(&req)
	payload, err := req.Encode()
	if err != nil {
		return err
	}
	_, err = c.Request(ctx, typ, payload, flags)
	return err
}
