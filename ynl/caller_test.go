package ynl_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// The request has the type, the flags and the payload that the caller gave, and nothing
// else.
func TestRequestIsSentAsItIs(t *testing.T) {
	var got wire.Message
	c := newGadgets(dial(t, func(req wire.Message) []wire.Message {
		got = req.Clone()
		return nil
	}))
	g := &gadget{gadgethdr: gadgethdr{3}, Name: ynl.Some(""), Size: ynl.U32(0)}
	if err := c.NewGadget(bg, g, netlink.NLM_F_CREATE, netlink.NLM_F_EXCL); err != nil {
		t.Fatal(err)
	}
	const flags = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
	if got.Header.Type != newGadget || got.Header.Flags != flags || !bytes.Equal(got.Payload, encoded(g)) {
		t.Errorf("%+v, want %v and %x", got, flags, encoded(g))
	}
	if err := c.NewGadget(bg, nil); err != nil || !bytes.Equal(got.Payload, make([]byte, 4)) {
		t.Errorf("nil request: %x, %v", got.Payload, err)
	}
}

// Do returns the first message of the reply's type.
func TestDo(t *testing.T) {
	want := &gadget{gadgethdr: gadgethdr{3}, Name: ynl.Some("a"), Notes: []byte("xyz")}
	c := newGadgets(dial(t, func(wire.Message) []wire.Message {
		return append([]wire.Message{message(noGadget, &gadget{gadgethdr: gadgethdr{1}})}, answer([]*gadget{want, {gadgethdr: gadgethdr{4}}})...)
	}))
	if g, err := c.GetGadget(bg, nil); err != nil || !reflect.DeepEqual(g, want) {
		t.Errorf("%+v, %v, want %+v", g, err, want)
	}
}

func TestNoReply(t *testing.T) {
	for name, handler := range map[string]func(wire.Message) []wire.Message{
		"acknowledgement": nil,
		"another message": func(wire.Message) []wire.Message { return []wire.Message{message(noGadget, named("a")[0])} },
	} {
		g, err := newGadgets(dial(t, handler)).GetGadget(bg, nil)
		if g != nil || !errors.Is(err, ynl.ErrNoReply) || client.NotSent(err) || err.Error() != "acme getgadget: no reply" {
			t.Errorf("%s: %v, %v", name, g, err)
		}
	}
}

