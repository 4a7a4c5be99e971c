package sockdiag

import (
	"net/netip"
	"strings"
)

// afINET is AF_INET of Linux.
const afINET = 2

// AllStates are the states of a request for sockets in any state.
const AllStates TCPStates = 1<<32 - 1

// Sockets returns a request for the sockets of an address family and a protocol in any
// state, such as unix.AF_INET and unix.IPPROTO_TCP.
func Sockets(family, protocol uint8) *InetReq {
	return &InetReq{InetDiagReqV2: InetDiagReqV2{Family: family, Protocol: protocol, States: AllStates}}
}

// Source returns the local address of a socket.
func (m *InetDiagMsg) Source() netip.AddrPort {
	return netip.AddrPortFrom(address(m.Family, m.ID.Src), m.ID.Sport)
}

// Destination returns the address of a socket's peer. It is 0 if there is none.
func (m *InetDiagMsg) Destination() netip.AddrPort {
	return netip.AddrPortFrom(address(m.Family, m.ID.Dst), m.ID.Dport)
}

// Request returns a request about a socket that was listed, and no other one: for GetInet
// and Destroy.
func (m *InetDiagMsg) Request(protocol uint8) *InetReq {
	req := Sockets(m.Family, protocol)
	req.ID = m.ID
	return req
}

// address returns the address in 16 bytes, of which IPv4 uses the first four.
func address(family uint8, b [16]byte) netip.Addr {
	if family == afINET {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(b)
}

// Path returns the name of a socket of AF_UNIX: a path, or an abstract name with @ in place
// of its first byte, which is 0. It is empty if the socket has no name.
func (u *Unix) Path() string {
	if len(u.Name) > 0 && u.Name[0] == 0 {
		return "@" + string(u.Name[1:])
	}
	return strings.TrimRight(string(u.Name), "\x00")
}
