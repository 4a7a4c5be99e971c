package demux

import (
	"errors"
	"math"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about what an acknowledgement says.

func TestExtendedAckIsRead(t *testing.T) {
	const text = "Device does not exist"
	full := wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: getAddr, Flags: netlink.NLM_F_REQUEST},
		Payload: []byte("the whole request"),
	})
	attrs := attr(t, text)
	explained := func(echo string, flags netlink.Flags) template {
		return data("get", errnoBytes(syscall.ENODEV)+echo+attrs).
			typed(netlink.NLMSG_ERROR).flagged(flags | netlink.NLM_F_ACK_TLVS)
	}
	for _, tt := range []struct {
		name string
		end  template
	}{
		{"capped", explained(string(full[:wire.HeaderLen]), netlink.NLM_F_CAPPED)},
		{"whole", explained(string(full), 0)},
		{"done", data("get", errnoBytes(syscall.ENODEV)+attrs).typed(netlink.NLMSG_DONE).
			flagged(netlink.NLM_F_MULTI | netlink.NLM_F_ACK_TLVS)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("get", Ack),
				kernel(tt.end),
				got("get", syscall.ENODEV),
				check("get", func(t *testing.T, c *Call) {
					_, err := c.Result()
					var refusal *wire.KernelError
					if !errors.As(err, &refusal) || refusal.Ext.Message != text {
						t.Errorf("got %v, want %q", err, text)
					}
				}),
			)
		})
	}
}

// After a success the message is a warning, not an error.
func TestAckWithWarningIsSuccess(t *testing.T) {
	warning := data("add", errnoBytes(0)+string(make([]byte, wire.HeaderLen))+attr(t, "deprecated")).
		typed(netlink.NLMSG_ERROR).flagged(netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS)
	play(t, netlink.NETLINK_ROUTE,
		ask("add", Ack),
		kernel(warning),
		got("add", nil),
	)
}

// A positive code is a success: MAC80211_HWSIM returns the id of a new radio in it.
func TestPositiveCodeIsSuccess(t *testing.T) {
	for _, code := range []int32{1, 4095, 1<<31 - 1} {
		play(t, netlink.NETLINK_GENERIC,
			ask("radio", Ack),
			kernel(accept("radio", code)),
			got("radio", nil),
			ask("data", Ack),
			kernel(data("data", "1")), kernel(accept("data", code)),
			got("data", nil, "1"),
			// A Deferred call waits for its data, as after a 0.
			openTyped("deferred", Deferred, auditGet, false), sent("deferred"),
			kernel(accept("deferred", code)),
			kernel(data("deferred", "status")),
			got("deferred", nil, "status"),
			// It is a success, so an echo that an overrun dropped is missing.
			openEcho("echo", Ack),
			overrun(), empty(), sent("echo"),
			kernel(accept("echo", code)),
			got("echo", ErrReplyLost), repliesLost(1),
		)
	}
}

// A positive code is a success in a batch as well.
func TestPositiveCodeIsNoRefusalInABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 2),
		kernel(accept("b", 7).at(0)), kernel(accept("b", 7).at(1)),
		conclude("b"),
		got("b", nil),
	)
}

// The acknowledgement is kept if the client asks for it.
func TestAcknowledgementIsKeptOnRequest(t *testing.T) {
	warning := data("a", codeBytes(7)+string(make([]byte, wire.HeaderLen))+attr(t, "deprecated")).
		typed(netlink.NLMSG_ERROR).flagged(netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS)
	says := func(name string, code int32, text string) step {
		return check(name, func(t *testing.T, c *Call) {
			t.Helper()
			if a := *c.AckInto; a.Code != code || a.Ext.Message != text {
				t.Fatalf("%s: got %+v, want code %d, %q", name, a, code, text)
			}
		})
	}
	keep := func(name string, kind Kind) step {
		return act(func(s *script) {
			s.Helper()
			c := NewCall()
			c.Kind, c.Type, c.AckInto = kind, getAddr, new(wire.Ack)
			s.open(name, c)
		})
	}
	play(t, netlink.NETLINK_ROUTE,
		keep("a", Ack), sent("a"),
		kernel(warning),
		got("a", nil), says("a", 7, "deprecated"),
		// A call that is used again has none.
		reopen("again", "a", Ack), sent("again"),
		kernel(accept("again", 8)),
		got("again", nil), check("again", func(t *testing.T, c *Call) {
			if c.AckInto != nil {
				t.Fatalf("got %+v, want none", c.AckInto)
			}
		}),
		keep("refused", Ack), sent("refused"),
		kernel(refuse("refused", syscall.EPERM)),
		got("refused", syscall.EPERM), says("refused", 0, ""),
		keep("unanswered", Ack), sent("unanswered"),
		conclude("unanswered"),
		got("unanswered", ErrUnanswered), says("unanswered", 0, ""),
		// Before the data that a thread of the kernel sends.
		keep("deferred", Deferred), sent("deferred"),
		kernel(accept("deferred", 9)),
		kernel(data("deferred", "1")),
		got("deferred", nil, "1"), says("deferred", 9, ""),
	)
}

// The last message ends the call even if it cannot be parsed: no other follows.
func TestUnreadableEndEnds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    Kind
		typ     netlink.MessageType
		payload string
	}{
		{"acknowledgement without errno", Ack, netlink.NLMSG_ERROR, ""},
		{"acknowledgement with half an errno", Deferred, netlink.NLMSG_ERROR, "xx"},
		{"error code out of range", Ack, netlink.NLMSG_ERROR, codeBytes(math.MinInt32)},
		{"done with half an errno", Ack, netlink.NLMSG_DONE, "xx"},
		{"done of a list with half an errno", Deferred, netlink.NLMSG_DONE, "xx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("a", tt.kind),
				kernel(data("a", "1"), data("a", tt.payload).typed(tt.typ)),
				got("a", wire.ErrMalformed, "1"),
			)
		})
	}
}

// attr is an attribute NLMSGERR_ATTR_MSG.
func attr(t *testing.T, text string) string {
	t.Helper()
	var b wire.Builder
	b.String(1, text)
	p, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}
