package mirror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
	"github.com/nlmux/netlink/ynl/rtlink"
)

// Mirror keeps copies of the kernel's tables. Open makes one. Its methods may be called
// by any number of goroutines at once.
type Mirror struct {
	conn   *client.Conn
	own    bool // conn was dialled by Open
	sub    *client.Subscription
	settle time.Duration

	state atomic.Pointer[state] // what was published last

	ctx    context.Context // ends with Close, or when the Conn does
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	close  func() error
	wake   chan struct{} // a pass may be wanted
	// marking has room for one: a marker is queued in the order of the functions that
	// wait for them.
	marking chan struct{}

	mu        sync.Mutex // guards following
	tables    []*table
	byBit     map[Tables]*table
	byType    map[netlink.MessageType][]*table
	marks     []func() // for each marker to come, what to do then
	lastEvent time.Time
	parsed    [2][]byte // scratch: key and value of a message
}

// Open starts to copy the tables, and those that they need, and returns at once:
// [Mirror.Synced] waits until the copies are exact. ctx bounds the dial only.
//
// By default it opens a Conn of its own, in the network namespace of the calling thread.
// It needs no privilege, but see [WithNetNS] and [WithReceiveBuffer]. The error names
// what failed: the options, the dial, or joining the multicast groups of the tables
// (EINVAL if the kernel does not have one, such as that of next hops before Linux 5.3).
func Open(ctx context.Context, tables Tables, opts ...Option) (*Mirror, error) {
	m, err := open(ctx, tables, opts)
	if err != nil {
		return nil, fmt.Errorf("mirror: open: %w", err)
	}
	return m, nil
}

