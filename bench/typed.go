package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	vishvananda "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
)

// tools are what rivals use.
type tools struct {
	conn    *client.Conn
	links   *rtlink.Client
	routes  *rtroute.Client
	floor   Client
	handle  *vishvananda.Handle
	builder wire.Builder

	payload []byte // of a route
	hand    handRoute
	typed   rtroute.Route
	route   *rtroute.Route
}

func newTools() (*tools, error) {
	t := &tools{route: typedRoute(1)}
	t.payload = typedPayload(t.route)
	var err error
	if t.conn, err = client.Dial(netlink.NETLINK_ROUTE); err == nil {
		t.links, t.routes = rtlink.New(t.conn), rtroute.New(t.conn)
		t.floor, err = dialRaw()
	}
	if err == nil {
		t.handle, err = vishvananda.NewHandle(unix.NETLINK_ROUTE)
	}
	if err == nil {
		err = t.hand.decode(t.payload)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *tools) close() {
	if t.conn != nil {
		t.conn.Close()
	}
	if t.floor != nil {
		t.floor.Close()
	}
	if t.handle != nil {
		t.handle.Close()
	}
}

// typedWorks returns the works that compare the typed packages with a program that reads
// bytes itself, and with vishvananda/netlink's types.
func typedWorks(s Sizes) []*Work {
	return []*Work{
		{
			Name: workDecode, Note: "a route of 5 attributes, read by hand and by its type", Unit: "route",
			Rivals: []rival{{"hand", "", decodeByHand}, {"typed", "hand", decodeTyped}},
		},
		{
			Name: workEncode, Note: "the same route, written by hand and by its type", Unit: "route",
			Rivals: []rival{{"hand", "", encodeByHand}, {"typed", "hand", encodeTyped}},
		},
		{
			Name: workTypedLink, Note: "RTM_GETLINK of lo: bytes by system calls and by a client.Conn, and types", Unit: "request",
			Rivals: []rival{
				{"raw", "", func(t *tools) error { return getLink(t.floor) }},
				{"bare", "raw", func(t *tools) error { return getLink(nlmux{t.conn}) }},
				{"vishvananda", "", vishvanandaLink},
				{"vishvananda-handle", "", func(t *tools) error { return linkOf(t.handle.LinkByIndex(int(loIndex))) }},
				{"typed", "vishvananda", typedLink},
			},
		},
		{
			Name: workTypedRoutes, Note: fmt.Sprintf("dump of %d routes: bytes, and types in one value, in fresh ones and in a list", s.Routes), Unit: "dump",
			Private: true,
			Setup:   func() (func() error, error) { return addTypedRoutes(s.Routes) },
			Rivals: []rival{
				{"bare", "", func(t *tools) error { return counted(s.Routes)(nlmux{t.conn}.Stream(unix.RTM_GETROUTE, routesPayload)) }},
				{"reuse", "bare", func(t *tools) error { return counted(s.Routes)(t.stream(ynl.Reuse)) }},
				{"fresh", "bare", func(t *tools) error { return counted(s.Routes)(t.stream()) }},
				{"vishvananda", "", func(*tools) error { return counted(s.Routes)(vishvanandaRoutes()) }},
				{"list", "vishvananda", func(t *tools) error { return counted(s.Routes)(t.list()) }},
			},
		},
	}
}

// Names of works that goals refer to.
const (
	workDecode      = "typed-decode"
	workEncode      = "typed-encode"
	workTypedLink   = "typed-getlink"
	workTypedRoutes = "typed-routes"
)

// typedRoute is an everyday route: a destination, an interface, a source and a metric.
func typedRoute(i int) *rtroute.Route {
	dst := netip.AddrFrom4([4]byte{typedBase >> 24, byte(i >> 16), byte(i >> 8), byte(i)})
	r := rtroute.To(netip.PrefixFrom(dst, 32))
	r.Oif = ynl.Some(loIndex)
	r.Prefsrc = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	r.Priority, r.Table = ynl.U32(5), ynl.U32(unix.RT_TABLE_MAIN)
	return r
}

// typedPayload returns the payload of a message.
func typedPayload(m ynl.Message) []byte {
	var b wire.Builder
	m.Encode(&b)
	return mustEncode(&b)
}

// addTypedRoutes adds n routes.
func addTypedRoutes(n int) (func() error, error) {
	if _, err := loopbackUp(); err != nil {
		return nil, err
	}
	payload := func(i int) []byte { return typedPayload(typedRoute(i)) }
	if err := fill(n, unix.RTM_NEWROUTE, createFlags, payload); err != nil {
		return nil, fmt.Errorf("add %d routes: %w", n, err)
	}
	return func() error { return fill(n, unix.RTM_DELROUTE, 0, payload) }, nil
}

// handRoute is what a program without typed packages keeps of a route.
type handRoute struct {
	header               unix.RtMsg
	dst, src             netip.Addr
	table, oif, priority uint32
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
			r.priority = d.Uint32()
		}
	}
	return d.Err()
}

func decodeByHand(t *tools) error {
	t.hand = handRoute{}
	return t.hand.decode(t.payload)
}

func decodeTyped(t *tools) error {
	t.typed = rtroute.Route{}
	return t.typed.Decode(t.payload)
}

func encodeByHand(t *tools) error {
	t.builder.Reset()
	t.builder.Struct(&t.hand.header)
	dst, src := t.hand.dst.As4(), t.hand.src.As4()
	t.builder.Bytes(unix.RTA_DST, dst[:])
	t.builder.Uint32(unix.RTA_OIF, t.hand.oif)
	t.builder.Uint32(unix.RTA_PRIORITY, t.hand.priority)
	t.builder.Bytes(unix.RTA_PREFSRC, src[:])
	t.builder.Uint32(unix.RTA_TABLE, t.hand.table)
	_, err := t.builder.Encode()
	return err
}

func encodeTyped(t *tools) error {
	t.builder.Reset()
	t.route.Encode(&t.builder)
	_, err := t.builder.Encode()
	return err
}

// getLink requests lo as bytes.
func getLink(c Client) error {
	_, err := c.GetLink(linkPayload)
	return err
}

func typedLink(t *tools) error {
	_, err := t.links.GetLink(context.Background(), &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Index: int32(loIndex)}})
	return err
}

// vishvanandaLink opens a socket, as the functions of that package do. Its Handle keeps
// one.
func vishvanandaLink(*tools) error { return linkOf(vishvananda.LinkByIndex(int(loIndex))) }

func linkOf(_ vishvananda.Link, err error) error { return err }

// ipv4Routes is the request of a dump of IPv4 routes.
var ipv4Routes = &rtroute.Route{Rtmsg: rtroute.Rtmsg{Family: unix.AF_INET}}

// stream dumps the routes and keeps none.
func (t *tools) stream(opts ...ynl.DumpOption) (n int, err error) {
	for _, err := range t.routes.DumpRoute(context.Background(), ipv4Routes, opts...) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (t *tools) list() (int, error) {
	list, err := t.routes.DumpRoute(context.Background(), ipv4Routes).List()
	return len(list), err
}

func vishvanandaRoutes() (int, error) {
	list, err := vishvananda.RouteListFiltered(unix.AF_INET, &vishvananda.Route{}, 0)
	return len(list), err
}

// counted returns a function that requires a dump to have at least n entries.
func counted(n int) func(got int, err error) error {
	return func(got int, err error) error {
		if err == nil && got < n {
			err = fmt.Errorf("%d entries instead of %d", got, n)
		}
		return err
	}
}
