package demux

import (
	"encoding/binary"
	"syscall"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// A template is a message whose sequence number is that of a call, found when it
// is delivered.
type template struct {
	wire.Message
	to    string
	ahead uint32 // of the call's first number
}

func (m template) message(s *script) wire.Message {
	s.Helper()
	if m.to != "" {
		s.call(m.to)
		m.Header.Seq = s.seqs[m.to] + m.ahead
	}
	return m.Message
}

// data is a message of type newAddr that answers a call.
func data(to, payload string) template {
	m := template{to: to}
	m.Header = wire.Header{Type: newAddr, PortID: port}
	m.Payload = []byte(payload)
	return m
}

// notice is a message with a number of its own.
func notice(seq uint32, payload string) template {
	m := data("", payload)
	m.Header.Seq = seq
	return m
}

// ack acknowledges a call. Like netlink_ack it echoes the header of the request
// only, and says so.
func ack(to string) template {
	return data(to, errnoBytes(0)+string(make([]byte, wire.HeaderLen))).
		typed(netlink.NLMSG_ERROR).flagged(netlink.NLM_F_CAPPED)
}

// refuse is the kernel's refusal of a call, without the echo of the request.
func refuse(to string, errno syscall.Errno) template {
	return data(to, errnoBytes(errno)).typed(netlink.NLMSG_ERROR)
}

// accept acknowledges a call with a positive code.
func accept(to string, code int32) template {
	return data(to, codeBytes(code)+string(make([]byte, wire.HeaderLen))).
		typed(netlink.NLMSG_ERROR).flagged(netlink.NLM_F_CAPPED)
}

// done is an NLMSG_DONE for a call.
func done(to string, errno syscall.Errno) template {
	return data(to, errnoBytes(errno)).typed(netlink.NLMSG_DONE).flagged(netlink.NLM_F_MULTI)
}

func (m template) typed(typ netlink.MessageType) template { m.Header.Type = typ; return m }
func (m template) flagged(f netlink.Flags) template       { m.Header.Flags |= f; return m }
func (m template) from(port uint32) template              { m.Header.PortID = port; return m }

// at makes the message answer the i-th message of a batch; the one that opens it
// is at -1.
func (m template) at(i int) template { m.ahead = uint32(i + 1); return m }

// errnoBytes is the payload of an NLMSG_DONE.
func errnoBytes(errno syscall.Errno) string { return codeBytes(-int32(errno)) }

// codeBytes is the code of an acknowledgement.
func codeBytes(code int32) string {
	return string(binary.NativeEndian.AppendUint32(nil, uint32(code)))
}
