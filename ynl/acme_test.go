package ynl_test

import (
	"context"
	"syscall"
	"testing"
	"unsafe"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/table"
)

var bg = context.Background()

// Messages of the families of the tests: the raw family acme, and acmegen of generic
// netlink.
const (
	newGadget = 24
	delGadget = 25
	getGadget = 26
	noGadget  = 99 // that the family does not have
)

// gadget is a message as the generator makes them.
type gadget struct {
	gadgethdr
	Name    ynl.Opt[string]
	Size    ynl.Opt[uint32] // 2 bytes on the wire
	Notes   []byte
	Unknown ynl.Attrs
}

// gadgethdr is the fixed header.
type gadgethdr struct{ Index uint32 }

func (g *gadget) Encode(b *wire.Builder)      { table.Encode(&acmeRows, setGadget, g, b) }
func (g *gadget) Decode(payload []byte) error { return table.Decode(&acmeRows, setGadget, g, payload) }

// tooLarge is the text of the error of a gadget with Size 70000.
const tooLarge = "gadget: ACME_SIZE: 70000 does not fit into 2 bytes"

// named returns gadgets with these names.
func named(names ...string) (list []*gadget) {
	for i, name := range names {
		list = append(list, &gadget{gadgethdr: gadgethdr{uint32(i + 1)}, Name: ynl.Some(name)})
	}
	return list
}

// names returns the names of gadgets.
func names(list []*gadget) (names []string) {
	for _, g := range list {
		names = append(names, g.Name.String())
	}
	return names
}

// References in the rows.
const (
	setGadget       = 1
	structGadgethdr = 1
)

// sets are the rows of both families.
var sets = []table.Set{{
	Name: "gadget", Prefix: "ACME_", Type: (*gadget)(nil), Size: unsafe.Sizeof(gadget{}), New: table.New[gadget],
	Header: structGadgethdr, HeadOff: unsafe.Offsetof(gadget{}.gadgethdr), Unknown: unsafe.Offsetof(gadget{}.Unknown),
	Attrs: []table.Attr{
		{Name: "name", Type: 1, Kind: table.String, Off: unsafe.Offsetof(gadget{}.Name), Set: unsafe.Offsetof(gadget{}.Name.Set)},
		{Name: "size", Type: 2, Kind: table.U16, Width: 4, Off: unsafe.Offsetof(gadget{}.Size), Set: unsafe.Offsetof(gadget{}.Size.Set)},
		{Name: "notes", Type: 3, Kind: table.Binary, Off: unsafe.Offsetof(gadget{}.Notes)},
	},
}}

var headers = []table.Layout{{
	Name: "gadgethdr", Type: (*gadgethdr)(nil), Wire: 4, Size: unsafe.Sizeof(gadgethdr{}),
	Members: []table.Member{{Name: "index", Kind: table.U32, Width: 4}},
}}

var messages = []table.Message{
	{Type: newGadget, Set: setGadget, Name: "newgadget"},
	{Type: delGadget, Set: setGadget, Name: "delgadget"},
}

// A raw family. Dumps of its protocol may be repeated.
var (
	acmeRows = table.Family{
		Name: "acme", Number: int(netlink.NETLINK_ROUTE), Sets: sets, Structs: headers, Messages: messages,
		Groups: []table.Group{{Name: "gadgets", Number: 3}, {Name: "gizmos", Number: 4}},
	}
	opNew = &ynl.Op{Family: &acmeRows, Row: table.Op{Name: "newgadget", Request: newGadget, Reply: -1, Set: setGadget, Do: true}}
	opDel = &ynl.Op{Family: &acmeRows, Row: table.Op{Name: "delgadget", Request: delGadget, Reply: -1, Set: setGadget, Do: true}}
	opGet = &ynl.Op{Family: &acmeRows, Row: table.Op{Name: "getgadget", Request: getGadget, Reply: newGadget, Set: setGadget, Do: true, Dump: true}}
	acme  = ynl.Family{Rows: &acmeRows, List: []*ynl.Op{opNew, opDel, opGet}}
)

// A generic family.
var (
	genericRows = table.Family{
		Name: "acmegen", Generic: true, Number: int(netlink.NETLINK_GENERIC), Version: 2, Sets: sets, Structs: headers, Messages: messages,
		Groups: []table.Group{{Name: "gadgets"}, {Name: "later"}},
	}
	genericGet = &ynl.Op{Family: &genericRows, Row: table.Op{Name: "getgadget", Request: getGadget, Reply: newGadget, Set: setGadget, Do: true, Dump: true}}
	genericNew = &ynl.Op{Family: &genericRows, Row: table.Op{Name: "newgadget", Request: newGadget, Reply: -1, Set: setGadget, Do: true}}
	acmegen    = ynl.Family{Rows: &genericRows, List: []*ynl.Op{genericGet, genericNew}}
)

// gadgets is a client as the generator makes them, of either family.
type gadgets struct {
	caller   *ynl.Caller
	get, new *ynl.Op
}

func newGadgets(c *client.Conn) gadgets { return gadgets{ynl.NewCaller(c, &acme), opGet, opNew} }

func newGeneric(c *client.Conn) gadgets {
	return gadgets{ynl.NewCaller(c, &acmegen), genericGet, genericNew}
}

func (c gadgets) NewGadget(ctx context.Context, req *gadget, flags ...netlink.Flags) error {
	return ynl.Exec(ctx, c.caller, c.new, req, flags)
}

func (c gadgets) GetGadget(ctx context.Context, req *gadget, flags ...netlink.Flags) (*gadget, error) {
	return ynl.Do[gadget](ctx, c.caller, c.get, req, flags)
}

func (c gadgets) DumpGadget(ctx context.Context, req *gadget, opts ...ynl.DumpOption) ynl.Stream[gadget] {
	return ynl.Dump[gadget](ctx, c.caller, c.get, req, opts)
}

// message returns a message of the raw family.
func message(typ netlink.MessageType, m ynl.Message) wire.Message {
	return wire.Message{Header: wire.Header{Type: typ}, Payload: encoded(m)}
}

// encoded returns the payload of a message.
func encoded(m ynl.Message) []byte {
	var b wire.Builder
	m.Encode(&b)
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return p
}

// answer returns the messages about gadgets.
func answer(list []*gadget) (msgs []wire.Message) {
	for _, g := range list {
		msgs = append(msgs, message(newGadget, g))
	}
	return msgs
}

func refuse(errno syscall.Errno, ext wire.ExtAck) []wire.Message {
	return []wire.Message{nltest.Error(errno, ext)}
}

// dial returns a Conn to a kernel of the raw family that lives as long as the test.
func dial(t testing.TB, handler func(req wire.Message) []wire.Message, opts ...client.Option) *client.Conn {
	c := nltest.Dial(netlink.NETLINK_ROUTE, handler, opts...)
	t.Cleanup(func() { c.Close() })
	return c
}
