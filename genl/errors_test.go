package genl

import (
	"errors"
	"io/fs"
	"regexp"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// TestErrorsAreClear: each error names the family or group and the fault, and wraps its
// cause.
func TestErrorsAreClear(t *testing.T) {
	truncated := message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), raw(0xff, 0x0f, attrVersion, 0))
	short := wire.Message{Header: wire.Header{Type: acme().ID}, Payload: []byte{1, 3, 0}}
	newer := message(acme().ID, 1, 4)
	answer := func(c *client.Conn) error {
		_, err := acme().Request(bg, c, 1, nil, 0)
		return err
	}
	resolve := func(c *client.Conn) error {
		_, err := Resolve(bg, c, "acme")
		return err
	}
	for _, tt := range []struct {
		name  string
		k     *kernel
		do    func(c *client.Conn) error
		cause error
		text  string // a regular expression, since errnos have other texts elsewhere
	}{
		{"unknown family", newKernel(), resolve, fs.ErrNotExist, `^genl: no family "acme": netlink: CTRL_CMD_GETFAMILY: .+$`},
		{
			"unknown group", newKernel(acme()), func(c *client.Conn) error { return Join(bg, c, "acme", "nosuch") },
			fs.ErrNotExist, `^genl: family "acme" has no group "nosuch": file does not exist$`,
		},
		{
			"group of an unknown family", newKernel(), func(c *client.Conn) error { return Join(bg, c, "acme", "events") },
			fs.ErrNotExist, `^genl: no family "acme": netlink: CTRL_CMD_GETFAMILY: .+$`,
		},
		{"truncated description", controlled(truncated), resolve, wire.ErrMalformed, `^genl: family "acme": wire: malformed: attribute of 4095 bytes in 4$`},
		{
			"truncated description in the list", controlled(truncated), func(c *client.Conn) error { _, err := Families(bg, c); return err },
			wire.ErrMalformed, `^genl: description of a family: wire: malformed: attribute of 4095 bytes in 4$`,
		},
		{"reply of another version", serving(newer), answer, ErrVersion, `^genl: family "acme": message of another version of the family: version 4, want 3$`},
		{"short reply", serving(short), answer, wire.ErrMalformed, `^genl: wire: malformed: message type 40 of 3 bytes has no generic header$`},
		{"empty reply", serving(wire.Message{Header: short.Header}), answer, wire.ErrMalformed, `^genl: wire: malformed: message type 40 of 0 bytes has no generic header$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do(tt.k.dial(t))
			if !errors.Is(err, tt.cause) || !regexp.MustCompile(tt.text).MatchString(err.Error()) {
				t.Errorf("%v; want %v with the text %s", err, tt.cause, tt.text)
			}
		})
	}
}

// controlled returns a kernel whose controller has one answer.
func controlled(answer wire.Message) *kernel {
	k := newKernel()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return []wire.Message{answer}, true }
	return k
}

// serving returns a kernel in which acme has one answer.
func serving(answer wire.Message) *kernel {
	k := newKernel()
	k.load(acme(), func(Message) []wire.Message { return []wire.Message{answer} })
	return k
}
