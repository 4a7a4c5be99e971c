package client

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/names"
	"github.com/nlmux/netlink/wire"
)

// explain names the request that was refused and the attribute that the refusal is
// about. It returns err.
func explain(family netlink.Family, typ netlink.MessageType, payload []byte, err error) error {
	refusal, ok := err.(*wire.KernelError)
	if !ok {
		return err
	}
	request := names.Of(family, typ, payload)
	refusal.Name = request.Name
	refusal.Path = request.Path(payload, refusal.Ext)
	return err
}
