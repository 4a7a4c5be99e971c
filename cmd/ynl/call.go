package main

import (
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
)

// call is an operation that is ready to be requested.
type call struct {
	op     *ynl.Op
	req    ynl.Message
	conn   *client.Conn
	caller *ynl.Caller
	end    func() error // to be called when the Conn is not used any more
}

// begin returns the call that the arguments FAMILY OP [JSON] mean.
func (s *session) begin(m mode, args []string) (c call, err error) {
	f, op, err := findOp(args[0], args[1], m)
	if err != nil {
		return c, err
	}
	c.op = op
	if c.req, err = s.request(op, args[2:]); err != nil {
		return c, err
	}
	c.conn, c.end, err = s.open(f.Protocol())
	c.caller = ynl.NewCaller(c.conn, f)
	return c, err
}
