package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/sock"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// part makes a message of a dump.
func (req request) part(text string, flags netlink.Flags) []byte {
	return req.answer(newAddr, netlink.NLM_F_MULTI|flags, []byte(text))
}

func TestDumpIsCollectedUpToItsDone(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		if want := netlink.NLM_F_REQUEST | netlink.NLM_F_ACK | netlink.NLM_F_DUMP; req.Header.Flags != want {
			t.Fatalf("flags %v, want %v", req.Header.Flags, want)
		}
		req.send(append(req.part("1", 0), req.part("2", 0)...))
		req.send(req.part("3", 0))
		dump.wantWaiting("DONE is still to come")
		// The kernel appends DONE to the last data if there is room for it.
		req.send(append(req.part("4", 0), req.end(netlink.NLMSG_DONE, 0)...))
		wantTexts(t, dump, "1", "2", "3", "4")
		wantStats(t, c, client.Stats{})
	})
}

// Each dump has a socket of its own. Dumps run in parallel, and a request does not
// wait for one that the kernel keeps.
func TestDumpsShareNothing(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithInFlight(1))
		first := k.dump(bg, c)
		one := k.want(getAddr)
		second := k.dump(bg, c)
		two := k.want(getAddr)
		if one.from == two.from || one.from == k.socket(0) || two.from == k.socket(0) {
			t.Error("a dump shares a socket")
		}
		get := k.get(bg, c)
		k.want(getLink).ack()
		wantTexts(t, get)
		two.send(two.part("2", 0))
		two.done()
		wantTexts(t, second, "2")
		wantStats(t, c, client.Stats{Pending: 1})
		one.send(one.part("1", 0))
		one.done()
		wantTexts(t, first, "1")
		wantStats(t, c, client.Stats{})
	})
}

// collected is maxCollected of pool.go.
const collected = 8

// As many dumps are collected at once as have sockets. The others wait, unsent, with
// their ctx, until a socket is free.
func TestCollectedDumpsWaitForASocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dumps []*task[[]wire.Message]
		for range collected + 1 {
			dumps = append(dumps, k.dump(bg, c))
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(bg)
		left := k.dump(ctx, c)
		var reqs []request
		for range collected {
			reqs = append(reqs, k.want(getAddr))
		}
		k.wantIdle("there is no socket for more")
		cancel()
		wantError(t, left, context.Canceled, true)
		// A loop does not wait: its body may hold another one.
		k.during(func(req request) error { req.done(); return nil })
		wantLoop(t, c)
		k.during(nil)
		for _, req := range reqs {
			req.done()
		}
		k.want(getAddr).done()
		for _, dump := range dumps {
			wantTexts(t, dump)
		}
		wantStats(t, c, client.Stats{})
	})
}

// Many goroutines that collect dumps open few sockets, and use them again.
func TestManyCollectedDumpsOpenFewSockets(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		k.answersDumps(table("a", "b"))
		var dumps []*task[[]wire.Message]
		for range 256 {
			dumps = append(dumps, k.dump(bg, c))
		}
		for _, dump := range dumps {
			wantTexts(t, dump, "a", "b")
		}
		if n := len(k.Sockets()) - 1; n > collected {
			t.Errorf("%d sockets for dumps, want %d at most", n, collected)
		}
	})
}

// A request that waits for its dump's next datagram ends with its ctx when the kernel
// lets it go, and the socket goes with it.
func TestContextEndsACollectedDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		ctx, cancel := context.WithCancel(bg)
		dump := k.dump(ctx, c)
		req := k.want(getAddr)
		req.from.Queue(socktest.Datagram{Data: req.part("1", 0)})
		cancel()
		dump.wantWaiting("the kernel keeps its send")
		req.drop()
		wantError(t, dump, context.Canceled, false)
		if !req.from.Closed() {
			t.Error("the socket of the dump is open")
		}
		next := k.dump(bg, c)
		req = k.want(getAddr)
		req.send(req.part("mine", 0))
		req.done()
		wantTexts(t, next, "mine")
		wantStats(t, c, client.Stats{})
	})
}

