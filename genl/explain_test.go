package genl

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// endsWith reports whether err has a text that ends with text.
func endsWith(err error, text string) bool { return err != nil && strings.HasSuffix(err.Error(), text) }

// TestRefusalsNameCommandAndAttribute: the attribute is after the family's own header,
// which acme has. Its size is known to the Family, not to the Conn.
func TestRefusalsNameCommandAndAttribute(t *testing.T) {
	var b wire.Builder
	b.Struct(make([]byte, acme().HeaderSize))
	b.Nest(5, func(b *wire.Builder) { b.Uint32(6, 0) }) // at 28 and 32
	attrs, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ext  wire.ExtAck
		path string
		text string
	}{
		{wire.ExtAck{Offset: 32, HasOffset: true}, "5 > 6", "(at attribute 5 > 6)"},
		{
			wire.ExtAck{MissingType: 7, HasMissingType: true, MissingNest: 28, HasMissingNest: true},
			"5 > 7", "(missing attribute 5 > 7)",
		},
		{wire.ExtAck{Offset: 24, HasOffset: true}, "", "(at offset 24)"},
		{wire.ExtAck{Message: "no"}, "", ": no"},
	} {
		k := newKernel()
		k.load(acme(), func(Message) []wire.Message {
			return []wire.Message{nltest.Error(syscall.EINVAL, tt.ext)}
		})
		c := k.dial(t)
		want := func(err error) {
			t.Helper()
			var refusal *wire.KernelError
			if !errors.As(err, &refusal) || refusal.Name != "acme command 1" || refusal.Path != tt.path || !endsWith(err, tt.text) {
				t.Errorf("%v; want acme command 1, path %q and %s", err, tt.path, tt.text)
			}
		}
		_, err := acme().Request(bg, c, 1, attrs, 0)
		want(err)
		_, err = acme().Request(bg, c, 1, attrs, netlink.NLM_F_DUMP)
		want(err)
		_, err = dumpOf(acme(), c, attrs)
		want(err)
	}
}

// TestRefusalsOfTheControllerHaveNames, which package client knows.
func TestRefusalsOfTheControllerHaveNames(t *testing.T) {
	k := newKernel()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) {
		return []wire.Message{nltest.Error(syscall.EINVAL, wire.ExtAck{Offset: 20, HasOffset: true})}, true
	}
	if _, err := Resolve(bg, k.dial(t), "acme"); !endsWith(err, "(at CTRL_ATTR_FAMILY_NAME)") {
		t.Errorf("%v", err)
	}
}

// TestRefusalsOfKnownFamiliesHaveNames: the command and its attributes.
func TestRefusalsOfKnownFamiliesHaveNames(t *testing.T) {
	f := acme()
	f.Name, f.HeaderSize = "wireguard", 0
	k := newKernel()
	k.load(f, func(Message) []wire.Message {
		return []wire.Message{nltest.Error(syscall.EINVAL, wire.ExtAck{MissingType: 1, HasMissingType: true})}
	})
	_, err := f.Request(bg, k.dial(t), 1, nil, 0)
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Name != "WG_CMD_SET_DEVICE" || refusal.Path != "WGDEVICE_A_IFINDEX" {
		t.Errorf("%v; want a refusal of WG_CMD_SET_DEVICE for want of WGDEVICE_A_IFINDEX", err)
	}
}
