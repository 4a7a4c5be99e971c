package client_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

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

// EBUSY is a refusal like any other: the request is not sent again.
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

// Only the shared socket has bindings. A request that changes something goes there,
// whatever its flags, and is sent once.
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
				k.wantIdle("the kernel has refused it")

				call = k.request(bg, c, tt.typ, "", tt.flags)
				req = k.want(tt.typ)
				req.from.Overrun(syscall.ENOBUFS)
				req.drop()
				wantLost(t, call)
				k.wantIdle("the kernel may have applied it")
			})
		})
	}
}

// ipset answers two commands by a dump without a flag (ip_set_dump).
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

// A request that only looked like a dump is acknowledged on its socket, which is
// reused.
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

// MAC80211_HWSIM acknowledges with the id of a radio, also a request whose flags look
// like a dump.
func TestPositiveCodeOfWhatWasNoDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_GENERIC)
		call := runAsync(t, func() (client.Reply, error) {
			return c.Exchange(bg, 20, []byte("\x04"), netlink.NLM_F_DUMP)
		})
		req := k.want(20)
		req.send(req.ackWith(t, netlink.NLMSG_ERROR, 5, 1, "a warning"))
		r, err := call.result()
		if err != nil || r.Ack.Code != 5 || r.Ack.Ext.Message != "a warning" || len(r.Messages) != 0 {
			t.Errorf("%+v, %v; want the code 5", r, err)
		}
		if req.from.Closed() {
			t.Error("the socket is not reused")
		}
	})
}

// The socket has joined no group, so what is sent to it is the answer. An echo has the
// group of its notification.
func TestEchoOnADumpSocket(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.request(bg, c, getAddr, "", netlink.NLM_F_DUMP|netlink.NLM_F_ECHO)
		req := k.want(getAddr)
		queue(req.from, addrGroup, req.data("echo"))
		req.done()
		wantTexts(t, call, "echo")
	})
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

// The kernel marks a dump during which its table changed, on a message or on the DONE
// (nl_dump_check_consistent). Entries may be missing, so the dump is repeated, and
// finally returned with ErrDumpInterrupted.
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
				if n := c.DumpRetries(getAddr); n != tt.tries-1 {
					t.Errorf("%d retries, want %d", n, tt.tries-1)
				}
				dump := k.dump(bg, c)
				for range tt.tries {
					tt.interrupt(k.want(getAddr))
				}
				wantInterrupted(t, dump, "a", "b")
				wantStats(t, c, client.Stats{})
				if tt.tries == 1 {
					return
				}

				// A dump that succeeds after an interruption has no error.
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

// A dump that resets values must not be repeated: its first values would be lost. An
// unknown dump may do that, too.
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
			if n := c.DumpRetries(tt.typ); n != 0 || c.Family() != tt.family {
				t.Errorf("%d retries of a dump of %v, want 0 of %v", n, c.Family(), tt.family)
			}
			dump := k.request(bg, c, tt.typ, "", netlink.NLM_F_DUMP)
			req := k.want(tt.typ)
			req.send(req.part("4000 packets", netlink.NLM_F_DUMP_INTR), req.end(netlink.NLMSG_DONE, 0))
			wantInterrupted(t, dump, "4000 packets")
			k.wantIdle("its values were reset")
		})
	}
}

// The kernel has seen the first try, so NotSent is false if a later one fails.
func TestFailureToRepeatMayHaveBeenSent(t *testing.T) {
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
		{"refused for lack of room", func(req request) { req.fail(syscall.ENOBUFS) }, syscall.ENOBUFS},
		{"refused in an overrun", func(req request) { req.from.Overrun(syscall.ENOBUFS); req.fail(syscall.ENOBUFS) }, client.ErrReplyLost},
		{"refused while another process sends", func(req request) {
			req.from.Queue(socktest.Datagram{Data: event("forged"), PortID: 4711})
			req.fail(syscall.ENOBUFS)
		}, client.ErrReplyLost},
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

// An NLMSG_DONE with ENOBUFS ends a dump, and nothing follows: the socket is reused.
func TestDumpThatFailsForLackOfMemoryHasEnded(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		req.send(req.part("1", 0), req.end(netlink.NLMSG_DONE, syscall.ENOBUFS))
		wantError(t, dump, syscall.ENOBUFS, false)
		if req.from.Closed() {
			t.Error("the socket is not reused")
		}
	})
}

// A dump that begins on a full queue is refused with ENOBUFS and continues nevertheless
// (__netlink_dump_start), at once or as the queue is read.
func TestDumpRefusedForLackOfRoomMayContinue(t *testing.T) {
	for name, answer := range map[string]func(req request) [][]byte{
		"in one datagram": func(req request) [][]byte {
			return [][]byte{slices.Concat(req.end(netlink.NLMSG_ERROR, syscall.ENOBUFS), req.part("1", 0), req.end(netlink.NLMSG_DONE, 0))}
		},
		"in a datagram of its own": func(req request) [][]byte {
			return [][]byte{req.end(netlink.NLMSG_ERROR, syscall.ENOBUFS), req.part("1", 0), req.end(netlink.NLMSG_DONE, 0)}
		},
		"after a poke": nil,
	} {
		for _, loops := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", loop: ", loops), func(t *testing.T) {
				play(t, func(t *testing.T, k *kernel) {
					c := k.dial()
					var dump request
					k.during(func(req request) error {
						switch {
						case req.Header.Type == netlink.NLMSG_NOOP:
							req.ack()
							dump.send(dump.part("1", 0), dump.end(netlink.NLMSG_DONE, 0))
						case answer != nil:
							req.send(answer(req)...)
						default:
							dump = req
							req.fail(syscall.ENOBUFS)
						}
						return nil
					})
					if loops {
						wantLoop(t, c, "1")
					} else {
						wantTexts(t, k.dump(bg, c), "1")
					}
					if !k.socket(1).Closed() {
						t.Error("the socket may hold more, and is reused")
					}
					wantStats(t, c, client.Stats{})
				})
			})
		}
	}
}

// The kernel sizes the datagrams of a dump by the largest read so far, and makes the
// first one before the dump is read (netlink_dump). So a new socket first makes a large
// read, of the answer to a NOOP.
func TestDumpSocketMakesALargeReadFirst(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		var did []string
		k.hook = func(h *hooked) {
			if !h.IsDumpSocket() {
				return
			}
			h.onSend = func(b []byte) error {
				did = append(did, fmt.Sprint("send ", binary.NativeEndian.Uint16(b[4:])))
				return h.Socket.Send(b)
			}
			h.onRecv = func(ds []sock.Datagram) (int, error) {
				if len(ds[0].Buf) >= 32<<10 { // the kernel's largest datagram of a dump
					did = append(did, "large read")
				}
				return h.Socket.Recv(ds)
			}
		}
		c := k.dial()
		k.answersDumps(table())
		wantTexts(t, k.dump(bg, c))
		wantTexts(t, k.dump(bg, c))
		want := []string{"send 1", "large read", "send 22", "large read", "send 22", "large read"}
		if !slices.Equal(did, want) {
			t.Errorf("%q, want %q", did, want)
		}
	})
}
