package genl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/names"
	"github.com/nlmux/netlink/wire"
)

// ErrVersion reports a message with another version than [Family.Version]: the family
// was replaced after it was resolved.
var ErrVersion = errors.New("message of another version of the family")

// Message is a message of a family without its headers: a reply or an event.
type Message struct {
	Command uint8 // of the family; a reply may have another one than the request
	Version uint8 // of the family

	// Payload follows struct genlmsghdr: the family's own header of [Family.HeaderSize]
	// bytes, then attributes for [wire.Attrs]. In a message from Request it is the
	// caller's own.
	Payload []byte
}

// ParseMessage reads a message of any family, such as the Message of a [client.Event].
// The payload aliases m's. A message too short for struct genlmsghdr yields an error
// that wraps [wire.ErrMalformed]. So does an event of type NLMSG_OVERRUN, which reports
// a loss and is no message: check for it first.
func ParseMessage(m wire.Message) (Message, error) {
	if len(m.Payload) < headerLen {
		return Message{}, fmt.Errorf("genl: %w: message type %d of %d bytes has no generic header",
			wire.ErrMalformed, uint16(m.Header.Type), len(m.Payload))
	}
	return Message{Command: m.Payload[0], Version: m.Payload[1], Payload: m.Payload[headerLen:]}, nil
}

// Request sends a command and returns the replies, in the kernel's order; the caller
// owns their bytes. attrs holds the family's own header, if HeaderSize is not 0, and
// the attributes of the command, for example from [wire.Builder.Encode]. It is the
// caller's again when Request returns. Flags, ctx and errors are those of
// [client.Conn.Request], so NLM_F_DUMP collects a dump, and [client.ErrDumpInterrupted]
// comes with its replies. The command's [Op] says which privilege it needs.
//
// If the kernel no longer has a family with this ID, the name is looked up once more.
// If it has a new id, the request is sent again with that. f keeps its ID, but later
// requests use the new one, and [Resolve] for the same Conn returns it. That is safe,
// because the kernel refuses an unknown id before anything else (genl_rcv_msg in net/netlink/genetlink.c).
// It refuses with ENOENT. Commands do so too if the object of the request does not
// exist: that refusal is returned as it is, after the look-up. If the family is gone,
// errors.Is(err, fs.ErrNotExist) holds and the text says so.
//
// A reply that is too short yields an error that wraps [wire.ErrMalformed]. Replies of
// another version than f.Version come with [ErrVersion]. In both cases the request has
// been applied. If the family was replaced by another version, no second request is
// sent: ErrVersion comes without replies. If c is not a Conn to NETLINK_GENERIC,
// Request fails and sends nothing.
func (f Family) Request(ctx context.Context, c *client.Conn, command uint8, attrs []byte, flags netlink.Flags) ([]Message, error) {
	k, err := cacheOf(c)
	if err != nil {
		return nil, err
	}
	f = k.current(f)
	msgs, err := f.exchange(ctx, c, command, attrs, flags)
	if isUnknown(err) {
		if f, err = f.again(ctx, c, err); err == nil {
			msgs, err = f.exchange(ctx, c, command, attrs, flags)
			err = seen(err)
		}
	}
	return msgs, err
}

// exchange is Request for the ID that f has.
func (f Family) exchange(ctx context.Context, c *client.Conn, command uint8, attrs []byte, flags netlink.Flags) ([]Message, error) {
	payload := f.payload(command, attrs)
	replies, err := c.Request(ctx, f.ID, payload, flags)
	if len(replies) == 0 {
		return nil, f.explain(payload, err)
	}
	msgs := make([]Message, len(replies))
	for i, reply := range replies {
		m, bad := f.parse(reply)
		if bad != nil && !errors.Is(bad, ErrVersion) {
			return nil, bad
		}
		if err == nil {
			err = bad
		}
		msgs[i] = m
	}
	return msgs, err
}

