package genl

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/nlmux/netlink/client"
)

// Join joins a family's multicast group by name: its events come out of
// [client.Conn.Receive], with the group's id in Event.Group, and [ParseMessage]
// reads them. [Subscribe] makes a consumer of its own instead. Joining a group again
// does nothing. Most groups need no privilege; the kernel refuses others with EPERM to
// callers without the capability that the group asks for, CAP_NET_ADMIN or
// CAP_SYS_ADMIN (genl_bind in net/netlink/genetlink.c).
//
// The kernel is asked for the group's id each time, since ids are given away
// again: what [Resolve] keeps could be another family's by now. When a family is
// unloaded, the kernel ends all memberships of its groups and says so to the
// group "notify" of "nlctrl" only; once it is loaded again, Join again.
//
// ctx ends the waiting for the id; then nothing was joined. For a family that
// the kernel does not have, and for a group that the family does not have,
// errors.Is(err, fs.ErrNotExist) holds. Other errors are those of [Resolve] and
// [client.Conn.AddMembership].
func Join(ctx context.Context, c *client.Conn, family, group string) error {
	ids, err := groupIDs(ctx, c, family, group)
	if err != nil {
		return err
	}
	if err := c.AddMembership(ids[0]); err != nil {
		return fmt.Errorf("genl: family %q, group %q: %w", family, group, err)
	}
	return nil
}

// Subscribe makes a new consumer of multicast groups of a family, by their names: see
// [client.Conn.Subscribe]. [Leave] does not end it, Close of the Subscription does.
// Privileges and ids are as with [Join]: once a family was unloaded and loaded again,
// Subscribe again.
//
// ctx ends the waiting for the ids. With an error nothing was joined. For a family that
// the kernel does not have, and for a group that the family does not have,
// errors.Is(err, fs.ErrNotExist) holds. Other errors are those of [Resolve] and
// [client.Conn.Subscribe]; EINVAL stands for no groups.
func Subscribe(ctx context.Context, c *client.Conn, family string, groups ...string) (*client.Subscription, error) {
	ids, err := groupIDs(ctx, c, family, groups...)
	if err != nil {
		return nil, err
	}
	s, err := c.Subscribe(ids...)
	if err != nil {
		return nil, fmt.Errorf("genl: family %q, groups %q: %w", family, groups, err)
	}
	return s, nil
}

// Leave leaves a family's multicast group by name. Events that were queued
// before still come, and a [client.Subscription] to it goes on. Leaving a group that was
// not joined does nothing. ctx and
// errors are those of [Join]; no privilege is needed.
func Leave(ctx context.Context, c *client.Conn, family, group string) error {
	ids, err := groupIDs(ctx, c, family, group)
	if err != nil {
		return err
	}
	if err := c.DropMembership(ids[0]); err != nil {
		return fmt.Errorf("genl: family %q, group %q: %w", family, group, err)
	}
	return nil
}

// groupIDs returns the ids that the groups have now.
func groupIDs(ctx context.Context, c *client.Conn, family string, groups ...string) (ids []uint32, err error) {
	f, err := resolve(ctx, c, family, true)
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		id, ok := f.Groups[group]
		if !ok {
			return nil, fmt.Errorf("genl: family %q has no group %q: %w", family, group, fs.ErrNotExist)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
