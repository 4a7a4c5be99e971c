package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
)

// Rows of the work latency. Those of a storm follow its name.
const (
	rowQuiet = "quiet"
	rowSleep = "beside sleeps of 1 ms"
	rowDump  = "beside a dump, 1 ms per message"

	fullStorm  = "full storm: "
	linkStorm  = "full storm, getlink: "
	pacedStorm = "paced storm: "

	rowNoMember    = "no member"
	rowUnread      = "member, not read"
	rowRead        = "member, read"
	rowEventSocket = "event socket, not read"
)

// storms are those of the work latency. At full speed a storm keeps one processor busy
// and its listeners another, so on a small machine its rows mostly show the lack of
// processors. The paced one leaves time between two bursts.
var storms = []struct {
	name  string
	pause time.Duration
	ask   func(*client.Conn) error
	times int // the storm lasts for this many times as long as others
}{
	{fullStorm, 0, askNoop, 1},
	// A few percent of the calls wait for the storm, for hundreds of times as long as the
	// others: there are few in a short time.
	{linkStorm, 0, askLink, 16},
	{pacedStorm, time.Millisecond, askNoop, 1},
}

func askNoop(c *client.Conn) error { return c.Noop(context.Background()) }

func askLink(c *client.Conn) error {
	_, err := c.Request(context.Background(), unix.RTM_GETLINK, linkPayload, 0)
	return err
}

// stormRow is a Conn in a storm.
type stormRow struct {
	name    string
	options []client.Option
	member  bool
	read    bool // by a goroutine that does nothing else
}

var stormRows = []stormRow{
	{name: rowNoMember},
	{name: rowUnread, member: true},
	{name: rowRead, member: true, read: true},
	{name: rowEventSocket, options: []client.Option{client.WithEventSocket()}, member: true},
}

// latencyRows returns the names of all rows, in the order of the table.
func latencyRows() []string {
	names := []string{rowQuiet, rowSleep, rowDump}
	for _, s := range storms {
		for _, row := range stormRows {
			names = append(names, s.name+row.name)
		}
	}
	return names
}

// latencyRatios returns the pairs of rows that the table compares.
func latencyRatios() [][2]string {
	pairs := [][2]string{{rowDump, rowSleep}, {rowDump, rowQuiet}}
	for _, s := range storms {
		pairs = append(pairs,
			[2]string{s.name + rowUnread, s.name + rowRead}, // an absent consumer costs nothing
			[2]string{s.name + rowUnread, s.name + rowNoMember},
			[2]string{s.name + rowEventSocket, s.name + rowNoMember},
		)
	}
	return pairs
}

