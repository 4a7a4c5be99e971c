package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	vishvananda "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

var bg = context.Background()

// typedRoutes is the number of routes of a dump.
const typedRoutes = 200_000

// typedRoute is an everyday route: a destination, an interface, a source and a metric.
func typedRoute(i int) *rtroute.Route {
	dst := netip.AddrFrom4([4]byte{13, byte(i >> 16), byte(i >> 8), byte(i)})
	r := rtroute.To(netip.PrefixFrom(dst, 32))
	r.Oif = ynl.Some(loIndex)
	r.Prefsrc = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	r.Priority = ynl.U32(5)
	return r
}

// typedPayload returns the payload of a message.
func typedPayload(m ynl.Message) []byte {
	var b wire.Builder
	m.Encode(&b)
	return mustEncode(&b)
}

// prepareTyped sets up lo and dials a Conn that lives as long as the benchmark.
func prepareTyped(b *testing.B) *client.Conn {
	if !isPrivate() {
		b.Skip(errPrivate)
	}
	if err := preparePayloads(); err != nil {
		b.Fatal(err)
	}
	if _, err := loopbackUp(); err != nil {
		b.Fatal(err)
	}
	c, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// addTypedRoutes adds the routes of a dump for as long as the benchmark runs.
func addTypedRoutes(b *testing.B) {
	payload := func(i int) []byte { return typedPayload(typedRoute(i)) }
	if err := fill(typedRoutes, unix.RTM_NEWROUTE, createFlags, payload); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := fill(typedRoutes, unix.RTM_DELROUTE, 0, payload); err != nil {
			b.Error(err)
		}
	})
}

// handRoute is what a program keeps of a route that it decodes by itself.
type handRoute struct {
	header                 unix.RtMsg
	dst, src               netip.Addr
	table, oif, prio, flow uint32
}

// decode is the loop that a program writes without typed packages. The header is read
// without package encoding/binary, which takes as long as the attributes.
func (r *handRoute) decode(payload []byte) error {
	if len(payload) < unix.SizeofRtMsg {
		return errNoEntry
	}
	r.header = unix.RtMsg{
		Family: payload[0], Dst_len: payload[1], Src_len: payload[2], Tos: payload[3],
		Table: payload[4], Protocol: payload[5], Scope: payload[6], Type: payload[7],
		Flags: binary.NativeEndian.Uint32(payload[8:]),
	}
	d := wire.NewDecoder(payload[unix.SizeofRtMsg:])
	for d.Next() {
		switch d.Type() {
		case unix.RTA_TABLE:
			r.table = d.Uint32()
		case unix.RTA_DST:
			r.dst, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_PREFSRC:
			r.src, _ = netip.AddrFromSlice(d.Bytes())
		case unix.RTA_OIF:
			r.oif = d.Uint32()
		case unix.RTA_PRIORITY:
			r.prio = d.Uint32()
		case unix.RTA_FLOW:
			r.flow = d.Uint32()
		}
	}
	return d.Err()
}

// BenchmarkTypedDecode decodes a route by hand and by its type.
func BenchmarkTypedDecode(b *testing.B) {
	payload := typedPayload(typedRoute(1))
	var hand handRoute
	var typed rtroute.Route
	compare(b, 100_000,
		rival{"hand", "", func() error {
			hand = handRoute{}
			return hand.decode(payload)
		}},
		rival{"typed", "hand", func() error {
			typed = rtroute.Route{}
			return typed.Decode(payload)
		}},
	)
	if hand.dst != typed.Dst || hand.oif != typed.Oif.Value || hand.prio != typed.Priority.Value {
		b.Errorf("%+v, %+v", hand, typed)
	}
}

// BenchmarkTypedEncode encodes a route by hand and by its type.
func BenchmarkTypedEncode(b *testing.B) {
	typed := typedRoute(1)
	hand := handRoute{
		header: unix.RtMsg{
			Family: unix.AF_INET, Dst_len: 32, Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_STATIC,
			Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
		},
		dst: typed.Dst, src: typed.Prefsrc, oif: typed.Oif.Value, prio: typed.Priority.Value,
	}
	var builder wire.Builder
	compare(b, 100_000,
		rival{"hand", "", func() error {
			builder.Reset()
			builder.Struct(&hand.header)
			dst, src := hand.dst.As4(), hand.src.As4()
			builder.Bytes(unix.RTA_DST, dst[:])
			builder.Uint32(unix.RTA_OIF, hand.oif)
			builder.Uint32(unix.RTA_PRIORITY, hand.prio)
			builder.Bytes(unix.RTA_PREFSRC, src[:])
			_, err := builder.Encode()
			return err
		}},
		rival{"typed", "hand", func() error {
			builder.Reset()
			typed.Encode(&builder)
			_, err := builder.Encode()
			return err
		}},
	)
}

// BenchmarkTypedRoutes dumps 200,000 routes: the bare loop over messages, one value for
// all steps, a fresh value for each, a list, and vishvananda's list.
func BenchmarkTypedRoutes(b *testing.B) {
	c := prepareTyped(b)
	addTypedRoutes(b)
	routes := rtroute.New(c)
	req := &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: unix.AF_INET}}
	payload := typedPayload(req)
	counted := func(n int, err error) error {
		if err == nil && n < typedRoutes {
			err = fmt.Errorf("%d routes", n)
		}
		return err
	}
	each := func(opts ...ynl.DumpOption) error {
		n := 0
		for _, err := range routes.DumpRoute(bg, req, opts...) {
			if err != nil {
				return err
			}
			n++
		}
		return counted(n, nil)
	}
	compare(b, 1,
		rival{"bare", "", func() error { return counted(nlmux{c}.Stream(unix.RTM_GETROUTE, payload)) }},
		rival{"reuse", "bare", func() error { return each(ynl.Reuse) }},
		rival{"fresh", "bare", func() error { return each() }},
		rival{"vishvananda", "", func() error {
			list, err := vishvananda.RouteListFiltered(unix.AF_INET, &vishvananda.Route{}, 0)
			return counted(len(list), err)
		}},
		rival{"list", "vishvananda", func() error {
			list, err := routes.DumpRoute(bg, req).List()
			return counted(len(list), err)
		}},
	)
}

// BenchmarkTypedGetLink requests lo: by plain system calls, by the bare request, by its
// type, and by vishvananda's function.
func BenchmarkTypedGetLink(b *testing.B) {
	c := prepareTyped(b)
	links := rtlink.New(c)
	req := &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Index: int32(loIndex)}}
	floor, err := dialRaw()
	if err != nil {
		b.Fatal(err)
	}
	defer floor.Close()
	get := func(c Client) func() error {
		return func() error {
			_, err := c.GetLink(linkPayload)
			return err
		}
	}
	compare(b, 2000,
		rival{"raw", "", get(floor)},
		rival{"bare", "raw", get(nlmux{c})},
		rival{"vishvananda", "", func() error {
			_, err := vishvananda.LinkByIndex(int(loIndex))
			return err
		}},
		rival{"typed", "vishvananda", func() error {
			_, err := links.GetLink(bg, req)
			return err
		}},
	)
}
