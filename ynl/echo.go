package ynl

import (
	"context"
	"fmt"
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// Echo requests an operation that changes something, and returns the changed objects as the
// kernel has them: with the index of a new link, the handle of a new filter, and whatever
// else the request left to the kernel.
//
//	made, err := ynl.Echo(ctx, c, tc.OpNewFilter, filter, netlink.NLM_F_CREATE)
//	...
//	handle := made[0].Handle
//
// A nil req is an empty one. Echo adds NLM_F_ECHO to the flags. The kernel then sends the
// events of the change to the requester, before the acknowledgement, and Echo returns
// those of the request's type. A request that makes something has one. One that deletes
// may have several: with a veth goes its peer, with an IPv4 address those that are
// secondary to it. What was deleted is as it was.
//
// Not every change has an echo. The error is [ErrNoReply] if there is none, although the
// change was made. Linux 7.2 echoes
//   - links that are made or deleted (since 6.2), not those that are changed,
//   - addresses of IPv4, not of IPv6,
//   - routes, rules, next hops and namespace ids,
//   - qdiscs, classes, filters, chains and actions.
//
// It echoes neither neighbours nor entries of conntrack. For nftables, of which changes are
// batches, see the method CommitEcho of its Batch.
func Echo[P Message](ctx context.Context, c *client.Conn, op *Op, req P, flags ...netlink.Flags) ([]P, error) {
	if _, ok := op.New().(P); !ok {
		return nil, op.unsent(fmt.Errorf("the request is a %T, want %T", req, op.New()))
	}
	flags = append(slices.Clip(flags), netlink.NLM_F_ECHO)
	a, err := NewCaller(c, &Family{Rows: op.Family}).do(ctx, op, req, flags)
	if err != nil {
		return nil, err
	}
	var made []P
	for payload := range a.of(int32(op.Row.Request)) {
		x := op.New().(P)
		if err := x.Decode(payload); err != nil {
			return nil, op.sent(err)
		}
		made = append(made, x)
	}
	if made == nil {
		return nil, op.sent(ErrNoReply)
	}
	return made, nil
}
