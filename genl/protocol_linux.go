package genl

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// familyOf returns the family that c was dialled to. A scripted kernel's socket has no
// descriptor to ask, and counts as generic netlink.
func familyOf(c *client.Conn) (netlink.Family, error) {
	raw, err := c.SyscallConn()
	if errors.Is(err, errors.ErrUnsupported) {
		return netlink.NETLINK_GENERIC, nil
	}
	if err != nil {
		return 0, err
	}
	var family int
	var sockErr error
	err = raw.Control(func(fd uintptr) {
		family, sockErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	})
	return netlink.Family(family), errors.Join(err, sockErr)
}
