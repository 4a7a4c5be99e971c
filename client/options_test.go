package client_test

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

func TestInvalidOptionsFailDial(t *testing.T) {
	for _, tt := range []struct {
		opts []client.Option
		want string
	}{
		{[]client.Option{client.WithReceiveBuffer(0)}, "WithReceiveBuffer: bytes must be at least 1, got 0"},
		{[]client.Option{client.WithSendBuffer(-1)}, "WithSendBuffer: bytes must be at least 1, got -1"},
		{[]client.Option{client.WithEventQueue(0)}, "WithEventQueue: n must be at least 1, got 0"},
		{[]client.Option{client.WithDumpRetries(-1)}, "WithDumpRetries: n must be at least 0, got -1"},
		{[]client.Option{client.WithInFlight(0)}, "WithInFlight: n must be at least 1, got 0"},
		// The first error is reported, even if a valid value follows.
		{[]client.Option{client.WithInFlight(-2), client.WithEventQueue(0)}, "WithInFlight: n must be at least 1, got -2"},
		{[]client.Option{client.WithInFlight(-2), client.WithInFlight(1)}, "WithInFlight: n must be at least 1, got -2"},
		{[]client.Option{client.WithEventFilter(nil)}, "WithEventFilter: n must be from 1 to 4096 instructions, got 0"},
		{[]client.Option{client.WithEventFilter(make([]client.FilterInstruction, 4097))}, "WithEventFilter: n must be from 1 to 4096 instructions, got 4097"},
		{[]client.Option{client.WithCapture(nil)}, "WithCapture: nil writer"},
		{[]client.Option{nil}, "nil option"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			var k socktest.Kernel
			c, err := client.Dial(netlink.NETLINK_ROUTE, append([]client.Option{client.WithSocket(k.Open)}, tt.opts...)...)
			if c != nil || err == nil || !strings.HasPrefix(err.Error(), "netlink: dial NETLINK_ROUTE: "+tt.want) {
				t.Fatalf("%v, %v; want %q", c, err, tt.want)
			}
			var op *client.OpError
			if !errors.As(err, &op) || op.Op != "dial NETLINK_ROUTE" {
				t.Errorf("%#v", err)
			}
			if n := len(k.Sockets()); n != 0 {
				t.Errorf("%d sockets opened", n)
			}
		})
	}
}

// The minimum values are allowed, and a Conn works with all of them at once.
func TestMinimumValues(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithReceiveBuffer(1), client.WithSendBuffer(1), client.WithEventQueue(1),
			client.WithDumpRetries(0), client.WithInFlight(1))
		call := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, call)
		k.join(c, linkGroup)
		k.multicast(linkGroup, "1")
		wantEvents(t, c, "1")
	})
}

// The options of the socket are passed to it, and to the second socket.
func TestOptionsReachTheSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		var got []sock.Config
		c, err := client.Dial(netlink.NETLINK_GENERIC,
			client.WithPortID(7), client.WithNetNS(8), client.WithReceiveBuffer(9), client.WithSendBuffer(10),
			client.WithStrictChecking(), client.WithListenAllNSID(), client.WithEventFilter([]client.FilterInstruction{{Op: 1, Jt: 2, Jf: 3, K: 4}}),
			client.WithSocket(func(cfg sock.Config) (sock.Socket, error) {
				got = append(got, cfg)
				return k.Open(cfg)
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		want := sock.Config{
			Family: netlink.NETLINK_GENERIC, PortID: 7, NetNS: 8, HasNetNS: true, ReceiveBuffer: 9, SendBuffer: 10,
			StrictChecking: true, ListenAllNSID: true,
		}
		second := want
		second.PortID = 0 // two sockets cannot have one port
		second.Filter = []sock.FilterInstruction{{Op: 1, Jt: 2, Jf: 3, K: 4}}
		if !reflect.DeepEqual(got, []sock.Config{want, second}) {
			t.Fatalf("opened\n%+v, want\n%+v", got, []sock.Config{want, second})
		}
		if c.PortID() != 7 {
			t.Fatalf("port %d, want 7", c.PortID())
		}
	})
}

