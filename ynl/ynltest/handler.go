package ynltest

import (
	"errors"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/demux"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl"
)

// Handler answers the requests of one operation.
type Handler struct {
	op    *ynl.Op
	serve func(payload []byte, flags netlink.Flags) ([]ynl.Message, error)
}

// On returns a Handler that answers op with the messages that f returns. For most
// operations T and R are the same type. flags are those of the request, NLM_F_DUMP for a
// dump.
//
// An error refuses the request, with the messages before it: with its errno if it is a
// syscall.Errno, with its errno and explanation if it is a *wire.KernelError, and
// otherwise with EINVAL and the error's text as explanation. A request that is not of
// type T is refused in the same way. R's values are encoded when f returns.
func On[T any, P interface {
	*T
	ynl.Message
}, R any, Q interface {
	*R
	ynl.Message
}](op *ynl.Op, f func(req P, flags netlink.Flags) ([]Q, error)) Handler {
	return Handler{op, func(payload []byte, flags netlink.Flags) ([]ynl.Message, error) {
		req := P(new(T))
		if err := req.Decode(payload); err != nil {
			return nil, err
		}
		replies, err := f(req, flags)
		list := make([]ynl.Message, len(replies))
		for i, m := range replies {
			list[i] = m
		}
		return list, err
	}}
}

// Handle returns a handler for nltest.New and nltest.Dial of a family with a protocol of
// its own. Several families of that protocol may have handlers. If an operation has two,
// the first answers. A request without a handler is refused with EOPNOTSUPP, and so is a
// dump of an operation that has none.
func Handle(h ...Handler) func(req wire.Message) []wire.Message {
	return func(req wire.Message) []wire.Message {
		for _, h := range h {
			if h.serves(req, uint16(req.Header.Type)) {
				return h.answer(req, req.Payload, func(typ uint16, payload []byte) wire.Message {
					return wire.Message{Header: wire.Header{Type: netlink.MessageType(typ)}, Payload: payload}
				})
			}
		}
		return []wire.Message{nltest.Error(syscall.EOPNOTSUPP, wire.ExtAck{})}
	}
}

// serves reports whether the handler is for a request with that type or command.
func (h Handler) serves(req wire.Message, typ uint16) bool {
	if h.dumps(req) {
		return h.op.Request() == typ && h.op.CanDump()
	}
	return h.op.Request() == typ && h.op.CanDo()
}

// dumps reports whether a request is for a dump. The bits of NLM_F_DUMP mean something
// else in many requests.
func (h Handler) dumps(req wire.Message) bool {
	return demux.MayDump(netlink.Family(h.op.Family.Number), req.Header.Type, req.Header.Flags)
}

// answer returns the answer to a request with that payload after the generic header. wrap
// adds the headers to the payload of a reply.
func (h Handler) answer(req wire.Message, payload []byte, wrap func(typ uint16, payload []byte) wire.Message) []wire.Message {
	replies, err := h.serve(payload, req.Header.Flags)
	var msgs []wire.Message
	for _, m := range replies {
		payload, bad := encode(m)
		if bad != nil {
			err = bad
			break
		}
		msgs = append(msgs, wrap(h.op.Reply(), payload))
	}
	if err == nil {
		return msgs
	}
	errno, ext := refusal(err)
	if len(msgs) > 0 && h.dumps(req) {
		return append(msgs, nltest.Done(errno, ext))
	}
	return append(msgs, nltest.Error(errno, ext))
}

// encode returns the payload of a message.
func encode(m ynl.Message) ([]byte, error) {
	var b wire.Builder
	m.Encode(&b)
	return b.Encode()
}

// refusal returns how the kernel refuses with err.
func refusal(err error) (syscall.Errno, wire.ExtAck) {
	var errno syscall.Errno
	var refused *wire.KernelError
	switch {
	case errors.As(err, &refused):
		return refused.Errno, refused.Ext
	case errors.As(err, &errno):
		return errno, wire.ExtAck{}
	}
	return syscall.EINVAL, wire.ExtAck{Message: err.Error()}
}
