package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nlmux/netlink/wire"
)

// stormEnv marks the process that is the storm; its value is the length and the pause.
const stormEnv = "NLMUX_BENCH_STORM"

// stormPairs is the number of routes that one datagram adds and deletes.
const stormPairs = 64

// storm adds and deletes routes for a time, no route twice, with a pause after each
// datagram, and prints the number of events. Event 2i is the addition of the i-th
// route, event 2i+1 its deletion, so a listener sees which ones it missed.
func storm(d, pause time.Duration, out io.Writer) error {
	r, err := openRaw()
	if err != nil {
		return err
	}
	defer r.Close()
	n := uint32(0)
	for start := time.Now(); time.Since(start) < d; {
		b := r.batch()
		for range stormPairs {
			payload := routeMessage(stormBase + n)
			b.add(unix.RTM_NEWROUTE, createFlags, payload)
			b.add(unix.RTM_DELROUTE, 0, payload)
			n++
		}
		if err := b.send(); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	_, err = fmt.Fprintln(out, 2*n)
	return err
}

// runStorm is main in the process of the storm. It returns false in any other.
func runStorm() bool {
	s := os.Getenv(stormEnv)
	if s == "" {
		return false
	}
	lasts, pauses, _ := strings.Cut(s, " ")
	d, err := time.ParseDuration(lasts)
	if err == nil {
		var pause time.Duration
		if pause, err = time.ParseDuration(pauses); err == nil {
			err = storm(d, pause, os.Stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
	return true
}

// startStorm runs a storm in another process and returns its number of events.
func startStorm(d, pause time.Duration) (events int, err error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v %v", stormEnv, d, pause))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("storm: %w", err)
	}
	return strconv.Atoi(string(bytes.TrimSpace(out)))
}

// stormNumber returns the number of an event of the storm. ok is false for an
// event that is not one of its own.
func stormNumber(typ uint16, payload []byte) (n int64, ok bool) {
	if typ != unix.RTM_NEWROUTE && typ != unix.RTM_DELROUTE || len(payload) < unix.SizeofRtMsg {
		return 0, false
	}
	for rest := payload[unix.SizeofRtMsg:]; len(rest) > 0; {
		var a wire.Attr
		var err error
		if a, rest, err = wire.NextAttr(rest); err != nil {
			return 0, false
		}
		if a.Type != unix.RTA_DST {
			continue
		}
		dst, err := a.Uint32BE()
		if err != nil || dst < stormBase {
			return 0, false
		}
		n = 2 * int64(dst-stormBase)
		if typ == unix.RTM_DELROUTE {
			n++
		}
		return n, true
	}
	return 0, false
}

// tally counts the events of a listener.
type tally struct {
	delivered atomic.Int64

	// The rest belongs to the listener until it has ended.

	first time.Time
	next  int64 // the event that must come next if none was lost
	told  int   // reports of lost events by the client
	fresh int   // reports since the last event

	holes   int // places where events are missing
	inPlace int // those with a report right there
	open    int // those with no report so far, neither since the hole before nor after
	since   int // reports since the last hole
}

func (t *tally) on(typ uint16, payload []byte) {
	n, ok := stormNumber(typ, payload)
	if !ok {
		return
	}
	if n != t.next {
		t.hole()
	}
	t.next, t.fresh = n+1, 0
	if t.delivered.Add(1) == 1 {
		t.first = time.Now()
	}
}

// hole records that events are missing before the current one. The kernel reports a
// loss before the events that it queued earlier, so a client that passes the report on
// at once reports a hole that is still to come. A report after the hole counts as well:
// a program that then reads the table again misses nothing.
func (t *tally) hole() {
	t.holes++
	switch {
	case t.fresh > 0:
		t.inPlace++
	case t.since == 0:
		t.open++
	}
	t.since = 0
}

func (t *tally) lost() {
	t.told++
	t.fresh++
	t.since++
	t.open = 0
}

// stormQuiet is the time without events after which a storm counts as over.
const stormQuiet = 100 * time.Millisecond

// listen measures the listeners of the entry in one storm. The sample is that of the one
// to which the fewest events were delivered.
func (e *Entry) listen(d time.Duration) (Sample, error) {
	listeners, err := e.Listen(unix.RTNLGRP_IPV4_ROUTE)
	if err != nil {
		return Sample{}, err
	}
	tallies := make([]tally, len(listeners))
	ended := make(chan error, len(listeners))
	for i, l := range listeners {
		go func() { ended <- l.Run(tallies[i].on, tallies[i].lost) }()
	}
	events, last, err := attend(tallies, d, ended)
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		return Sample{}, err
	}
	for range listeners {
		<-ended
	}
	var worst Sample
	for i := range tallies {
		if tallies[i].delivered.Load() == 0 {
			return Sample{}, errors.New("no event came")
		}
		if s := tallies[i].sample(events, last); i == 0 || s.Ops < worst.Ops {
			worst = s
		}
	}
	return worst, nil
}

// attend runs a storm until no more events come. If the storm is faster than the
// listeners, queued events still count, and so does the time until they are delivered. It
// returns the number of events of the storm and the time of the last delivery.
func attend(tallies []tally, d time.Duration, ended <-chan error) (events int, last time.Time, err error) {
	stormed := make(chan struct{})
	var stormErr error
	go func() {
		events, stormErr = startStorm(d, 0)
		close(stormed)
	}()
	over := false
	var seen int64
	last = time.Now()
	for !over || time.Since(last) < stormQuiet {
		select {
		case <-stormed:
			over, stormed = true, nil
		case err := <-ended:
			return 0, last, errors.Join(errors.New("a listener ended early"), err)
		case <-time.After(time.Millisecond):
		}
		var n int64
		for i := range tallies {
			n += tallies[i].delivered.Load()
		}
		if n != seen {
			seen, last = n, time.Now()
		}
	}
	return events, last, stormErr
}

// sample returns the sample of a listener that has ended, in a storm of this number of
// events whose last delivery was at the time last.
func (t *tally) sample(events int, last time.Time) Sample {
	if t.next < int64(events) {
		t.hole()
	}
	seen, elapsed := t.delivered.Load(), last.Sub(t.first)
	return Sample{
		Ops:       seen,
		Elapsed:   elapsed,
		Events:    int64(events),
		Lost:      int64(events) - seen,
		Told:      t.told,
		Holes:     t.holes,
		InPlace:   t.inPlace,
		Untold:    t.open,
		NsPerOp:   float64(elapsed) / float64(seen),
		Delivered: float64(seen) / elapsed.Seconds(),
	}
}
