package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/nlmux/netlink"
)

// Attributes of an acknowledgement (enum nlmsgerr_attrs in
// include/uapi/linux/netlink.h).
const (
	attrMsg      = 1
	attrOffs     = 2
	attrCookie   = 3
	attrPolicy   = 4
	attrMissType = 5
	attrMissNest = 6
)

// KernelError is the kernel's refusal of a request. It shares no memory with
// the message that brought it.
//
// errors.Is compares with Errno: errors.Is(err, fs.ErrNotExist) holds for ENOENT, and
// on Linux errors.Is(err, unix.ENODEV) for that errno. Errno has Linux's number on
// every GOOS. Elsewhere package syscall may have another name and text for it, so Error
// prints the number there.
type KernelError struct {
	Errno   syscall.Errno       // not 0
	Request netlink.MessageType // of the request, 0 if the message has none, as a DONE
	Seq     uint32              // of the request
	Ext     ExtAck              // zero unless the socket has set NETLINK_EXT_ACK

	// Echo is the request as the kernel returned it, zero if it returned only the
	// header, as for a socket that has set NETLINK_CAP_ACK. ipset always returns the
	// request, and writes the number of the failing line into its attribute
	// IPSET_ATTR_LINENO (call_ad in net/netfilter/ipset/ip_set_core.c).
	Echo Message

	// Name is the kernel's name of the request, such as "RTM_GETLINK", or for a command
	// without a name that of the generic family and the number; "" if unknown. ParseAck
	// does not know the family and leaves Name empty. Packages client and genl set it.
	Name string

	// Path names the attribute that Ext is about, after the nests around it:
	// "IFLA_LINKINFO > IFLA_INFO_KIND". It is the missing attribute with
	// Ext.HasMissingType, and otherwise the one at Ext.Offset. A type without a name is
	// printed as its number. ParseAck leaves Path empty, because it needs the request;
	// packages client and genl set it. It is empty if Ext is about no attribute, or if
	// the request's header is unknown. See [ExtAck.Path] for the types.
	Path string
}

// Error returns the request, the text of the errno and the kernel's explanation, such as
// "netlink: RTM_GETLINK: no such device".
func (e *KernelError) Error() string {
	var s strings.Builder
	s.WriteString("netlink: " + e.request() + ": " + errnoText(e.Errno))
	if e.Ext.Message != "" {
		s.WriteString(": " + e.Ext.Message)
	}
	path := e.Path
	if path != "" && path[0] >= '0' && path[0] <= '9' {
		path = "attribute " + path
	}
	switch {
	case !e.Ext.HasOffset:
	case path != "" && !e.Ext.HasMissingType:
		fmt.Fprintf(&s, " (at %s)", path)
	default:
		fmt.Fprintf(&s, " (at offset %d)", e.Ext.Offset)
	}
	switch {
	case !e.Ext.HasMissingType:
	case path != "":
		fmt.Fprintf(&s, " (missing %s)", path)
	case e.Ext.HasMissingNest:
		fmt.Fprintf(&s, " (missing attribute type %d in the nest at offset %d)", e.Ext.MissingType, e.Ext.MissingNest)
	default:
		fmt.Fprintf(&s, " (missing attribute type %d)", e.Ext.MissingType)
	}
	return s.String()
}

// request returns the best known name of the request.
func (e *KernelError) request() string {
	switch {
	case e.Name != "":
		return e.Name
	case e.Request == 0:
		return "request"
	case e.Request < netlink.NLMSG_MIN_TYPE:
		return e.Request.String()
	}
	return fmt.Sprintf("request type %d", uint16(e.Request))
}

// Unwrap returns Errno.
func (e *KernelError) Unwrap() error { return e.Errno }

// ExtAck is the kernel's explanation of an answer. A socket receives it if it has set
// NETLINK_EXT_ACK. The zero value is no explanation. Offsets are in bytes from the
// start of the request's header.
type ExtAck struct {
	// Message is English text as the kernel sent it. After a success it is a
	// warning.
	Message string
	// Offset is the offset of the refused attribute; valid with HasOffset.
	Offset uint32
	// Cookie has a meaning that the family defines; nil if none.
	Cookie []byte
	// Policy is the rule that the refused attribute violates, as attributes (enum
	// netlink_policy_type_attr), nil if none.
	Policy []byte
	// MissingType is the type of an attribute that the request lacks; valid with
	// HasMissingType.
	MissingType uint32
	// MissingNest is the offset of the nest that lacks it; valid with HasMissingNest.
	// Without that, the attribute belongs to the top level.
	MissingNest uint32

	HasOffset, HasMissingType, HasMissingNest bool
}

// Ack is the end of an answer, also of a success. It shares no memory with the message
// that brought it. The fields are those of [KernelError] without the Path, but Errno is
// 0 for a success.
type Ack struct {
	Errno   syscall.Errno
	Request netlink.MessageType
	Seq     uint32
	Ext     ExtAck
	Echo    Message

	// Code is a positive number that the family returns with a success, 0 for none:
	// MAC80211_HWSIM answers HWSIM_CMD_NEW_RADIO with the id of the radio, since
	// netlink_ack sends the return value of the handler.
	Code int32
}

