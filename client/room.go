package client

import (
	"sync"

	"github.com/nlmux/netlink/internal/sock"
)

// room is the buffers for what one read brings. A buffer that has not been needed
// yet is not there.
type room [sock.MaxRecv]sock.Datagram

// rooms lends room to whoever reads: idle sockets hold none.
var rooms = sync.Pool{New: func() any { return new(room) }}

// readBuffer is the size of one buffer. The kernel sizes the parts of a dump by
// it, up to 32 KiB (netlink_recvmsg); single messages can be larger, such as a
// link with hundreds of virtual functions.
const readBuffer = 256 << 10

// first returns the first n places of the room, n being 1 at least.
func (r *room) first(n int) []sock.Datagram {
	for i := range n {
		if r[i].Buf == nil {
			r[i].Buf = make([]byte, readBuffer)
		}
	}
	return r[:n]
}