// endlessSocket is a dump's socket with a datagram for every read.
type endlessSocket struct {
	*socktest.Socket

	reads  int
	onRead func(n int)
}

func (s *endlessSocket) OpenLike() (sock.Socket, error) {
	like, err := s.Socket.OpenLike()
	if err != nil {
		return nil, err
	}
	return &endlessSocket{Socket: like.(*socktest.Socket), onRead: s.onRead}, nil
}

func (s *endlessSocket) Recv(ds []sock.Datagram) (int, error) {
	n, err := s.Socket.Recv(ds)
	if err == syscall.EAGAIN && s.IsDumpSocket() {
		s.reads++
		s.onRead(s.reads)
		m := wire.Message{Header: wire.Header{Type: newAddr, Flags: netlink.NLM_F_MULTI}, Payload: []byte("more")}
		ds[0] = sock.Datagram{Buf: ds[0].Buf, N: copy(ds[0].Buf, wire.AppendMessage(nil, m)), NSID: -1}
		return 1, nil
	}
	return n, err
}

// A table may have no end. ctx and Close end its dump all the same.
func TestEndlessDumpIsAbandoned(t *testing.T) {
	for name, end := range map[string]func(c *client.Conn, cancel context.CancelFunc) error{
		"ctx":   func(_ *client.Conn, cancel context.CancelFunc) error { cancel(); return context.Canceled },
		"Close": func(c *client.Conn, _ context.CancelFunc) error { c.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				var c *client.Conn
				var want error
				k.wrap = func(s *socktest.Socket) sock.Socket {
					return &endlessSocket{Socket: s, onRead: func(n int) {
						if n == 100 {
							want = end(c, cancel)
						}
					}}
				}
				c = k.dial()
				k.during(func(request) error { return nil })
				dump := run(t, func() ([]wire.Message, error) { return c.Request(ctx, getAddr, nil, netlink.NLM_F_DUMP) })
				if want == nil {
					wantClosed(t, dump, false)
					return
				}
				wantError(t, dump, want, false)
			})
		})
	}
}

// Close returns although the kernel keeps the send of a dump, and ends the dumps that
// wait for a socket.
func TestCloseDoesNotWaitForADump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		var dumps []*task[[]wire.Message]
		for range collected + 1 {
			dumps = append(dumps, k.dump(bg, c))
			synctest.Wait()
		}
		loop := runAsync(t, func() ([]string, error) { return loop(bg, c, whole) })
		var reqs []request
		for range collected + 1 {
			reqs = append(reqs, k.want(getAddr))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, dumps[collected], true)
		for _, req := range reqs {
			if !req.from.Closed() {
				t.Error("the socket of a dump is open")
			}
			req.drop()
		}
		for _, dump := range dumps[:collected] {
			wantClosed(t, dump, false)
		}
		wantClosed(t, loop, false)
		wantStats(t, c, client.Stats{})
	})
}

// EBUSY is the kernel's answer and no reason to send anything again.
func TestBusyRequestIsNotSentAgain(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.get(bg, c)
		k.want(getLink).fail(syscall.EBUSY)
		wantError(t, call, syscall.EBUSY, false)
		dump := k.dump(bg, c)
		k.want(getAddr).fail(syscall.EBUSY)
		wantError(t, dump, syscall.EBUSY, false)
	})
}

// Only the shared socket is bound to anything. What changes something goes there,
// whatever its flags look like, and is sent once.
func TestChangesThatLookLikeDumpsAreSentOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		typ   netlink.MessageType
		flags netlink.Flags
	}{
		{"conntrack update", 1 << 8, netlink.NLM_F_REPLACE},
		{"ipset update", 6<<8 | 9, netlink.NLM_F_EXCL},
		{"nfqueue configuration", 3<<8 | 2, netlink.NLM_F_DUMP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_NETFILTER)
				call := k.request(bg, c, tt.typ, "", tt.flags)
				req := k.want(tt.typ)
				if req.from != k.socket(0) {
					t.Error("it went to a dump's socket")
				}
				req.fail(syscall.EBUSY)
				wantError(t, call, syscall.EBUSY, false)
			})
		})
	}
}

