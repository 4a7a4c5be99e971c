package demux

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about what the kernel dropped: a call whose send
// returned before the queue was seen empty, and that has no answer, has none to
// come.

func TestOverrunFailsWhatWasSent(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("answered", Ack),
		ask("half", Ack),
		ask("lost", Ack),
		kernel(data("half", "1")),
		overrun(),
		// What was queued before the loss is still there to be read.
		kernel(ack("answered")),
		got("answered", nil),
		kernel(data("half", "2")),
		drained(),
		got("half", ErrReplyLost, "1", "2"),
		got("lost", ErrReplyLost),
		repliesLost(2),
		// It is over: calls live on as before.
		drained(),
		ask("later", Ack),
		drained(),
		kernel(ack("later")),
		got("later", nil),
	)
}

// An empty queue without a loss says nothing: the answer is still being made.
func TestDrainedWithoutOverrunFailsNobody(t *testing.T) {
	play(t, netlink.NETLINK_AUDIT,
		ask("a", Ack),
		drained(),
		kernel(ack("a")),
		got("a", nil),
		drained(),
	)
}

// A loss may have taken the echo of a request that is acknowledged, or one of
// several. The kernel does not tell, so an answer that may lack it is not whole.
func TestEchoThatALossTookIsALoss(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("none", Ack),
		openEcho("one", Ack),
		open("plain", Ack),
		openEcho("whole", Ack), sent("whole"),
		overrun(),
		openEcho("into it", Ack),
		// Queued before the loss, or the acknowledgement would be dropped, too.
		kernel(data("whole", "echo")), kernel(ack("whole")),
		got("whole", nil, "echo"),
		drained(),
		// The kernel drops nothing any more, although others are still in doubt.
		openEcho("behind", Ack),
		kernel(ack("none"), data("one", "echo"), ack("one"), ack("plain")),
		got("none", ErrReplyLost),
		got("one", ErrReplyLost, "echo"),
		got("plain", nil),
		repliesLost(2),
		kernel(data("into it", "echo"), ack("into it"), data("behind", "echo"), ack("behind")),
		got("into it", ErrReplyLost, "echo"),
		got("behind", nil, "echo"),
		repliesLost(1),
		drained(),
		// Without a loss there was nothing to echo.
		openEcho("c", Ack),
		kernel(ack("c")),
		got("c", nil),
	)
}

// When it is not certain that the socket has stopped dropping, what is sent from
// now on is in doubt until the queue is seen empty.
func TestDoubtWithoutALoss(t *testing.T) {
	doubt := act(func(s *script) { s.table.Doubt() })
	play(t, netlink.NETLINK_ROUTE,
		ask("before", Ack),
		doubt,
		open("answered", Ack),
		open("dropped", Ack),
		sent("answered"), drain(),
		sent("dropped"), drain(),
		kernel(ack("answered")),
		got("answered", nil),
		drained(), drain(),
		got("before", ErrReplyLost),
		repliesLost(1),
		drained(),
		got("dropped", ErrReplyLost),
		repliesLost(1),
		ask("after", Ack),
		drained(),
		kernel(ack("after")),
		got("after", nil),
	)
}

// A dump that was given up for lost, also one that was refused for want of room,
// may run on in the kernel, until its end or that of another dump has come.
func TestTailOfALostDump(t *testing.T) {
	tail := func(want bool) step {
		return func(s *script) {
			s.Helper()
			if got := s.table.Tail(); got != want {
				s.failf("tail = %t, want %t", got, want)
			}
		}
	}
	for _, end := range []struct {
		name  string
		steps []step
	}{
		{"its own end", []step{kernel(done("lost", 0)), late(1)}},
		{"the next one's", []step{ask("next", Dump), kernel(done("next", 0)), got("next", nil)}},
	} {
		t.Run(end.name, func(t *testing.T) {
			play(t, netlink.NETLINK_ROUTE, slices.Concat([]step{
				ask("lost", Dump),
				ask("also lost", Ack),
				overrun(),
				tail(false),
				drained(),
				got("lost", ErrReplyLost),
				got("also lost", ErrReplyLost),
				repliesLost(2),
				tail(true),
				ask("other", Ack),
				kernel(ack("other")),
				got("other", nil),
				tail(true),
				multicast(5, done("lost", 0)),
				event("\x00\x00\x00\x00"),
				tail(true),
			}, end.steps, []step{
				tail(false),
				ask("refused", Dump),
				kernel(refuse("refused", syscall.ENOBUFS)),
				drained(),
				got("refused", ErrReplyLost), repliesLost(1),
				tail(true),
			})...)
		})
	}
}

