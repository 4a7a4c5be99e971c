package client_test

import (
	"net"
	"testing"
	"time"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
)

// The socket that was used last is lent first, so that those which are too many
// grow old.
func TestStreamsThatAreTooManyGrowOld(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		for range c.Dump(bg, getAddr, nil) {
			wantLoop(t, c, "a")
		}
		for range 3 {
			time.Sleep(4 * time.Second)
			wantLoop(t, c, "a")
		}
		open := 0
		for _, s := range k.Sockets()[1:] {
			if !s.Closed() {
				open++
			}
		}
		if len(k.Sockets()) != 3 || open != 1 {
			t.Errorf("%d of %d sockets for loops are open, want one of 2", open, len(k.Sockets())-1)
		}
	})
}

// Close does not wait for a loop body to come to an end.
func TestCloseClosesTheSocketUnderALoop(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a"))
		for range c.Dump(bg, getAddr, nil) {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if !k.socket(1).Closed() {
				t.Error("the dump's socket is open after Close")
			}
			break
		}
	})
}

// closingSocket closes the Conn while a twin is being made.
type closingSocket struct {
	*socktest.Socket

	conn *client.Conn
}

func (s *closingSocket) OpenLike() (sock.Socket, error) {
	twin, err := s.Socket.OpenLike()
	if err == nil {
		err = s.conn.Close()
	}
	return twin, err
}

// A loop that was about to open its socket sends nothing when the Conn has been
// closed meanwhile.
func TestCloseWhileALoopOpensItsSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		s := new(closingSocket)
		k.wrap = func(inner *socktest.Socket) sock.Socket { s.Socket = inner; return s }
		s.conn = k.dial()
		k.answersDumps(table("a"))
		wantLoopError(t, s.conn, net.ErrClosed, true)
	})
}
