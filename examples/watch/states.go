//go:build linux

package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// states are the links that are up, by index. It is a consumer of its own: it shares the
// connection and the group of links with the one that prints all events, and neither
// waits for the other.
type states map[int32]bool

// follow writes to changes which links go up or down, until ctx ends or s is closed. After
// a gap it continues: every message about a link has the whole state.
func (up states) follow(ctx context.Context, s *client.Subscription, changes chan<- string) {
	for e := range s.Events() {
		text, changed := up.change(e.Message)
		if !changed {
			continue
		}
		select {
		case changes <- text:
		case <-ctx.Done():
			return
		}
	}
}

// change notes the state of the link that a message is about.
func (up states) change(m wire.Message) (text string, changed bool) {
	if m.Header.Type != unix.RTM_NEWLINK {
		return "", false
	}
	var h unix.IfInfomsg
	attrs, err := m.Struct(&h)
	now := h.Flags&unix.IFF_UP != 0
	if err != nil || now == up[h.Index] {
		return "", false
	}
	up[h.Index] = now
	state := "down"
	if now {
		state = "up"
	}
	name := fmt.Sprint("link ", h.Index)
	for d := wire.NewDecoder(attrs); d.Next(); {
		if d.Type() == unix.IFLA_IFNAME {
			name = d.String()
		}
	}
	return fmt.Sprintf("%s is %s", name, state), true
}
