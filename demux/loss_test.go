package demux

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file go through the table of loss.go, except Conclude.

// An overrun is reported before what was queued, so the answers may still come.
func TestOverrunAloneEndsNothing(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("sent", Ack),
		open("sending", Ack),
		overrun(),
		kernel(data("sent", "1")),
		empty(),
		kernel(ack("sent")),
		got("sent", nil, "1"),
		kernel(data("sending", "2"), ack("sending")),
		got("sending", nil, "2"),
	)
}

func TestCallInFlightMayBeLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("answered", Ack),
		ask("half", Ack),
		ask("lost", Ack),
		kernel(data("half", "1")),
		overrun(),
		kernel(ack("answered")),
		got("answered", nil),
		kernel(data("half", "2")),
		empty(),
		conclude("half"),
		got("half", ErrReplyLost, "1", "2"), repliesLost(1),
		conclude("lost"),
		got("lost", ErrReplyLost), repliesLost(1),
	)
}

// From the report of the overrun until the queue is empty, the kernel drops every
// message.
func TestCallOpenedBetweenOverrunAndEmptyMayBeLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("before", Ack),
		overrun(),
		ask("between", Ack),
		ask("answered", Ack),
		empty(),
		ask("after", Ack),
		kernel(ack("answered")),
		got("answered", nil),
		conclude("between"),
		got("between", ErrReplyLost), repliesLost(1),
		conclude("after"),
		got("after", ErrUnanswered),
		conclude("before"),
		got("before", ErrReplyLost), repliesLost(1),
	)
}

// A lost reply of a call that the client repeats is not counted, not even until the
// repetition begins: Stats.RepliesLost would decrease then.
func TestLossBeforeARepeatDoesNotCount(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openRepeat("again", Ack), sent("again"),
		ask("once", Ack),
		overrun(), empty(),
		conclude("again"),
		got("again", ErrReplyLost), repliesLost(0),
		conclude("once"),
		got("once", ErrReplyLost), repliesLost(1),
	)
}

// After Empty, new calls are not lost. Earlier ones still may be.
func TestEmptyQueueClearsNoLoss(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		overrun(),
		empty(), empty(),
		conclude("a"),
		got("a", ErrReplyLost), repliesLost(1),
		// Without an overrun it has no effect.
		ask("b", Ack),
		empty(),
		conclude("b"),
		got("b", ErrUnanswered),
	)
}

func TestSecondOverrunBeforeEmpty(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		overrun(),
		open("a", Ack),
		overrun(),
		empty(),
		open("b", Ack),
		sent("a"), sent("b"),
		conclude("a"),
		got("a", ErrReplyLost), repliesLost(1),
		overrun(),
		conclude("b"),
		got("b", ErrReplyLost), repliesLost(1),
	)
}

// A call that is used again starts without a loss.
func TestLossEndsWithTheRequest(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("first", Ack),
		overrun(), empty(),
		kernel(ack("first")),
		got("first", nil),
		reopen("second", "first", Ack), sent("second"),
		conclude("second"),
		got("second", ErrUnanswered),
	)
}

// MarkLost concerns earlier messages only: the kernel keeps queueing.
func TestMarkLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("before", Ack),
		open("refused", Ack),
		openEcho("echo", Ack),
		ask("answered", Ack),
		markLost(),
		ask("after", Ack),
		kernel(ack("answered")),
		got("answered", nil),
		conclude("before"),
		got("before", ErrReplyLost), repliesLost(1),
		kernel(refuse("refused", syscall.ENOBUFS)),
		got("refused", ErrReplyLost), repliesLost(1),
		kernel(data("echo", "1"), ack("echo")),
		got("echo", ErrReplyLost, "1"), repliesLost(1),
		conclude("after"),
		got("after", ErrUnanswered),
	)
}

// MarkLost during an overrun does not end it.
func TestMarkLostDuringAnOverrun(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		overrun(),
		markLost(),
		ask("during", Ack),
		empty(),
		conclude("during"),
		got("during", ErrReplyLost), repliesLost(1),
	)
}

