package ynltest

import (
	"fmt"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// Push sends m as an event to a multicast group of k, see [nltest.Kernel.Push] and
// [Group]. Its type is that of op's reply, or of op's request if there is no reply, as
// the kernel announces RTM_DELLINK. Push panics if m cannot be encoded.
func Push(k *nltest.Kernel, group uint32, op *ynl.Op, m ynl.Message) {
	payload, err := encode(m)
	if err != nil {
		panic(fmt.Sprintf("ynltest: %s %s: %v", op.Family.Name, op.Name(), err))
	}
	typ := op.Reply()
	if typ == 0 {
		typ = op.Request()
	}
	if op.Family.Generic {
		k.Push(group, message(op.Family, typ, payload))
		return
	}
	k.Push(group, wire.Message{Header: wire.Header{Type: netlink.MessageType(typ)}, Payload: payload})
}
