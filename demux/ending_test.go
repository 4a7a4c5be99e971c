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
		// So does an abandoned call, or the acknowledgement would count as late.
		ask("left", Ack),
		abandon("left"),
		kernel(data("left", "").typed(netlink.NLMSG_DONE)),
		late(1),
		kernel(ack("left")),
		gone("left"), late(1),
	)
}

// A dump that MayDump does not know ends with NLMSG_DONE.
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
func TestDeferredWaitsForDataAfterAck(t *testing.T) {
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

// The rules of audit are a list, ended by an NLMSG_DONE without payload.
func TestAuditListEndsWithDone(t *testing.T) {
	listDone := func(to string) template {
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

// First ends with the first reply, also if a second one shares its datagram.
func TestFirstTakesOneReply(t *testing.T) {
	play(t, netlink.NETLINK_FIB_LOOKUP,
		ask("first", First),
		kernel(data("first", "1"), data("first", "2")),
		got("first", nil, "1"), late(1),
	)
}

// A silent request ends when its send returns. A later answer counts as late.
func TestSilentIsWithdrawnUnanswered(t *testing.T) {
	play(t, netlink.NETLINK_CONNECTOR,
		open("listen", Silent),
		withdraw("listen"),
		kernel(ack("listen")),
		late(1),
	)
}

// An abandoned request keeps its number and its credit until the kernel's final message.
func TestAnswerAfterAbandonIsDropped(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("many", Ack),
		kernel(data("many", "1")),
		abandon("many"),
		kernel(data("many", "2"), data("many", "3")),
		late(2),
		kernel(data("many", "4"), done("many", 0)),
		gone("many"), late(2),
		ask("get", Ack),
		abandon("get"),
		kernel(data("get", "1")),
		late(1),
		kernel(refuse("get", syscall.EPERM)),
		gone("get"), late(1),
	)
}

// An abandoned call can stay in the table for long, so it keeps no replies.
func TestAbandonedCallHoldsNoReplies(t *testing.T) {
	play(t, netlink.NETLINK_ROUTE,
		ask("a", Ack),
		kernel(data("a", "1")),
		abandon("a"),
		kernel(data("a", "2")),
		late(1),
		check("a", func(t *testing.T, c *Call) {
			if msgs, _ := c.Result(); len(c.replies.runs) > 0 || len(msgs) > 0 {
				t.Errorf("holds %d runs, %d messages", len(c.replies.runs), len(msgs))
			}
		}),
	)
}

// Abandon fails if the result is already there.
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