// ipset answers two commands by a dump that have no flag for it (ip_set_dump).
func TestDumpsWithoutAFlagHaveTheirSocket(t *testing.T) {
	for _, typ := range []netlink.MessageType{6<<8 | 7, 6<<8 | 8} { // IPSET_CMD_LIST, IPSET_CMD_SAVE
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(netlink.NETLINK_NETFILTER)
			call := k.request(bg, c, typ, "", 0)
			req := k.want(typ)
			if req.from == k.socket(0) {
				t.Error("it went to the shared socket")
			}
			req.send(req.part("set", 0), req.end(netlink.NLMSG_DONE, 0))
			wantTexts(t, call, "set")
		})
	}
}

// A request that only looked like a dump is acknowledged on its socket, which is used
// again.
func TestAcknowledgementEndsWhatWasNoDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_GENERIC)
		for range 3 {
			call := k.request(bg, c, 20, "\x01\x01", netlink.NLM_F_DUMP)
			req := k.want(20)
			req.reply("data")
			req.ack()
			wantTexts(t, call, "data")
		}
		call := k.request(bg, c, 20, "\x01\x01", netlink.NLM_F_DUMP)
		k.want(20).fail(syscall.EOPNOTSUPP)
		wantError(t, call, syscall.EOPNOTSUPP, false)
		if n := len(k.Sockets()); n != 2 {
			t.Errorf("%d sockets, want the Conn's and one for dumps", n)
		}
	})
}

// An echo keeps the group of the notification that it is a copy of. Without NLM_F_ECHO
// a message to a group is none of the dump's.
func TestEchoOnADumpSocket(t *testing.T) {
	for _, tt := range []struct {
		flags netlink.Flags
		want  []string
	}{
		{netlink.NLM_F_DUMP, nil},
		{netlink.NLM_F_DUMP | netlink.NLM_F_ECHO, []string{"echo"}},
	} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dial()
			call := k.request(bg, c, getAddr, "", tt.flags)
			req := k.want(getAddr)
			queue(req.from, addrGroup, req.data("echo"))
			req.done()
			wantTexts(t, call, tt.want...)
		})
	}
}

// The family thermal sends the messages of its dumps with number and port 0.
func TestMessagesWithoutANumberBelongToTheDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_GENERIC)
		k.during(func(req request) error {
			bare := wire.AppendMessage(nil, wire.Message{Header: wire.Header{Type: 20}, Payload: []byte("zone")})
			req.send(bare, req.end(netlink.NLMSG_DONE, 0))
			return nil
		})
		call := k.request(bg, c, 20, "\x01\x01", netlink.NLM_F_DUMP)
		wantTexts(t, call, "zone")
		for m, err := range c.Dump(bg, 20, []byte("\x01\x01")) {
			if err != nil || string(m.Payload) != "zone" {
				t.Errorf("%q, %v", m.Payload, err)
			}
		}
		wantEvents(t, c)
	})
}

// The kernel marks a dump during which its table changed, on a message or on the
// DONE (nl_dump_check_consistent). Entries may be missing then, so the dump is
// sent again, and is at last returned with the error that says so.
func TestInterruptedDumpIsSentAgain(t *testing.T) {
	const intr = netlink.NLM_F_DUMP_INTR
	onPart := func(req request) {
		req.send(req.part("a", intr), req.part("b", 0), req.end(netlink.NLMSG_DONE, 0))
	}
	onDone := func(req request) {
		req.send(req.part("a", 0), req.part("b", 0), req.answer(netlink.NLMSG_DONE, netlink.NLM_F_MULTI|intr, make([]byte, 4)))
	}
	for _, tt := range []struct {
		name      string
		opts      []client.Option
		interrupt func(request)
		tries     int
	}{
		{"on a part", nil, onPart, 4},
		{"on the end", nil, onDone, 4},
		{"once more", []client.Option{client.WithDumpRetries(1)}, onPart, 2},
		{"never", []client.Option{client.WithDumpRetries(0)}, onDone, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial(tt.opts...)
				dump := k.dump(bg, c)
				for range tt.tries {
					tt.interrupt(k.want(getAddr))
				}
				wantInterrupted(t, dump, "a", "b")
				wantStats(t, c, client.Stats{})
				if tt.tries == 1 {
					return
				}

				// An interruption that does not come back leaves no trace.
				dump = k.dump(bg, c)
				tt.interrupt(k.want(getAddr))
				req := k.want(getAddr)
				req.send(req.part("whole", 0))
				req.done()
				wantTexts(t, dump, "whole")
			})
		})
	}
}