// When the reply is dropped and the queue is read before the acknowledgement is
// made, that one comes and says EAGAIN or ENOBUFS.
func TestAcknowledgementOfADroppedReplyIsALoss(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		open("b", Ack),
		ask("c", Ack),
		overrun(),
		drained(),
		got("c", ErrReplyLost),
		repliesLost(1),
		kernel(refuse("a", syscall.EAGAIN), refuse("b", syscall.ENOBUFS)),
		got("a", ErrReplyLost),
		got("b", ErrReplyLost),
		repliesLost(2),
		drained(),
		// Without a loss it is the kernel's own word.
		ask("d", Ack),
		kernel(refuse("d", syscall.EAGAIN)),
		got("d", syscall.EAGAIN),
	)
}

// The kernel works inside the send. While that runs, the answer may be queued
// after any look at the queue.
func TestRunningSendOutlivesTheDrain(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		overrun(),
		drained(),
		drained(),
		kernel(data("a", "1"), ack("a")),
		got("a", nil, "1"),
		drained(),
		open("late send", Ack),
		sent("late send"), // the drain before has settled everything
		kernel(ack("late send")),
		got("late send", nil),
	)
}

// When the send returns, one look at the empty queue that began after that
// settles it.
func TestReturnedSendNeedsOneMoreDrain(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		open("b", Ack),
		overrun(),
		drained(),
		sent("a"), drain(),
		// This read may have begun before the send returned.
		drained(), drain(),
		drained(),
		got("a", ErrReplyLost),
		repliesLost(1),
		sent("b"), drain(),
		drained(), drain(),
		// The answer was on its way after all.
		kernel(ack("b")),
		got("b", nil),
		drained(),
	)
}

// A send that returned between the loss and the end of the drain is in the same
// doubt.
func TestSendReturnsMidDrain(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("before", Ack),
		open("a", Ack),
		overrun(),
		sent("a"), drain(),
		drained(), drain(),
		got("before", ErrReplyLost),
		repliesLost(1),
		drained(),
		got("a", ErrReplyLost),
		repliesLost(1),
	)
}

// Until it has been read away, the kernel drops what is new as well, so a call
// that is opened meanwhile is in doubt.
func TestOpenWhileDraining(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		overrun(),
		open("a", Ack),
		open("b", Ack),
		sent("a"), drain(),
		drained(), drain(),
		drained(),
		got("a", ErrReplyLost),
		repliesLost(1),
		sent("b"), drain(),
		kernel(ack("b")),
		got("b", nil),
		drained(),
	)
}

func TestAnswerBeatsSentAfterOverrun(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		overrun(),
		open("a", Ack),
		kernel(ack("a")),
		got("a", nil),
		// It has nothing to wait for.
		sent("a"),
		drained(),
	)
}

// A second loss during the drain begins it again; what was known to be sent
// stays so.
func TestOverrunDuringDrain(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("a", Ack),
		open("b", Ack),
		overrun(),
		sent("a"), drain(),
		overrun(),
		drained(),
		got("a", ErrReplyLost),
		repliesLost(1),
		drained(),
		sent("b"), drain(),
		overrun(),
		drained(),
		got("b", ErrReplyLost),
		repliesLost(1),
	)
}

// Later parts of a dump are made as the queue is read, so it survives.
func TestDumpSurvivesOverrun(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		ask("ack", Ack),
		kernel(data("dump", "1")),
		overrun(),
		kernel(data("dump", "2")),
		kernel(data("dump", "3"), done("dump", 0)),
		got("dump", nil, "1", "2", "3"),
		drained(),
		got("ack", ErrReplyLost),
		repliesLost(1),
	)
}