// A Dial that fails half way leaves no socket and no goroutine.
func TestFailedOpenFailsDial(t *testing.T) {
	for good := range 2 {
		play(t, func(t *testing.T, k *kernel) {
			c, err := client.Dial(netlink.NETLINK_ROUTE, client.WithEventSocket(),
				client.WithSocket(func(cfg sock.Config) (sock.Socket, error) {
					if len(k.Sockets()) == good {
						return nil, syscall.EPROTONOSUPPORT
					}
					return k.Open(cfg)
				}))
			var op *client.OpError
			if c != nil || !errors.As(err, &op) || op.Op != "dial NETLINK_ROUTE" || !errors.Is(err, syscall.EPROTONOSUPPORT) {
				t.Fatal(c, err)
			}
			for _, s := range k.Sockets() {
				if !s.Closed() {
					t.Error("a socket was left open")
				}
			}
		})
	}
}

// Requests in flight must fit the receive buffer, because an answer that finds it full
// is lost.
func TestReceiveBufferBoundsRequestsInFlight(t *testing.T) {
	for _, tt := range []struct {
		buffer, inFlight int
		want             int // requests at once
	}{
		{212992, 0, 34},
		{425984, 0, 64}, // maxSlots in slots.go
		{12288, 0, 2},
		{6144, 0, 1},
		{1, 0, 1},
		{212992, 1, 1},
		{212992, 5, 5},
		{212992, 40, 40},
	} {
		t.Run(fmt.Sprint(tt.buffer, "-", tt.inFlight), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				k.Buffer = tt.buffer
				var opts []client.Option
				if tt.inFlight != 0 {
					opts = append(opts, client.WithInFlight(tt.inFlight))
				}
				c := k.dial(opts...)
				if s := c.Stats(); s.ReceiveBuffer != tt.buffer || s.SendBuffer != tt.buffer {
					t.Fatalf("buffers of %d and %d bytes, want %d", s.ReceiveBuffer, s.SendBuffer, tt.buffer)
				}
				dump := k.dump(bg, c)
				req := k.want(getAddr)
				k.wantRoom(c, tt.want, 1) // a dump takes none of it
				req.done()
				wantTexts(t, dump)
				k.wantRoom(c, tt.want, 0) // all of it is back
			})
		})
	}
}

// wantRoom requires that exactly n requests are sent at once, and that each waiting one
// is sent as soon as one has been answered. dumps run meanwhile.
func (k *kernel) wantRoom(c *client.Conn, n, dumps int) {
	k.t.Helper()
	var calls []*task[[]wire.Message]
	for range n + 2 {
		calls = append(calls, k.request(bg, c, newAddr, "", 0))
	}
	var sent []request
	for range n {
		sent = append(sent, k.want(newAddr))
	}
	for range 2 {
		k.wantIdle("there is no room for more")
		if got, want := c.Stats().Pending, n+dumps; got != want {
			k.t.Fatalf("%d requests in flight, want %d", got, want)
		}
		sent[0].ack()
		sent = append(sent[1:], k.want(newAddr))
	}
	for _, req := range sent {
		req.ack()
	}
	for _, call := range calls {
		wantTexts(k.t, call)
	}
}

// Access to the descriptor is for sockets that have one.
func TestScriptedSocketHasNoDescriptor(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		raw, err := c.SyscallConn()
		var op *client.OpError
		if raw != nil || !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &op) || op.Op != "syscallconn" {
			t.Fatal(raw, err)
		}
	})
}

// withDescriptor is a scripted socket that has one, number 42, until it is
// closed.
type withDescriptor struct{ *socktest.Socket }

// openWithDescriptor opens a socket that has a descriptor.
func (k *kernel) openWithDescriptor(cfg sock.Config) (sock.Socket, error) {
	s, err := k.Open(cfg)
	if err != nil {
		return nil, err
	}
	return withDescriptor{s.(*socktest.Socket)}, nil
}

func (s withDescriptor) Control(f func(fd uintptr)) error {
	if s.Closed() {
		return errors.New("use of closed file")
	}
	f(42)
	return nil
}

// Reading or writing alongside the Conn would steal answers, so it is refused.
func TestDescriptorIsForControlOnly(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithSocket(k.openWithDescriptor))
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var fd uintptr
		if err := raw.Control(func(n uintptr) { fd = n }); err != nil || fd != 42 {
			t.Fatalf("descriptor %d, %v", fd, err)
		}
		never := func(uintptr) bool { t.Error("called"); return true }
		if err := raw.Read(never); !errors.Is(err, errors.ErrUnsupported) {
			t.Error("read:", err)
		}
		if err := raw.Write(never); !errors.Is(err, errors.ErrUnsupported) {
			t.Error("write:", err)
		}
		c.Close()
		if err := raw.Control(func(uintptr) { t.Error("called") }); !errors.Is(err, net.ErrClosed) {
			t.Error("control:", err)
		}
	})
}
