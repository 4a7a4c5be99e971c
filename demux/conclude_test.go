package demux

import (
	"errors"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about calls that have no answer when the goroutine that
// sent them has read up to the empty queue.

// The kernel drops some requests without an answer, such as those of
// NETLINK_FIB_LOOKUP that are too short.
func TestRequestWithoutAnAnswerIsUnanswered(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred} {
		play(t, netlink.NETLINK_FIB_LOOKUP,
			ask("a", kind),
			ask("other", kind),
			conclude("a"),
			got("a", ErrUnanswered),
			kernel(refuse("other", syscall.EPERM)),
			got("other", syscall.EPERM),
		)
	}
}

func TestRequestWithoutAnAnswerAfterAnOverrunIsLost(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred} {
		play(t, netlink.NETLINK_FIB_LOOKUP,
			ask("a", kind),
			overrun(), empty(),
			conclude("a"),
			got("a", ErrReplyLost), repliesLost(1),
		)
	}
}

// The kernel counts a drop before it reports the overrun: another request can have
// begun the overrun and not have reported it yet.
func TestRequestWhoseLossIsNotReportedYetIsLost(t *testing.T) {
	for _, kind := range []Kind{Ack, First, Deferred} {
		play(t, netlink.NETLINK_FIB_LOOKUP,
			ask("a", kind), ask("b", kind), ask("c", kind),
			conclude("a"),
			got("a", ErrUnanswered),
			drop(),
			conclude("b"),
			got("b", ErrReplyLost), repliesLost(1),
			overrun(), empty(),
			conclude("c"),
			got("c", ErrReplyLost), repliesLost(1),
		)
	}
}

// An acknowledgement does not show that an echo was dropped. A refusal can replace a
// reply that found no room.
func TestAnswerWithALossThatIsNotReportedYetIsLost(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		openEcho("no loss", Ack), sent("no loss"),
		kernel(ack("no loss")),
		got("no loss", nil),
		ask("plain", Ack), ask("refused", Ack), ask("full", Ack),
		openEcho("none", Ack), openEcho("one of two", Ack), sent("none"), sent("one of two"),
		drop(),
		kernel(ack("plain")),
		got("plain", nil),
		kernel(refuse("refused", syscall.EPERM)),
		got("refused", syscall.EPERM),
		kernel(refuse("full", syscall.ENOBUFS)),
		got("full", ErrReplyLost), repliesLost(1),
		kernel(ack("none")),
		got("none", ErrReplyLost), repliesLost(1),
		kernel(data("one of two", "1"), ack("one of two")),
		got("one of two", ErrReplyLost, "1"), repliesLost(1),
	)
}

// The caller receives the replies that came.
func TestConcludedCallKeepsItsReplies(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("unanswered", Ack), ask("lost", Ack),
		kernel(data("unanswered", "1")),
		conclude("unanswered"),
		got("unanswered", ErrUnanswered, "1"),
		kernel(data("lost", "1"), data("lost", "2")),
		overrun(), empty(),
		conclude("lost"),
		got("lost", ErrReplyLost, "1", "2"), repliesLost(1),
	)
}

// A thread of the kernel answers it, and waits for room.
func TestAcknowledgedDeferredIsNotConcluded(t *testing.T) {
	play(t, netlink.NETLINK_AUDIT,
		openTyped("status", Deferred, auditGet, false), sent("status"),
		kernel(ack("status")),
		conclude("status"),
		overrun(), empty(),
		conclude("status"),
		kernel(data("status", "enabled").from(0)),
		got("status", nil, "enabled"),
		openTyped("list", Deferred, auditListRules, false), sent("list"),
		kernel(ack("list")),
		kernel(data("list", "rule").from(0)),
		conclude("list"),
		kernel(done("list", 0).from(0)),
		got("list", nil, "rule"),
		// An abandoned call stays as well.
		openTyped("left", Deferred, auditGet, false), sent("left"),
		kernel(ack("left")),
		abandon("left"),
		conclude("left"),
		kernel(data("left", "enabled").from(0)),
		gone("left"), late(1),
	)
}

// The acknowledgement comes inside the send, as others do.
func TestDeferredWithoutAcknowledgementIsConcluded(t *testing.T) {
	play(t, netlink.NETLINK_AUDIT,
		openTyped("a", Deferred, auditGet, false), sent("a"),
		conclude("a"),
		got("a", ErrUnanswered),
		openTyped("b", Deferred, auditListRules, false), sent("b"),
		overrun(), empty(),
		conclude("b"),
		got("b", ErrReplyLost), repliesLost(1),
		// The acknowledgement counts for one request, not for the next one of the call.
		openTyped("c", Deferred, auditGet, false), sent("c"),
		kernel(ack("c")), kernel(data("c", "1").from(0)),
		got("c", nil, "1"),
		reopen("d", "c", Deferred), sent("d"),
		conclude("d"),
		got("d", ErrUnanswered),
	)
}

