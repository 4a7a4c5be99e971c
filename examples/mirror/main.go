//go:build linux

// Command mirror prints the links, addresses, next hops, neighbours, rules and routes,
// and then every change with old and new values: an ip monitor that misses nothing. A line
// says when a table is in doubt, and when it is exact again. It needs no privilege.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/nlmux/netlink/examples/internal/cli"
	"github.com/nlmux/netlink/mirror"
)

func main() {
	tables := flag.String("tables", "links,addrs,nexthops,neighs,rules,routes", "what to print")
	asJSON := flag.Bool("json", false, "print JSON, an object a line")
	buffer := flag.Int("rcvbuf", 0, "size of the receive buffer in bytes, 0 for the default")
	cli.Command{
		Name:  "mirror",
		Args:  "[-tables LIST] [-json] [-rcvbuf BYTES]",
		About: "mirror prints the tables of rtnetlink and each of their changes until Ctrl-C.",
		Valid: func() bool { return valid(*tables) && *buffer >= 0 },
		Run: func(ctx context.Context) error {
			var opts []mirror.Option
			if *buffer > 0 {
				opts = append(opts, mirror.WithReceiveBuffer(*buffer))
			}
			p := &printer{w: os.Stdout, json: *asJSON}
			return run(ctx, p, strings.Split(*tables, ","), opts...)
		},
	}.Main()
}

// watcher prints tables under a name until ctx ends.
type watcher struct {
	tables mirror.Tables
	watch  func(ctx context.Context, m *mirror.Mirror, p *printer, name string, tables mirror.Tables) error
}

var watchers = map[string]watcher{
	"links":    {mirror.TableLinks, watchView(mirror.Snapshot.Links)},
	"addrs":    {mirror.TableAddrs, watchView(mirror.Snapshot.Addrs)},
	"nexthops": {mirror.TableNexthops, watchView(mirror.Snapshot.Nexthops)},
	"neighs":   {mirror.TableNeighs, watchView(mirror.Snapshot.Neighs)},
	"rules":    {mirror.TableRules, watchView(mirror.Snapshot.Rules)},
	"routes":   {mirror.TableRoutes, watchView(mirror.Snapshot.RouteGroups)},
}

func valid(tables string) bool {
	return !slices.ContainsFunc(strings.Split(tables, ","), func(name string) bool {
		_, known := watchers[name]
		return !known
	})
}

// run prints these tables until ctx ends.
func run(ctx context.Context, p *printer, names []string, opts ...mirror.Option) error {
	var tables mirror.Tables
	for _, name := range names {
		tables |= watchers[name].tables
	}
	m, err := mirror.Open(ctx, tables, opts...)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tasks sync.WaitGroup
	for _, name := range names {
		w := watchers[name]
		tasks.Go(func() { cancel(w.watch(ctx, m, p, name, w.tables)) })
	}
	tasks.Wait()
	return context.Cause(ctx)
}

// watchView returns a function that prints one view. The views are printed side by side:
// the lines of one table are in order, those of two tables need not be.
func watchView[K comparable, V any](of func(mirror.Snapshot) mirror.View[K, V]) func(context.Context, *mirror.Mirror, *printer, string, mirror.Tables) error {
	return func(ctx context.Context, m *mirror.Mirror, p *printer, name string, tables mirror.Tables) error {
		exact := true
		for b, err := range mirror.Watch(ctx, m, of) {
			if err != nil {
				return err
			}
			if err := printBatch(p, name, b); err != nil {
				return err
			}
			if b.Initial || b.Exact != exact {
				exact = b.Exact
				line := doubt{Table: name, Rev: b.Rev, Exact: exact, Initial: b.Initial}
				if !exact {
					line.Why = why(m, tables)
				}
				if err := p.print(line); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// why returns why the tables are not exact; by now they may be.
func why(m *mirror.Mirror, tables mirror.Tables) string {
	for _, s := range m.Status().Tables {
		if s.Table&tables != 0 && !s.Exact {
			return s.Why.String()
		}
	}
	return "not any more"
}

func printBatch[K comparable, V any](p *printer, name string, b mirror.Batch[K, V]) error {
	for c := range b.Changes {
		l := change{Table: name, Rev: b.Rev, Key: c.Key}
		if !b.Initial {
			l.Why = c.Why.String()
		}
		if old, found := c.Old(); found {
			l.Old = old
		}
		if new, found := c.New(); found {
			l.New = new
		}
		if err := p.print(l); err != nil {
			return err
		}
	}
	return nil
}

// printer writes lines.
type printer struct {
	w    io.Writer
	json bool
	mu   sync.Mutex
}

func (p *printer) print(line interface {
	JSON() ([]byte, error)
	Text() (string, error)
}) error {
	var text string
	var err error
	if p.json {
		var b []byte
		b, err = line.JSON()
		text = string(b)
	} else {
		text, err = line.Text()
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = fmt.Fprintln(p.w, text)
	return err
}
