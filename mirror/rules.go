package mirror

import (
	"slices"

	"github.com/nlmux/netlink/ynl/rtrule"
)

// rules4 and rules6 are the tables of policy routing rules, by priority. The rules of
// one priority are a list in the order of their insertion.
var (
	rules4 = ruleKind("rules4", TableRules4, afInet, rtrule.RTNLGRP_IPV4_RULE)
	rules6 = ruleKind("rules6", TableRules6, afInet6, rtrule.RTNLGRP_IPV6_RULE)
)

const (
	fibRuleHeader = 12
	fibRuleFlags  = 8
	// FIB_RULE_IIF_DETACHED and FIB_RULE_OIF_DETACHED: a rule's interface is not there
	// (attach_rules and detach_rules in net/core/fib_rules.c). FIB_RULE_UNRESOLVED: the
	// target of its goto.
	fibRuleVolatile = 0x4 | 0x8 | 0x10
)

func ruleKind(name string, bit Tables, family uint8, multicast uint32) *kind {
	return &kind{
		name: name, bit: bit, family: family,
		get: rtrule.RTM_GETRULE, new: rtrule.RTM_NEWRULE, del: rtrule.RTM_DELRULE, multicast: multicast,
		layout: layout{
			header: fibRuleHeader,
			key:    []part{{size: 4, attr: fraPriority, number: true}},
		}.complete(),
		request: func(family uint8, _ uint32) []byte { return []byte{family, fibRuleHeader - 1: 0} },
		loses:   true,
		clean: func(v []byte) []byte {
			flags := native.Uint32(v[fibRuleFlags:])
			native.PutUint32(v[fibRuleFlags:], flags&^fibRuleVolatile)
			return v
		},
		apply:   applyRule,
		follows: followsMember,
	}
}

// applyRule follows fib_newrule and fib_delrule: a new rule comes after those of its
// priority. Two equal rules are possible.
func applyRule(list [][]byte, m *message) ([][]byte, verdict) {
	i := index(list, m.value)
	switch {
	case m.new && i >= 0 && m.doubt:
		return append(list, m.value), uncertain
	case m.new:
		return append(list, m.value), certain
	case i < 0:
		return list, impossible
	}
	return slices.Delete(list, i, i+1), certain
}
