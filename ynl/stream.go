package ynl

import (
	"context"
	"errors"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// Stream is a dump. Each range over it sends the request and yields the entries in the
// kernel's order, by [client.Conn.Dump]. An error is the last pair, its entry is nil;
// [client.ErrDumpInterrupted] comes after all entries. Breaking out of the loop ends the
// dump in the kernel.
//
// An entry is the caller's own, unless the dump has [Reuse]. The request must not be
// changed during the loop.
type Stream[T any] func(yield func(*T, error) bool)

// DumpOption changes how a dump is read.
type DumpOption int

// Reuse makes every step of the loop yield the same pointer, to a value that is valid
// until the next step. It saves the allocation of each entry. What an entry refers to,
// such as byte strings and nested attributes, is not reused. It has no effect on
// [Stream.List].
const Reuse DumpOption = 1

// List returns the entries. If the table changed during the dump, List repeats it as
// [client.Conn.Request] does, see [client.WithDumpRetries]. An error comes with the
// entries before it: [client.ErrDumpInterrupted] with those of the last try.
func (s Stream[T]) List() ([]*T, error) {
	list, err := s.collect(nil)
	for again := retries(err); again > 0 && retries(err) > 0; again-- {
		if list, err = s.collect(list[:0]); err != nil {
			markSent(err)
		}
	}
	return list, err
}

// collect appends the entries of one dump to list.
func (s Stream[T]) collect(list []*T) ([]*T, error) {
	var first *T // as it was yielded
	for x, err := range s {
		if err != nil {
			return list, err
		}
		switch {
		case first == nil:
			// Copied, since only the next step shows whether x is reused.
			first, x = x, clone(x)
		case x == first:
			x = clone(x)
		}
		list = append(list, x)
	}
	return list, nil
}

// clone returns a copy of x.
func clone[T any](x *T) *T {
	y := *x
	return &y
}

// retries returns the number of times that a dump which ended with err may be repeated,
// 0 if it was not interrupted.
func retries(err error) int {
	if e, ok := err.(*callError); ok {
		return e.retries
	}
	return 0
}

// markSent makes NotSent false: an earlier try of the request was sent.
func markSent(err error) {
	if e, ok := err.(*callError); ok {
		e.notSent = false
	}
}

// Dump requests a dump with entries of type T.
func Dump[T any, P interface {
	*T
	Message
}](ctx context.Context, k *Caller, op *Op, req Message, opts []DumpOption) Stream[T] {
	reuse := false
	for _, o := range opts {
		reuse = reuse || o == Reuse
	}
	return func(yield func(*T, error) bool) {
		r, err := k.begin(ctx, op, req)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.end()
		d := dump[T, P]{request: &r, reuse: reuse, yield: yield}
		if r.generic != nil {
			d.readGeneric(ctx)
		} else {
			d.read(ctx)
		}
	}
}

// dump is one loop over a dump.
type dump[T any, P interface {
	*T
	Message
}] struct {
	*request
	reuse bool
	yield func(*T, error) bool
	value *T // of the step before
}

func (d *dump[T, P]) read(ctx context.Context) {
	for m, err := range d.conn.Dump(ctx, netlink.MessageType(d.op.Row.Request), d.payload) {
		if !d.step(uint16(m.Header.Type), m.Payload, err) {
			return
		}
	}
}

func (d *dump[T, P]) readGeneric(ctx context.Context) {
	for m, err := range d.generic.Dump(ctx, d.conn, uint8(d.op.Row.Request), d.payload) {
		if !d.step(uint16(m.Command), m.Payload, err) {
			return
		}
	}
}

// step yields one message. It reports whether the loop goes on.
func (d *dump[T, P]) step(typ uint16, payload []byte, err error) bool {
	if err != nil {
		d.yield(nil, d.failed(err))
		return false
	}
	if !d.op.replies(typ) {
		return true
	}
	if d.reuse && d.value != nil {
		var zero T
		*d.value = zero
	} else {
		d.value = new(T)
	}
	if err := P(d.value).Decode(payload); err != nil {
		d.yield(nil, d.op.sent(err))
		return false
	}
	return d.yield(d.value, nil)
}

// failed returns the error of a dump that ended with err.
func (d *dump[T, P]) failed(err error) *callError {
	e := d.op.sent(err)
	if errors.Is(err, client.ErrDumpInterrupted) {
		typ := netlink.MessageType(d.op.Row.Request)
		if d.generic != nil {
			typ = d.generic.ID
		}
		e.retries = d.conn.DumpRetries(typ)
	}
	return e
}
