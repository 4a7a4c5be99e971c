package main

import (
	"fmt"
	"io"
	"slices"
)

// goal is a target of this client for one run on a quiet machine of two cores. Nothing
// fails if it is missed.
type goal struct {
	text    string
	measure func(r *Results) (float64, bool)
	atMost  bool // else at least
	limit   float64
}

// againstRaw is the ratio of a request's time to that of the floor in Go.
func againstRaw(work string, goroutines int, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: time to raw Go's", work, goroutines),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, nameNlmux, goroutines, nsPerOp), r.values(work, nameRaw, goroutines, nsPerOp))
		},
		atMost: true, limit: limit,
	}
}

// againstPeer is the ratio of the rate to that of a peer with as many goroutines.
func againstPeer(work string, goroutines int, peer string, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: rate to %s's", work, goroutines, peer),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, peer, goroutines, nsPerOp), r.values(work, nameNlmux, goroutines, nsPerOp))
		},
		limit: limit,
	}
}

// allocations is the number of allocations of a request with one goroutine. Those of
// the runtime meanwhile round away.
func allocations(work string, limit float64) goal {
	return goal{
		text: work + ", 1: allocations",
		measure: func(r *Results) (float64, bool) {
			v := r.values(work, nameNlmux, 1, allocs)
			return float64(int64(median(v) + 0.05)), len(v) > 0
		},
		atMost: true, limit: limit,
	}
}

// scaling is the ratio of a request's time with the maximum number of goroutines to
// that with 64. A lost reply ends the run, so none was lost.
func scaling(work string) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: time to that of 64", work, maxGoroutines),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, nameNlmux, maxGoroutines, nsPerOp), r.values(work, nameNlmux, 64, nsPerOp))
		},
		atMost: true, limit: 1.3,
	}
}

// tail is the ratio of the 99th percentiles of two rows of the work latency.
func tail(a, b string, limit float64) goal {
	return goal{
		text: fmt.Sprintf("latency, p99: %s : %s", a, b),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.latency(a, p99), r.latency(b, p99))
		},
		atMost: true, limit: limit,
	}
}

// againstRival is the ratio of what one rival of a work needs to what another does.
func againstRival(work, rival, than, what string, of func(*Sample) float64, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %s: %s to %s's", work, rival, what, than),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, rival, 1, of), r.values(work, than, 1, of))
		},
		atMost: true, limit: limit,
	}
}

var goals = []goal{
	againstRaw("noop", 1, 1.5),
	againstPeer("noop", 1, nameMdShared, 3),
	allocations("noop", 0),
	againstRaw("noop", 64, 1.0),
	againstRaw("noop", 512, 1.0),
	againstPeer("noop", 64, nameMdShared, 6),
	againstPeer("noop", 512, nameMdShared, 6),
	againstPeer("noop", 64, nameMdPool, 2.5),
	againstPeer("noop", 512, nameMdPool, 2.5),
	againstPeer(workBusy, 1, nameRawMutex, 0.9),
	againstPeer(workBusy, 8, nameRawMutex, 0.9),
	againstPeer(workBusy, 64, nameRawMutex, 0.9),
	againstPeer(workBusy, 512, nameRawMutex, 0.9),
	againstPeer(workDial, 1, nameMdShared, 1),
	againstPeer(workVerdicts, 1, nameMdShared, 1),
	againstRaw("getlink", 1, 1.3),
	allocations("getlink", 2),
	againstRaw("getlink", 64, 0.9),
	againstRaw("getlink", 512, 0.9),
	scaling("noop"),
	scaling("getlink"),
	againstRaw("routes-stream", 1, 1.1),
	againstPeer("routes-stream", 1, nameMdShared, 1/0.6),
	allocations("routes-stream", 99),
	againstPeer("routes", 1, nameMdShared, 1/0.5),
	{
		text: "events: delivered rate to mdlayher's",
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values("events", nameNlmux, 1, delivered), r.values("events", nameMdShared, 1, delivered))
		},
		limit: 2,
	},
	{
		text: "events: unreported holes in the worst round",
		measure: func(r *Results) (float64, bool) {
			v := r.values("events", nameNlmux, 1, func(s *Sample) float64 { return float64(s.Untold) })
			return slices.Max(append(v, 0)), len(v) > 0
		},
		atMost: true, limit: 0,
	},
	tail(pacedStorm+rowEventSocket, pacedStorm+rowNoMember, 1.5),
	tail(pacedStorm+rowUnread, pacedStorm+rowRead, 1.5),
	tail(rowDump, rowSleep, 2),
	againstRival(workDecode, "typed", "hand", "time", nsPerOp, 1.5),
	againstRival(workTypedRoutes, "reuse", "bare", "processor time", processorNs, 1.15),
	againstRival(workTypedRoutes, "list", "vishvananda", "time", nsPerOp, 0.5),
	againstRival(workTypedRoutes, "list", "vishvananda", "bytes", allocated, 0.25),
	againstRival(workTypedLink, "typed", "vishvananda", "time", nsPerOp, 0.6),
}

// printGoals prints the goals whose works were measured.
func (r *Results) printGoals(out io.Writer) {
	fmt.Fprintln(out, "\nGoals, for a quiet machine of two cores")
	t := newTable(out)
	defer t.Flush()
	fmt.Fprintln(t, "goal\tlimit\tmeasured\t\t")
	for _, g := range goals {
		v, ok := g.measure(r)
		if !ok {
			continue
		}
		sign, reached := ">=", v >= g.limit
		if g.atMost {
			sign, reached = "<=", v <= g.limit
		}
		verdict := "reached"
		if !reached {
			verdict = "missed"
		}
		fmt.Fprintf(t, "%s\t%s %.4g\t%.2f\t%s\t\n", g.text, sign, g.limit, v, verdict)
	}
}
