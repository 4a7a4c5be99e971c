package ynltest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtroute"
	"github.com/nlmux/netlink/ynl/ynltest"
)

var bg = context.Background()

// dial returns a Conn to a kernel with these handlers that lives as long as the test.
func dial(t *testing.T, h ...ynltest.Handler) *client.Conn {
	c := nltest.Dial(netlink.NETLINK_ROUTE, ynltest.Handle(h...))
	t.Cleanup(func() { c.Close() })
	return c
}

// link returns a link with a name.
func link(name string) *rtlink.Link { return &rtlink.Link{Ifname: ynl.Some(name)} }

// names returns the names of links.
func names(list []*rtlink.Link) (names []string) {
	for _, l := range list {
		names = append(names, l.Ifname.Value)
	}
	return names
}

// links is a function for On that answers with links and an error.
func links(err error, list ...*rtlink.Link) func(*rtlink.Link, netlink.Flags) ([]*rtlink.Link, error) {
	return func(*rtlink.Link, netlink.Flags) ([]*rtlink.Link, error) { return list, err }
}

// The function gets the request and its flags as the kernel would.
func TestOn(t *testing.T) {
	var got *rtlink.Link
	var flags netlink.Flags
	c := rtlink.New(dial(t,
		ynltest.On(rtlink.OpNewLink, func(req *rtlink.Link, f netlink.Flags) ([]*rtlink.Link, error) {
			got, flags = req, f
			return nil, nil
		}),
		ynltest.On(rtlink.OpGetLink, links(nil, link("a"), link("b"))),
		ynltest.On(rtlink.OpGetLink, links(nil, link("of the second handler"))),
	))
	want := link("eth0")
	want.MTU = ynl.U32(0)
	if err := c.NewLink(bg, want, netlink.NLM_F_CREATE); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || flags != netlink.NLM_F_REQUEST|netlink.NLM_F_ACK|netlink.NLM_F_CREATE {
		t.Errorf("%+v with %v", got, flags)
	}
	if list, err := c.DumpLink(bg, nil).List(); err != nil || fmt.Sprint(names(list)) != "[a b]" {
		t.Errorf("%q, %v", names(list), err)
	}
	if l, err := c.GetLink(bg, nil); err != nil || l.Ifname != ynl.Some("a") {
		t.Errorf("%+v, %v", l, err)
	}
}

// Families of one protocol share a kernel.
func TestHandleSeveralFamilies(t *testing.T) {
	c := dial(t,
		ynltest.On(rtlink.OpGetLink, links(nil, link("a"))),
		ynltest.On(rtroute.OpGetRoute, func(*rtroute.Route, netlink.Flags) ([]*rtroute.Route, error) {
			return []*rtroute.Route{{Oif: ynl.U32(7)}}, nil
		}),
	)
	if l, err := rtlink.New(c).GetLink(bg, nil); err != nil || l.Ifname != ynl.Some("a") {
		t.Errorf("%+v, %v", l, err)
	}
	if list, err := rtroute.New(c).DumpRoute(bg, nil).List(); err != nil || len(list) != 1 || list[0].Oif != ynl.U32(7) {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestRefusals(t *testing.T) {
	tooLong := link("a")
	tooLong.Ifname = ynl.Some("NUL \x00 inside")
	for _, tt := range []struct {
		name    string
		f       func(*rtlink.Link, netlink.Flags) ([]*rtlink.Link, error)
		errno   syscall.Errno
		message string
		entries string // of a dump
	}{
		{"errno", links(syscall.ENODEV), syscall.ENODEV, "", "[]"},
		{"wrapped errno", links(fmt.Errorf("no: %w", syscall.EBUSY)), syscall.EBUSY, "", "[]"},
		{"KernelError", links(&wire.KernelError{Errno: syscall.EPERM, Ext: wire.ExtAck{Message: "not you"}}), syscall.EPERM, "not you", "[]"},
		{"other error", links(errors.New("broken")), syscall.EINVAL, "broken", "[]"},
		{"after entries", links(syscall.ENOMEM, link("a"), link("b")), syscall.ENOMEM, "", "[a b]"},
		{"reply that cannot be encoded", links(nil, link("a"), tooLong), syscall.EINVAL, "link: IFLA_IFNAME: NUL in string \"NUL \\x00 inside\"", "[a]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := rtlink.New(dial(t, ynltest.On(rtlink.OpGetLink, tt.f)))
			_, err := c.GetLink(bg, nil)
			list, dumped := c.DumpLink(bg, nil).List()
			for _, err := range []error{err, dumped} {
				var refusal *wire.KernelError
				if !errors.As(err, &refusal) || refusal.Errno != tt.errno || refusal.Ext.Message != tt.message {
					t.Errorf("%v, want %d %q", err, tt.errno, tt.message)
				}
			}
			if fmt.Sprint(names(list)) != tt.entries {
				t.Errorf("%q, want %s", names(list), tt.entries)
			}
		})
	}
}

func TestUnhandledRequest(t *testing.T) {
	if err := rtlink.New(dial(t)).NewLink(bg, link("a")); !errors.Is(err, syscall.EOPNOTSUPP) {
		t.Errorf("%v", err)
	}
}

// A request that the operation's type cannot hold is refused.
func TestRequestOfAnotherType(t *testing.T) {
	c := dial(t, ynltest.On(rtlink.OpGetLink, links(nil, link("a"))))
	_, err := c.Request(bg, rtlink.RTM_GETLINK, []byte{1}, 0)
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v", err)
	}
}
