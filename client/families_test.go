package client_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
	"github.com/nlmux/netlink/wire"
)

// noop runs [client.Conn.Noop].
func (k *kernel) noop(c *client.Conn) *task[struct{}] {
	return runAsync(k.t, func() (struct{}, error) { return struct{}{}, c.Noop(bg) })
}

func TestNoopIsAcknowledged(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dial()
		call := k.noop(c)
		req := k.want(netlink.NLMSG_NOOP)
		if req.Header.Flags != netlink.NLM_F_REQUEST|netlink.NLM_F_ACK || len(req.Payload) != 0 {
			t.Fatalf("request %+v", req.Message)
		}
		call.wantWaiting("it waits for the acknowledgement")
		req.ack()
		if _, err := call.result(); err != nil {
			t.Fatal(err)
		}

		call = k.noop(c)
		k.want(netlink.NLMSG_NOOP).fail(syscall.EINVAL)
		_, err := call.result()
		var refusal *wire.KernelError
		if !errors.As(err, &refusal) || refusal.Errno != syscall.EINVAL || client.NotSent(err) {
			t.Fatal(err)
		}

		var none context.Context
		if err := c.Noop(none); err == nil || !client.NotSent(err) {
			t.Fatal(err)
		}
		k.wantIdle("the ctx is nil")
	})
}

// A family that acknowledges nothing would not answer a Noop.
func TestNoopNeedsAFamilyThatAcknowledges(t *testing.T) {
	for _, family := range []netlink.Family{
		netlink.NETLINK_CONNECTOR, netlink.NETLINK_FIB_LOOKUP, netlink.NETLINK_ISCSI, netlink.NETLINK_SCSITRANSPORT,
	} {
		t.Run(family.String(), func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(family)
				if err := c.Noop(bg); !errors.Is(err, errors.ErrUnsupported) || !client.NotSent(err) {
					t.Fatal(err)
				}
				k.wantIdle("the kernel would not answer")
			})
		})
	}
}

// cn_rx_skb answers nothing. Its later multicasts have the type NLMSG_DONE and a
// counter for a number, and end nothing.
func TestConnectorRequestEndsWithItsSend(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_CONNECTOR, client.WithInFlight(1))
		k.join(c, 1)
		for range 3 { // each frees its room
			call := k.request(bg, c, netlink.NLMSG_DONE, "listen", 0)
			k.want(netlink.NLMSG_DONE).drop()
			wantTexts(t, call)
		}
		k.socket(0).Queue(socktest.Datagram{Group: 1, Data: wire.AppendMessage(nil, wire.Message{
			Header: wire.Header{Type: netlink.NLMSG_DONE, Seq: 1}, Payload: []byte("exec"),
		})})
		wantEvents(t, c, "exec")

		k.during(func(request) error { return syscall.ECONNREFUSED })
		wantError(t, k.request(bg, c, netlink.NLMSG_DONE, "listen", 0), syscall.ECONNREFUSED, true)
		wantStats(t, c, client.Stats{Events: 1})

		if _, err := c.Request(bg, netlink.NLMSG_ERROR, nil, 0); err == nil || !client.NotSent(err) {
			t.Errorf("only NLMSG_DONE is customary: %v", err)
		}
	})
}

// nl_fib_input copies the request back and acknowledges nothing.
func TestFIBLookupEndsWithItsFirstReply(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_FIB_LOOKUP, client.WithInFlight(1))
		for i := range 2 {
			call := k.request(bg, c, getLink, "route?", 0)
			req := k.want(getLink)
			call.wantWaiting("there is no reply yet")
			req.reply(fmt.Sprint("route ", i))
			req.drop()
			wantTexts(t, call, fmt.Sprint("route ", i))
		}
		wantStats(t, c, client.Stats{})
	})
}

// iscsi_if_rx answers with a message of the request's type without a number, and
// acknowledges nothing. So an overrun loses no answer to such a request.
func TestISCSIAnswersByEvents(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_ISCSI)
		k.during(func(req request) error {
			req.from.Overrun(syscall.ENOBUFS)
			time.Sleep(time.Nanosecond) // until it has been drained
			answer := wire.Message{Header: wire.Header{Type: req.Header.Type}, Payload: []byte("answer")}
			req.from.Queue(socktest.Datagram{Data: wire.AppendMessage(nil, answer)})
			return nil
		})
		wantTexts(t, run(t, func() ([]wire.Message, error) { return c.Request(bg, 20, nil, 0) }))
		wantEvents(t, c, "gap 0", "answer")
	})
}

