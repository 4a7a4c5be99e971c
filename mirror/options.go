package mirror

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// Option changes how Open works.
type Option func(*config)

type config struct {
	conn   *client.Conn
	dial   func(netlink.Family, ...client.Option) (*client.Conn, error)
	opts   []client.Option
	settle time.Duration
	routes []uint32 // routing tables; empty: all
	err    error
}

const (
	defaultReceiveBuffer = 16 << 20
	eventQueue           = 1 << 16 // events that wait while a commit is made
)

func newConfig(opts []Option) (config, error) {
	c := config{dial: client.Dial, settle: defaultSettle}
	c.opts = []client.Option{
		client.WithStrictChecking(),
		client.WithReceiveBuffer(defaultReceiveBuffer),
		client.WithEventQueue(eventQueue),
	}
	own := len(c.opts)
	for _, o := range opts {
		o(&c)
	}
	if c.conn != nil && len(c.opts) > own {
		c.err = errors.Join(c.err, errors.New("WithConn: the Conn has its own namespace and buffer"))
	}
	return c, c.err
}

// WithConn makes the Mirror use a Conn of NETLINK_ROUTE that is the caller's: the caller
// closes it, after the Mirror. Default: the Mirror dials its own. No privilege is needed.
//
// The Conn should have a large receive buffer and a large event queue
// ([client.WithReceiveBuffer], [client.WithEventQueue]): losses are repaired, but that
// takes time. With [client.WithStrictChecking] the kernel can dump the routes of one link
// alone, which a Mirror asks for when a link goes down.
func WithConn(c *client.Conn) Option {
	return func(cfg *config) {
		if c == nil {
			cfg.err = errors.Join(cfg.err, errors.New("WithConn: nil Conn"))
		}
		cfg.conn = c
	}
}

// WithNetNS makes the Mirror copy the tables of the network namespace that fd refers to;
// see [client.WithNetNS]. Default: that of the thread that calls Open.
func WithNetNS(fd int) Option {
	return func(cfg *config) { cfg.opts = append(cfg.opts, client.WithNetNS(fd)) }
}

// WithReceiveBuffer sets the size of the socket's receive queue in bytes; see
// [client.WithReceiveBuffer]. Default: 16 MiB, or net.core.rmem_max without
// CAP_NET_ADMIN. A smaller one loses more messages, each loss costs a pass over the
// tables.
func WithReceiveBuffer(bytes int) Option {
	return func(cfg *config) { cfg.opts = append(cfg.opts, client.WithReceiveBuffer(bytes)) }
}

// WithDial makes the Mirror open its Conn with dial, which gets NETLINK_ROUTE and the
// options that the Mirror needs. Default: client.Dial. It is for tests, with
// [github.com/nlmux/netlink/nltest.Kernel.Dial], and for a Conn with further options.
func WithDial(dial func(family netlink.Family, opts ...client.Option) (*client.Conn, error)) Option {
	return func(cfg *config) {
		if dial == nil {
			cfg.err = errors.Join(cfg.err, errors.New("WithDial: nil function"))
		}
		cfg.dial = dial
	}
}

// WithSettle sets how long the Mirror waits after a loss of messages before it reads
// tables again. The time doubles, up to a second, while losses follow each other.
// Default: 10 ms. Open fails if d is negative.
func WithSettle(d time.Duration) Option {
	return func(cfg *config) {
		if d < 0 {
			cfg.err = errors.Join(cfg.err, errors.New("WithSettle: negative duration"))
		}
		cfg.settle = d
	}
}

// WithRouteTables makes the Mirror copy the routes of these routing tables only, such as
// 254, the main table, whether the kernel has them or not. Other routes take neither
// memory nor revisions. With one table, and [client.WithStrictChecking] if the Conn is
// the caller's, the kernel dumps no others. Default: all. Open fails without an id, and
// if one is 0.
func WithRouteTables(ids ...uint32) Option {
	return func(cfg *config) {
		if len(ids) == 0 || slices.Contains(ids, 0) {
			cfg.err = errors.Join(cfg.err, fmt.Errorf("WithRouteTables: no such tables: %v", ids))
		}
		cfg.routes = slices.Clone(ids)
	}
}
