package socktest

import (
	"sync"

	"github.com/nlmux/netlink/internal/sock"
)

// Kernel is the kernel's side of the sockets that it opens. Its exported fields are
// set before the first Open.
type Kernel struct {
	// Request handles one frame that was sent on s, inside Send, in a
	// goroutine of its own. Its error is Send's. Nil: requests are dropped.
	Request func(s *Socket, frame []byte) error

	Limit      int    // maximum number of datagrams on a queue, 0: no limit
	Groups     uint32 // highest group that can be joined, 0: any
	Buffer     int    // size of the buffers in bytes, 0: the usual default
	CanSilence bool   // SetNotify(false) works; the bubble's time has to pass then

	mu sync.Mutex // guards following

	sockets []*Socket
}

// defaultBuffer is the usual net.core.rmem_default.
const defaultBuffer = 212992

func (k *Kernel) buffer() int {
	if k.Buffer != 0 {
		return k.Buffer
	}
	return defaultBuffer
}

func (k *Kernel) request(s *Socket, frame []byte) error {
	if k.Request == nil {
		return nil
	}
	return k.Request(s, frame)
}

// Open opens a socket. The first one that asks for no port gets port 1001.
func (k *Kernel) Open(cfg sock.Config) (sock.Socket, error) { return k.open(cfg, false), nil }

func (k *Kernel) open(cfg sock.Config, forDumps bool) *Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	port := cfg.PortID
	if port == 0 {
		port = uint32(1001 + len(k.sockets))
	}
	s := &Socket{
		silent:   true,
		kernel:   k,
		cfg:      cfg,
		forDumps: forDumps,
		port:     port,
		wake:     make(chan struct{}, 1),
		closed:   make(chan struct{}),
		joined:   make(map[uint32]bool),
	}
	k.sockets = append(k.sockets, s)
	return s
}

// Sockets returns the sockets that were opened, in order, closed ones included.
func (k *Kernel) Sockets() []*Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*Socket(nil), k.sockets...)
}
