//go:build linux

package wireguard_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/internal/nstest"
	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/wireguard"
)

// A device is set up, wg shows it so, what is read is what was written, and a peer that was
// listed is removed and made again.
func TestDeviceOfKernel(t *testing.T) {
	ns := nstest.New(t)
	err := ns.Do(func() error {
		out, err := exec.Command("ip", "link", "add", "wg0", "type", "wireguard").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		nstest.Skip(t, "wireguard", "%v", err)
	}
	c := wireguard.New(kerneltest.Dial(t, ns, netlink.NETLINK_GENERIC))
	ctx := kerneltest.Patient(t)
	private, public := key(t, text), key(t, text2)
	peer := wireguard.Peer{
		PublicKey: public[:], PersistentKeepaliveInterval: ynl.U16(25), Flags: ynl.Some(wireguard.WGPEER_F_REPLACE_ALLOWEDIPS),
		Allowedips: []wireguard.AllowedIP{wireguard.Allow(netip.MustParsePrefix("10.0.0.0/24")), wireguard.Allow(netip.MustParsePrefix("2001:db8::/64"))},
	}
	if err := peer.SetEndpoint(netip.MustParseAddrPort("192.0.2.9:51820")); err != nil {
		t.Fatal(err)
	}
	err = c.SetDevice(ctx, &wireguard.Device{Ifname: ynl.Some("wg0"), PrivateKey: private[:], ListenPort: ynl.U16(51821), Fwmark: ynl.U32(0x77), Peers: []wireguard.Peer{peer}})
	if err != nil {
		t.Fatal(err)
	}

	d, err := c.Device(ctx, "wg0")
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := wireguard.KeyOf(d.PrivateKey); !ok || d.ListenPort != ynl.U16(51821) || d.Fwmark != ynl.U32(0x77) || len(d.Peers) != 1 || len(d.Unknown) > 0 {
		t.Fatalf("%+v, key %v", d, k)
	}
	p := d.Peers[0]
	if p.EndpointAddr().String() != "192.0.2.9:51820" || p.PersistentKeepaliveInterval != ynl.U16(25) || len(p.Unknown) > 0 {
		t.Errorf("peer %+v", p)
	}
	var prefixes []string
	for _, a := range p.Allowedips {
		prefixes = append(prefixes, a.Prefix().String())
	}
	slices.Sort(prefixes)
	if !slices.Equal(prefixes, []string{"10.0.0.0/24", "2001:db8::/64"}) {
		t.Errorf("allowed %q", prefixes)
	}

	show := func() string { return ns.Run(t, "wg", "showconf", "wg0") }
	before := show()
	for _, want := range []string{"ListenPort = 51821", "FwMark = 0x77", "PrivateKey = ", "PublicKey = " + public.String(), "Endpoint = 192.0.2.9:51820", "PersistentKeepalive = 25"} {
		if !strings.Contains(before, want) {
			t.Errorf("wg does not show %q in\n%s", want, before)
		}
	}
	gone := wireguard.Peer{PublicKey: p.PublicKey, Flags: ynl.Some(wireguard.WGPEER_F_REMOVE_ME)}
	if err := c.SetDevice(ctx, &wireguard.Device{Ifname: ynl.Some("wg0"), Peers: []wireguard.Peer{gone}}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(show(), "PublicKey") {
		t.Errorf("the peer is still there:\n%s", show())
	}
	if err := c.SetDevice(ctx, d.Settable()); err != nil {
		t.Fatal(err)
	}
	if after := show(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if _, err := c.Device(ctx, "none"); !errors.Is(err, unix.ENODEV) || !strings.HasPrefix(err.Error(), "wireguard get-device: ") {
		t.Errorf("error is %v, want ENODEV", err)
	}
}

// A peer with more allowed addresses than a message holds is read whole.
func TestManyAllowed(t *testing.T) {
	ns := nstest.New(t)
	if err := ns.Do(func() error { return exec.Command("ip", "link", "add", "wg0", "type", "wireguard").Run() }); err != nil {
		nstest.Skip(t, "wireguard", "%v", err)
	}
	c := wireguard.New(kerneltest.Dial(t, ns, netlink.NETLINK_GENERIC))
	ctx := kerneltest.Patient(t)
	public := key(t, text2)
	const n = 2000
	for i := 0; i < n; i += 500 {
		p := wireguard.Peer{PublicKey: public[:]}
		for j := range 500 {
			a := netip.AddrFrom4([4]byte{10, 0, byte((i + j) >> 8), byte(i + j)})
			p.Allowedips = append(p.Allowedips, wireguard.Allow(netip.PrefixFrom(a, 32)))
		}
		if err := c.SetDevice(ctx, &wireguard.Device{Ifname: ynl.Some("wg0"), Peers: []wireguard.Peer{p}}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := c.Device(ctx, "wg0")
	if err != nil || len(d.Peers) != 1 || len(d.Peers[0].Allowedips) != n {
		t.Fatalf("%d peers, %v", len(d.Peers), err)
	}
}