func open(ctx context.Context, tables Tables, opts []Option) (*Mirror, error) {
	cfg, err := newConfig(opts)
	switch {
	case err != nil:
		return nil, err
	case tables == 0 || tables&^All != 0:
		return nil, fmt.Errorf("no such tables: %#x", uint16(tables))
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	m := &Mirror{
		conn:    cfg.conn,
		own:     cfg.conn == nil,
		settle:  cfg.settle,
		wake:    make(chan struct{}, 1),
		marking: make(chan struct{}, 1),
		byBit:   map[Tables]*table{},
		byType:  map[netlink.MessageType][]*table{},
	}
	if m.own {
		if m.conn, err = cfg.dial(netlink.NETLINK_ROUTE, cfg.opts...); err != nil {
			return nil, err
		}
	}
	if m.sub, err = m.conn.Subscribe(m.addTables(tables.withNeeded(), cfg.routes)...); err != nil {
		if m.own {
			m.conn.Close()
		}
		return nil, err
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.close = sync.OnceValue(m.closeOnce)
	m.state.Store(&state{newer: make(chan struct{})})
	m.mu.Lock()
	m.publish()
	m.mu.Unlock()
	m.tasks.Go(m.consume)
	m.tasks.Go(m.resync)
	return m, nil
}

// addTables makes the tables, the last ones for the routes of these routing tables, and
// returns their multicast groups.
func (m *Mirror) addTables(tables Tables, routes []uint32) (multicast []uint32) {
	now := time.Now()
	joined := map[uint32]bool{}
	for _, k := range kinds {
		if tables&k.bit == 0 {
			continue
		}
		t := newTable(k, now)
		t.pace.settle = m.settle
		if k.bit&TableRoutes != 0 {
			t.hops, t.only = m.table(TableNexthops), routes
		}
		m.tables = append(m.tables, t)
		m.byBit[k.bit] = t
		for _, typ := range []netlink.MessageType{k.new, k.del} {
			m.byType[typ] = append(m.byType[typ], t)
		}
		if !joined[k.multicast] {
			joined[k.multicast] = true
			multicast = append(multicast, k.multicast)
		}
	}
	return multicast
}

// table returns the copy of one table, nil if there is none.
func (m *Mirror) table(bit Tables) *table { return m.byBit[bit] }

// Close ends the Mirror and returns when its goroutines are gone. It closes the Conn if
// Open has dialled it. Waiting calls and loops end with an error for which
// errors.Is(err, net.ErrClosed) holds. Snapshots stay valid. Closing again returns the
// first result.
func (m *Mirror) Close() error { return m.close() }

func (m *Mirror) closeOnce() error {
	m.cancel()
	err := m.sub.Close()
	if m.own {
		err = errors.Join(err, m.conn.Close())
	}
	m.tasks.Wait()
	return err
}

// end publishes that the Mirror has ended. The goroutine that consumes events calls it.
func (m *Mirror) end() {
	m.cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks = nil
	s := *m.state.Load()
	s.err = fmt.Errorf("mirror: %w", net.ErrClosed)
	s.exact = 0
	s.rev++
	m.store(&s)
}

// Synced waits until every table of the Mirror, or of those given, has been exact at
// some time. The error says which table is not, and why: ctx has ended, or the Mirror
// was closed or has lost its Conn.
func (m *Mirror) Synced(ctx context.Context, of ...Tables) error {
	want := All
	if len(of) > 0 {
		want = 0
		for _, t := range of {
			want |= t
		}
	}
	for {
		s := m.state.Load()
		missing := s.have & want &^ s.synced
		switch {
		case missing == 0 && s.have&want != 0:
			return nil
		case s.err != nil:
			return s.err
		}
		select {
		case <-s.newer:
		case <-ctx.Done():
			return fmt.Errorf("mirror: %v not synced (%v): %w", missing, m.reasons(missing), ctx.Err())
		}
	}
}

// reasons returns why these tables are not exact.
func (m *Mirror) reasons(tables Tables) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := ""
	for _, t := range m.tables {
		if tables&t.kind.bit == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += t.why().String()
		if t.stats.Err != nil {
			text += ": " + t.stats.Err.Error()
		}
	}
	return text
}

// Barrier waits until everything that the kernel had announced when it was called is
// applied, and returns a revision: the snapshots from that one on have it. What the
// kernel has done without an announcement, or what was lost, is in a snapshot whose
// tables are exact. Barrier waits for the kernel's rtnl_lock.
func (m *Mirror) Barrier(ctx context.Context) (Rev, error) {
	var rev Rev
	err := m.barrier(ctx)
	if err == nil {
		err = m.atMark(ctx, func() {
			m.publish()
			rev = m.state.Load().rev
		})
	}
	if err != nil {
		return 0, fmt.Errorf("mirror: barrier: %w", err)
	}
	return rev, nil
}

// barrier returns when the kernel has announced what it had done under its rtnl_lock.
// RTM_GETLINK of one link waits for the lock. Without that, a message can come before
// the change that it is about: RTM_DELADDR comes before the routes of the address go
// (inet_del_ifa in net/ipv4/devinet.c).
func (m *Mirror) barrier(ctx context.Context) error {
	const loopback = 1
	request := make([]byte, 16)
	native.PutUint32(request[4:], loopback)
	for {
		_, err := m.conn.Request(ctx, rtlink.RTM_GETLINK, request, 0)
		var refused *wire.KernelError
		switch {
		case err == nil, errors.As(err, &refused):
			return nil
		case !errors.Is(err, client.ErrReplyLost):
			return m.cause(err)
		}
	}
}

// atMark runs f once all messages are applied that the kernel had queued before the
// call. f runs with m.mu locked.
func (m *Mirror) atMark(ctx context.Context, f func()) error {
	select {
	case m.marking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan struct{})
	m.mu.Lock()
	m.marks = append(m.marks, func() { f(); close(done) })
	m.mu.Unlock()
	err := m.sub.Sync(ctx)
	if err != nil {
		m.mu.Lock()
		if n := len(m.marks); n > 0 {
			m.marks = m.marks[:n-1]
		}
		m.mu.Unlock()
	}
	<-m.marking
	if err != nil {
		return m.cause(err)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return net.ErrClosed
	}
}

// cause returns net.ErrClosed if the Mirror has ended, which is why err occurred.
func (m *Mirror) cause(err error) error {
	if m.ctx.Err() != nil {
		return net.ErrClosed
	}
	return err
}

// wakePasses makes the goroutine of the passes look for work.
func (m *Mirror) wakePasses() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
