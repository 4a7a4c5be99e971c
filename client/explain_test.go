package client_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// wantPath requires that err is a refusal of getLink that names it and an attribute.
func wantPath(t *testing.T, err error, name, path string) {
	t.Helper()
	var refusal *wire.KernelError
	if !errors.As(err, &refusal) || refusal.Errno != syscall.EINVAL || refusal.Request != getLink || refusal.Name != name || refusal.Path != path {
		t.Errorf("%v, want EINVAL of %q with path %q", err, name, path)
	}
}

// TestRefusalsNameTheAttribute, for every kind of request and of answer.
func TestRefusalsNameTheAttribute(t *testing.T) {
	var b wire.Builder
	b.Struct(make([]byte, 16)) // struct ifinfomsg
	b.String(3, "eth0")        // IFLA_IFNAME, at 32
	b.Nest(18, func(b *wire.Builder) {
		b.String(1, "dummy") // IFLA_LINKINFO, IFLA_INFO_KIND, at 44 and 48
	})
	payload, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	names := map[netlink.Family]string{netlink.NETLINK_ROUTE: "RTM_GETLINK", netlink.NETLINK_XFRM: "XFRM_MSG_GETSA"}
	for _, tt := range []struct {
		name   string
		family netlink.Family
		ext    wire.ExtAck
		want   string
	}{
		{"offset", netlink.NETLINK_ROUTE, wire.ExtAck{Offset: 48, HasOffset: true}, "IFLA_LINKINFO > IFLA_INFO_KIND"},
		{"missing", netlink.NETLINK_ROUTE, wire.ExtAck{MissingType: 29, HasMissingType: true}, "IFLA_EXT_MASK"},
		{"missing in a nest", netlink.NETLINK_ROUTE, wire.ExtAck{
			MissingType: 2, HasMissingType: true, MissingNest: 44, HasMissingNest: true,
		}, "IFLA_LINKINFO > IFLA_INFO_DATA"},
		{"offset of no attribute", netlink.NETLINK_ROUTE, wire.ExtAck{Offset: 49, HasOffset: true}, ""},
		{"text alone", netlink.NETLINK_ROUTE, wire.ExtAck{Message: "no"}, ""},
		{"unknown family", netlink.NETLINK_XFRM, wire.ExtAck{Offset: 48, HasOffset: true}, ""},
	} {
		for name, last := range map[string]wire.Message{
			"ERROR": nltest.Error(syscall.EINVAL, tt.ext),
			"DONE":  nltest.Done(syscall.EINVAL, tt.ext),
		} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				c := nltest.Dial(tt.family, func(wire.Message) []wire.Message { return []wire.Message{last} })
				defer c.Close()
				if name == "ERROR" {
					_, err := c.Request(bg, getLink, payload, 0)
					wantPath(t, err, names[tt.family], tt.want)
				}
				_, err := c.Request(bg, getLink, payload, netlink.NLM_F_DUMP)
				wantPath(t, err, names[tt.family], tt.want)
				for _, err := range c.Dump(bg, getLink, payload) {
					wantPath(t, err, names[tt.family], tt.want)
				}
			})
		}
	}
}
