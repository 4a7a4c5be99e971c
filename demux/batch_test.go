package demux

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/wire"
)

// The tests of this file are about batches. In one of n messages, end is that
// which closes it, at n, and barrier the request behind it, at n+1.

const begin = -1

func errnos(pairs ...any) (s []string) {
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, fmt.Sprintf("%d:%d", pairs[i], pairs[i+1]))
	}
	return s
}

// Linux 6.18 acknowledges the closing message, too.
func TestBatchEndsAtItsBarrier(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		kernel(ack("b").at(0)),
		kernel(ack("b").at(2)),
		kernel(ack("b").at(3)),
		kernel(ack("b").at(4)),
		got("b", nil),
		// Before 6.10 it does not.
		askBatch("old", 3),
		kernel(ack("old").at(0)),
		kernel(ack("old").at(2)),
		kernel(ack("old").at(4)),
		got("old", nil),
		askBatch("one", 1),
		kernel(ack("one").at(0)),
		kernel(ack("one").at(2)),
		got("one", nil),
	)
}

// The kernel goes on after a message that it refuses, and acknowledges the good
// ones although they are rolled back.
func TestRefusedMessagesOfABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("middle", 5),
		kernel(ack("middle").at(0)),
		kernel(refuse("middle", syscall.EEXIST).at(1)),
		kernel(refuse("middle", syscall.ENOENT).at(3)),
		kernel(ack("middle").at(4)),
		kernel(ack("middle").at(6)),
		got("middle", syscall.EEXIST),
		refused("middle", false, errnos(1, syscall.EEXIST, 3, syscall.ENOENT)...),
		askBatch("edges", 2),
		kernel(refuse("edges", syscall.EPERM).at(0)),
		kernel(refuse("edges", syscall.EINVAL).at(1)),
		kernel(ack("edges").at(3)),
		got("edges", syscall.EPERM),
		refused("edges", false, errnos(0, syscall.EPERM, 1, syscall.EINVAL)...),
		askBatch("one", 1),
		kernel(refuse("one", syscall.EPERM).at(0)),
		kernel(ack("one").at(2)),
		got("one", syscall.EPERM),
		refused("one", false, errnos(0, syscall.EPERM)...),
	)
}

// Whatever the number that it puts into the refusal.
func TestKernelBlamesTheBatchAsAWhole(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		// A stale generation, an unknown subsystem.
		askBatch("stale", 3),
		kernel(refuse("stale", syscall.EAGAIN).at(begin)),
		kernel(ack("stale").at(4)),
		got("stale", syscall.EAGAIN),
		refused("stale", false, errnos(-1, syscall.EAGAIN)...),
		// The unprivileged may not even pass the barrier.
		askBatch("nobody", 3),
		kernel(refuse("nobody", syscall.EPERM).at(begin)),
		kernel(refuse("nobody", syscall.EPERM).at(4)),
		got("nobody", syscall.EPERM),
		refused("nobody", false, errnos(-1, syscall.EPERM)...),
		// The commit fails: all messages were good.
		askBatch("commit", 3),
		kernel(refuse("commit", syscall.EOPNOTSUPP).at(0)),
		kernel(ack("commit").at(0)),
		kernel(ack("commit").at(2)),
		kernel(ack("commit").at(4)),
		got("commit", syscall.EOPNOTSUPP),
		refused("commit", false, errnos(-1, syscall.EOPNOTSUPP)...),
		// Without memory for the list of refusals that is dropped.
		askBatch("memory", 3),
		kernel(refuse("memory", syscall.ENOMEM).at(0)),
		kernel(ack("memory").at(4)),
		got("memory", syscall.ENOMEM),
		refused("memory", false, errnos(-1, syscall.ENOMEM)...),
		askBatch("end", 3),
		kernel(ack("end").at(0)),
		kernel(ack("end").at(2)),
		kernel(refuse("end", syscall.EIO).at(3)),
		kernel(ack("end").at(4)),
		got("end", syscall.EIO),
		refused("end", false, errnos(-1, syscall.EIO)...),
	)
}

// A batch that nfnetlink cannot parse it drops without a word.
func TestBatchThatTheKernelIgnores(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		askBatch("b", 3),
		kernel(ack("b").at(4)),
		got("b", errUnanswered),
		askBatch("half", 3),
		kernel(ack("half").at(0)),
		kernel(ack("half").at(4)),
		got("half", errUnanswered),
	)
}

