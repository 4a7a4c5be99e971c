package ynl

import (
	"fmt"
	"slices"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/internal/table"
)

// Message is a message of a family: a pointer to a generated type.
type Message interface {
	// Encode appends the message to b: the family's header, if it has one, and the
	// attributes that are set. A value that does not fit its place on the wire fails b.
	// A nil pointer is an empty message.
	Encode(b *wire.Builder)

	// Decode reads the payload of a message, after struct genlmsghdr for generic
	// netlink. Decode copies what it keeps. It sets what is in the payload, so the
	// value must be a zero one. An error wraps [wire.ErrMalformed], and the value is
	// then incomplete.
	Decode(payload []byte) error
}

// Family describes a netlink family: rtlink.Family and the like. It is read-only and may
// be used by any number of goroutines at once.
type Family struct {
	// Rows and List are for generated code.
	Rows *table.Family
	List []*Op
}

// Name returns the family's name: that of the specification, such as "rt-link", which
// for generic netlink is the name in the kernel.
func (f *Family) Name() string { return f.Rows.Name }

// Protocol returns the family that a [client.Conn] has to be dialled to,
// NETLINK_GENERIC for generic netlink.
func (f *Family) Protocol() netlink.Family { return netlink.Family(f.Rows.Number) }

// checkConn returns an error if c cannot be used for the family.
func (f *Family) checkConn(c *client.Conn) error {
	switch {
	case c == nil:
		return errNilConn
	case c.Family() != f.Protocol():
		return fmt.Errorf("the family of the Conn is %v, want %v", c.Family(), f.Protocol())
	}
	return nil
}

// Ops returns the operations and the notifications of the family. The list is the
// caller's own.
func (f *Family) Ops() []*Op { return slices.Clone(f.List) }

// Decode decodes a message of the kernel: a reply, an event, and for a family of its own
// protocol also a request. typ is the type of the message; for generic netlink it is the
// command, and payload follows struct genlmsghdr. The value shares no memory with
// payload.
//
// Decode returns nil, nil if the family has no such message. An error wraps
// [wire.ErrMalformed] and comes without a value.
func (f *Family) Decode(typ uint16, payload []byte) (Message, error) {
	row := f.message(typ)
	if row == nil {
		return nil, nil
	}
	m := newMessage(f.Rows, row.Set)
	if err := m.Decode(payload); err != nil {
		return nil, &callError{family: f.Rows, op: row.Name, err: err}
	}
	return m, nil
}

// message returns the row of a message, nil if the family has none such.
func (f *Family) message(typ uint16) *table.Message {
	list := f.Rows.Messages
	i, ok := slices.BinarySearchFunc(list, typ, func(m table.Message, typ uint16) int { return int(m.Type) - int(typ) })
	if !ok {
		return nil
	}
	return &list[i]
}

// newMessage returns an empty message with the attributes of a set.
func newMessage(f *table.Family, set uint16) Message { return f.NewMessage(set).(Message) }

// Op is an operation of a family, or a notification: rtlink.OpNewLink and the like. It is
// read-only and may be used by any number of goroutines at once.
type Op struct {
	// Family and Row are for generated code.
	Family *table.Family
	Row    table.Op
}

// Name returns the name in the specification, such as "newlink".
func (o *Op) Name() string { return o.Row.Name }

// Request returns the type of the request, or its command for generic netlink. It is 0
// for a notification.
func (o *Op) Request() uint16 { return o.Row.Request }

// Reply returns the type of the reply or of the notification, or its command for generic
// netlink. It is 0 if the kernel only acknowledges.
func (o *Op) Reply() uint16 { return uint16(max(o.Row.Reply, 0)) }

// CanDo reports whether the operation can be requested for one object.
func (o *Op) CanDo() bool { return o.Row.Do }

// CanDump reports whether the operation can be requested as a dump.
func (o *Op) CanDump() bool { return o.Row.Dump }

// InBatch reports whether the kernel takes the request only within a batch, see
// [BatchMessage].
func (o *Op) InBatch() bool { return o.Row.Batch }

// Privilege returns the capability that a request needs: "CAP_NET_ADMIN", in the user
// namespace of the network namespace, or "CAP_NET_ADMIN in the initial user namespace".
// It is "" if the specification names none.
func (o *Op) Privilege() string {
	switch o.Row.Admin {
	case table.AdminUserNS:
		return "CAP_NET_ADMIN"
	case table.AdminInit:
		return "CAP_NET_ADMIN in the initial user namespace"
	}
	return ""
}

// New returns an empty request.
func (o *Op) New() Message { return newMessage(o.Family, o.Row.Set) }

// NewReply returns an empty reply or notification. For most operations it has the type of
// the request.
func (o *Op) NewReply() Message {
	if o.Row.ReplySet != 0 {
		return newMessage(o.Family, o.Row.ReplySet)
	}
	return o.New()
}
