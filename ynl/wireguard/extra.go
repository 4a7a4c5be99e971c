package wireguard

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/nlmux/netlink/ynl"
)

// A Key is a private, public or preshared key.
type Key [WG_KEY_LEN]byte

// ParseKey returns the key that the tools write as text, in base64.
func ParseKey(s string) (Key, error) {
	// The decoder skips line breaks, so the length of the text counts as well.
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != WG_KEY_LEN || len(s) != base64.StdEncoding.EncodedLen(WG_KEY_LEN) {
		return Key{}, fmt.Errorf("wireguard: want a key of %d bytes in base64, got %d characters", WG_KEY_LEN, len(s))
	}
	return Key(b), nil
}

// KeyOf returns the key in an attribute. ok is false if it has another size, or is absent.
func KeyOf(attribute []byte) (k Key, ok bool) {
	if len(attribute) != WG_KEY_LEN {
		return Key{}, false
	}
	return Key(attribute), true
}

// String returns the key as text, in base64.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Allow returns the allowed addresses of a prefix.
func Allow(p netip.Prefix) AllowedIP {
	return AllowedIP{Family: ynl.U16(family(p.Addr())), Ipaddr: p.Addr(), CidrMask: ynl.U8(uint8(p.Bits()))}
}

// Prefix returns the prefix of allowed addresses.
func (a *AllowedIP) Prefix() netip.Prefix {
	return netip.PrefixFrom(a.Ipaddr, int(a.CidrMask.Value))
}

// Address families of Linux.
const (
	afINET  = 2
	afINET6 = 10
)

func family(a netip.Addr) uint16 {
	if a.Is4() {
		return afINET
	}
	return afINET6
}

// Layout of struct sockaddr_in and sockaddr_in6: the family and the port are the first
// four bytes of both.
const (
	sockaddrIn  = 16
	sockaddrIn6 = 28

	inAddr   = 4
	in6Addr  = 8
	in6Scope = 24
)

// SetEndpoint sets the address at which the peer can be reached. A zone of an IPv6 address
// is the index of an interface.
func (p *Peer) SetEndpoint(at netip.AddrPort) error {
	a := at.Addr()
	b := make([]byte, sockaddrIn6)
	switch {
	case !a.IsValid():
		return fmt.Errorf("wireguard: endpoint %v has no address", at)
	case a.Is4():
		b = b[:sockaddrIn]
		copy(b[inAddr:], a.AsSlice())
	default:
		copy(b[in6Addr:], a.AsSlice())
		var scope uint32
		if a.Zone() != "" {
			if _, err := fmt.Sscanf(a.Zone(), "%d", &scope); err != nil {
				return fmt.Errorf("wireguard: endpoint %v: the zone is no index of an interface", at)
			}
		}
		binary.NativeEndian.PutUint32(b[in6Scope:], scope)
	}
	binary.NativeEndian.PutUint16(b, family(a))
	binary.BigEndian.PutUint16(b[2:], at.Port())
	p.Endpoint = b
	return nil
}

// EndpointAddr returns the address at which the peer can be reached. It is not valid if
// there is none.
func (p *Peer) EndpointAddr() netip.AddrPort {
	b := p.Endpoint
	if len(b) < sockaddrIn {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case afINET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[inAddr:])), port)
	case afINET6:
		if len(b) < sockaddrIn6 {
			return netip.AddrPort{}
		}
		a := netip.AddrFrom16([16]byte(b[in6Addr:]))
		if scope := binary.NativeEndian.Uint32(b[in6Scope:]); scope != 0 {
			a = a.WithZone(fmt.Sprint(scope))
		}
		return netip.AddrPortFrom(a, port)
	}
	return netip.AddrPort{}
}

// Device returns a device with all its peers. The kernel reports a device with many peers
// in several messages, and of a peer with many allowed addresses in several elements;
// Device puts them together. It needs CAP_NET_ADMIN.
func (c *Client) Device(ctx context.Context, name string) (*Device, error) {
	var dev *Device
	for d, err := range c.DumpDevice(ctx, &Device{Ifname: ynl.Some(name)}) {
		switch {
		case err != nil:
			return nil, err
		case dev == nil:
			dev = d
			continue
		}
		dev.add(d.Peers)
	}
	if dev == nil {
		return nil, fmt.Errorf("wireguard get-device: %w", ynl.ErrNoReply)
	}
	return dev, nil
}

// add appends the peers of a further message. The first may be the rest of the last one.
func (d *Device) add(peers []Peer) {
	for _, p := range peers {
		if n := len(d.Peers); n > 0 && string(d.Peers[n-1].PublicKey) == string(p.PublicKey) {
			d.Peers[n-1].Allowedips = append(d.Peers[n-1].Allowedips, p.Allowedips...)
			continue
		}
		d.Peers = append(d.Peers, p)
	}
}
