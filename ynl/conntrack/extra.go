package conntrack

import (
	"net/netip"

	"github.com/nlmux/netlink/ynl"
)

// NewTuple returns the tuple of a protocol with ports, such as unix.IPPROTO_TCP. The
// addresses are of one family, that of the message that gets the tuple.
func NewTuple(protocol uint8, src, dst netip.AddrPort) *Tuple {
	t := &Tuple{
		TupleIP: &TupleIP{},
		TupleProto: &TupleProto{
			ProtoNum:     ynl.U8(protocol),
			ProtoSrcPort: ynl.U16(src.Port()),
			ProtoDstPort: ynl.U16(dst.Port()),
		},
	}
	if src.Addr().Is4() {
		t.TupleIP.IPV4Src, t.TupleIP.IPV4Dst = src.Addr(), dst.Addr()
	} else {
		t.TupleIP.IPV6Src, t.TupleIP.IPV6Dst = src.Addr(), dst.Addr()
	}
	return t
}

// Source returns the source of a tuple. It is not valid if the tuple has none, and the
// port is 0 if the protocol has none.
func (t *Tuple) Source() netip.AddrPort {
	if t == nil || t.TupleIP == nil {
		return netip.AddrPort{}
	}
	return t.at(t.TupleIP.IPV4Src, t.TupleIP.IPV6Src, (*TupleProto).src)
}

// Destination returns the destination of a tuple. It is not valid if the tuple has none,
// and the port is 0 if the protocol has none.
func (t *Tuple) Destination() netip.AddrPort {
	if t == nil || t.TupleIP == nil {
		return netip.AddrPort{}
	}
	return t.at(t.TupleIP.IPV4Dst, t.TupleIP.IPV6Dst, (*TupleProto).dst)
}

func (t *Tuple) at(v4, v6 netip.Addr, port func(*TupleProto) uint16) netip.AddrPort {
	addr := v4
	if !addr.IsValid() {
		addr = v6
	}
	if t.TupleProto == nil || !addr.IsValid() {
		return netip.AddrPortFrom(addr, 0)
	}
	return netip.AddrPortFrom(addr, port(t.TupleProto))
}

func (p *TupleProto) src() uint16 { return p.ProtoSrcPort.Value }
func (p *TupleProto) dst() uint16 { return p.ProtoDstPort.Value }
