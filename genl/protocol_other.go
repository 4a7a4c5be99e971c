//go:build !linux

package genl

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// familyOf returns a constant: only a scripted kernel can be dialled here.
func familyOf(*client.Conn) (netlink.Family, error) { return netlink.NETLINK_GENERIC, nil }