// No goroutine that sends reads an answer that is an event, so the request unparks the
// reader.
func TestReaderUnparksForAnAnswerThatIsAnEvent(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.CanSilence = true
		c := k.dialFamily(netlink.NETLINK_ISCSI)
		k.during(func(req request) error {
			// This message wakes the reader, and is dropped.
			req.from.Queue(socktest.Datagram{Data: event("forged"), PortID: 4711})
			return nil
		})
		k.busyWith(c, 20)
		k.during(func(req request) error { req.from.Queue(socktest.Datagram{Data: event("answer")}); return nil })
		wantTexts(t, k.request(bg, c, 20, "", 0))
		wantEvents(t, c, "answer")
	})
}

// 802.15.4 MAC answers with port 0, and the number, type and command of the request.
func TestGenericReplyFromPortZero(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_GENERIC)
		k.during(func(req request) error {
			reply := wire.Message{Header: wire.Header{Type: 30, Seq: req.Header.Seq}, Payload: []byte("\x05phy0")}
			other := wire.Message{Header: wire.Header{Type: 30, Seq: req.Header.Seq}, Payload: []byte("\x02record")}
			req.send(wire.AppendMessage(nil, reply), wire.AppendMessage(nil, other))
			req.ack()
			return nil
		})
		wantTexts(t, k.request(bg, c, 30, "\x05", 0), "\x05phy0")
		wantEvents(t, c, "\x02record")
	})
}

// MAC80211_HWSIM acknowledges a new radio with its id.
func TestPositiveCodeIsSuccess(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_GENERIC)
		call := k.request(bg, c, 30, "\x04", 0)
		req := k.want(30)
		req.send(req.end(netlink.NLMSG_ERROR, ^syscall.Errno(4))) // 5 as netlink_ack sends it
		wantTexts(t, call)
	})
}

// Audit answers from a kernel thread, after the acknowledgement and with port 0
// (audit_send_reply, audit_make_reply).
func TestAuditRepliesComeAfterTheAcknowledgement(t *testing.T) {
	const auditGet netlink.MessageType = 1000
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_AUDIT)
		call := k.request(bg, c, auditGet, "", 0)
		req := k.want(auditGet)
		req.ack()
		call.wantWaiting("the data is still to come")
		req.send(wire.AppendMessage(nil, wire.Message{
			Header: wire.Header{Type: auditGet, Seq: req.Header.Seq}, Payload: []byte("status"),
		}))
		wantTexts(t, call, "status")
		wantStats(t, c, client.Stats{})
	})
}

// A thread of the kernel answers these requests, so an empty queue after the send does
// not end them, unless they were not acknowledged either.
func TestDeferredRequestIsNotCutShort(t *testing.T) {
	for name, typ := range map[string]netlink.MessageType{
		"AUDIT_GET": 1000, "AUDIT_SIGNAL_INFO": 1010, "AUDIT_LIST_RULES": 1013, "AUDIT_TTY_GET": 1016, "AUDIT_GET_FEATURE": 1019,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, k *kernel) {
				c := k.dialFamily(netlink.NETLINK_AUDIT)
				call := k.request(bg, c, typ, "", 0)
				req := k.want(typ)
				req.ack()
				call.wantWaiting("a thread answers")
				req.from.Overrun(syscall.ENOBUFS) // which ends before the thread answers
				call.wantWaiting("a thread answers, and waits for room")
				req.send(req.answer(typ, 0, []byte("data")))
				if name == "AUDIT_LIST_RULES" {
					call.wantWaiting("a list ends with NLMSG_DONE")
					req.done()
				}
				wantTexts(t, call, "data")

				ignored := k.request(bg, c, typ, "", 0)
				k.want(typ).drop()
				wantError(t, ignored, client.ErrUnanswered, false)
				wantStats(t, c, client.Stats{Overruns: 1})
			})
		})
	}
}

// A uevent is text without a header, and all of it is the event.
func TestUeventsAreText(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_KOBJECT_UEVENT)
		k.join(c, 1)
		const text = "add@/devices/virtual/net/dummy0\x00ACTION=add\x00"
		k.socket(0).Queue(socktest.Datagram{Data: []byte(text), Group: 1})
		if e := <-c.Receive(); string(e.Payload) != text || e.Group != 1 || e.Header != (wire.Header{}) {
			t.Fatalf("event %+v", e)
		}
	})
}

// On NETLINK_USERSOCK processes send each other messages, which are events.
func TestUsersockDeliversMessagesOfProcesses(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		c := k.dialFamily(netlink.NETLINK_USERSOCK)
		k.join(c, 3)
		k.socket(0).Queue(
			socktest.Datagram{Data: event("to us"), PortID: 4711},
			socktest.Datagram{Data: event("to all"), PortID: 4711, Group: 3},
		)
		wantEvents(t, c, "to us", "to all")
		wantStats(t, c, client.Stats{Events: 2})
	})
}
