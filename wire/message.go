package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/nlmux/netlink"
)

// HeaderLen is the size of a message header, struct nlmsghdr, in bytes.
const HeaderLen = 16

// ErrMalformed is wrapped by every error about bytes that cannot be read: a length that
// contradicts the buffer, or a value of the wrong size.
var ErrMalformed = errors.New("wire: malformed")

// Header is the header of a message, struct nlmsghdr. Its zero value is what
// [AppendMessage] sends for a request without flags.
type Header struct {
	Length uint32              // of header and payload in bytes, without padding
	Type   netlink.MessageType // types below netlink.NLMSG_MIN_TYPE are the same in every family
	Flags  netlink.Flags       // the meaning of bits from 0x100 up depends on Type
	Seq    uint32              // of the request, where the message answers one
	PortID uint32              // nlmsg_pid: a port, not a process; the sender can set any value
}

// Message is one netlink message.
type Message struct {
	Header Header
	// Payload is the bytes after the header, without padding. In a message that was
	// read it aliases the buffer; its capacity is its length, so appending to it never
	// overwrites the next message.
	Payload []byte
}

// Clone returns a copy of m that shares no memory with it.
func (m Message) Clone() Message {
	m.Payload = bytes.Clone(m.Payload)
	return m
}

// AppendMessage appends m to b, padded with zeros to a multiple of 4 bytes, and returns
// the extended slice. The length field is computed from the payload; m.Header.Length is
// ignored. The field has 32 bits. The kernel refuses messages far smaller than 4 GiB
// with EMSGSIZE, since a datagram must fit the socket's send buffer (netlink_sendmsg in
// net/netlink/af_netlink.c).
func AppendMessage(b []byte, m Message) []byte {
	var h [HeaderLen]byte
	binary.NativeEndian.PutUint32(h[0:], uint32(HeaderLen+len(m.Payload)))
	binary.NativeEndian.PutUint16(h[4:], uint16(m.Header.Type))
	binary.NativeEndian.PutUint16(h[6:], uint16(m.Header.Flags))
	binary.NativeEndian.PutUint32(h[8:], m.Header.Seq)
	binary.NativeEndian.PutUint32(h[12:], m.Header.PortID)
	b = append(b, h[:]...)
	b = append(b, m.Payload...)
	return appendPadding(b, len(m.Payload))
}

// Decode sets m to the message at the head of b and returns the bytes after its
// padding. The payload aliases b. The last message of a datagram may lack its padding.
// Decode allocates only for an error.
//
// An error wraps [ErrMalformed], and rest is nil. The header is still set if b holds
// one, and zero otherwise. If the length exceeds b, as in a datagram that was cut to
// the receive buffer, the payload is the part that is there.
func (m *Message) Decode(b []byte) (rest []byte, err error) {
	if len(b) < HeaderLen {
		*m = Message{}
		return nil, &lengthError{"message header", HeaderLen, len(b)}
	}
	// Set each field in place. Assembling the header elsewhere and copying it takes
	// three times as long: the copy loads at once what was stored in parts, and the
	// processor waits until all of it is in the cache.
	length := binary.NativeEndian.Uint32(b[0:])
	m.Header.Length = length
	m.Header.Type = netlink.MessageType(binary.NativeEndian.Uint16(b[4:]))
	m.Header.Flags = netlink.Flags(binary.NativeEndian.Uint16(b[6:]))
	m.Header.Seq = binary.NativeEndian.Uint32(b[8:])
	m.Header.PortID = binary.NativeEndian.Uint32(b[12:])
	if length < HeaderLen {
		m.Payload = nil
		return nil, &lengthError{"message", int64(length), len(b)}
	}
	// Not as an int, which may be too small for the length on a 32-bit machine.
	if uint64(length) > uint64(len(b)) {
		m.Payload = b[HeaderLen:len(b):len(b)]
		return nil, &lengthError{"message", int64(length), len(b)}
	}
	n := int(length)
	m.Payload = b[HeaderLen:n:n]
	return skipPadding(b[n:], n), nil
}

// Messages returns an iterator over the messages of a datagram b. Their payloads alias
// b. It ends after the last message, or after yielding the first error of
// [Message.Decode] with the part of its message that is there, since nothing after a
// wrong length can be found.
func Messages(b []byte) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for rest := b; len(rest) > 0; {
			var m Message
			var err error
			rest, err = m.Decode(rest)
			if !yield(m, err) {
				return
			}
		}
	}
}

// lengthError reports a length that is too small, or larger than the buffer.
type lengthError struct {
	what   string
	length int64 // in bytes, header included
	room   int   // bytes in the buffer
}

func (e *lengthError) Error() string {
	return fmt.Sprintf("%v: %s of %d bytes in %d", ErrMalformed, e.what, e.length, e.room)
}

func (e *lengthError) Unwrap() error { return ErrMalformed }

// appendPadding appends the zeros that make n bytes a multiple of 4, the alignment of
// messages and attributes (NLMSG_ALIGNTO, NLA_ALIGNTO).
func appendPadding(b []byte, n int) []byte {
	return append(b, "\x00\x00\x00"[:-n&3]...)
}

// skipPadding returns b without the padding after n bytes, which may be missing.
func skipPadding(b []byte, n int) []byte {
	return b[min(-n&3, len(b)):]
}
