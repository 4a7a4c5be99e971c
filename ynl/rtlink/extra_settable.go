package rtlink

import (
	"bytes"
	"net/netip"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
)

// The methods of this file adapt what the kernel reports of a link to what it takes.

func (l *Link) settable() {
	if l.Family == af.Bridge {
		l.settableBridge()
		return
	}
	// A link is made without settings of address families (rtnl_newlink), and what the
	// kernel reports of them is mostly read-only.
	l.AfSpec, l.Protinfo = nil, nil
	// Most links cannot be held down, and refuse even a 0 (do_set_proto_down).
	if l.ProtoDown.Value == 0 {
		l.ProtoDown, l.ProtoDownReason = ynl.Opt[uint8]{}, nil
	}
}

// settableBridge says that the VLANs of a bridge are its own: it is the only link that the
// kernel reports as its own master (br_fill_ifinfo).
func (l *Link) settableBridge() {
	spec, ok := l.AfSpec.(*BridgeAfSpec)
	if ok && !spec.Flags.Set && l.Master.Set && int32(l.Master.Value) == l.Index {
		spec.Flags = ynl.Some(BRIDGE_FLAGS_SELF)
	}
}

func (x *Vfinfo) settable() {
	// do_setvfinfo refuses the value that means "not supported by the driver".
	const unsupported = 0xffffffff
	if x.Spoofchk.Value.Setting == unsupported {
		x.Spoofchk = ynl.Opt[IflaVFSpoofchk]{}
	}
	if x.RSSQueryEn.Value.Setting == unsupported {
		x.RSSQueryEn = ynl.Opt[IflaVFRSSQueryEn]{}
	}
	if x.Trust.Value.Setting == unsupported {
		x.Trust = ynl.Opt[IflaVFTrust]{}
	}
}

func (x *LinkinfoVXLAN) settable() {
	switch {
	case len(x.TTLInherit) == 0: // absent, or a request already
	case bytes.Equal(x.TTLInherit, []byte{0}):
		x.TTLInherit = nil
	default:
		x.TTLInherit = []byte{}
	}
	// The kernel counts the bits of an extension as used if the attribute is there, even 0,
	// and refuses that they are reserved (vxlan_nl2conf).
	if x.RemcsumRx.Value == 0 {
		x.RemcsumRx = ynl.Opt[uint8]{}
	}
}

func (x *LinkinfoBridge) settable() {
	// A new bridge does not filter and has none of the options. A kernel that is built
	// without VLAN filtering reports that, and refuses even to turn it off.
	if x.VLANFiltering.Value == 0 {
		x.VLANFiltering = ynl.Opt[uint8]{}
	}
	x.MultiBoolopt.Value.Optmask = x.MultiBoolopt.Value.Optval
}

func (x *LinkinfoVLAN) settable() {
	// The kernel reports a mask of all bits and refuses bits that it does not know
	// (vlan_dev_change_flags).
	const known = VLAN_FLAG_REORDER_HDR | VLAN_FLAG_GVRP | VLAN_FLAG_LOOSE_BINDING | VLAN_FLAG_MVRP | VLAN_FLAG_BRIDGE_BINDING
	if x.Flags.Set {
		x.Flags.Value.Mask &= uint32(known | x.Flags.Value.Flags)
	}
}

func (x *LinkinfoGRE) settable() {
	// ipgre_tap_validate refuses the address that a link without one is reported to have.
	if x.Remote.IsUnspecified() {
		x.Remote = netip.Addr{}
	}
}

func (x *LinkinfoGRE6) settable() {
	// As ip6gre_tap_validate.
	if x.Remote.IsUnspecified() {
		x.Remote = netip.Addr{}
	}
}

func (x *LinkinfoGeneve) settable() {
	// The kernel ignores the TTL if this is there, even 0 (geneve_nl2info).
	if x.TTLInherit.Value == 0 {
		x.TTLInherit = ynl.Opt[uint8]{}
	}
}

func (x *LinkinfoMacvlan) settable() {
	if x.MacaddrData != nil && !x.MacaddrMode.Set {
		x.MacaddrMode = ynl.Some(MACVLAN_MACADDR_SET)
	}
}

func (x *LinkinfoHsr) settable() {
	// The kernel takes the last byte of the address that it reports.
	if n := len(x.SupervisionAddr); n > 0 && !x.MulticastSpec.Set {
		x.MulticastSpec = ynl.U8(x.SupervisionAddr[n-1])
	}
	x.SupervisionAddr = nil
}

// settable leaves out the options that the bond's mode does not have: the kernel reports
// all of them, and refuses them even with the value that they have (bond_opt_check_deps).
func (x *LinkinfoBond) settable() {
	x.ActiveSlave = ynl.Opt[uint32]{} // a port, of which a new bond has none
	if x.Miimon.Value == 0 {
		x.Updelay, x.Downdelay, x.PeerNotifDelay = ynl.Opt[uint32]{}, ynl.Opt[uint32]{}, ynl.Opt[uint32]{}
	}
	mode := x.Mode.Value
	if mode != BOND_MODE_ROUNDROBIN {
		x.PacketsPerSlave = ynl.Opt[uint32]{}
	}
	if mode != BOND_MODE_TLB && mode != BOND_MODE_ALB {
		x.TlbDynamicLb = ynl.Opt[uint8]{}
	}
	if mode == BOND_MODE_8023AD || mode == BOND_MODE_TLB || mode == BOND_MODE_ALB {
		x.ARPInterval, x.ARPValidate, x.MissedMax = ynl.Opt[uint32]{}, ynl.Opt[uint32]{}, ynl.Opt[uint8]{}
	}
	if mode != BOND_MODE_8023AD {
		x.AdLacpRate, x.AdLacpActive, x.LacpStrict = ynl.Opt[uint8]{}, ynl.Opt[uint8]{}, ynl.Opt[uint8]{}
		x.CoupledControl, x.BroadcastNeigh = ynl.Opt[uint8]{}, ynl.Opt[uint8]{}
		x.AdActorSysPrio, x.AdUserPortKey, x.AdActorSystem = ynl.Opt[uint16]{}, ynl.Opt[uint16]{}, nil
	}
	// Kernels before Linux 5.16 refuse the address that means none.
	if bytes.Count(x.AdActorSystem, []byte{0}) == len(x.AdActorSystem) {
		x.AdActorSystem = nil
	}
}
