//go:build linux

package main

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/examples/internal/program"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

func TestMain(m *testing.M) {
	program.Main(main)
	nstest.Main(m)
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]int{"-h": 0, "-no-such-flag": 2, "one two": 2} {
		_, stderr, code := program.Start(t, nil, strings.Fields(args)...).Wait()
		if code != want || !strings.Contains(stderr, "genl lists") {
			t.Errorf("%s: exit code %d, want %d; help %q", args, code, want, stderr)
		}
	}
}

func TestList(t *testing.T) {
	p := program.Start(t, program.Unprivileged)
	p.Await("ID", "NAME", "VERSION", "HEADER", "COMMANDS", "GROUPS")
	p.Await("16", "nlctrl", "2", "0", "notify")
	p.WantDone()
}

func TestOneFamily(t *testing.T) {
	p := program.Start(t, program.Unprivileged, "nlctrl")
	p.Await("ID", "NAME", "VERSION", "HEADER")
	p.Await("16", "nlctrl", "2", "0")
	p.Await("GROUP", "NAME")
	p.Await("16", "notify")
	p.Await("COMMAND", "REQUEST", "DUMP", "PRIVILEGE")
	p.Await("3", "set", "0")
	p.Await("SET", "ATTRIBUTE", "TYPE", "LIMITS")
	p.Await("0", "2", "NUL_STRING", "15", "bytes")
	p.WantDone()
}

func TestUnknownFamily(t *testing.T) {
	program.Start(t, nil, "nosuch").WantRefusal(`genl: no family has the name "nosuch"`)
}

// TestCtrlC: it ends the ctx, and with it the requests.
func TestCtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, names := range [][]string{nil, {"nlctrl"}} {
		var out strings.Builder
		if err := run(ctx, &out, names); !errors.Is(err, context.Canceled) || out.Len() != 0 {
			t.Errorf("%q: %v, output %q", names, err, out.String())
		}
	}
}

// TestFamilyWithoutPolicies, because the kernel is old or the family has none.
func TestFamilyWithoutPolicies(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		unix.EOPNOTSUPP: "This kernel does not report",
		unix.ENODATA:    "The kernel reports no policies of this family",
	} {
		c := nltest.Dial(netlink.NETLINK_GENERIC, func(req wire.Message) []wire.Message {
			if m, err := genl.ParseMessage(req); err != nil || m.Command != unix.CTRL_CMD_GETFAMILY {
				return []wire.Message{nltest.Error(errno, wire.ExtAck{})}
			}
			var b wire.Builder
			b.Struct(&unix.Genlmsghdr{Cmd: unix.CTRL_CMD_NEWFAMILY, Version: 2})
			b.String(unix.CTRL_ATTR_FAMILY_NAME, "acme")
			b.Uint16(unix.CTRL_ATTR_FAMILY_ID, 40)
			p, err := b.Encode()
			if err != nil {
				t.Error(err)
			}
			return []wire.Message{{Header: wire.Header{Type: unix.GENL_ID_CTRL}, Payload: p}}
		})
		defer c.Close()
		var out strings.Builder
		if err := show(t.Context(), &out, c, "acme"); err != nil || !strings.Contains(out.String(), "40\tacme") ||
			!strings.Contains(out.String(), want) {
			t.Errorf("%v, output %q, want %q", err, out.String(), want)
		}
	}
}

func TestDescriptions(t *testing.T) {
	for want, a := range map[string]genl.AttrPolicy{
		"-":                      {Type: genl.NL_ATTR_TYPE_FLAG, Set: -1},
		"1 to 7":                 {Type: genl.NL_ATTR_TYPE_U8, HasRange: true, Min: 1, Max: 7, Set: -1},
		"-7 to 7":                {Type: genl.NL_ATTR_TYPE_SINT, HasRange: true, MinInt: -7, MaxInt: 7, Set: -1},
		"0 to 255, bits 0x11":    {Type: genl.NL_ATTR_TYPE_U8, HasRange: true, Max: 255, Mask: 0x11, Set: -1},
		"0 to 15 bytes":          {Type: genl.NL_ATTR_TYPE_STRING, MaxLen: 15, Set: -1},
		"6 bytes":                {Type: genl.NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: 6, Set: -1},
		"4 bytes or more":        {Type: genl.NL_ATTR_TYPE_BINARY, MinLen: 4, Set: -1},
		"set 0":                  {Type: genl.NL_ATTR_TYPE_NESTED},
		"4 bytes or more, set 3": {Type: genl.NL_ATTR_TYPE_NESTED, MinLen: 4, Set: 3},
	} {
		if got := limits(a); got != want {
			t.Errorf("%+v: %s, want %s", a, got, want)
		}
	}
	for flags, want := range map[genl.OpFlags]string{
		genl.GENL_CMD_CAP_DO:     "-",
		genl.GENL_ADMIN_PERM:     "CAP_NET_ADMIN",
		genl.GENL_UNS_ADMIN_PERM: "CAP_NET_ADMIN in the namespace",
	} {
		if got := privilege(flags); got != want {
			t.Errorf("%v: %s, want %s", flags, got, want)
		}
	}
	op := genl.Op{Flags: genl.GENL_CMD_CAP_DO}
	for _, tt := range []struct {
		capability genl.OpFlags
		set        int
		want       string
	}{{genl.GENL_CMD_CAP_DUMP, 0, "-"}, {genl.GENL_CMD_CAP_DO, -1, "yes"}, {genl.GENL_CMD_CAP_DO, 3, "set 3"}} {
		if got := able(op, tt.capability, tt.set); got != tt.want {
			t.Errorf("%v, set %d: %s, want %s", tt.capability, tt.set, got, tt.want)
		}
	}
}