// ParseAck reads an NLMSG_ERROR or NLMSG_DONE. It returns
//   - (nil, nil) for a success, without allocating and without reading warnings,
//   - a KernelError if the kernel refused,
//   - an error that wraps [ErrMalformed] if the message cannot be read, see
//     [DecodeAck],
//   - another error if the message is of another type.
//
// NB: a nil *KernelError in an error variable is not a nil error; test the
// pointer.
func ParseAck(m Message) (*KernelError, error) {
	if m.Header.Type == netlink.NLMSG_ERROR && len(m.Payload) >= 4 && binary.NativeEndian.Uint32(m.Payload) == 0 {
		return nil, nil // most messages
	}
	code, rest, err := splitAck(m)
	if err != nil || code >= 0 {
		return nil, err
	}
	a := decodeAck(m.Header, code, rest)
	return &KernelError{Errno: a.Errno, Request: a.Request, Seq: a.Seq, Ext: a.Ext, Echo: a.Echo}, nil
}

// DecodeAck reads an NLMSG_ERROR or NLMSG_DONE like [ParseAck], and also the warning or
// the cookie of a success. The error is that of ParseAck.
//
// An NLMSG_ERROR has a code, and so does an NLMSG_DONE with a payload: 0 and positive
// codes are successes, a negative one is an errno. A message that is too short for its
// code is malformed, and so is the code -1<<31, which is no errno. The bytes after the
// code are read as far as they are well formed. An NLMSG_DONE without payload is a
// success (team_nl_send_options_get in drivers/net/team/team_core.c sends one).
func DecodeAck(m Message) (Ack, error) {
	code, rest, err := splitAck(m)
	if err != nil {
		return Ack{}, err
	}
	return decodeAck(m.Header, code, rest), nil
}

// splitAck reads the code of m and returns the bytes after it.
func splitAck(m Message) (code int32, rest []byte, err error) {
	switch t := m.Header.Type; {
	case t != netlink.NLMSG_ERROR && t != netlink.NLMSG_DONE:
		return 0, nil, fmt.Errorf("wire: message type %d is not an acknowledgement", uint16(t))
	case t == netlink.NLMSG_DONE && len(m.Payload) == 0:
		return 0, nil, nil
	case len(m.Payload) < 4:
		return 0, nil, fmt.Errorf("%w: acknowledgement of %d bytes has no errno", ErrMalformed, len(m.Payload))
	}
	code = int32(binary.NativeEndian.Uint32(m.Payload))
	if code == math.MinInt32 {
		return 0, nil, fmt.Errorf("%w: acknowledgement with error code %d", ErrMalformed, code)
	}
	return code, m.Payload[4:], nil
}

// decodeAck reads the bytes after the code in the message with header h.
func decodeAck(h Header, code int32, rest []byte) Ack {
	a := Ack{Seq: h.Seq}
	if code < 0 {
		// No limit at the kernel's 4095 (include/linux/err.h): ipset has errnos of its
		// own from 4097 (IPSET_ERR_PRIVATE in
		// include/uapi/linux/netfilter/ipset/ip_set.h).
		a.Errno = syscall.Errno(-code)
	} else {
		a.Code = code
	}
	if h.Type == netlink.NLMSG_ERROR {
		if len(rest) < HeaderLen {
			return a
		}
		// netlink_ack copies the whole request into a refusal, unless the
		// socket has NETLINK_CAP_ACK, and the bare header into a success.
		a.Request = netlink.MessageType(binary.NativeEndian.Uint16(rest[4:])) // nlmsg_type
		if h.Flags&netlink.NLM_F_CAPPED != 0 {
			rest = rest[HeaderLen:]
		} else {
			var echo Message
			var err error
			if rest, err = echo.Decode(rest); err == nil && len(echo.Payload) > 0 {
				a.Echo = echo.Clone()
			}
		}
	}
	// The flag alone proves nothing: netlink_dump_done sets it on a DONE whose
	// attributes did not fit.
	if h.Flags&netlink.NLM_F_ACK_TLVS != 0 {
		a.Ext = decodeExtAck(rest)
	}
	return a
}

// decodeExtAck reads attributes up to the first malformed one. It skips those of a
// wrong size.
func decodeExtAck(b []byte) (x ExtAck) {
	for len(b) > 0 {
		var a Attr
		var err error
		if a, b, err = NextAttr(b); err != nil {
			break
		}
		switch a.Type {
		case attrMsg:
			x.Message = a.String()
		case attrOffs:
			x.Offset, x.HasOffset = optional(a.Uint32())
		case attrCookie:
			x.Cookie = bytes.Clone(a.Value)
		case attrPolicy:
			x.Policy = bytes.Clone(a.Value)
		case attrMissType:
			x.MissingType, x.HasMissingType = optional(a.Uint32())
		case attrMissNest:
			x.MissingNest, x.HasMissingNest = optional(a.Uint32())
		}
	}
	return x
}

// optional maps a getter's error to false.
func optional(v uint32, err error) (uint32, bool) { return v, err == nil }
