package ynl_test

import (
	"errors"
	"reflect"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// Echo returns the messages of the request's type. It adds a flag, and leaves the
// caller's list of them alone.
func TestEcho(t *testing.T) {
	var got netlink.Flags
	list := named("a", "b")
	c := dial(t, func(req wire.Message) []wire.Message {
		got = req.Header.Flags
		return append(answer(list), message(delGadget, named("c")[0]))
	})
	flags := append(make([]netlink.Flags, 0, 4), netlink.NLM_F_CREATE)
	made, err := ynl.Echo(bg, c, opNew, &gadget{Name: ynl.Some("x")}, flags...)
	if err != nil || !reflect.DeepEqual(made, list) {
		t.Errorf("%+v, %v, want %+v", made, err, list)
	}
	if want := netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_CREATE | netlink.NLM_F_ECHO; got != want {
		t.Errorf("flags %v, want %v", got, want)
	}
	if flags[:2][1] != 0 {
		t.Error("the caller's flags were changed")
	}
	if gone, err := ynl.Echo(bg, c, opDel, (*gadget)(nil)); err != nil || len(gone) != 1 || gone[0].Name.Value != "c" {
		t.Errorf("%+v, %v", gone, err)
	}
}

// A generic family may echo, too.
func TestEchoOfAGenericFamily(t *testing.T) {
	k := newKernel(40)
	k.serve = func(req wire.Message) []wire.Message {
		return []wire.Message{{Header: req.Header, Payload: req.Payload}}
	}
	c := k.Dial()
	defer c.Close()
	made, err := ynl.Echo(bg, c, genericNew, named("a")[0])
	if err != nil || len(made) != 1 || made[0].Name.Value != "a" {
		t.Errorf("%+v, %v", made, err)
	}
}

func TestEchoFails(t *testing.T) {
	c := dial(t, func(req wire.Message) []wire.Message {
		if req.Header.Type == delGadget {
			return refuse(syscall.ENOENT, wire.ExtAck{})
		}
		return nil
	})
	broken := dial(t, func(wire.Message) []wire.Message {
		return []wire.Message{{Header: wire.Header{Type: newGadget}, Payload: []byte{1, 2}}}
	})
	generic := nltest.Dial(netlink.NETLINK_GENERIC, nil)
	defer generic.Close()
	g := named("a")[0]
	for name, tt := range map[string]struct {
		err     error
		is      error
		text    string
		notSent bool
	}{
		"no echo":         {second(ynl.Echo(bg, c, opNew, g)), ynl.ErrNoReply, "acme newgadget: no reply", false},
		"refused":         {second(ynl.Echo(bg, c, opDel, g)), syscall.ENOENT, "", false},
		"malformed":       {second(ynl.Echo(bg, broken, opNew, g)), wire.ErrMalformed, "", false},
		"another type":    {second(ynl.Echo(bg, c, opNew, new(other))), nil, "acme newgadget: the request is a *ynl_test.other, want *ynl_test.gadget", true},
		"another family":  {second(ynl.Echo(bg, generic, opNew, g)), nil, "acme newgadget: the family of the Conn is NETLINK_GENERIC, want NETLINK_ROUTE", true},
		"cannot be coded": {second(ynl.Echo(bg, c, opNew, &gadget{Size: ynl.U32(70000)})), nil, "acme newgadget: " + tooLarge, true},
	} {
		if tt.err == nil || tt.is != nil && !errors.Is(tt.err, tt.is) || tt.text != "" && tt.err.Error() != tt.text || client.NotSent(tt.err) != tt.notSent {
			t.Errorf("%s: %v, not sent: %t", name, tt.err, client.NotSent(tt.err))
		}
	}
}

// other is a message of no operation.
type other struct{ gadget }
