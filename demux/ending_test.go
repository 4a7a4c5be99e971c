package demux

import (
	"syscall"
	"testing"

	"github.com/nlmux/netlink"
)

// The tests of this file are about what ends an answer, and what does not.

func TestAckEndsWithAcknowledgementOnly(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("nothing", Ack),
		kernel(ack("nothing")),
		got("nothing", nil),
		ask("data", Ack),
		kernel(data("data", "1")),
		kernel(data("data", "2")),
		kernel(ack("data")),
		got("data", nil, "1", "2"),
		ask("refused", Ack),
		kernel(data("refused", "1")),
		kernel(refuse("refused", syscall.EPERM)),
		got("refused", syscall.EPERM, "1"),
	)
}

// A GET of conntrack is answered with NLM_F_MULTI and no NLMSG_DONE.
func TestMultiWithoutDoneWaitsForAck(t *testing.T) {
	play(t, netlink.NETLINK_NETFILTER,
		ask("get", Ack),
		kernel(data("get", "flow").flagged(netlink.NLM_F_MULTI)),
		kernel(ack("get")),
		got("get", nil, "flow"),
	)
}

// A team device ends its list with an NLMSG_DONE without payload, and then
// acknowledges.
func TestDoneWithoutPayloadWaitsForAck(t *testing.T) {
	empty := data("get", "").typed(netlink.NLMSG_DONE)
	play(t, netlink.NETLINK_GENERIC,
		ask("get", Ack),
		kernel(data("get", "option").flagged(netlink.NLM_F_MULTI), empty.flagged(netlink.NLM_F_MULTI)),
		kernel(ack("get")),
		got("get", nil, "option"),
		// Abandoned it waits as well, or the acknowledgement would be a stray.
		ask("left", Ack),
		abandon("left"),
		kernel(data("left", "").typed(netlink.NLMSG_DONE)),
		late(1),
		kernel(ack("left")),
		gone("left"), late(1),
		// In a dump it is the end.
		ask("dump", Dump),
		kernel(data("dump", "").typed(netlink.NLMSG_DONE)),
		got("dump", nil),
	)
}

// What looks like a dump to the kernel, and not to us, ends with NLMSG_DONE.
func TestDoneWithErrnoEndsAck(t *testing.T) {
	play(t, netlink.NETLINK_CRYPTO,
		ask("a", Ack),
		kernel(data("a", "1"), done("a", 0)),
		got("a", nil, "1"),
		ask("b", Ack),
		kernel(done("b", syscall.EINVAL)),
		got("b", syscall.EINVAL),
	)
}

func TestDumpEndsWithDoneOrError(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("alone", Dump),
		kernel(data("alone", "1"), data("alone", "2")),
		kernel(data("alone", "3")),
		kernel(done("alone", 0)),
		got("alone", nil, "1", "2", "3"),
		// The end may be in the datagram of the last part.
		ask("shared", Dump),
		kernel(data("shared", "1"), done("shared", 0)),
		got("shared", nil, "1"),
		ask("callback failed", Dump),
		kernel(data("callback failed", "1")),
		kernel(done("callback failed", syscall.EINVAL)),
		got("callback failed", syscall.EINVAL, "1"),
		ask("not started", Dump),
		kernel(refuse("not started", syscall.EOPNOTSUPP)),
		got("not started", syscall.EOPNOTSUPP),
		// rtnetlink acknowledges what is too short for it.
		ask("no dump", Dump),
		kernel(ack("no dump")),
		got("no dump", nil),
	)
}

// One dump per socket: the second is refused, and the first goes on.
func TestSecondDumpIsRefusedAlone(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("1", Dump),
		kernel(data("1", "part 1")),
		ask("2", Dump),
		kernel(refuse("2", syscall.EBUSY)),
		got("2", syscall.EBUSY),
		kernel(data("1", "part 2"), done("1", 0)),
		got("1", nil, "part 1", "part 2"),
	)
}

// The flag can stand on any part, or on the end alone.
func TestInterruptedDumpSaysSo(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("first", Dump),
		kernel(data("first", "1").flagged(netlink.NLM_F_DUMP_INTR), data("first", "2")),
		kernel(data("first", "3"), done("first", 0)),
		got("first", nil, "1", "2", "3"), interrupted("first", true),
		ask("last", Dump),
		kernel(data("last", "1"), data("last", "2").flagged(netlink.NLM_F_DUMP_INTR), done("last", 0)),
		got("last", nil, "1", "2"), interrupted("last", true),
		ask("end", Dump),
		kernel(data("end", "1"), done("end", 0).flagged(netlink.NLM_F_DUMP_INTR)),
		got("end", nil, "1"), interrupted("end", true),
		ask("never", Dump),
		kernel(data("never", "1").flagged(netlink.NLM_F_DUMP_FILTERED), done("never", 0)),
		got("never", nil, "1"), interrupted("never", false),
	)
}