// latencies measures all rows once, each for a time, in another order each time, so
// that no row always follows the same one.
func latencies(d time.Duration) ([]Sample, error) {
	parts := []func() ([]Sample, error){
		func() ([]Sample, error) {
			return unstormed(rowQuiet, d, func(context.Context, *client.Conn) error { return nil })
		},
		func() ([]Sample, error) { return unstormed(rowSleep, d, sleepOn) },
		func() ([]Sample, error) { return unstormed(rowDump, d, dumpSlowly) },
	}
	for _, s := range storms {
		parts = append(parts, func() ([]Sample, error) { return stormed(s.name, d*time.Duration(s.times), s.pause, s.ask) })
	}
	var all []Sample
	for _, i := range rand.Perm(len(parts)) {
		samples, err := parts[i]()
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}

// unstormed measures a Conn alongside a goroutine that runs until its ctx ends.
func unstormed(name string, d time.Duration, beside func(context.Context, *client.Conn) error) ([]Sample, error) {
	conn, err := client.Dial(netlink.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- beside(ctx, conn) }()
	c := &caller{name: name, conn: conn, ask: askNoop}
	err = takeTurns([]*caller{c}, d, nil)
	cancel()
	if err := errors.Join(err, <-ended, conn.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []Sample{c.sample()}, nil
}

// sleepOn is dumpSlowly without the dump.
func sleepOn(ctx context.Context, _ *client.Conn) error {
	for ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// dumpSlowly sleeps in the body of a loop over a dump, and restarts the dump whenever
// it has ended.
func dumpSlowly(ctx context.Context, conn *client.Conn) error {
	for n := 0; ; {
		for _, err := range conn.Dump(ctx, unix.RTM_GETADDR, addrsPayload) {
			switch {
			case err == nil:
			case n > 0 && errors.Is(err, context.Canceled):
				return nil
			default:
				return err
			}
			n++
			time.Sleep(time.Millisecond)
		}
	}
}

// stormed measures the rows of a storm in the same storm, which gives each of them its
// time.
func stormed(name string, d, pause time.Duration, ask func(*client.Conn) error) (samples []Sample, err error) {
	var callers []*caller
	defer func() {
		for _, c := range callers {
			err = errors.Join(err, c.conn.Close())
		}
	}()
	var events <-chan client.Event
	for _, row := range stormRows {
		conn, err := client.Dial(netlink.NETLINK_ROUTE, row.options...)
		if err != nil {
			return nil, err
		}
		callers = append(callers, &caller{name: name + row.name, conn: conn, ask: ask})
		if row.member {
			if err := conn.AddMembership(unix.RTNLGRP_IPV4_ROUTE); err != nil {
				return nil, err
			}
		}
		if row.read {
			events = conn.Receive()
		}
	}

	d *= time.Duration(len(callers))
	var stormErr error
	over := make(chan struct{})
	go func() {
		_, stormErr = startStorm(d+d/warmUp, pause)
		close(over)
	}()
	select {
	case <-events:
		// The storm has begun, and this was its first event.
		go func() {
			for range events {
			}
		}()
		err = takeTurns(callers, d, over)
	case <-over:
		err = errors.New("no event came")
	}
	<-over
	if err := errors.Join(err, stormErr); err != nil {
		return nil, err
	}
	for i, c := range callers {
		if got := c.conn.Stats().Events > 0; got != stormRows[i].member {
			return nil, fmt.Errorf("%s: events came: %v", c.name, got)
		}
		samples = append(samples, c.sample())
	}
	return samples, nil
}

// caller is a Conn and the times of its calls.
type caller struct {
	name string
	conn *client.Conn
	ask  func(*client.Conn) error
	took []time.Duration
	lost int64 // replies, in an overrun
}

// takeTurns makes the callers call for a time, or until over is closed, after a
// warm-up. One goroutine calls on one Conn after the other, call by call. So all of
// them meet the same moments of the same storm, and the load of the processors does not
// depend on the caller: only the Conn differs. The order changes in every turn, since a
// call finds the events queued during the one before.
func takeTurns(callers []*caller, d time.Duration, over <-chan struct{}) error {
	if err := call(callers, d/warmUp, over); err != nil {
		return err
	}
	for _, c := range callers {
		c.took, c.lost = c.took[:0], 0
	}
	runtime.GC()
	if err := call(callers, d, over); err != nil {
		return err
	}
	if len(callers[0].took) == 0 {
		return errors.New("over before the first call")
	}
	return nil
}

// call is takeTurns without the warm-up.
func call(callers []*caller, d time.Duration, over <-chan struct{}) error {
	callers = slices.Clone(callers)
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-over:
			return nil
		default:
		}
		rand.Shuffle(len(callers), func(i, j int) { callers[i], callers[j] = callers[j], callers[i] })
		for _, c := range callers {
			start := time.Now()
			err := c.ask(c.conn)
			c.took = append(c.took, time.Since(start))
			switch {
			case err == nil:
			case errors.Is(err, client.ErrReplyLost):
				c.lost++ // and its time counts like any other's
			default:
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// sample sorts the times of the calls.
func (c *caller) sample() Sample {
	slices.Sort(c.took)
	quantile := func(q float64) float64 {
		return float64(c.took[int(q*float64(len(c.took)-1))]) / float64(time.Microsecond)
	}
	var sum time.Duration
	for _, t := range c.took {
		sum += t
	}
	n := len(c.took)
	return Sample{
		Client: nameNlmux, Goroutines: 1,
		Ops: int64(n), Elapsed: sum, NsPerOp: float64(sum) / float64(n),
		Row: c.name, P50: quantile(0.5), P99: quantile(0.99), RepliesLost: c.lost,
	}
}

func p50(s *Sample) float64 { return s.P50 }
func p99(s *Sample) float64 { return s.P99 }

// latency returns one number per round of a row.
func (r *Results) latency(row string, of func(*Sample) float64) []float64 {
	var v []float64
	for i := range r.Samples {
		if s := &r.Samples[i]; s.Row == row {
			v = append(v, of(s))
		}
	}
	return v
}

func (r *Results) printLatency(out io.Writer, w *Work) {
	fmt.Fprintf(out, "\n%s: %s\n", w.Name, w.Note)
	t := newTable(out)
	defer t.Flush()
	fmt.Fprintln(t, "us\tp50\tp99\tcalls\treplies lost in all rounds\t")
	for _, row := range latencyRows() {
		of := func(f func(*Sample) float64) float64 { return median(r.latency(row, f)) }
		lost := 0.0
		for _, n := range r.latency(row, func(s *Sample) float64 { return float64(s.RepliesLost) }) {
			lost += n
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.0f\t%.0f\t\n", row,
			of(p50), of(p99), of(func(s *Sample) float64 { return float64(s.Ops) }), lost)
	}
	for _, pair := range latencyRatios() {
		a, b := pair[0], pair[1]
		mid, _ := ratio(r.latency(a, p50), r.latency(b, p50))
		high, _ := ratio(r.latency(a, p99), r.latency(b, p99))
		fmt.Fprintf(t, "%s : %s\t%.2fx\t%.2fx\t\t\t\n", a, b, mid, high)
	}
}