// Nothing but the barrier ends a batch.
func TestOnlyTheBarrierEndsABatch(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		ask("before", Ack),
		askBatch("b", 2),
		ask("after", Ack),
		kernel(refuse("b", syscall.EEXIST).at(1)),
		kernel(done("b", 0).at(0), done("b", 0).at(3)),
		kernel(ack("b").at(3).from(other)),
		event(errnoBytes(0)+string(make([]byte, wire.HeaderLen))),
		multicast(7, ack("b").at(3)),
		event(errnoBytes(0)+string(make([]byte, wire.HeaderLen))),
		kernel(ack("before"), ack("after")),
		got("before", nil), got("after", nil),
		kernel(ack("b").at(4)), // the number behind the last: ours, but nobody's now
		late(1),
		kernel(ack("b").at(3)),
		got("b", syscall.EEXIST),
	)
}

// A joined socket sees its own changes as events, and gets those as replies as
// well that it has asked for with NLM_F_ECHO.
func TestEchoOfABatchIsByMessage(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		join(7),
		openEchoes("joined", false, true, false), sent("joined"),
		multicast(7, data("joined", "a").at(0), data("joined", "b").at(1), data("joined", "c").at(2)),
		event("a", "b", "c"),
		kernel(ack("joined").at(2)), kernel(ack("joined").at(4)),
		got("joined", nil, "b"),
		leave(7),
		openEchoes("apart", true, false, true), sent("apart"),
		multicast(7, data("apart", "a").at(0)),
		multicast(7, data("apart", "c1").at(2), data("apart", "c2").at(2)),
		// Neither the batch's own messages nor somebody else's bear the flag.
		multicast(7, data("apart", "begin").at(begin), data("apart", "b").at(1), data("apart", "end").at(3), data("apart", "theirs").at(0).from(other)),
		event("begin", "b", "end", "theirs"),
		kernel(ack("apart").at(2)), kernel(ack("apart").at(4)),
		got("apart", nil, "a", "c1", "c2"),
	)
}

func TestNumbersOfABatchAreInARow(t *testing.T) {
	playFrom(t, netlink.NETLINK_NETFILTER, 1<<32-10,
		openBatch("fits", 6), seq("fits", 1<<32-9),
		// It may not lie across the 0.
		turnTo(1<<32-10),
		openBatch("turn", 4), seq("turn", 1),
		open("a", Ack), seq("a", 8),
		turnTo(1<<32-10),
		open("b", Ack), seq("b", 9),
		turnTo(1<<32-1),
		openBatch("behind", 1), seq("behind", 10),
		turnTo(15),
		open("c", Ack), seq("c", 16),
		turnTo(13),
		// There is room for two, but not for four.
		openBatch("next", 1), seq("next", 17),
		turnTo(13),
		open("gap", Ack), seq("gap", 14),
		withdraw("fits"), withdraw("turn"),
		turnTo(0),
		openBatch("again", 4), seq("again", 1),
	)
}

func TestAnswersFindTheirBatch(t *testing.T) {
	playFrom(t, netlink.NETLINK_NETFILTER, 1<<32-4,
		askBatch("1", 5), askBatch("2", 3*minSlots), askBatch("3", 5), ask("a", Ack),
		kernel(refuse("2", syscall.EEXIST).at(2*minSlots)),
		kernel(ack("3").at(4), ack("3").at(6)),
		got("3", nil),
		kernel(ack("a")),
		got("a", nil),
		kernel(ack("1").at(4), ack("1").at(6)),
		got("1", nil),
		kernel(ack("2").at(3*minSlots-1), ack("2").at(3*minSlots+1)),
		got("2", syscall.EEXIST),
		refused("2", false, errnos(2*minSlots, syscall.EEXIST)...),
	)
}

// The kernel ends an abandoned batch, nobody else.
func TestAbandonedBatchKeepsItsNumbers(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openEchoes("b", true, true), sent("b"),
		multicast(7, data("b", "early").at(0)),
		abandon("b"),
		multicast(7, data("b", "late").at(1)),
		late(1),
		kernel(refuse("b", syscall.EPERM).at(1)),
		late(1),
		turnTo(1000),
		open("a", Ack), seq("a", 1006),
		withdraw("a"),
		kernel(ack("b").at(3)),
		gone("b"), late(1),
		turnTo(1000),
		open("c", Ack), seq("c", 1001),
	)
}

func TestWithdrawnBatchIsForgotten(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		openBatch("b", 3),
		withdraw("b"),
		kernel(ack("b").at(0)),
		late(1),
	)
}
