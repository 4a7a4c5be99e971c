//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// table is a kind of entry that can be dumped.
type table struct {
	name   string
	typ    netlink.MessageType // of the request
	header any                 // of the request
}

var tables = []table{
	{"links", unix.RTM_GETLINK, &unix.IfInfomsg{}},
	{"addresses", unix.RTM_GETADDR, &unix.IfAddrmsg{}},
	{"routes", unix.RTM_GETROUTE, &unix.RtMsg{}},
	{"neighbours", unix.RTM_GETNEIGH, &unix.NdMsg{}},
}

// request encodes the request for the whole table.
func (t table) request() ([]byte, error) {
	var b wire.Builder
	b.Struct(t.header)
	return b.Encode()
}

// lookup is a request for one entry.
type lookup struct {
	name    string // of the table, and what was asked
	typ     netlink.MessageType
	payload []byte
}

// questions has the requests for all entries of a machine, and the expected answers.
type questions struct {
	lookups []lookup
	answers map[string]string   // by lookup.name
	dumps   map[string][]string // by table.name, sorted
}

// ask dumps every table, and requests each entry.
func ask(ctx context.Context, c *client.Conn) (*questions, error) {
	q := &questions{answers: make(map[string]string), dumps: make(map[string][]string)}
	for _, t := range tables {
		request, err := t.request()
		if err != nil {
			return nil, err
		}
		entries, err := c.Request(ctx, t.typ, request, netlink.NLM_F_DUMP)
		if err != nil && !errors.Is(err, client.ErrDumpInterrupted) {
			return nil, fmt.Errorf("dump of %s: %w", t.name, err)
		}
		q.dumps[t.name] = keys(entries)
		for _, m := range entries {
			l, ok := question(m)
			if !ok || !isSteady(m) || q.answers[l.name] != "" {
				continue
			}
			reply, err := c.Request(ctx, l.typ, l.payload, 0)
			if refused(err) || err == nil && len(reply) != 1 {
				continue // no single entry to be found, such as a multicast route
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			q.answers[l.name] = key(reply[0])
			q.lookups = append(q.lookups, l)
		}
	}
	return q, nil
}

// refused reports whether err is the kernel's refusal.
func refused(err error) bool {
	var k *wire.KernelError
	return errors.As(err, &k)
}

// keys returns the keys of the entries, sorted and without those that change.
func keys(entries []wire.Message) []string {
	set := make(map[string]struct{}, len(entries))
	for _, m := range entries {
		if isSteady(m) {
			set[key(m)] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// result has the results of one goroutine.
type result struct {
	latencies []time.Duration
	wrong     []wrong
	err       error
}

// wrong is an unexpected answer. It may be right after a change.
type wrong struct{ name, got string }

// dumpEvery is the number of lookups between two dumps of a goroutine.
const dumpEvery = 100

// worker sends n requests, starting at another one in each goroutine.
func (q *questions) worker(ctx context.Context, c *client.Conn, id, n int) (r result) {
	for i := range n {
		start := time.Now()
		name, got, want, err := q.one(ctx, c, id, i)
		if err != nil {
			r.err = fmt.Errorf("%s: %w", name, err)
			return r
		}
		r.latencies = append(r.latencies, time.Since(start))
		if got != want {
			r.wrong = append(r.wrong, wrong{name, got})
		}
	}
	return r
}

// one sends the i-th request of goroutine id.
func (q *questions) one(ctx context.Context, c *client.Conn, id, i int) (name, got, want string, err error) {
	if at := id + i; at%dumpEvery == 0 || len(q.lookups) == 0 {
		t := tables[at/dumpEvery%len(tables)]
		request, err := t.request()
		if err != nil {
			return t.name, "", "", err
		}
		entries, err := c.Request(ctx, t.typ, request, netlink.NLM_F_DUMP)
		if errors.Is(err, client.ErrDumpInterrupted) {
			// A table that keeps changing; its entries have been read.
			return t.name, "", "", nil
		}
		return t.name, strings.Join(keys(entries), "\n"), q.expect(t.name), err
	}
	l := q.lookups[(id+i)%len(q.lookups)]
	reply, err := c.Request(ctx, l.typ, l.payload, 0)
	switch {
	case refused(err):
		return l.name, err.Error(), q.answers[l.name], nil
	case err != nil:
		return l.name, "", "", err
	case len(reply) != 1:
		return l.name, fmt.Sprintf("%d replies", len(reply)), q.answers[l.name], nil
	}
	return l.name, key(reply[0]), q.answers[l.name], nil
}

// expect returns the expected answer to the request of that name, "" if the entry is
// gone.
func (q *questions) expect(name string) string {
	if dump, ok := q.dumps[name]; ok {
		return strings.Join(dump, "\n")
	}
	return q.answers[name]
}