// wantInterrupted requires ErrDumpInterrupted together with these texts.
func wantInterrupted(t *testing.T, dump *task[[]wire.Message], want ...string) {
	t.Helper()
	msgs, err := dump.result()
	if !errors.Is(err, client.ErrDumpInterrupted) || client.NotSent(err) || fmt.Sprint(texts(msgs)) != fmt.Sprint(want) {
		t.Fatalf("%q, %v; want %q, %v", texts(msgs), err, want, client.ErrDumpInterrupted)
	}
}

// A dump that resets what it reads has an effect: sent again, its first values would
// be lost. The same goes for a dump of which nothing is known.
func TestDumpThatResetsIsNotSentAgain(t *testing.T) {
	for _, tt := range []struct {
		family netlink.Family
		typ    netlink.MessageType
	}{
		{netlink.NETLINK_NETFILTER, 10<<8 | 25}, // NFT_MSG_GETRULE_RESET
		{netlink.NETLINK_NETFILTER, 10<<8 | 21}, // NFT_MSG_GETOBJ_RESET
		{netlink.NETLINK_NETFILTER, 10<<8 | 33}, // NFT_MSG_GETSETELEM_RESET
		{netlink.NETLINK_NETFILTER, 1<<8 | 3},   // IPCTNL_MSG_CT_GET_CTRZERO
		{netlink.NETLINK_NETFILTER, 7<<8 | 2},   // NFNL_MSG_ACCT_GET_CTRZERO
		{netlink.NETLINK_RDMA, 5<<10 | 1},
	} {
		play(t, func(t *testing.T, k *kernel) {
			c := k.dialFamily(tt.family)
			dump := k.request(bg, c, tt.typ, "", netlink.NLM_F_DUMP)
			req := k.want(tt.typ)
			req.send(req.part("4000 packets", netlink.NLM_F_DUMP_INTR), req.end(netlink.NLMSG_DONE, 0))
			wantInterrupted(t, dump, "4000 packets")
			k.wantIdle("its values are gone in the kernel")
		})
	}
}

// The kernel has seen the first try, so a later one that fails is not "not sent".
func TestFailureToRepeatIsNotNotSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		k.during(func(request) error { return syscall.ENOMEM })
		req.send(req.part("a", netlink.NLM_F_DUMP_INTR), req.end(netlink.NLMSG_DONE, 0))
		wantError(t, dump, syscall.ENOMEM, false)
		wantStats(t, c, client.Stats{})
	})
}

func TestErrorsOfACollectedDump(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(request)
		want error
	}{
		{"failed start", func(req request) { req.fail(syscall.EINVAL) }, syscall.EINVAL},
		{"failed callback", func(req request) { req.send(req.part("1", 0), req.end(netlink.NLMSG_DONE, syscall.EINVAL)) }, syscall.EINVAL},
		{"failed and interrupted", func(req request) {
			req.send(req.part("1", netlink.NLM_F_DUMP_INTR), req.end(netlink.NLMSG_DONE, syscall.EINVAL))
		}, syscall.EINVAL},
		{"refused for want of room", func(req request) { req.fail(syscall.ENOBUFS) }, syscall.ENOBUFS},
		{"ignored", func(req request) { req.drop() }, client.ErrUnanswered},
		{"stalled", func(req request) { req.from.Queue(socktest.Datagram{Data: req.part("1", 0)}); req.drop() }, client.ErrReplyLost},
		{"overrun", func(req request) { req.from.Overrun(syscall.ENOBUFS); req.drop() }, client.ErrReplyLost},
		{"garbage", func(req request) { req.from.Queue(socktest.Datagram{Data: []byte("garbage")}); req.drop() }, wire.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dial()
				dump := k.dump(bg, c)
				req := k.want(getAddr)
				k.during(func(poke request) error { poke.ack(); return nil })
				tt.end(req)
				wantError(t, dump, tt.want, false)
				var refusal *wire.KernelError
				if _, ok := tt.want.(syscall.Errno); ok && (!errors.As(dump.err, &refusal) || refusal.Request != getAddr) {
					t.Fatalf("%#v", dump.err)
				}
				if n := c.Stats().Pending; n != 0 {
					t.Errorf("%d pending", n)
				}
				k.during(nil)
				dump = k.dump(bg, c)
				k.want(getAddr).done()
				wantTexts(t, dump)
			})
		})
	}
}