// Dump returns an iterator over a dump of the command: each time that it is ranged
// over, it sends the command with NLM_F_DUMP and yields the kernel's messages in its
// order. It holds one datagram of the dump at a time. The rules of [client.Conn.Dump]
// for ctx, errors and breaking out apply. A message's payload is valid until the next
// step of the loop. The attributes are as for [Family.Request], and the caller's again
// when the loop has ended.
//
// An error is the last pair of the loop, its message is zero. A message that is too
// short ends the loop with an error that wraps [wire.ErrMalformed], one of another
// version than f.Version with [ErrVersion]. A family that was reloaded, is gone or has
// another version is handled as in Request.
func (f Family) Dump(ctx context.Context, c *client.Conn, command uint8, attrs []byte) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		k, err := cacheOf(c)
		if err != nil {
			yield(Message{}, err)
			return
		}
		f := k.current(f)
		begun := false
		each := func(m Message) bool {
			begun = true
			return yield(m, nil)
		}
		err = f.stream(ctx, c, command, attrs, each)
		// After the first message, a refusal cannot mean an unknown id.
		if !begun && isUnknown(err) {
			var now Family
			if now, err = f.again(ctx, c, err); err == nil {
				err = seen(now.stream(ctx, c, command, attrs, each))
			}
		}
		if err != nil {
			yield(Message{}, err)
		}
	}
}

// stream is one loop over a dump for the ID that f has. It returns nil when the
// loop was broken off.
func (f Family) stream(ctx context.Context, c *client.Conn, command uint8, attrs []byte, yield func(Message) bool) error {
	payload := f.payload(command, attrs)
	for reply, err := range c.Dump(ctx, f.ID, payload) {
		if err != nil {
			return f.explain(payload, err)
		}
		m, err := f.parse(reply)
		if err != nil {
			return err
		}
		if !yield(m) {
			return nil
		}
	}
	return nil
}

// explain names the command that was refused and the attribute that the refusal is
// about, where package client cannot, since only f knows the family and the size of its
// header. It returns err.
func (f Family) explain(payload []byte, err error) error {
	refusal, ok := err.(*wire.KernelError)
	if !ok {
		return err
	}
	request := names.OfGeneric(f.Name, payload, int(f.HeaderSize))
	refusal.Name = cmp.Or(refusal.Name, request.Name, fmt.Sprintf("%s command %d", f.Name, payload[0]))
	if refusal.Path == "" {
		refusal.Path = request.Path(payload, refusal.Ext)
	}
	return err
}

// payload lays out struct genlmsghdr and what follows.
func (f Family) payload(command uint8, attrs []byte) []byte {
	p := make([]byte, headerLen, headerLen+len(attrs))
	p[0], p[1] = command, uint8(f.Version)
	return append(p, attrs...)
}

// accepts reports whether f is used with messages of that version.
func (f Family) accepts(version uint32) bool {
	return f.Version == 0 || uint8(version) == uint8(f.Version)
}

// parse reads a reply. It returns an ErrVersion together with the message.
func (f Family) parse(reply wire.Message) (Message, error) {
	m, err := ParseMessage(reply)
	if err == nil && !f.accepts(uint32(m.Version)) {
		err = fmt.Errorf("genl: %s: %w: version %d, want %d", f.label(), ErrVersion, m.Version, f.Version)
	}
	return m, err
}

// seen returns the error of a second request, with [client.NotSent] false: the kernel
// has seen and refused the first.
func seen(err error) error {
	var op *client.OpError
	if client.NotSent(err) && errors.As(err, &op) {
		return &client.OpError{Op: op.Op, Err: op.Err}
	}
	return err
}

// isUnknown reports whether err is the refusal of an id that no family has.
func isUnknown(err error) bool {
	var refusal *wire.KernelError
	return errors.As(err, &refusal) && refusal.Errno == syscall.ENOENT
}

// again looks f's name up after a refusal. It returns the family to send the request
// to, or the error of the request.
func (f Family) again(ctx context.Context, c *client.Conn, refusal error) (Family, error) {
	// The controller is never unloaded. Without a name there is nothing to look up.
	if f.Name == "" || f.ID == ctrlID {
		return f, refusal
	}
	k, err := cacheOf(c)
	if err != nil {
		return f, refusal
	}
	k.drop(f.Name, f.ID)
	now, err := resolve(ctx, c, f.Name, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, fmt.Errorf("genl: %s is gone: %w", f.label(), refusal)
	case err != nil || now.ID == f.ID:
		return f, refusal
	case !f.accepts(now.Version):
		return f, fmt.Errorf("genl: %s: %w: version %d, want %d: %w", f.label(), ErrVersion, now.Version, f.Version, refusal)
	}
	f.ID = now.ID
	return f, nil
}
