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
NLM_F_REPLACE and NLM_F_APPEND. With -echo the object is printed as the kernel made it, for
example with the handle that it chose. For a change without an echo the command then fails
with "no reply", although the change was made.

Examples:
  ynl do rt-link getlink '{"ifname": "lo"}'
  ynl do -create -excl rt-link newlink '{"ifname": "v0", "linkinfo": {"kind": "veth"}}'
  ynl do rt-link setlink '{"ifname": "v0", "mtu": 9000, "ifi-flags": ["up"], "ifi-change": ["up"]}'
  ynl do -create rt-route newroute - <route.json
  ynl do ethtool rings-get '{"header": {"dev-name": "eth0"}}'
  ynl do -create nftables newtable '{"nfgen-family": 2, "name": "t"}'
  ynl do -create -echo nftables newtable '{"nfgen-family": 2, "name": "t2"}'
  ynl do -netns blue rt-link dellink '{"ifname": "v0"}'
`

// do has the flags of the subcommand.
type do struct {
	flags netlink.Flags
	echo  bool
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
	flags.BoolVar(&d.echo, "echo", false, "print what the kernel made")
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
		return d.batch(ctx, s, c)
	case d.echo:
		made, err := ynl.Echo(ctx, c.conn, c.op, c.req, flags...)
		if err != nil {
			return err
		}
		return d.printAll(s, made)
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

// batch requests an operation as the only one of a batch.
func (d *do) batch(ctx context.Context, s *session, c call) error {
	flags := d.flags
	if d.echo {
		flags |= netlink.NLM_F_ECHO
	}
	m, err := ynl.BatchMessage(c.op, c.req, flags)
	if err != nil {
		return err
	}
	replies, err := c.conn.Batch(ctx, uint8(m.Type>>8), []client.BatchMessage{m})
	var refused *client.BatchError
	if errors.As(err, &refused) {
		err = refused.Err // without the number of the message, which is the only one
	}
	if err != nil {
		return fmt.Errorf("%s: %w", title(c.op), err)
	}
	var made []ynl.Message
	for _, r := range replies {
		if r.Header.Type != m.Type {
			continue // such as the generation that nftables reports
		}
		x := c.op.New()
		if err := x.Decode(r.Payload); err != nil {
			return fmt.Errorf("%s: %w", title(c.op), err)
		}
		made = append(made, x)
	}
	return d.printAll(s, made)
}

// printAll prints objects.
func (d *do) printAll(s *session, list []ynl.Message) error {
	for _, m := range list {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := d.print(s, text); err != nil {
			return err
		}
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
