package main

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Sample is one measurement of one cell: a client at a work with a number of
// goroutines.
type Sample struct {
	Round      int           `json:"round"`
	Work       string        `json:"work"`
	Client     string        `json:"client"`
	Goroutines int           `json:"goroutines"`
	Beside     int           `json:"beside,omitempty"` // of a floor: the count of goroutines that it was measured next to
	Ops        int64         `json:"ops"`
	Elapsed    time.Duration `json:"elapsed_ns"`
	NsPerOp    float64       `json:"ns_per_op"`
	Allocs     float64       `json:"allocs_per_op"`
	Bytes      float64       `json:"bytes_per_op"`
	Processor  float64       `json:"cpu_ns_per_op,omitempty"` // of rivals

	// Of a storm of events.

	Events    int64   `json:"events,omitempty"`
	Delivered float64 `json:"delivered_per_s,omitempty"`
	Lost      int64   `json:"lost,omitempty"`
	Told      int     `json:"told,omitempty"`     // reports of losses
	Holes     int     `json:"holes,omitempty"`    // places where events are missing
	InPlace   int     `json:"in_place,omitempty"` // holes with a report right there
	Untold    int     `json:"untold,omitempty"`   // holes without any report

	// Of the latency of one goroutine.

	Row         string  `json:"row,omitempty"` // what else happens
	P50         float64 `json:"p50_us,omitempty"`
	P99         float64 `json:"p99_us,omitempty"`
	RepliesLost int64   `json:"replies_lost,omitempty"`
}

// Limit ends a measurement: after N operations in all if N is not 0, after a time
// otherwise.
type Limit struct {
	N    int64
	Time time.Duration
}

// warmUp is the share of a cell's time that is spent before the clock runs:
// pools fill, buffers grow and threads start.
const warmUp = 8

// measure runs one cell for a time.
func (e *Entry) measure(w *Work, goroutines int, d time.Duration) (Sample, error) {
	if w.Op == nil {
		return e.listen(d)
	}
	if e.Loop != nil {
		return e.Loop(w, Limit{Time: d})
	}
	defer setProcs(w.Procs)()
	crew, err := e.hire(w, goroutines)
	if err != nil {
		return Sample{}, err
	}
	s, err := crew.measure(w, d)
	if closeErr := crew.close(); err == nil {
		err = closeErr
	}
	return s, err
}

// crew is the clients of one cell, one for each goroutine; where the client is
// shared, it is the same one.
type crew struct {
	clients []Client
	shared  bool
}

// hire opens the clients for a work.
func (e *Entry) hire(w *Work, goroutines int) (*crew, error) {
	dial := e.Dial
	if w.Dial != nil {
		dial = func() (Client, error) { return w.Dial(e) }
	}
	c := &crew{clients: make([]Client, 0, goroutines), shared: e.Shared}
	for i := range goroutines {
		if e.Shared && i > 0 {
			c.clients = append(c.clients, c.clients[0])
			continue
		}
		cl, err := dial()
		if err != nil {
			c.close()
			return nil, fmt.Errorf("dial socket %d: %w", i+1, err)
		}
		c.clients = append(c.clients, cl)
	}
	return c, nil
}

func (c *crew) close() error {
	var first error
	for i, cl := range c.clients {
		if c.shared && i > 0 {
			break
		}
		if err := cl.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *crew) measure(w *Work, d time.Duration) (Sample, error) {
	if _, _, err := c.run(w, Limit{Time: d / warmUp}, func() {}); err != nil {
		return Sample{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	ops, elapsed, err := c.run(w, Limit{Time: d}, func() { runtime.ReadMemStats(&before) })
	if err != nil {
		return Sample{}, err
	}
	runtime.ReadMemStats(&after)
	n := float64(ops)
	return Sample{
		Ops:     ops,
		Elapsed: elapsed,
		NsPerOp: float64(elapsed) / n,
		Allocs:  float64(after.Mallocs-before.Mallocs) / n,
		Bytes:   float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, nil
}

// run makes every goroutine do operations up to the limit, and at least one, so that a
// client that is slow in a busy process has a rate. begin is called when all are ready.
// The elapsed time ends when the last one is done.
func (c *crew) run(w *Work, l Limit, begin func()) (ops int64, elapsed time.Duration, err error) {
	var (
		stop  atomic.Bool
		total atomic.Int64
		ready sync.WaitGroup
		done  sync.WaitGroup
		fail  sync.Once
		start = make(chan struct{})
	)
	workers := int64(len(c.clients))
	for i, cl := range c.clients {
		quota := int64(math.MaxInt64)
		if l.N > 0 {
			quota = l.N / workers
			if int64(i) < l.N%workers {
				quota++
			}
		}
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			n := int64(0)
			for n < quota && (n == 0 || !stop.Load()) {
				if e := w.Op(cl, i); e != nil {
					fail.Do(func() { err = e })
					stop.Store(true)
					break
				}
				n++
			}
			total.Add(n)
		}()
	}
	ready.Wait()
	if l.N == 0 {
		timer := time.AfterFunc(l.Time, func() { stop.Store(true) })
		defer timer.Stop()
	}
	begin()
	t := time.Now()
	close(start)
	done.Wait()
	return total.Load(), time.Since(t), err
}
