package demux

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about batches. In one of n messages, the message that
// opens the batch is at -1 and the one that closes it at n.

const begin = -1

func errnos(pairs ...any) (s []string) {
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, fmt.Sprintf("%d:%d", pairs[i], pairs[i+1]))
	}
	return s
}

// Linux 6.10 and later acknowledges the closing messageas well.
func TestBatchIsCommitted(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		kernel(ack("b").at(0)),
		kernel(ack("b").at(2)),
		kernel(ack("b").at(3)),
		conclude("b"),
		got("b", nil),
		// Earlier kernels do not acknowledge it.
		askBatch("old", 3),
		kernel(ack("old").at(0)),
		kernel(ack("old").at(2)),
		conclude("old"),
		got("old", nil),
		askBatch("one", 1),
		kernel(ack("one").at(0)),
		conclude("one"),
		got("one", nil),
	)
}

// The kernel continues after a message that it refuses, and acknowledges the accepted
// messages although they are rolled back.
func TestRefusedMessagesOfABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("middle", 5),
		kernel(ack("middle").at(0)),
		kernel(refuse("middle", syscall.EEXIST).at(1)),
		kernel(refuse("middle", syscall.ENOENT).at(3)),
		kernel(ack("middle").at(4)),
		conclude("middle"),
		got("middle", syscall.EEXIST),
		refused("middle", false, errnos(1, syscall.EEXIST, 3, syscall.ENOENT)...),
		askBatch("edges", 2),
		kernel(refuse("edges", syscall.EPERM).at(0)),
		kernel(refuse("edges", syscall.EINVAL).at(1)),
		conclude("edges"),
		got("edges", syscall.EPERM),
		refused("edges", false, errnos(0, syscall.EPERM, 1, syscall.EINVAL)...),
		askBatch("one", 1),
		kernel(refuse("one", syscall.EPERM).at(0)),
		conclude("one"),
		got("one", syscall.EPERM),
		refused("one", false, errnos(0, syscall.EPERM)...),
	)
}

// The kernel puts different numbers into such refusals.
func TestRefusalOfTheWholeBatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		// A stale generation, an unknown subsystem.
		askBatch("stale", 3),
		kernel(refuse("stale", syscall.EAGAIN).at(begin)),
		conclude("stale"),
		got("stale", syscall.EAGAIN),
		refused("stale", false, errnos(-1, syscall.EAGAIN)...),
		// The commit fails: all messages were good.
		askBatch("commit", 3),
		kernel(refuse("commit", syscall.EOPNOTSUPP).at(0)),
		kernel(ack("commit").at(0)),
		kernel(ack("commit").at(2)),
		conclude("commit"),
		got("commit", syscall.EOPNOTSUPP),
		refused("commit", false, errnos(-1, syscall.EOPNOTSUPP)...),
		// Without memory for the list of refusals the kernel drops the list.
		askBatch("memory", 3),
		kernel(refuse("memory", syscall.ENOMEM).at(0)),
		conclude("memory"),
		got("memory", syscall.ENOMEM),
		refused("memory", false, errnos(-1, syscall.ENOMEM)...),
		askBatch("end", 3),
		kernel(ack("end").at(0)),
		kernel(ack("end").at(2)),
		kernel(refuse("end", syscall.EIO).at(3)),
		conclude("end"),
		got("end", syscall.EIO),
		refused("end", false, errnos(-1, syscall.EIO)...),
	)
}

// nfnetlink_rcv refuses the first message of the datagram, and the rest has no
// answer.
func TestUnprivilegedBatchIsRefusedAsAWhole(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		kernel(refuse("b", syscall.EPERM).at(begin)),
		conclude("b"),
		got("b", syscall.EPERM),
		refused("b", false, errnos(-1, syscall.EPERM)...),
	)
}

// nfnetlink drops a batch that it cannot parse, without an answer. After an overrun the
// answer may have been dropped instead.
func TestBatchThatTheKernelIgnores(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		conclude("b"),
		got("b", ErrUnanswered),
		askBatch("half", 3),
		kernel(ack("half").at(0)),
		conclude("half"),
		got("half", ErrUnanswered),
		askBatch("lost", 3),
		overrun(), empty(),
		conclude("lost"),
		got("lost", ErrReplyLost), repliesLost(1),
	)
}

// No message ends a batch.
func TestOnlyConcludeEndsABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		ask("before", Ack),
		askBatch("b", 2),
		ask("after", Ack),
		kernel(refuse("b", syscall.EEXIST).at(1)),
		kernel(done("b", 0).at(0), done("b", 0).at(2)),
		kernel(ack("b").at(2).from(other)),
		event(errnoBytes(0)+string(make([]byte, wire.HeaderLen))),
		multicast(7, ack("b").at(2)),
		event(errnoBytes(0)+string(make([]byte, wire.HeaderLen))),
		kernel(ack("before"), ack("after")),
		got("before", nil), got("after", nil),
		kernel(ack("b").at(3)), // the number after the last: it was that of an earlier call
		late(1),
		kernel(ack("b").at(2)),
		overrun(), empty(),
		conclude("b"),
		got("b", syscall.EEXIST),
	)
}

