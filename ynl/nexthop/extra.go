package nexthop

import "github.com/nlmux/netlink/ynl"

// ByID returns a request about the nexthop with an ID: for GetNexthop, and for DelNexthop,
// which the kernel refuses with more attributes (rtm_nh_policy_del).
func ByID(id uint32) *Nexthop { return &Nexthop{ID: ynl.U32(id)} }

// Member returns a member of a group: the ID of a nexthop and its share of the traffic, from
// 1 to 65,536. Before Linux 6.12 the largest share is 255.
func Member(id uint32, share int) NexthopGrp {
	weight := uint16(share - 1)
	return NexthopGrp{ID: id, Weight: uint8(weight), WeightHigh: uint8(weight >> 8)}
}

// Share returns the share of the traffic that a member of a group gets, which is one more
// than its weight.
func (g *NexthopGrp) Share() int { return int(g.WeightHigh)<<8 + int(g.Weight) + 1 }