func TestFirstEndsWithFirstReply(t *testing.T) {
	play(t, netlink.NETLINK_FIB_LOOKUP,
		ask("found", First),
		kernel(data("found", "route")),
		got("found", nil, "route"),
		kernel(data("found", "more")),
		late(1),
		ask("refused", First),
		kernel(refuse("refused", syscall.EINVAL)),
		got("refused", syscall.EINVAL),
		ask("left", First),
		abandon("left"),
		kernel(data("left", "route")),
		gone("left"), late(1),
	)
}

// A kernel thread answers after the acknowledgement.
func TestDeferredWaitsForDataBehindAck(t *testing.T) {
	play(t, netlink.NETLINK_AUDIT,
		openTyped("status", Deferred, auditGet, false),
		sent("status"),
		kernel(ack("status")),
		kernel(data("status", "enabled").from(0)),
		got("status", nil, "enabled"),
		openTyped("refused", Deferred, auditGet, false),
		sent("refused"),
		kernel(refuse("refused", syscall.EPERM)),
		got("refused", syscall.EPERM),
		openTyped("left", Deferred, auditGet, false),
		sent("left"),
		kernel(ack("left")),
		abandon("left"),
		kernel(data("left", "enabled").from(0)),
		gone("left"), late(1),
		// Given up before the acknowledgement, it still needs both.
		openTyped("left early", Deferred, auditGet, false),
		sent("left early"),
		abandon("left early"),
		kernel(ack("left early")),
		late(1),
		kernel(data("left early", "enabled").from(0)),
		gone("left early"), late(1),
	)
}

// The rules of audit are a list, closed by NLMSG_DONE without payload.
func TestAuditListEndsWithDone(t *testing.T) {
	listDone := func(to string) sketch {
		return data(to, "").typed(netlink.NLMSG_DONE).flagged(netlink.NLM_F_MULTI).from(0)
	}
	play(t, netlink.NETLINK_AUDIT,
		openTyped("list", Deferred, auditListRules, false),
		sent("list"),
		kernel(ack("list")),
		kernel(data("list", "rule 1").from(0)),
		kernel(data("list", "rule 2").from(0)),
		kernel(listDone("list")),
		got("list", nil, "rule 1", "rule 2"),
		openTyped("empty", Deferred, auditListRules, false),
		sent("empty"),
		kernel(ack("empty")),
		kernel(listDone("empty")),
		got("empty", nil),
		openTyped("left", Deferred, auditListRules, false),
		sent("left"),
		kernel(ack("left")),
		abandon("left"),
		kernel(data("left", "rule 1").from(0)),
		late(1),
		kernel(listDone("left")),
		gone("left"), late(1),
	)
}

// A silent request has happened when its send returns; a kernel that does
// answer one meets nobody.
func TestSilentIsWithdrawnUnanswered(t *testing.T) {
	play(t, netlink.NETLINK_CONNECTOR,
		open("listen", Silent),
		withdraw("listen"),
		kernel(ack("listen")),
		late(1),
	)
}

// The kernel ends an abandoned request, nobody else: the number, and what the
// request was lent, are its until then.
func TestTailAfterAbandonIsDropped(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		kernel(data("dump", "1")),
		abandon("dump"),
		kernel(data("dump", "2"), data("dump", "3")),
		late(2),
		kernel(data("dump", "4"), done("dump", 0)),
		gone("dump"), late(2),
		ask("get", Ack),
		abandon("get"),
		kernel(data("get", "1")),
		late(1),
		kernel(refuse("get", syscall.EPERM)),
		gone("get"), late(1),
	)
}

// An abandoned dump can run for long, and nobody will ask for what it brought.
func TestAbandonedDumpHoldsNoReplies(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("dump", Dump),
		kernel(data("dump", "1")),
		abandon("dump"),
		kernel(data("dump", "2")),
		late(1),
		check("dump", func(t *testing.T, c *Call) {
			if msgs, _ := c.Result(); len(c.replies.runs) > 0 || len(msgs) > 0 {
				t.Errorf("holds %d runs, %d messages", len(c.replies.runs), len(msgs))
			}
		}),
	)
}

// The result beats the waiter that leaves.
func TestAbandonComesTooLate(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		kernel(ack("a")),
		func(s *script) {
			if s.table.Abandon(s.call("a")) {
				s.failf("the result was there")
			}
		},
		got("a", nil),
	)
}