// A dump that begins on a full queue is refused with ENOBUFS and goes on all the
// same (__netlink_dump_start).
func TestDumpRefusedForWantOfRoomMayStillCome(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		req.send(bytes.Join([][]byte{
			req.end(netlink.NLMSG_ERROR, syscall.ENOBUFS), req.part("1", 0), req.end(netlink.NLMSG_DONE, 0),
		}, nil))
		wantTexts(t, dump, "1")
		if !req.from.Closed() {
			t.Error("the socket may hold more, and is used again")
		}
		wantStats(t, c, client.Stats{})
	})
}

// With WithDumpSocket one socket is open from Dial on. The next dump reads what is left
// of one that was broken off.
func TestKeptDumpSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial(client.WithDumpSocket())
		if n := len(k.Sockets()); n != 2 {
			t.Fatalf("%d sockets after Dial, want 2", n)
		}
		k.answersDumps(table("a", "b", "c"))
		for range 3 {
			if got, err := loop(bg, c, 1); err != nil || fmt.Sprint(got) != "[a]" {
				t.Fatalf("loop: %q, %v", got, err)
			}
			wantTexts(t, k.dump(bg, c), "a", "b", "c")
			time.Sleep(time.Minute)
		}
		if n := len(k.Sockets()); n != 2 || k.socket(1).Closed() {
			t.Errorf("%d sockets, the dump's is closed: %t", n, k.socket(1).Closed())
		}
		// A second dump at the same time opens one, which is closed as usual.
		for range c.Dump(bg, getAddr, nil) {
			wantTexts(t, k.dump(bg, c), "a", "b", "c")
		}
		time.Sleep(time.Minute)
		open := 0
		for _, s := range k.Sockets()[1:] {
			if !s.Closed() {
				open++
			}
		}
		if open != 1 {
			t.Errorf("%d sockets for dumps are open, want 1", open)
		}
		// ctx also ends the reading of what is left.
		ctx, cancel := context.WithCancel(bg)
		if _, err := loop(bg, c, 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		wantError(t, k.dump(ctx, c), context.Canceled, true)
		wantTexts(t, k.dump(bg, c), "a", "b", "c")
	})
}

// noSocket is a socket like which no other can be opened.
type noSocket struct{ *socktest.Socket }

func (noSocket) OpenLike() (sock.Socket, error) { return nil, syscall.EMFILE }

// A dump for which no socket can be had was not sent and leaves nothing. A Dial that is
// to keep one fails.
func TestDumpWithoutASocketIsNotSent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.wrap = func(s *socktest.Socket) sock.Socket { return noSocket{s} }
		c := k.dial()
		for range collected + 1 { // each gives its slot back
			wantError(t, k.dump(bg, c), syscall.EMFILE, true)
		}
		wantLoopError(t, c, syscall.EMFILE, true)
		wantStats(t, c, client.Stats{})
		if _, err := client.Dial(netlink.NETLINK_ROUTE, client.WithSocket(k.open), client.WithDumpSocket(), client.WithEventSocket()); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("Dial: %v, want %v", err, syscall.EMFILE)
		}
		for i, s := range k.Sockets()[1:] {
			if !s.Closed() {
				t.Errorf("socket %d is open after a Dial that failed", i+1)
			}
		}
	})
}
