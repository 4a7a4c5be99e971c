//go:build linux

package torture

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
)

// membership leaves a group whose events the test does not need, and joins it again.
func (w *worker) membership() {
	group := []uint32{unix.RTNLGRP_NEIGH, unix.RTNLGRP_TC, unix.RTNLGRP_NSID, unix.RTNLGRP_MDB}[w.rand.IntN(4)]
	if err := errors.Join(w.conn.DropMembership(group), w.conn.AddMembership(group)); err != nil {
		w.fault("group %d: %v", group, err)
	}
}

// subscription makes a consumer of its own, changes an object, and closes it. After Sync
// the event about the object has come, or a gap.
func (w *worker) subscription() {
	// The first group has no events. Workers leave it and join it, see membership.
	group := groupOf[anAddress]
	s, err := w.conn.Subscribe([]uint32{unix.RTNLGRP_NSID, unix.RTNLGRP_MDB}[w.rand.IntN(2)], group)
	if err != nil {
		w.fault("subscribe: %v", err)
		return
	}
	o := w.own[0]
	there := o.there
	w.toggle(o)
	if err := s.Sync(w.ctx); err != nil {
		w.fault("sync: %v", err)
		return
	}
	came, gap := false, false
	for e := range s.Events() {
		if e.Header.Type == netlink.NLMSG_NOOP {
			break
		}
		gap = gap || e.Header.Type == netlink.NLMSG_OVERRUN
		event, ok := sighting(e.Message)
		came = came || ok && event.key == o.key
		if e.Header.Type != netlink.NLMSG_OVERRUN && e.Group != group {
			w.fault("event %+v of group %d at a subscription to %d", e.Header, e.Group, group)
		}
	}
	if o.there != there && !came && !gap {
		w.fault("%v: no event about it and no gap before the marker", o.key)
	}
	if err := s.Close(); err != nil {
		w.fault("close of a subscription: %v", err)
	}
	if e, ok := <-s.Events(); ok {
		w.fault("event %+v after Close", e)
	}
}
