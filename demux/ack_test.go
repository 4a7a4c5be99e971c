package demux

import (
	"errors"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about what an end says besides that it is one.

func TestExtendedAckIsRead(t *testing.T) {
	const text = "Device does not exist"
	full := wire.AppendMessage(nil, wire.Message{
		Header:  wire.Header{Type: getAddr, Flags: netlink.NLM_F_REQUEST},
		Payload: []byte("the whole request"),
	})
	attrs := attr(t, text)
	explained := func(echo string, flags netlink.Flags) sketch {
		return data("get", errnoBytes(syscall.ENODEV)+echo+attrs).
			typed(netlink.NLMSG_ERROR).flagged(flags | netlink.NLM_F_ACK_TLVS)
	}
	for _, tt := range []struct {
		name string
		end  sketch
	}{
		{"capped", explained(string(full[:wire.HeaderLen]), netlink.NLM_F_CAPPED)},
		{"whole", explained(string(full), 0)},
		{"done", data("get", errnoBytes(syscall.ENODEV)+attrs).typed(netlink.NLMSG_DONE).
			flagged(netlink.NLM_F_MULTI | netlink.NLM_F_ACK_TLVS)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("get", Dump),
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

// After a success the text is a warning, not an error.
func TestAckWithWarningIsSuccess(t *testing.T) {
	warning := data("add", errnoBytes(0)+string(make([]byte, wire.HeaderLen))+attr(t, "deprecated")).
		typed(netlink.NLMSG_ERROR).flagged(netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS)
	play(t, netlink.NETLINK_ROUTE,
		ask("add", Ack),
		kernel(warning),
		got("add", nil),
	)
}

// An end that cannot be understood is an end all the same: no other will come.
func TestUnreadableEndEnds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    Kind
		typ     netlink.MessageType
		payload string
	}{
		{"acknowledgement without errno", Ack, netlink.NLMSG_ERROR, ""},
		{"acknowledgement with half an errno", Deferred, netlink.NLMSG_ERROR, "xx"},
		{"positive error code", Ack, netlink.NLMSG_ERROR, "\x01\x01\x01\x01"},
		{"error code out of range", Dump, netlink.NLMSG_ERROR, errnoBytes(1 << 31)},
		{"done with half an errno", Ack, netlink.NLMSG_DONE, "xx"},
		{"done of a dump with half an errno", Dump, netlink.NLMSG_DONE, "xx"},
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
