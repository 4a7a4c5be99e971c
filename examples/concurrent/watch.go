//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// seen has the watcher's counts.
type seen struct {
	events int
	gaps   int // places where events were lost
}

// watcher reads the events of a connection.
type watcher struct {
	done chan struct{} // closed when the connection is closed
	gone chan struct{} // one token: an address has gone
	seen seen
}

// watch joins all groups and prints the first events.
func watch(c *client.Conn, print int) (*watcher, error) {
	for g, name := range groups {
		if err := c.AddMembership(g); err != nil {
			return nil, fmt.Errorf("group %s: %w", name, err)
		}
	}
	w := &watcher{done: make(chan struct{}), gone: make(chan struct{}, 1)}
	go func() {
		defer close(w.done)
		for e := range c.Receive() {
			if e.Header.Type == netlink.NLMSG_OVERRUN {
				w.seen.gaps++
				continue
			}
			if w.seen.events++; w.seen.events <= print {
				verb := "new"
				if isDelete(e.Header.Type) {
					verb = "gone"
				}
				fmt.Printf("  event  %-12s %-5s %s\n", groups[e.Group], verb, key(e.Message))
			}
			if e.Header.Type == unix.RTM_DELADDR {
				select {
				case w.gone <- struct{}{}:
				default:
				}
			}
		}
	}()
	return w, nil
}

// wait returns the counts once the connection has been closed.
func (w *watcher) wait() seen {
	<-w.done
	return w.seen
}

// churnNet has the addresses that are added and removed during the requests.
var churnNet = netip.MustParsePrefix("198.51.100.0/24")

// churn adds and removes addresses of lo until ctx ends, over the shared connection. It
// adds the next one after the event that the one before was removed, so the receive
// buffer has room for the events.
func churn(ctx context.Context, c *client.Conn, gone <-chan struct{}) error {
	const lo = 1
	for a := churnNet.Addr().Next(); ; {
		// Not under ctx: an added address has to be removed.
		if err := newAddr(context.WithoutCancel(ctx), c, unix.RTM_NEWADDR, create, lo, a, 32); err != nil {
			return fmt.Errorf("add %v: %w", a, err)
		}
		if err := newAddr(context.WithoutCancel(ctx), c, unix.RTM_DELADDR, 0, lo, a, 32); err != nil {
			return fmt.Errorf("remove %v: %w", a, err)
		}
		if a = a.Next(); !churnNet.Contains(a) {
			a = churnNet.Addr().Next()
		}
		select {
		case <-gone:
		case <-ctx.Done():
			return nil
		}
	}
}
