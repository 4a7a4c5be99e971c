package client

import (
	"sync"

	"github.com/nlmux/netlink/internal/sock"
)

// recvBuffers is the memory for the datagrams of one Recv. A buffer that was never used
// is nil.
type recvBuffers [sock.MaxRecv]sock.Datagram

// buffers lends recvBuffers to goroutines that read: idle sockets need none.
var buffers = sync.Pool{New: func() any { return new(recvBuffers) }}

// bufferSize is the size of one buffer in bytes. The kernel sizes the datagrams of a
// dump by it, up to 32 KiB (netlink_recvmsg). Single messages can be larger, for
// example a link with hundreds of virtual functions.
const bufferSize = 256 << 10

// first returns the first n datagrams, n being at least 1.
func (b *recvBuffers) first(n int) []sock.Datagram {
	for i := range n {
		if b[i].Buf == nil {
			b[i].Buf = make([]byte, bufferSize)
		}
	}
	return b[:n]
}
