//go:build linux

package kerneltest

import (
	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
)

// Numbers and structs of linux/xfrm.h.
const (
	xfrmMsgNewPolicy    netlink.MessageType = 0x13
	xfrmMsgGetPolicy    netlink.MessageType = 0x15
	xfrmMsgUpdatePolicy netlink.MessageType = 0x19 // adds or replaces

	xfrmGroupPolicy = 4 // XFRMNLGRP_POLICY
)

type (
	xfrmSelector struct {
		Destination, Source                   [16]byte
		DestinationPort, DestinationPortMask  [2]byte
		SourcePort, SourcePortMask            [2]byte
		Family                                uint16
		DestinationPrefixLen, SourcePrefixLen uint8
		Protocol                              uint8
		_                                     [3]byte
		Interface                             int32
		User                                  uint32
	}
	xfrmUserpolicyInfo struct {
		Selector                        xfrmSelector
		Lifetime                        [8]uint64 // struct xfrm_lifetime_cfg
		Current                         [4]uint64 // struct xfrm_lifetime_cur
		Priority, Index                 uint32
		Direction, Action, Flags, Share uint8
		_                               [4]byte
	}
)

// xfrmPolicy returns an outgoing policy without limits.
func xfrmPolicy(priority uint32) xfrmUserpolicyInfo {
	p := xfrmUserpolicyInfo{Priority: priority, Direction: 1} // XFRM_POLICY_OUT
	p.Selector = xfrmSelector{Family: unix.AF_INET, SourcePrefixLen: 32}
	copy(p.Selector.Source[:], []byte{192, 0, 2, 1})
	for i := range 4 {
		p.Lifetime[i] = ^uint64(0) // XFRM_INF
	}
	return p
}
