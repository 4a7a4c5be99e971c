//go:build linux

package rtlink_test

import (
	"testing"

	"github.com/nlmux/netlink/ynl"
	"github.com/nlmux/netlink/ynl/internal/af"
	"github.com/nlmux/netlink/ynl/internal/ynlkernel"
	"github.com/nlmux/netlink/ynl/rtlink"
)

const (
	linkHeader  = 16 // struct ifinfomsg
	statsHeader = 12 // struct if_stats_msg
)

// captures returns the messages of all dumps of links of many kinds.
func captures(t *testing.T) (links, stats []ynlkernel.Capture) {
	t.Helper()
	s := ynlkernel.NewEnds(t)
	s.Links(t)
	all := rtlink.RTEXT_FILTER_VF | rtlink.RTEXT_FILTER_BRVLAN | rtlink.RTEXT_FILTER_MRP | rtlink.RTEXT_FILTER_CFM_CONFIG |
		rtlink.RTEXT_FILTER_CFM_STATUS | rtlink.RTEXT_FILTER_MST
	links = s.Dump(t, rtlink.OpGetLink, &rtlink.Link{ExtMask: ynl.Some(all)})
	bridge := &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge}, ExtMask: ynl.Some(all)}
	links = append(links, s.Dump(t, rtlink.OpGetLink, bridge)...)
	compressed := &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Bridge}, ExtMask: ynl.Some(rtlink.RTEXT_FILTER_BRVLAN_COMPRESSED)}
	links = append(links, s.Dump(t, rtlink.OpGetLink, compressed)...)
	links = append(links, s.Dump(t, rtlink.OpGetLink, &rtlink.Link{Ifinfomsg: rtlink.Ifinfomsg{Family: af.Inet6}})...)
	const everything = 1<<5 - 1 // IFLA_STATS_FILTER_BIT of each attribute
	stats = s.Dump(t, rtlink.OpGetStats, &rtlink.Stats{IfStatsMsg: rtlink.IfStatsMsg{FilterMask: everything}})
	return links, stats
}

func TestLossless(t *testing.T) {
	links, stats := captures(t)
	for _, c := range links {
		ynlkernel.Lossless(t, &rtlink.Family, c, linkHeader)
	}
	for _, c := range stats {
		ynlkernel.Lossless(t, &rtlink.Family, c, statsHeader)
	}
	t.Log(len(links), "links,", len(stats), "statistics")
}

// TestOldAndNew: messages of older and newer kernels decode.
func TestOldAndNew(t *testing.T) {
	links, stats := captures(t)
	for _, c := range links {
		ynlkernel.Mutate(t, &rtlink.Family, c, linkHeader)
	}
	for _, c := range stats {
		ynlkernel.Mutate(t, &rtlink.Family, c, statsHeader)
	}
}
