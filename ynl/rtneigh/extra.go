package rtneigh

import (
	"net"
	"net/netip"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
)

// At returns the neighbour with an address on a link. It is complete as a request of
// GetNeigh or DelNeigh; one of NewNeigh also needs Lladdr and a State such as
// NUD_PERMANENT.
func At(index int32, a netip.Addr) *Neighbour {
	return &Neighbour{Ndmsg: Ndmsg{Family: af.Of(a), Ifindex: index}, Dst: a}
}

// FDB returns the forwarding entry of a bridge or of a VXLAN link for a MAC address. index
// is the port of the bridge, or with NTF_SELF in Flags the link that has a table of its
// own. It is complete as a request of DelNeigh; one of NewNeigh also needs a State:
// NUD_PERMANENT or, for an entry that does not age but may move, NUD_NOARP.
func FDB(index int32, mac net.HardwareAddr) *Neighbour {
	return &Neighbour{Ndmsg: Ndmsg{Family: af.Bridge, Ifindex: index}, Lladdr: mac}
}

// On returns a request of DumpNeigh for the neighbours on one link.
func On(index int32) *Neighbour { return &Neighbour{ViaIfindex: ynl.U32(uint32(index))} }

// settable adapts what the kernel reports of a forwarding entry to what it takes.
func (n *Neighbour) settable() {
	bridge := n.Master
	n.Master = ynl.Opt[uint32]{} // a filter of dumps otherwise
	if n.Family != af.Bridge {
		return
	}
	// The table that has the entry must be named (rtnl_fdb_del). The kernel names it only
	// if it is the link's own. Otherwise the entry is the bridge's, which has its own
	// addresses in the table that it has as a link.
	switch {
	case n.Flags&(NTF_SELF|NTF_MASTER) != 0 || !bridge.Set:
	case int32(bridge.Value) == n.Ifindex:
		n.Flags |= NTF_SELF
	default:
		n.Flags |= NTF_MASTER
	}
	// br_fdb_add and vxlan_fdb_add refuse an entry that has aged.
	if n.State == NUD_STALE {
		n.State = NUD_REACHABLE
	}
}
