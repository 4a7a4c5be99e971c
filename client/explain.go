package client

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/internal/attrname"
	"github.com/nlmux/netlink/wire"
)

// explain names the attribute that a refusal is about, in the request that has
// been refused, and returns the error that it was given.
func explain(family netlink.Family, typ netlink.MessageType, payload []byte, err error) error {
	refusal, ok := err.(*wire.KernelError)
	if !ok {
		return err
	}
	if header, attrs, ok := attrname.Of(family, typ); ok {
		refusal.Path = attrs.Path(refusal.Ext.Path(wire.Message{Payload: payload}, header))
	}
	return err
}
