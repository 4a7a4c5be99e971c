package genl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// Resolve returns the family of that name. The kernel is asked once for each Conn and
// name: concurrent callers share one look-up, and the answer is kept as long as the
// Conn. Failures are not kept. No privilege is needed. If the family is in a module
// that is not loaded, the kernel tries to load it (ctrl_getfamily in
// net/netlink/genetlink.c).
//
// Each caller waits as long as its own ctx allows; the look-up ends with the last of
// them. A cached family is returned even if ctx has ended or the Conn is closed. A
// family that is reloaded gets another id. [Family.Request] and [Family.Dump] notice
// that, and Resolve then returns the new one.
//
// For an unknown name, errors.Is(err, fs.ErrNotExist) holds. A family that is not
// available in the Conn's network namespace counts as unknown. An answer that cannot be
// read yields an error that wraps [wire.ErrMalformed]. Other errors are those of
// [client.Conn.Request], and one for a c that is not a Conn to NETLINK_GENERIC.
func Resolve(ctx context.Context, c *client.Conn, name string) (Family, error) {
	return resolve(ctx, c, name, false)
}

// Lookup is [Resolve] that asks the kernel even if the family is known, and keeps the
// answer. The ids of a family and of its groups change when its module is loaded again.
func Lookup(ctx context.Context, c *client.Conn, name string) (Family, error) {
	return resolve(ctx, c, name, true)
}

// resolve is Resolve. With fresh it ignores the cache.
func resolve(ctx context.Context, c *client.Conn, name string, fresh bool) (Family, error) {
	if ctx == nil {
		return Family{}, fmt.Errorf("genl: %w", errNilContext)
	}
	k, err := cacheOf(c)
	if err != nil {
		return Family{}, err
	}
	f, err := k.wait(ctx, c, name, fresh)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Family{}, fmt.Errorf("genl: no family %q: %w", name, err)
	case err != nil:
		return Family{}, fmt.Errorf("genl: family %q: %w", name, err)
	}
	return f, nil
}

// flight is a look-up with callers that wait.
type flight struct {
	ctx     context.Context // ends with the last caller
	cancel  context.CancelFunc
	waiting int // callers; guarded by the cache's mu
}

// wait returns the cached family, unless fresh is set, or waits for a look-up, its own
// or another caller's.
func (k *cache) wait(ctx context.Context, c *client.Conn, name string, fresh bool) (Family, error) {
	// The kernel has no such names.
	if name == "" || len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return Family{}, fmt.Errorf("a name has 1 to %d bytes and no NUL: %w", maxName, fs.ErrNotExist)
	}
	over := ctx.Err()
	k.mu.Lock()
	// NB: under the same lock as the flights, or a family that another caller has just
	// looked up would be looked up again.
	kept, ok := k.families[name]
	if ok && !fresh {
		k.mu.Unlock()
		return kept.clone(), nil
	}
	if over != nil {
		k.mu.Unlock()
		return Family{}, over
	}
	f := k.flights[name]
	if f == nil {
		f = new(flight)
		f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		k.flights[name] = f
	}
	f.waiting++
	result := k.lookups.DoChan(name, func() (any, error) { return k.lookUp(f, c, name) })
	k.mu.Unlock()
	defer k.leave(name, f)

	select {
	case r := <-result:
		return answer(r.Val, r.Err)
	case <-ctx.Done():
	}
	// A result that has arrived beats ctx.
	select {
	case r := <-result:
		return answer(r.Val, r.Err)
	default:
		return Family{}, ctx.Err()
	}
}

// answer returns a copy of a look-up's result for one caller.
func answer(val any, err error) (Family, error) {
	if err != nil {
		return Family{}, err
	}
	return val.(Family).clone(), nil
}

// leave ends a caller's wait, and the look-up after the last caller.
func (k *cache) leave(name string, f *flight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	f.cancel()
	if k.flights[name] == f {
		k.removeLocked(name)
	}
}

// removeLocked lets the next caller start a look-up of its own.
func (k *cache) removeLocked(name string) {
	delete(k.flights, name)
	k.lookups.Forget(name)
}

// current returns f with the ID of the cached family of its name, which may have been
// reloaded since f was resolved. Another version is not used.
func (k *cache) current(f Family) Family {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now, ok := k.families[f.Name]; ok && f.accepts(now.Version) {
		f.ID = now.ID
	}
	return f
}

// drop deletes the cached family of that name if it has this id. A look-up that the
// kernel may already have answered ends without being kept.
func (k *cache) drop(name string, id netlink.MessageType) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f, ok := k.families[name]; ok && f.ID == id {
		delete(k.families, name)
		k.removeLocked(name)
	}
}

// lookUp asks the kernel for the family of that name on behalf of the flight.
func (k *cache) lookUp(fl *flight, c *client.Conn, name string) (Family, error) {
	f, err := getFamily(fl.ctx, c, name)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.flights[name] != fl:
		// No caller waits any more, or the cached family was dropped.
	case err == nil:
		k.families[name] = f
	case errors.Is(err, fs.ErrNotExist):
		delete(k.families, name)
	}
	return f, err
}

// getFamily asks the kernel for the family of that name.
func getFamily(ctx context.Context, c *client.Conn, name string) (Family, error) {
	var b wire.Builder
	b.String(attrFamilyName, name)
	attrs, err := b.Encode()
	if err != nil {
		return Family{}, err
	}
	replies, err := controller().exchange(ctx, c, ctrlGetFamily, attrs, 0)
	if err != nil {
		return Family{}, err
	}
	if len(replies) == 0 {
		return Family{}, fmt.Errorf("%w: empty answer", wire.ErrMalformed)
	}
	f, err := parseFamily(replies[0].Payload)
	if err == nil && f.Name != name {
		err = fmt.Errorf("%w: answer about family %q", wire.ErrMalformed, f.Name)
	}
	return f, err
}

// Families returns all families that are available in the Conn's network namespace, in
// the kernel's order. It asks the kernel each time, and the result is the caller's own.
// No privilege is needed.
//
// ctx and errors are those of [client.Conn.Request] for a request that dumps:
// [client.ErrDumpInterrupted] comes with the families. A reply that cannot be read
// yields an error that wraps [wire.ErrMalformed].
func Families(ctx context.Context, c *client.Conn) ([]Family, error) {
	if _, err := cacheOf(c); err != nil {
		return nil, err
	}
	replies, err := controller().exchange(ctx, c, ctrlGetFamily, nil, netlink.NLM_F_DUMP)
	var families []Family
	for _, m := range replies {
		f, err := ParseFamily(m)
		if err != nil {
			return nil, err
		}
		families = append(families, f)
	}
	if err != nil {
		return families, fmt.Errorf("genl: list of families: %w", err)
	}
	return families, nil
}