// Promise 6: a refusal names the family, the operation, the request and the attribute.
func TestRefusal(t *testing.T) {
	conn := dial(t, func(wire.Message) []wire.Message {
		// The attribute after the headers, IFLA_IFNAME.
		return refuse(syscall.EEXIST, wire.ExtAck{Message: "name is taken", Offset: 32, HasOffset: true})
	})
	c, l := rtlink.New(conn), &rtlink.Link{Ifname: ynl.Some("a")}
	for what, err := range map[string]error{
		"newlink: netlink: RTM_NEWLINK":          c.NewLink(bg, l),
		"newlink: netlink: RTM_NEWLINK, an echo": second(ynl.Echo(bg, conn, rtlink.OpNewLink, l)),
		"getlink: netlink: RTM_GETLINK":          second(c.GetLink(bg, l)),
		"getlink: netlink: RTM_GETLINK, a dump":  second(c.DumpLink(bg, l).List()),
	} {
		var refusal *wire.KernelError
		if !errors.Is(err, syscall.EEXIST) || !errors.As(err, &refusal) || refusal.Path != "IFLA_IFNAME" || client.NotSent(err) {
			t.Errorf("%s: %v", what, err)
		}
		names, _, _ := strings.Cut(what, ",")
		if want := "rt-link " + names + ": file exists: name is taken (at IFLA_IFNAME)"; err.Error() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
}

// second returns an error that comes with a value.
func second[T any](_ T, err error) error { return err }

// Promise 6: nothing is sent if a value cannot be encoded.
func TestValueThatCannotBeEncoded(t *testing.T) {
	handler := func(wire.Message) []wire.Message {
		t.Error("a request was sent")
		return nil
	}
	generic := nltest.Dial(netlink.NETLINK_GENERIC, handler)
	defer generic.Close()
	c, other := newGadgets(dial(t, handler)), newGeneric(generic)
	g := &gadget{Size: ynl.U32(70000)}
	for name, err := range map[string]error{
		"newgadget": c.NewGadget(bg, g),
		"getgadget": second(c.GetGadget(bg, g)),
		"dump":      second(c.DumpGadget(bg, g).List()),
		"generic":   other.NewGadget(bg, g), // not even a look-up
	} {
		if err == nil || !client.NotSent(err) || !strings.HasSuffix(err.Error(), "gadget: "+tooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Promise 6: a reply that cannot be decoded is no value.
func TestReplyThatCannotBeDecoded(t *testing.T) {
	c := newGadgets(dial(t, func(wire.Message) []wire.Message {
		return []wire.Message{{Header: wire.Header{Type: newGadget}, Payload: encoded(named("a")[0])[:9]}}
	}))
	g, err := c.GetGadget(bg, nil)
	if g != nil || !errors.Is(err, wire.ErrMalformed) || client.NotSent(err) || !strings.HasPrefix(err.Error(), "acme getgadget: gadget: ") {
		t.Errorf("%+v, %v", g, err)
	}
}

// Promise 6: wrong arguments are errors of every call, and nothing is sent.
func TestWrongArguments(t *testing.T) {
	handler := func(wire.Message) []wire.Message {
		t.Error("a request was sent")
		return nil
	}
	raw := dial(t, handler)
	generic := nltest.Dial(netlink.NETLINK_GENERIC, handler)
	defer generic.Close()
	closed := nltest.Dial(netlink.NETLINK_ROUTE, handler)
	closed.Close()
	ended, cancel := context.WithCancel(bg)
	cancel()
	var nilContext context.Context
	for _, tt := range []struct {
		name string
		c    gadgets
		ctx  context.Context
		is   error // nil: any
		text string
	}{
		{"nil Conn", newGadgets(nil), bg, nil, "acme %: nil Conn"},
		{"wrong family", newGadgets(generic), bg, nil, "acme %: the family of the Conn is NETLINK_GENERIC, want NETLINK_ROUTE"},
		{"wrong family, generic", newGeneric(raw), bg, nil, "acmegen %: the family of the Conn is NETLINK_ROUTE, want NETLINK_GENERIC"},
		{"nil ctx", newGadgets(raw), nilContext, nil, "acme %: nil context"},
		{"nil ctx, generic", newGeneric(generic), nilContext, nil, "acmegen %: nil context"},
		{"ended ctx", newGadgets(raw), ended, context.Canceled, "acme %: netlink: "},
		{"ended ctx, generic", newGeneric(generic), ended, context.Canceled, "acmegen %: genl: "},
		{"closed Conn", newGadgets(closed), bg, nil, "acme %: netlink: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for op, call := range map[string]func() error{
				"newgadget": func() error { return tt.c.NewGadget(tt.ctx, nil) },
				"getgadget": func() error { return second(tt.c.GetGadget(tt.ctx, nil)) },
				"dump":      func() error { return second(tt.c.DumpGadget(tt.ctx, nil).List()) },
			} {
				err := call()
				text := strings.Replace(tt.text, "%", strings.Replace(op, "dump", "getgadget", 1), 1)
				if err == nil || !strings.HasPrefix(err.Error(), text) || !client.NotSent(err) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%s: %v (not sent: %v), want %s", op, err, client.NotSent(err), text)
				}
			}
		})
	}
}

// kernel is a kernel of generic netlink with the family acmegen, which a test loads and
// unloads.
type kernel struct {
	*nltest.Kernel
	id      atomic.Uint32 // of the family, 0 if it is not loaded
	lookups atomic.Int32
	hold    chan struct{} // delays the answers to look-ups, if it is not nil
	serve   func(m wire.Message) []wire.Message
}

func newKernel(id uint32) *kernel {
	k := new(kernel)
	k.id.Store(id)
	k.Kernel = nltest.New(netlink.NETLINK_GENERIC, k.handle)
	return k
}

func (k *kernel) handle(req wire.Message) []wire.Message {
	id := k.id.Load()
	switch {
	case req.Header.Type == 16: // the controller
		k.lookups.Add(1)
		if k.hold != nil {
			<-k.hold
		}
		if id == 0 {
			return refuse(syscall.ENOENT, wire.ExtAck{})
		}
		return []wire.Message{describe(uint16(id))}
	case uint32(req.Header.Type) != id:
		return refuse(syscall.ENOENT, wire.ExtAck{})
	}
	return k.serve(req)
}

// describe is the controller's message about the family. The kernel does not have the
// group "later".
func describe(id uint16) wire.Message {
	var b wire.Builder
	b.Raw([]byte{1, 2, 0, 0})
	b.Uint16(1, id)
	b.String(2, "acmegen")
	b.Uint32(3, 2)
	b.Uint32(4, 4) // the size of the family's header
	b.Nest(7, func(b *wire.Builder) {
		b.Nest(1, func(b *wire.Builder) {
			b.String(1, "gadgets")
			b.Uint32(2, 5)
		})
	})
	p, err := b.Encode()
	if err != nil {
		panic(err)
	}
	return wire.Message{Header: wire.Header{Type: 16}, Payload: p}
}

// genericMessage is a message of the generic family.
func genericMessage(id netlink.MessageType, command uint8, m ynl.Message) wire.Message {
	return wire.Message{Header: wire.Header{Type: id}, Payload: append([]byte{command, 2, 0, 0}, encoded(m)...)}
}

// sayName answers each request with gadgets, the request's own first.
func sayName(req wire.Message) []wire.Message {
	var g gadget
	if err := g.Decode(req.Payload[4:]); err != nil {
		return refuse(syscall.EINVAL, wire.ExtAck{Message: err.Error()})
	}
	if req.Payload[0] != getGadget {
		return nil
	}
	return []wire.Message{
		genericMessage(req.Header.Type, noGadget, named("another command")[0]),
		genericMessage(req.Header.Type, newGadget, &g),
		genericMessage(req.Header.Type, newGadget, named("next")[0]),
	}
}

// Promise 9: every kind of call resolves the family, once.
func TestGenericFamily(t *testing.T) {
	k := newKernel(40)
	k.serve = sayName
	conn := k.Dial()
	defer conn.Close()
	c := newGeneric(conn)
	list, err := c.DumpGadget(bg, named("a")[0]).List()
	if err != nil || !reflect.DeepEqual(names(list), []string{"a", "next"}) {
		t.Errorf("%q, %v", names(list), err)
	}
	if g, err := c.GetGadget(bg, named("b")[0]); err != nil || g.Name != ynl.Some("b") {
		t.Errorf("%+v, %v", g, err)
	}
	if err := c.NewGadget(bg, nil); err != nil {
		t.Error(err)
	}
	if n := k.lookups.Load(); n != 1 {
		t.Errorf("%d look-ups, want 1", n)
	}
}

// Promise 9: concurrent first calls share a look-up, and each waits only as long as its
// own ctx allows.
func TestConcurrentFirstCallsShareALookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(40)
		k.serve = sayName
		k.hold = make(chan struct{})
		conn := k.Dial()
		defer conn.Close()
		c := newGeneric(conn)
		results := make(chan error)
		for range 50 {
			go func() { results <- c.NewGadget(bg, nil) }()
		}
		ctx, cancel := context.WithCancel(bg)
		impatient := make(chan error)
		go func() { impatient <- c.NewGadget(ctx, nil) }()
		synctest.Wait()
		cancel()
		if err := <-impatient; !errors.Is(err, context.Canceled) || !client.NotSent(err) {
			t.Errorf("%v", err)
		}
		close(k.hold)
		for range 50 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if n := k.lookups.Load(); n != 1 {
			t.Errorf("%d look-ups, want 1", n)
		}
	})
}