// An empty queue means that no dump runs any more, so its end was lost.
func TestDumpIsLostWithItsEnd(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		kernel(data("dump", "1")),
		overrun(),
		drained(),
		got("dump", ErrReplyLost, "1"),
		repliesLost(1),
		kernel(data("dump", "2"), done("dump", 0)),
		late(2),
	)
}

// Nobody is told about it, so it is not counted; but what it was lent is free.
func TestOverrunEndsAbandonedCalls(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		abandon("dump"),
		overrun(),
		kernel(data("dump", "1")),
		late(1),
		drained(),
		gone("dump"),
	)
}

// A dump that found the queue full is refused and begins all the same, as soon
// as there is room.
func TestDumpRefusedForRoomMayStillCome(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		kernel(refuse("dump", syscall.ENOBUFS)),
		kernel(data("dump", "1")),
		kernel(data("dump", "2"), done("dump", 0)),
		got("dump", nil, "1", "2"),
		drained(),
		// It may also end otherwise.
		ask("then", Dump),
		kernel(refuse("then", syscall.ENOBUFS)),
		kernel(done("then", syscall.EINVAL)),
		got("then", syscall.EINVAL),
		drained(),
	)
}

func TestDumpRefusedForRoomAndNotBegun(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("other", Ack),
		ask("dump", Dump),
		kernel(refuse("dump", syscall.ENOBUFS)),
		drained(),
		// The other call was not in doubt.
		got("dump", ErrReplyLost), repliesLost(1),
		kernel(ack("other")),
		got("other", nil),
		// The refusal may be read while the send still runs.
		open("racing", Dump),
		kernel(refuse("racing", syscall.ENOBUFS)),
		sent("racing"), drain(),
		drained(),
		got("racing", ErrReplyLost), repliesLost(1),
		ask("left", Dump),
		abandon("left"),
		kernel(refuse("left", syscall.ENOBUFS)),
		late(1),
		drained(),
		gone("left"),
		ask("both", Dump),
		overrun(),
		kernel(refuse("both", syscall.ENOBUFS)),
		overrun(),
		drained(),
		got("both", ErrReplyLost), repliesLost(1),
	)
}

// A dump without room loses nothing else: what was open by then is not in doubt.
func TestRefusedDumpDoubtsNobodyElse(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("other", Ack),
		ask("dump", Dump),
		kernel(refuse("dump", syscall.ENOBUFS)),
		sent("other"),
		drained(),
		got("dump", ErrReplyLost), repliesLost(1),
		drained(),
		kernel(ack("other")),
		got("other", nil),
	)
}

// Only a dump begins after a refusal for want of room.
func TestOtherRefusedForRoomIsRefused(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		kernel(refuse("a", syscall.ENOBUFS)),
		got("a", syscall.ENOBUFS),
		ask("dump", Dump),
		kernel(refuse("dump", syscall.ENOMEM)),
		got("dump", syscall.ENOMEM),
		// NLMSG_DONE is the last word whatever its errno.
		ask("end", Dump),
		kernel(done("end", syscall.ENOBUFS)),
		got("end", syscall.ENOBUFS),
	)
}

func TestLossErrors(t *testing.T) {
	for _, tt := range []struct {
		err   error
		errno syscall.Errno
		text  string
	}{
		{ErrReplyLost, syscall.ENOBUFS, "may have been applied"},
		{ErrTruncated, syscall.EMSGSIZE, "larger than the receive buffer"},
	} {
		if !errors.Is(tt.err, tt.errno) {
			t.Errorf("%v is not %v", tt.err, tt.errno)
		}
		if !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%q says nothing of %q", tt.err, tt.text)
		}
	}
}

// Only a dump goes on in the kernel when its call has ended as lost.
func TestTailIsOfALostDumpOnly(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred} {
		play(t, netlink.NETLINK_ROUTE,
			ask("lost", kind),
			overrun(),
			drained(),
			got("lost", ErrReplyLost),
			repliesLost(1),
			act(func(s *script) {
				if s.table.Tail() {
					s.failf("%v leaves a tail", kind)
				}
			}),
		)
	}
}
