package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about batches whose answer the kernel dropped, whole or in
// part.

// The kernel can drop a refusal and still queue the acknowledgement of the last
// message, if the queue is emptied in between.
func TestBatchThatMayHaveLostARefusalIsLost(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		kernel(ack("b").at(0)),
		overrun(),
		empty(),
		kernel(ack("b").at(2)),
		sent("b"),
		conclude("b"),
		got("b", ErrReplyLost), repliesLost(1),
	)
}

// The acknowledgement of the closing message proves the commit, even after an overrun.
// It does not prove that every echo arrived.
func TestCommittedBatchIsNotLostButItsEchoIs(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		overrun(), empty(),
		kernel(ack("b").at(3)), sent("b"),
		conclude("b"),
		got("b", nil),
		openEchoes("echo", true, false, false),
		overrun(), empty(),
		multicast(7, data("echo", "1").at(0)),
		kernel(ack("echo").at(3)), sent("echo"),
		conclude("echo"),
		got("echo", ErrReplyLost, "1"), repliesLost(1),
		// Without a loss nothing is missing.
		openEchoes("whole", true, false, false), sent("whole"),
		multicast(7, data("whole", "1").at(0)),
		kernel(ack("whole").at(3)),
		conclude("whole"),
		got("whole", nil, "1"),
	)
}

// One refusal is enough to know that nothing was applied.
func TestRefusedBatchIsRefusedDespiteALoss(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 9),
		kernel(refuse("b", syscall.EEXIST).at(5)),
		overrun(), empty(),
		sent("b"),
		conclude("b"),
		got("b", syscall.EEXIST),
		refused("b", true, errnos(5, syscall.EEXIST)...),
		// If the answer to the last message may be lost, its absence does not make the
		// refusal one of the whole batch.
		openBatch("first", 9),
		kernel(refuse("first", syscall.EEXIST).at(0)),
		overrun(), empty(),
		sent("first"),
		conclude("first"),
		got("first", syscall.EEXIST),
		refused("first", true, errnos(0, syscall.EEXIST)...),
	)
}

func TestConcludeOfBatchesAfterAnOverrun(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("lost", 3), askBatch("refused", 3), askBatch("committed", 3), ask("other", Ack),
		kernel(ack("lost").at(2)),
		kernel(refuse("refused", syscall.EPERM).at(2)),
		kernel(ack("committed").at(3)),
		overrun(), empty(),
		conclude("lost"), got("lost", ErrReplyLost), repliesLost(1),
		conclude("refused"), got("refused", syscall.EPERM),
		conclude("committed"), got("committed", nil),
		conclude("other"), got("other", ErrReplyLost), repliesLost(1),
	)
}

func TestBatchOpenedDuringAnOverrunMayBeLost(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		overrun(),
		askBatch("b", 3),
		empty(),
		askBatch("later", 3),
		kernel(ack("b").at(2), ack("later").at(2)),
		conclude("b"),
		got("b", ErrReplyLost), repliesLost(1),
		conclude("later"),
		got("later", nil),
	)
}

// The waiter has left, so no reply is counted as lost.
func TestAbandonedBatchIsConcluded(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		abandon("b"),
		overrun(), empty(),
		conclude("b"),
		gone("b"),
	)
}

func TestBatchFailsWithTheTable(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("1", 3), askBatch("left", 3), askBatch("3", 3),
		abandon("left"),
		kernel(refuse("1", syscall.EPERM).at(1)),
		fail(wire.ErrMalformed),
		got("1", wire.ErrMalformed), got("3", wire.ErrMalformed), gone("left"),
		conclude("1", "left", "3"),
	)
}

// An answer that cannot be read may have been a refusal.
func TestUnreadableAnswerOfABatchIsALoss(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("first", 2),
		kernel(data("first", "x").typed(netlink.NLMSG_ERROR).at(0)),
		kernel(ack("first").at(1)),
		conclude("first"),
		got("first", ErrReplyLost), repliesLost(1),
		// A commit is still reported.
		askBatch("committed", 2),
		kernel(data("committed", "x").typed(netlink.NLMSG_ERROR).at(0)),
		kernel(ack("committed").at(2)),
		conclude("committed"),
		got("committed", nil),
		// A refusal is still reported, as incomplete.
		askBatch("refused", 3),
		kernel(refuse("refused", syscall.EPERM).at(1)),
		kernel(data("refused", "x").typed(netlink.NLMSG_ERROR).at(2)),
		conclude("refused"),
		got("refused", syscall.EPERM), refused("refused", true, errnos(1, syscall.EPERM)...),
	)
}