// Promise 9: a family that is not there is fs.ErrNotExist, and is found once it is.
func TestFamilyThatIsNotThere(t *testing.T) {
	k := newKernel(0)
	k.serve = sayName
	conn := k.Dial()
	defer conn.Close()
	c := newGeneric(conn)
	for _, err := range []error{c.NewGadget(bg, nil), second(c.GetGadget(bg, nil)), second(c.DumpGadget(bg, nil).List())} {
		if !errors.Is(err, fs.ErrNotExist) || !client.NotSent(err) || !strings.Contains(err.Error(), `no family "acmegen"`) {
			t.Errorf("%v (not sent: %v)", err, client.NotSent(err))
		}
	}
	k.id.Store(40)
	if err := c.NewGadget(bg, nil); err != nil {
		t.Error(err)
	}
}

// Promise 9: a family that was loaded again is found again.
func TestReloadedFamily(t *testing.T) {
	k := newKernel(40)
	k.serve = sayName
	conn := k.Dial()
	defer conn.Close()
	c := newGeneric(conn)
	if err := c.NewGadget(bg, nil); err != nil {
		t.Fatal(err)
	}
	k.id.Store(41)
	if list, err := c.DumpGadget(bg, nil).List(); err != nil || len(list) != 2 {
		t.Errorf("%q, %v", names(list), err)
	}
	k.id.Store(42)
	if g, err := c.GetGadget(bg, named("b")[0]); err != nil || g.Name != ynl.Some("b") {
		t.Errorf("%+v, %v", g, err)
	}
	k.id.Store(0)
	if err := c.NewGadget(bg, nil); !errors.Is(err, fs.ErrNotExist) || client.NotSent(err) {
		t.Errorf("%v", err)
	}
}

// Promise 6: offsets in a refusal count the generic header and that of the family, too.
// internal/names does not know the family, so the attribute is a number.
func TestRefusalOfAGenericFamily(t *testing.T) {
	k := newKernel(40)
	k.serve = func(wire.Message) []wire.Message {
		return refuse(syscall.EINVAL, wire.ExtAck{Offset: 24, HasOffset: true})
	}
	conn := k.Dial()
	defer conn.Close()
	c := newGeneric(conn)
	g := &gadget{Size: ynl.U32(1)}
	for _, err := range []error{c.NewGadget(bg, g), second(c.GetGadget(bg, g)), second(c.DumpGadget(bg, g).List())} {
		var refusal *wire.KernelError
		if !errors.As(err, &refusal) || refusal.Path != "2" || refusal.Errno != syscall.EINVAL {
			t.Errorf("%v", err)
		}
	}
}
