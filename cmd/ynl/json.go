package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// request returns the request of an operation: the JSON in args, if there is one, or that
// of the standard input if it is "-".
func (s *session) request(op *ynl.Op, args []string) (ynl.Message, error) {
	req := op.New()
	if len(args) == 0 {
		return req, nil
	}
	text := []byte(args[0])
	if args[0] == "-" {
		var err error
		if text, err = io.ReadAll(s.stdin); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
	}
	if err := unmarshal(text, req); err != nil {
		return nil, usagef("%s: JSON: %v", title(op), err)
	}
	return req, nil
}

// unmarshal reads a JSON object.
func unmarshal(text []byte, req ynl.Message) error {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '{' {
		return errors.New("it must be an object, such as {} or {\"name\": 1}")
	}
	err := json.Unmarshal(text, req)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w, after %d bytes", err, syntax.Offset)
	}
	return err
}

// payload is a message that is not decoded. So an entry of a dump that cannot be decoded
// does not end the dump.
type payload struct{ bytes []byte }

func (p *payload) Encode(b *wire.Builder) { b.Struct(p.bytes) }

func (p *payload) Decode(b []byte) error {
	p.bytes = slices.Clone(b)
	return nil
}

// reply returns a reply of an operation as JSON.
func reply(op *ynl.Op, p *payload) (json.RawMessage, error) {
	m := op.NewReply()
	if err := m.Decode(p.bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", title(op), err)
	}
	return json.Marshal(m)
}

// title returns the names of the family and of the operation.
func title(op *ynl.Op) string { return op.Family.Name + " " + op.Name() }

// field is a member of a JSON object.
type field struct {
	name  string
	value json.RawMessage
}

// fields returns the members of a JSON object in their order.
func fields(object json.RawMessage) (list []field, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := field{name: name.(string)}
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}
