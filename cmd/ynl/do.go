package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/ynl"
)

const doHelp = `Requests an operation for one object, and prints the reply, if the operation has one. The
JSON, or "-" for the standard input, is the request. The flags say what rtnetlink and
nftables do with an object that exists, or that does not: NLM_F_CREATE, NLM_F_EXCL,
NLM_F_REPLACE and NLM_F_APPEND.

Examples:
  ynl do rt-link getlink '{"ifname": "lo"}'
  ynl do -create -excl rt-link newlink '{"ifname": "v0", "linkinfo": {"kind": "veth"}}'
  ynl do rt-link setlink '{"ifname": "v0", "mtu": 9000, "ifi-flags": ["up"], "ifi-change": ["up"]}'
  ynl do -create rt-route newroute - <route.json
  ynl do ethtool rings-get '{"header": {"dev-name": "eth0"}}'
  ynl do -create nftables newtable '{"nfgen-family": 2, "name": "t"}'
  ynl do -netns blue rt-link dellink '{"ifname": "v0"}'
`

// do has the flags of the subcommand.
type do struct {
	flags netlink.Flags
	json  bool
}

func newDo(flags *flag.FlagSet) action {
	d := new(do)
	for _, f := range []struct {
		name  string
		value netlink.Flags
		about string
	}{
		{"create", netlink.NLM_F_CREATE, "make the object if it does not exist"},
		{"excl", netlink.NLM_F_EXCL, "fail if the object exists"},
		{"replace", netlink.NLM_F_REPLACE, "replace an object that exists"},
		{"append", netlink.NLM_F_APPEND, "add the object at the end of a list"},
	} {
		flags.BoolFunc(f.name, f.about, func(string) error {
			d.flags |= f.value
			return nil
		})
	}
	flags.BoolVar(&d.json, "json", false, "print the reply on one line also on a terminal")
	return d.run
}

func (d *do) run(ctx context.Context, s *session, args []string) error {
	c, err := s.begin(doMode, args)
	if err != nil {
		return err
	}
	defer func() { s.report(c.end()) }()
	flags := []netlink.Flags{d.flags}
	switch {
	case c.op.InBatch():
		return doBatch(ctx, c, d.flags)
	case c.op.Reply() == 0:
		return ynl.Exec(ctx, c.caller, c.op, c.req, flags)
	}
	p, err := ynl.Do[payload](ctx, c.caller, c.op, c.req, flags)
	if err != nil {
		return err
	}
	text, err := reply(c.op, p)
	if err != nil {
		return err
	}
	return d.print(s, text)
}

// doBatch requests an operation as the only one of a batch.
func doBatch(ctx context.Context, c call, flags netlink.Flags) error {
	m, err := ynl.BatchMessage(c.op, c.req, flags)
	if err != nil {
		return err
	}
	_, err = c.conn.Batch(ctx, uint8(m.Type>>8), []client.BatchMessage{m})
	var refused *client.BatchError
	if errors.As(err, &refused) {
		err = refused.Err // without the number of the message, which is the only one
	}
	if err != nil {
		return fmt.Errorf("%s: %w", title(c.op), err)
	}
	return nil
}

// print prints a reply.
func (d *do) print(s *session, text json.RawMessage) error {
	var out bytes.Buffer
	if s.width(s.stdout) > 0 && !d.json {
		if err := json.Indent(&out, text, "", "  "); err != nil {
			return err
		}
	} else {
		out.Write(text)
	}
	out.WriteByte('\n')
	_, err := s.stdout.Write(out.Bytes())
	return err
}
