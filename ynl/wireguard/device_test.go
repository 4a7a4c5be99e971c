package wireguard_test

import (
	"context"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/wireguard"
	"github.com/nlmux/netlink/ynl/ynltest"
)

const (
	text  = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	text2 = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
)

func key(t testing.TB, s string) wireguard.Key {
	t.Helper()
	k, err := wireguard.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKey(t *testing.T) {
	if k := key(t, text); k.String() != text {
		t.Errorf("%s became %s", text, k)
	} else if got, ok := wireguard.KeyOf(k[:]); !ok || got != k {
		t.Errorf("KeyOf(%x) is %v, %t", k[:], got, ok)
	}
	if _, ok := wireguard.KeyOf(nil); ok {
		t.Error("an absent key is one")
	}
	for _, s := range []string{"", "abc", text[:40], text + text, strings.Replace(text, "z", "!", 1), text + "\n"} {
		if _, err := wireguard.ParseKey(s); err == nil {
			t.Errorf("ParseKey(%q) succeeds", s)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for _, s := range []string{"192.0.2.1:51820", "[2001:db8::1]:1", "[fe80::1%7]:51820"} {
		want := netip.MustParseAddrPort(s)
		var p wireguard.Peer
		if err := p.SetEndpoint(want); err != nil || p.EndpointAddr() != want {
			t.Errorf("%v became %v, %v", want, p.EndpointAddr(), err)
		}
		if p.Endpoint = p.Endpoint[:15]; p.EndpointAddr().IsValid() {
			t.Errorf("%v, cut short, became %v", want, p.EndpointAddr())
		}
	}
	var p wireguard.Peer
	if p.EndpointAddr().IsValid() || p.SetEndpoint(netip.AddrPort{}) == nil || p.SetEndpoint(netip.MustParseAddrPort("[fe80::1%eth0]:1")) == nil {
		t.Errorf("%+v", p)
	}
}

func TestAllow(t *testing.T) {
	for _, s := range []string{"10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::/0"} {
		want := netip.MustParsePrefix(s)
		a := wireguard.Allow(want)
		if a.Prefix() != want || a.Family.Value != map[bool]uint16{true: 2, false: 10}[want.Addr().Is4()] {
			t.Errorf("%v became %v, family %v", want, a.Prefix(), a.Family)
		}
	}
}

// Device puts the messages of one device together, and the parts of a peer.
func TestDevice(t *testing.T) {
	a, b := key(t, text), key(t, text2)
	allow := func(s string) wireguard.AllowedIP { return wireguard.Allow(netip.MustParsePrefix(s)) }
	message := func(peers ...wireguard.Peer) *wireguard.Device {
		return &wireguard.Device{Ifname: ynl.Some("wg0"), ListenPort: ynl.U16(51820), Peers: peers}
	}
	c := nltest.Dial(netlink.NETLINK_GENERIC, ynltest.HandleGeneric(&wireguard.Family,
		ynltest.On(wireguard.OpGetDevice, func(req *wireguard.Device, _ netlink.Flags) ([]*wireguard.Device, error) {
			if req.Ifname != ynl.Some("wg0") {
				return nil, nil
			}
			return []*wireguard.Device{
				message(wireguard.Peer{PublicKey: a[:], RxBytes: ynl.U64(5), Allowedips: []wireguard.AllowedIP{allow("10.0.0.0/24")}}),
				message(wireguard.Peer{PublicKey: a[:], Allowedips: []wireguard.AllowedIP{allow("10.0.1.0/24")}}, wireguard.Peer{PublicKey: b[:]}),
			}, nil
		})))
	defer c.Close()
	d, err := wireguard.New(c).Device(context.Background(), "wg0")
	if err != nil {
		t.Fatal(err)
	}
	want := []wireguard.Peer{
		{PublicKey: a[:], RxBytes: ynl.U64(5), Allowedips: []wireguard.AllowedIP{allow("10.0.0.0/24"), allow("10.0.1.0/24")}},
		{PublicKey: b[:]},
	}
	if d.ListenPort != ynl.U16(51820) || !reflect.DeepEqual(d.Peers, want) {
		t.Errorf("%+v", d)
	}
	if d, err := wireguard.New(c).Device(context.Background(), "wg1"); err == nil {
		t.Errorf("wg1 is %+v", d)
	}
}
