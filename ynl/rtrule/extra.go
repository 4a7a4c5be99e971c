package rtrule

import (
	"net/netip"

	"github.com/nlmux/netlink/ynl/internal/af"
)

// From returns a rule for packets from the addresses of a prefix. It still needs the Table
// that it looks up, or another Action.
func From(p netip.Prefix) *Rule { return new(Rule).From(p) }

// To returns a rule for packets to the addresses of a prefix. It still needs the Table
// that it looks up, or another Action.
func To(p netip.Prefix) *Rule { return new(Rule).To(p) }

// From restricts the rule to packets from the addresses of a prefix, and returns it. It
// sets the family, and the action FR_ACT_TO_TBL if there is none.
func (r *Rule) From(p netip.Prefix) *Rule {
	r.Src, r.SrcLen = p.Addr(), uint8(max(p.Bits(), 0))
	return r.of(p)
}

// To restricts the rule to packets to the addresses of a prefix, and returns it. It sets
// the family, and the action FR_ACT_TO_TBL if there is none.
func (r *Rule) To(p netip.Prefix) *Rule {
	r.Dst, r.DstLen = p.Addr(), uint8(max(p.Bits(), 0))
	return r.of(p)
}

func (r *Rule) of(p netip.Prefix) *Rule {
	r.Family = af.Of(p.Addr())
	if r.Action == FR_ACT_UNSPEC {
		r.Action = FR_ACT_TO_TBL
	}
	return r
}

// SrcPrefix returns the source addresses of the rule: all of its family if it has none.
func (r *Rule) SrcPrefix() netip.Prefix { return af.Prefix(r.Family, r.Src, r.SrcLen) }

// DstPrefix returns the destination addresses of the rule: all of its family if it has
// none.
func (r *Rule) DstPrefix() netip.Prefix { return af.Prefix(r.Family, r.Dst, r.DstLen) }
