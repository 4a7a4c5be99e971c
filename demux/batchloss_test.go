package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about batches whose answer the kernel has dropped,
// or some of it.

// An overrun can hit a refusal and spare the acknowledgement of the last
// message, if the queue is read empty in between.
func TestBatchInDoubtIsLost(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		kernel(ack("b").at(0)),
		overrun(),
		drained(),
		kernel(ack("b").at(2)),
		sent("b"), drain(),
		kernel(ack("b").at(4)),
		got("b", ErrReplyLost),
		repliesLost(1),
	)
}

// The acknowledgement of the closing message proves the commit, whatever else
// was dropped, but not that no echo is missing.
func TestCommittedBatchIsNotInDoubt(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		overrun(),
		drained(),
		kernel(ack("b").at(3), ack("b").at(4)),
		got("b", nil),
		openEchoes("echo", true, false, false),
		overrun(),
		drained(),
		kernel(ack("echo").at(3), ack("echo").at(4)),
		got("echo", ErrReplyLost),
		repliesLost(1),
	)
}

// One refusal is enough to know that nothing was applied.
func TestRefusedBatchIsRefusedInSpiteOfALoss(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 9),
		kernel(refuse("b", syscall.EEXIST).at(5)),
		overrun(),
		drained(),
		sent("b"), drain(),
		kernel(ack("b").at(10)),
		got("b", syscall.EEXIST),
		refused("b", true, errnos(5, syscall.EEXIST)...),
		// Without a word on the last message, after a loss, the first is to
		// blame and not the whole.
		openBatch("first", 9),
		kernel(refuse("first", syscall.EEXIST).at(0)),
		overrun(),
		sent("first"), drain(),
		drained(), drain(),
		drained(),
		got("first", syscall.EEXIST),
		refused("first", true, errnos(0, syscall.EEXIST)...),
	)
}

// With the barrier's acknowledgement dropped as well, the empty queue tells.
func TestBatchIsSettledByTheDrain(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("lost", 3), askBatch("refused", 3), askBatch("committed", 3), ask("other", Ack),
		kernel(ack("lost").at(2)),
		kernel(refuse("refused", syscall.EPERM).at(2)),
		kernel(ack("committed").at(3)),
		overrun(),
		drained(),
		got("lost", ErrReplyLost),
		got("refused", syscall.EPERM),
		got("committed", nil),
		got("other", ErrReplyLost),
		repliesLost(2),
	)
}

// Both sends have to return before the empty queue says something: the barrier
// is on its way.
func TestBatchWaitsForItsSecondSend(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		overrun(),
		drained(), drained(),
		sent("b"), drain(),
		drained(), drain(),
		drained(),
		got("b", ErrReplyLost),
		repliesLost(1),
	)
}

func TestBatchOpenedDuringALossIsInDoubt(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		ask("a", Ack),
		overrun(),
		askBatch("b", 3), drain(),
		kernel(ack("b").at(2), ack("b").at(4)),
		got("b", ErrReplyLost), repliesLost(1),
		drained(),
		got("a", ErrReplyLost), repliesLost(1),
	)
}

// Without a barrier two looks at the empty queue are needed, of which the first
// may have begun before the send returned; what they end is not in doubt.
func TestBatchWithoutBarrier(t *testing.T) {
	without := func(name string) step {
		return func(s *script) {
			s.Helper()
			openBatch(name, 2)(s)
			unfenced(name)(s)
			sent(name)(s)
			drain()(s)
		}
	}
	play(t, netlink.NETLINK_NETFILTER,
		without("good"),
		drained(), drain(),
		kernel(ack("good").at(1)),
		drained(),
		got("good", nil),
		drained(),
		without("bad"),
		kernel(refuse("bad", syscall.EPERM).at(1)),
		drained(), drain(),
		drained(),
		got("bad", syscall.EPERM), refused("bad", false, errnos(1, syscall.EPERM)...),
		without("ignored"),
		drained(), drain(),
		drained(),
		got("ignored", errUnanswered),
		without("left"),
		abandon("left"),
		drained(), drain(),
		drained(),
		gone("left"),
		// A loss is still one.
		without("lost"),
		overrun(),
		kernel(ack("lost").at(1)),
		drained(),
		got("lost", ErrReplyLost),
		repliesLost(1),
		// The barrier may not be missed at all.
		openBatch("failed", 2),
		fail(wire.ErrMalformed),
		got("failed", wire.ErrMalformed),
		unfenced("failed"),
		drained(),
	)
}

func TestAbandonedBatchIsSettledByTheDrain(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		abandon("b"),
		overrun(),
		drained(),
		gone("b"),
	)
}

func TestDamagedAnswersOfABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		// What cannot be read may have been a refusal.
		askBatch("garbled", 2),
		kernel(data("garbled", "x").typed(netlink.NLMSG_ERROR).at(0)),
		kernel(ack("garbled").at(1), ack("garbled").at(3)),
		got("garbled", ErrReplyLost),
		repliesLost(1),
		openEchoes("cut", true, false), sent("cut"),
		truncated(8, Origin{Group: 7, NSID: NoNSID}, data("cut", "a long reply").at(0)),
		told("cut", ErrTruncated),
		kernel(ack("cut").at(1)), late(1),
		kernel(ack("cut").at(3)), gone("cut"), late(1),
		drained(),
	)
}

func TestBatchFailsWithTheTable(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("1", 3), askBatch("left", 3), askBatch("3", 3),
		abandon("left"),
		kernel(refuse("1", syscall.EPERM).at(1)),
		fail(wire.ErrMalformed),
		got("1", wire.ErrMalformed), got("3", wire.ErrMalformed), gone("left"),
	)
}