// The kernel may drop an echo and queue the acknowledgement later in the same send, if
// the queue is read in between.
func TestEchoWithAnOverrunDuringTheSendIsLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("none", Ack),
		openEcho("one", Ack),
		open("plain", Ack),
		overrun(), empty(),
		sent("none"), sent("one"), sent("plain"),
		kernel(ack("none"), data("one", "echo"), ack("one"), ack("plain")),
		got("none", ErrReplyLost),
		got("one", ErrReplyLost, "echo"),
		got("plain", nil),
		repliesLost(2),
		// Calls that are opened before the queue is empty may be lost as well.
		overrun(),
		openEcho("into it", Ack),
		empty(),
		openEcho("after", Ack),
		sent("into it"), sent("after"),
		kernel(data("into it", "echo"), ack("into it"), data("after", "echo"), ack("after")),
		got("into it", ErrReplyLost, "echo"), repliesLost(1),
		got("after", nil, "echo"),
	)
}

// An acknowledgement that was queued before the report comes after all echoes.
func TestEchoWithAnOverrunAfterTheSendIsWhole(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("one", Ack), sent("one"),
		openEcho("two", Ack), sent("two"),
		overrun(),
		multicast(5, data("one", "a")),
		kernel(ack("one")),
		got("one", nil, "a"),
		multicast(5, data("two", "a"), data("two", "b")),
		kernel(ack("two")),
		got("two", nil, "a", "b"),
		empty(),
		// Without a loss there may be nothing to echo.
		openEcho("none", Ack), sent("none"),
		kernel(ack("none")),
		got("none", nil),
	)
}

// The first of two overruns came during the send, so a part may be missing.
func TestEchoWithOverrunsDuringAndAfterTheSendIsLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("a", Ack),
		overrun(), empty(),
		sent("a"),
		overrun(), empty(),
		kernel(data("a", "echo"), ack("a")),
		got("a", ErrReplyLost, "echo"), repliesLost(1),
	)
}

// If an answer has no echo after an overrun, the echo was lost.
func TestEchoThatIsMissingAfterALossIsLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("a", Ack), sent("a"),
		overrun(), empty(),
		kernel(ack("a")),
		got("a", ErrReplyLost), repliesLost(1),
		// A refusal has no echo.
		openEcho("b", Ack),
		overrun(), empty(), sent("b"),
		kernel(refuse("b", syscall.EEXIST)),
		got("b", syscall.EEXIST),
	)
}

// If the kernel drops the reply and the queue is read before the acknowledgement is
// made, the acknowledgement is a refusal with EAGAIN or ENOBUFS.
func TestRefusalForLackOfRoomIsALoss(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred} {
		for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.ENOBUFS} {
			play(t, netlink.NETLINK_ROUTE,
				open("a", kind),
				overrun(), empty(), sent("a"),
				kernel(refuse("a", errno)),
				got("a", ErrReplyLost), repliesLost(1),
				// Without an overrun it is the request's refusal.
				ask("b", kind),
				kernel(refuse("b", errno)),
				got("b", errno),
				// Others are refusals also after a loss.
				ask("c", kind),
				overrun(), empty(),
				kernel(refuse("c", syscall.ENOMEM)),
				got("c", syscall.ENOMEM),
				// An abandoned call has no result.
				ask("d", kind),
				abandon("d"),
				overrun(), empty(),
				kernel(refuse("d", errno)),
				gone("d"), late(1),
			)
		}
	}
}

// A silent call has no answer to lose.
func TestSilentCallSurvivesAnOverrun(t *testing.T) {
	play(t, netlink.NETLINK_CONNECTOR,
		open("before", Silent),
		overrun(),
		open("during", Silent),
		empty(),
		markLost(),
		sent("before"), sent("during"),
		withdraw("before"), withdraw("during"),
	)
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err   error
		errno syscall.Errno
		text  string
	}{
		{ErrReplyLost, syscall.ENOBUFS, "may have been applied"},
		{ErrTruncated, syscall.EMSGSIZE, "larger than the receive buffer"},
		{ErrUnanswered, syscall.EBADMSG, "may have been applied"},
	} {
		if !errors.Is(tt.err, tt.errno) {
			t.Errorf("%v is not %v", tt.err, tt.errno)
		}
		if !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%q does not say %q", tt.err, tt.text)
		}
	}
}
