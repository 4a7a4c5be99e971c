package client_test

import (
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/socktest"
)

// A dump for whose next part the kernel found no memory stalls behind an empty
// queue, so it is given up for lost, and it goes on with the next message that is
// read (netlink_dump). Its parts are queued even while an overrun has everything
// else dropped, and so prolong that: what was queued before the overrun may have
// been read long since, and the answer to a request would still be dropped.
func TestRequestsWaitAtTheGateForTheTailOfALostDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 2
		c, reader := k.dialStepped()
		k.join(c, linkGroup)
		dump := k.dump(bg, c)
		req := k.want(getAddr)
		req.send(req.part("1", 0))
		req.from.Overrun(syscall.ENOBUFS)
		wantLost(t, dump)
		wantEvents(t, c, "gap 0")

		reader.stop()
		k.multicast(linkGroup, "old 1", "old 2", "dropped")
		synctest.Wait()
		reader.step(1) // the overrun
		req.from.Dump(
			socktest.Datagram{Data: req.part("2", 0)},
			socktest.Datagram{Data: req.part("3", 0)},
			socktest.Datagram{Data: req.end(netlink.NLMSG_DONE, 0)},
		)
		get := k.get(bg, c)
		reader.step(2) // all that is older
		k.wantIdle("the kernel would drop the answer")
		reader.step(3) // the rest of the dump
		k.wantIdle("the queue is not known to be empty")
		reader.goOn()
		k.want(getLink).ack()
		wantTexts(t, get)
		wantEvents(t, c, "old 1", "old 2", "gap 0")
		wantStats(t, c, client.Stats{Events: 2, Late: 3, RepliesLost: 1, Overruns: 2})
	})
}

// The same of a dump that somebody still waits for.
func TestRequestsWaitAtTheGateForARunningDump(t *testing.T) {
	play(t, func(t *testing.T, k *kernel) {
		k.Limit = 2
		c, reader := k.dialStepped()
		k.join(c, linkGroup)
		dump := k.dump(bg, c)
		req := k.want(getAddr)

		reader.stop()
		k.multicast(linkGroup, "old 1", "old 2", "dropped")
		synctest.Wait()
		reader.step(1) // the overrun
		req.from.Dump(
			socktest.Datagram{Data: req.part("1", 0)},
			socktest.Datagram{Data: req.end(netlink.NLMSG_DONE, 0)},
		)
		get := k.get(bg, c)
		reader.step(2) // all that is older
		k.wantIdle("the kernel would drop the answer")
		reader.step(2) // the dump
		wantTexts(t, dump, "1")
		k.wantIdle("the queue is not known to be empty")
		reader.goOn()
		k.want(getLink).ack()
		wantTexts(t, get)
		wantEvents(t, c, "old 1", "old 2", "gap 0")
		wantStats(t, c, client.Stats{Events: 2, Overruns: 1})
	})
}
