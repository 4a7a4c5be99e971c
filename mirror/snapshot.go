package mirror

import (
	"encoding/binary"
	"net/netip"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/nexthop"
	"github.com/nlmux/netlink/ynl/rtaddr"
	"github.com/nlmux/netlink/ynl/rtlink"
	"github.com/nlmux/netlink/ynl/rtneigh"
	"github.com/nlmux/netlink/ynl/rtrule"
)

// Snapshot is one instant of all tables of a Mirror. It never changes and stays valid for
// good. Tables that the Mirror does not have are empty.
type Snapshot struct{ s *state }

// Snapshot returns the state that was published last. It costs nothing.
func (m *Mirror) Snapshot() Snapshot { return Snapshot{m.state.Load()} }

// Rev returns the number of the state: a later one has a greater number.
func (s Snapshot) Rev() Rev { return s.s.rev }

// Exact reports whether these tables equal the kernel's, as far as it has announced
// changes. Tables that the Mirror does not have are not exact.
func (s Snapshot) Exact(tables Tables) bool { return s.s.exact&tables == tables }

// decode returns the value of a member.
func decode[T any, P interface {
	*T
	ynl.Message
}](k *kind, key []byte, members [][]byte) *T {
	value := members[0]
	if k.restore != nil {
		value = k.restore(value)
	}
	v := P(new(T))
	// It cannot fail: the message was cut apart when it came.
	_ = v.Decode(k.layout.join(nil, key, value))
	return (*T)(v)
}

// Links returns the links by index.
func (s Snapshot) Links() View[int32, *rtlink.Link] { return newView(s.s, linkCodec, links) }

var linkCodec = &codec[int32, *rtlink.Link]{
	key:   func(_ *kind, key []byte, _ int) int32 { return int32(keyNumber(key)) },
	value: decode[rtlink.Link],
	locate: func(index int32) (*kind, []byte, int) {
		return links, appendLink(nil, index), 0
	},
}

func appendLink(key []byte, index int32) []byte {
	return binary.BigEndian.AppendUint32(key, uint32(index))
}

// AddrKey identifies an address as the kernel does.
type AddrKey struct {
	Index int32      // of the link
	Local netip.Addr // the address of this end
	// Of an IPv4 address only: the same local address can be there with several prefix
	// lengths and peers. Peer is not valid if there is none.
	PrefixLen uint8
	Peer      netip.Addr
}

// Addrs returns the addresses by link. It lacks tentative IPv6 addresses that are not
// optimistic: the kernel announces them when duplicate address detection has ended.
func (s Snapshot) Addrs() View[AddrKey, *rtaddr.Addr] {
	return newView(s.s, addrCodec, addrs4, addrs6)
}

// AddrsOf returns the addresses of one link.
func (s Snapshot) AddrsOf(index int32) View[AddrKey, *rtaddr.Addr] {
	return s.Addrs().under(appendLink(nil, index))
}

var addrCodec = &codec[AddrKey, *rtaddr.Addr]{
	key: func(k *kind, key []byte, _ int) AddrKey {
		if k == addrs6 {
			return AddrKey{Index: int32(keyNumber(key)), Local: address(key[4:20])}
		}
		a := AddrKey{
			Index:     int32(keyNumber(key)),
			Local:     address(key[4:8]),
			PrefixLen: key[8],
			Peer:      address(key[9:13]),
		}
		if a.Peer == a.Local {
			a.Peer = netip.Addr{}
		}
		return a
	},
	value: decode[rtaddr.Addr],
	locate: func(a AddrKey) (*kind, []byte, int) {
		key := appendAddr(appendLink(nil, a.Index), a.Local)
		switch {
		case a.Local.Is6() && a.PrefixLen == 0 && !a.Peer.IsValid():
			return addrs6, key, 0
		case !a.Local.Is4():
			return nil, nil, 0
		}
		key = append(key, a.PrefixLen)
		switch {
		case !a.Peer.IsValid():
			return addrs4, appendAddr(key, a.Local), 0
		case a.Peer.Is4():
			return addrs4, appendAddr(key, a.Peer), 0
		}
		return nil, nil, 0
	},
}

// address returns the address of 4 or 16 bytes.
func address(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// appendAddr appends the bytes of an address, none if it is not valid.
func appendAddr(key []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		b := a.As4()
		return append(key, b[:]...)
	case a.Is6():
		b := a.As16()
		return append(key, b[:]...)
	}
	return key
}

// NeighKey identifies a neighbour.
type NeighKey struct {
	Index int32 // of the link
	Dst   netip.Addr
}

// Neighs returns the neighbours by link. It lacks entries that the kernel makes without a
// message: incomplete ones, and those without address resolution (NUD_NOARP). NUD_DELAY
// reads as NUD_STALE.
func (s Snapshot) Neighs() View[NeighKey, *rtneigh.Neighbour] {
	return newView(s.s, neighCodec, neighs4, neighs6)
}

// NeighsOf returns the neighbours of one link.
func (s Snapshot) NeighsOf(index int32) View[NeighKey, *rtneigh.Neighbour] {
	return s.Neighs().under(appendLink(nil, index))
}

var neighCodec = &codec[NeighKey, *rtneigh.Neighbour]{
	key: func(_ *kind, key []byte, _ int) NeighKey {
		return NeighKey{Index: int32(keyNumber(key)), Dst: address(key[4:])}
	},
	value: decode[rtneigh.Neighbour],
	locate: func(n NeighKey) (*kind, []byte, int) {
		key := appendAddr(appendLink(nil, n.Index), n.Dst)
		switch {
		case n.Dst.Is4():
			return neighs4, key, 0
		case n.Dst.Is6():
			return neighs6, key, 0
		}
		return nil, nil, 0
	},
}

// Nexthops returns the next hop objects and their groups by id.
func (s Snapshot) Nexthops() View[uint32, *nexthop.Nexthop] {
	return newView(s.s, nexthopCodec, nexthops)
}

var nexthopCodec = &codec[uint32, *nexthop.Nexthop]{
	key:   func(_ *kind, key []byte, _ int) uint32 { return keyNumber(key) },
	value: decode[nexthop.Nexthop],
	locate: func(id uint32) (*kind, []byte, int) {
		return nexthops, binary.BigEndian.AppendUint32(nil, id), 0
	},
}

// RuleKey is the place of a rule in the order in which the kernel tries them.
type RuleKey struct {
	Family   uint8 // AF_INET (2) or AF_INET6 (10)
	Priority uint32
	Place    int // among the rules of the priority; 0 is the first
}

// Rules returns the policy routing rules in the order in which the kernel tries them,
// those of IPv4 first.
func (s Snapshot) Rules() View[RuleKey, *rtrule.Rule] {
	return newView(s.s, ruleCodec, rules4, rules6)
}

var ruleCodec = &codec[RuleKey, *rtrule.Rule]{
	members: true,
	key: func(k *kind, key []byte, i int) RuleKey {
		return RuleKey{Family: k.family, Priority: keyNumber(key), Place: i}
	},
	value: decode[rtrule.Rule],
	locate: func(r RuleKey) (*kind, []byte, int) {
		key := binary.BigEndian.AppendUint32(nil, r.Priority)
		switch {
		case r.Place < 0:
		case r.Family == afInet:
			return rules4, key, r.Place
		case r.Family == afInet6:
			return rules6, key, r.Place
		}
		return nil, nil, 0
	},
}