// Calls of other kinds never stay after Conclude.
func TestConcludeAfterAllKinds(t *testing.T) {
	play(t, netlink.NETLINK_GENERIC,
		ask("team", Ack),
		// An NLMSG_DONE without payload is followed by the acknowledgement.
		kernel(data("team", "option"), data("team", "").typed(netlink.NLMSG_DONE)),
		conclude("team"),
		got("team", ErrUnanswered, "option"),
	)
}

// A call may be in use again before the goroutine that sent it concludes.
func TestCallInUseAgainIsNotConcluded(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("first", Ack),
		kernel(ack("first")),
		got("first", nil),
		reopen("second", "first", Ack),
		conclude("first"),
		sent("second"),
		kernel(ack("second")),
		got("second", nil),
		// Also in the same slot.
		setSeq(1001+minSlots-1),
		reopen("third", "second", Ack), seq("third", 1001+minSlots),
		conclude("first"), conclude("second"),
		conclude("third"),
		got("third", ErrUnanswered),
	)
}

// Batches are kept apart from other calls.
func TestBatchInUseAgainIsNotConcluded(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("batch", 2),
		kernel(refuse("batch", syscall.EPERM).at(0)),
		conclude("batch"),
		got("batch", syscall.EPERM),
		reopen("call", "batch", Ack),
		conclude("batch"),
		sent("call"),
		kernel(ack("call")),
		got("call", nil),
	)
	// A number inside a batch is not the number of the batch.
	table := New(netlink.NETLINK_NETFILTER, port, 1000, plenty, nothingDropped)
	c := NewCall()
	c.Kind, c.Batch = Batch, &BatchState{N: 2}
	if err := table.Open(c); err != nil {
		t.Fatal(err)
	}
	table.Conclude([]*Call{c}, []uint32{c.Seq + 1})
	if c.Ready() {
		t.Error("concluded by the number of one of its messages")
	}
}

// The goroutine that sends for others concludes for all.
func TestSharedDatagramIsConcludedAsAWhole(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("answered", Ack),
		open("silent 1", Ack),
		open("refused", Ack),
		open("silent 2", Ack),
		open("abandoned", Ack),
		open("last", Ack),
		open("elsewhere", Ack),
		kernel(ack("answered")), got("answered", nil),
		kernel(refuse("refused", syscall.ENODEV)), got("refused", syscall.ENODEV),
		abandon("abandoned"),
		kernel(ack("last")), got("last", nil),
		conclude("answered", "silent 1", "refused", "silent 2", "abandoned", "last"),
		got("silent 1", ErrUnanswered),
		got("silent 2", ErrUnanswered),
		gone("abandoned"),
	)
}

// The result of each call depends on the overruns since it was opened.
func TestSharedDatagramAcrossAnOverrun(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		open("before", Ack),
		overrun(),
		open("during", Ack),
		empty(),
		open("after", Ack),
		conclude("before", "during", "after"),
		got("before", ErrReplyLost),
		got("during", ErrReplyLost),
		got("after", ErrUnanswered),
		repliesLost(2),
	)
}

// The number is free, and a later answer counts as late.
func TestConcludeRemovesTheCall(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack), seq("a", 1001),
		conclude("a"),
		got("a", ErrUnanswered),
		conclude("a"),
		kernel(data("a", "1"), ack("a")),
		late(2),
		setSeq(1000),
		ask("b", Ack), seq("b", 1001),
		kernel(ack("b")),
		got("b", nil),
	)
}

// The waiter has left: the credit is free, and no reply counts as lost.
func TestAbandonedCallIsConcluded(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack), ask("b", Ack),
		abandon("a"),
		conclude("a"),
		gone("a"),
		abandon("b"),
		overrun(), empty(),
		conclude("b"),
		gone("b"),
	)
}

// Conclude comes too late for calls that have ended.
func TestConcludeOfEndedCalls(t *testing.T) {
	down := errors.New("down")
	play(t, netlink.NETLINK_ROUTE,
		open("withdrawn", Ack),
		withdraw("withdrawn"),
		open("rejected", Ack),
		reject("rejected", down),
		got("rejected", down),
		ask("failed", Ack),
		fail(down),
		got("failed", down),
		conclude("withdrawn", "rejected", "failed"),
		conclude(),
	)
}
