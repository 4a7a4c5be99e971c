package ynl

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/genl"
	"github.com/nlmux/netlink/wire"
)

// Caller requests the operations of one family on a Conn, by [Exec], [Do] and [Dump]. It
// is for generated code: each type Client has one. It may be used by any number of
// goroutines at once.
type Caller struct {
	conn   *client.Conn
	family *Family
	err    error // of every call

	resolved atomic.Pointer[genl.Family] // nil until the first call of a generic family
}

// NewCaller returns a Caller for a family on c. If c is nil or speaks another protocol,
// every call fails.
func NewCaller(c *client.Conn, f *Family) *Caller {
	return &Caller{conn: c, family: f, err: f.checkConn(c)}
}

// Exec requests an operation that has no reply.
func Exec(ctx context.Context, k *Caller, op *Op, req Message, flags []netlink.Flags) error {
	_, err := k.do(ctx, op, req, flags)
	return err
}

// Do requests an operation and returns the first reply, of type T.
func Do[T any, P interface {
	*T
	Message
}](ctx context.Context, k *Caller, op *Op, req Message, flags []netlink.Flags) (*T, error) {
	a, err := k.do(ctx, op, req, flags)
	if err != nil {
		return nil, err
	}
	for payload := range a.of(op.Row.Reply) {
		x := new(T)
		if err := P(x).Decode(payload); err != nil {
			return nil, op.sent(err)
		}
		return x, nil
	}
	return nil, op.sent(ErrNoReply)
}

// answer is what the kernel sent before the acknowledgement. One of the lists is nil.
type answer struct {
	raw     []wire.Message
	generic []genl.Message
}

// of returns an iterator over the payloads of the messages of a type, or of a command.
func (a answer) of(typ int32) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, m := range a.raw {
			if int32(m.Header.Type) == typ && !yield(m.Payload) {
				return
			}
		}
		for _, m := range a.generic {
			if int32(m.Command) == typ && !yield(m.Payload) {
				return
			}
		}
	}
}

// do requests an operation.
func (k *Caller) do(ctx context.Context, op *Op, req Message, flags []netlink.Flags) (a answer, err error) {
	r, err := k.begin(ctx, op, req)
	if err != nil {
		return a, err
	}
	defer r.end()
	var all netlink.Flags
	for _, f := range flags {
		all |= f
	}
	if r.generic != nil {
		a.generic, err = r.generic.Request(ctx, k.conn, uint8(op.Row.Request), r.payload, all)
	} else {
		a.raw, err = k.conn.Request(ctx, netlink.MessageType(op.Row.Request), r.payload, all)
	}
	if err != nil {
		return a, op.sent(err)
	}
	return a, nil
}

// replies reports whether a message of that type or command is a reply of the operation.
func (o *Op) replies(typ uint16) bool { return int32(typ) == o.Row.Reply }

// request is an encoded request.
type request struct {
	op      *Op
	conn    *client.Conn
	builder *wire.Builder
	payload []byte       // the builder's
	generic *genl.Family // nil for another protocol
}

var builders = sync.Pool{New: func() any { return new(wire.Builder) }}

// begin encodes a request and resolves the family. The caller ends the request.
func (k *Caller) begin(ctx context.Context, op *Op, req Message) (request, error) {
	r := request{op: op, conn: k.conn}
	err := k.err
	if err == nil && ctx == nil {
		err = errNilContext
	}
	if err != nil {
		return r, op.unsent(err)
	}
	r.builder = builders.Get().(*wire.Builder)
	r.payload, err = encode(r.builder, op, req)
	if err == nil && k.family.Rows.Generic {
		r.generic, err = k.resolve(ctx)
	}
	if err != nil {
		r.end()
		return r, op.unsent(err)
	}
	return r, nil
}

// encode returns the payload of a request. It is b's.
func encode(b *wire.Builder, op *Op, req Message) ([]byte, error) {
	b.Reset()
	if req == nil {
		req = op.New()
	}
	req.Encode(b)
	return b.Encode()
}

// end gives the memory of the payload back.
func (r *request) end() { builders.Put(r.builder) }

// resolve returns the generic family. Concurrent first calls share one look-up.
func (k *Caller) resolve(ctx context.Context) (*genl.Family, error) {
	if f := k.resolved.Load(); f != nil {
		return f, nil
	}
	f, err := genl.Resolve(ctx, k.conn, k.family.Name())
	if err != nil {
		return nil, err
	}
	k.resolved.Store(&f)
	return &f, nil
}
