package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about datagrams that cannot be read to their end.

// Nothing after a wrong length can be found, and it may have been anybody's.
func TestMalformedDatagramIsALoss(t *testing.T) {
	kernelSays := Origin{NSID: NoNSID}
	whole := wire.AppendMessage(nil, notice(1001, "1").Message)
	for _, tt := range []struct {
		name string
		tail []byte
	}{
		{"header cut", whole[:wire.HeaderLen-1]},
		{"length 0", make([]byte, 2*wire.HeaderLen)},
		{"length goes beyond", whole[:wire.HeaderLen]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE,
				ask("a", Ack),
				raw(kernelSays, append(whole[:len(whole):len(whole)], tt.tail...)),
				malformed(1), lost(),
				raw(kernelSays, tt.tail),
				malformed(1), lost(),
				kernel(ack("a")),
				got("a", nil, "1"),
			)
		})
	}
	// Nothing at all is no loss, but a datagram without messages.
	play(t, netlink.NETLINK_ROUTE, raw(kernelSays, nil))
}

// A datagram that was cut in the middle of a call's message costs that call.
func TestTruncatedReplyIsToldToItsCall(t *testing.T) {
	kernelSays := Origin{NSID: NoNSID}
	play(t, netlink.NETLINK_ROUTE,
		ask("big", Ack),
		ask("other", Ack),
		kernel(data("big", "1")),
		truncated(4, kernelSays, data("other", "2"), data("big", "3.0"), data("big", "too big.")),
		told("big", ErrTruncated, "1", "3.0"),
		// The rest of the answer meets nobody.
		kernel(data("big", "4")),
		late(1),
		truncated(4, kernelSays, data("big", "too big.")),
		kernel(ack("big")),
		gone("big"), late(1),
		kernel(ack("other")),
		got("other", nil, "2"),
		// Echoes are replies.
		openEcho("echo", Ack),
		sent("echo"),
		truncated(4, Origin{Group: 5, NSID: NoNSID}, data("echo", "too big.")),
		told("echo", ErrTruncated),
		kernel(ack("echo")),
		gone("echo"), late(1),
		// And to a call that is gone it is nothing.
		truncated(4, kernelSays, data("big", "too big.")),
	)
}

// Where the cut message is not one call's data, the loss may be anybody's.
func TestTruncatedElsewhereIsALoss(t *testing.T) {
	kernelSays := Origin{NSID: NoNSID}
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		truncated(4, kernelSays, ack("a")),
		lost(),
		truncated(4, kernelSays, refuse("a", syscall.EPERM)),
		lost(),
		truncated(4, kernelSays, done("a", 0)),
		lost(),
		// A truncated event is not handed on, and its consumer hears of a gap.
		join(5),
		truncated(4, Origin{Group: 5, NSID: NoNSID}, data("a", "event...")),
		lost(),
		openEcho("echo", Ack),
		sent("echo"),
		truncated(4, Origin{Group: 5, NSID: NoNSID}, data("echo", "event...")),
		lost(),
		// Not even a header is left.
		truncated(8, kernelSays, data("a", "")),
		malformed(1), lost(),
	)
}
