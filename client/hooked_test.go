package client_test

import (
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// hooked is a socket of a test. A hook replaces the method of its name, and can call
// the socket's method; a nil hook has no effect. The script sets it before dial, see
// kernel.hook, or while no goroutine uses the socket, see kernel.hooked.
type hooked struct {
	*socktest.Socket

	kernel *kernel

	onSend      func(b []byte) error
	onRecv      func(ds []sock.Datagram) (int, error)
	onWatch     func(ready func()) error
	onSetNotify func(on bool) error
	onPause     func(d time.Duration) error
	onBacklog   func() int
	onJoin      func(group uint32) error
	onLeave     func(group uint32) error
	onGroups    func() error
	onOpenLike  func() (sock.Socket, error)
	onClose     func() error
}

// wrap returns s as a hooked socket.
func (k *kernel) wrap(s sock.Socket) *hooked {
	h := &hooked{Socket: s.(*socktest.Socket), kernel: k}
	if k.hook != nil {
		k.hook(h)
	}
	k.mu.Lock()
	k.wrapped = append(k.wrapped, h)
	k.mu.Unlock()
	return h
}

// hooked returns the i-th socket that was opened. No goroutine uses it.
func (k *kernel) hooked(i int) *hooked {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.wrapped[i]
}

func (h *hooked) Send(b []byte) error {
	if h.onSend != nil {
		return h.onSend(b)
	}
	return h.Socket.Send(b)
}

func (h *hooked) Recv(ds []sock.Datagram) (int, error) {
	if h.onRecv != nil {
		return h.onRecv(ds)
	}
	return h.Socket.Recv(ds)
}

func (h *hooked) Watch(ready func()) error {
	if h.onWatch != nil {
		return h.onWatch(ready)
	}
	return h.Socket.Watch(ready)
}

func (h *hooked) SetNotify(on bool) error {
	if h.onSetNotify != nil {
		return h.onSetNotify(on)
	}
	return h.Socket.SetNotify(on)
}

func (h *hooked) Pause(d time.Duration) error {
	if h.onPause != nil {
		return h.onPause(d)
	}
	return h.Socket.Pause(d)
}

func (h *hooked) Backlog() int {
	if h.onBacklog != nil {
		return h.onBacklog()
	}
	return h.Socket.Backlog()
}

func (h *hooked) ReportGroups() error {
	if h.onGroups != nil {
		return h.onGroups()
	}
	return h.Socket.ReportGroups()
}

func (h *hooked) Join(group uint32) error {
	if h.onJoin != nil {
		return h.onJoin(group)
	}
	return h.Socket.Join(group)
}

func (h *hooked) Leave(group uint32) error {
	if h.onLeave != nil {
		return h.onLeave(group)
	}
	return h.Socket.Leave(group)
}

// OpenLike opens a dump socket, which is hooked as well.
func (h *hooked) OpenLike() (sock.Socket, error) {
	if h.onOpenLike != nil {
		return h.onOpenLike()
	}
	return h.openLike()
}

func (h *hooked) openLike() (sock.Socket, error) {
	s, err := h.Socket.OpenLike()
	if err != nil {
		return nil, err
	}
	return h.kernel.wrap(s), nil
}

func (h *hooked) Close() error {
	if h.onClose != nil {
		return h.onClose()
	}
	return h.Socket.Close()
}
