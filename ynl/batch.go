package ynl

import (
	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// BatchMessage encodes a request for [client.Conn.Batch], which nftables needs for
// every change. A nil req is an empty one. An error is about a value that cannot be
// encoded.
func BatchMessage(op *Op, req Message, flags ...netlink.Flags) (client.BatchMessage, error) {
	var b wire.Builder
	payload, err := encode(&b, op, req)
	if err != nil {
		return client.BatchMessage{}, op.unsent(err)
	}
	m := client.BatchMessage{Type: netlink.MessageType(op.Row.Request), Payload: payload}
	for _, f := range flags {
		m.Flags |= f
	}
	return m, nil
}