// A socket that joined the group receives its own changes as events. Those of messages
// with NLM_F_ECHO are replies as well.
func TestEchoOfABatchIsByMessage(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		join(7),
		openEchoes("joined", false, true, false), sent("joined"),
		multicast(7, data("joined", "a").at(0), data("joined", "b").at(1), data("joined", "c").at(2)),
		event("a", "b", "c"),
		kernel(ack("joined").at(2)),
		conclude("joined"),
		got("joined", nil, "b"),
		leave(7),
		openEchoes("apart", true, false, true), sent("apart"),
		multicast(7, data("apart", "a").at(0)),
		multicast(7, data("apart", "c1").at(2), data("apart", "c2").at(2)),
		// Neither the batch's own messages nor those of another port have the flag.
		multicast(7, data("apart", "begin").at(begin), data("apart", "b").at(1), data("apart", "end").at(3), data("apart", "theirs").at(0).from(other)),
		event("begin", "b", "end", "theirs"),
		kernel(ack("apart").at(2)),
		conclude("apart"),
		got("apart", nil, "a", "c1", "c2"),
	)
}

func TestNumbersOfABatchAreConsecutive(t *testing.T) {
	playFrom(t, netlink.NETLINK_NETFILTER, 1<<32-10,
		openBatch("fits", 7), seq("fits", 1<<32-9),
		// The numbers may not include 0.
		setSeq(1<<32-10),
		openBatch("turn", 5), seq("turn", 1),
		open("a", Ack), seq("a", 8),
		setSeq(1<<32-10),
		open("b", Ack), seq("b", 9),
		setSeq(1<<32-1),
		openBatch("after", 2), seq("after", 10),
		setSeq(15),
		open("c", Ack), seq("c", 16),
		setSeq(13),
		// There is room for two numbers, but not for four.
		openBatch("next", 2), seq("next", 17),
		setSeq(13),
		open("gap", Ack), seq("gap", 14),
		withdraw("fits"), withdraw("turn"),
		setSeq(0),
		openBatch("again", 5), seq("again", 1),
	)
}

// A batch has a number for each message, and one each for the opening and the closing
// message.
func TestNumbersOfABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3), seq("b", 1001),
		open("a", Ack), seq("a", 1006),
		check("b", func(t *testing.T, c *Call) {
			if n := c.Batch.Numbers(); n != 5 {
				t.Errorf("%d numbers, want 5", n)
			}
			if n := c.Batch.Answers(); n != 5 {
				t.Errorf("%d answers, want 5", n)
			}
		}),
		openEchoes("echo", true, false, true),
		check("echo", func(t *testing.T, c *Call) {
			if n := c.Batch.Answers(); n != 7 {
				t.Errorf("%d answers, want 7", n)
			}
		}),
	)
}

func TestAnswersFindTheirBatch(t *testing.T) {
	playFrom(t, netlink.NETLINK_NETFILTER, 1<<32-4,
		askBatch("1", 5), askBatch("2", 3*minSlots), askBatch("3", 5), ask("a", Ack),
		kernel(refuse("2", syscall.EEXIST).at(2*minSlots)),
		kernel(ack("3").at(4)),
		conclude("3"),
		got("3", nil),
		kernel(ack("a")),
		got("a", nil),
		kernel(ack("1").at(4)),
		conclude("1"),
		got("1", nil),
		kernel(ack("2").at(3*minSlots-1)),
		conclude("2"),
		got("2", syscall.EEXIST),
		refused("2", false, errnos(2*minSlots, syscall.EEXIST)...),
	)
}

// An abandoned batch keeps its numbers until Conclude.
func TestAbandonedBatchKeepsItsNumbers(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openEchoes("b", true, true), sent("b"),
		multicast(7, data("b", "early").at(0)),
		abandon("b"),
		multicast(7, data("b", "late").at(1)),
		late(1),
		kernel(refuse("b", syscall.EPERM).at(1)),
		late(1),
		kernel(ack("b").at(2)),
		late(1),
		setSeq(1000),
		open("a", Ack), seq("a", 1005),
		withdraw("a"),
		conclude("b"),
		gone("b"),
		setSeq(1000),
		open("c", Ack), seq("c", 1001),
	)
}

func TestWithdrawRemovesTheBatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		withdraw("b"),
		kernel(ack("b").at(0)),
		late(1),
		conclude("b"),
	)
}
