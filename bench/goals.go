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

// reached reports whether v reaches the goal.
func (g *goal) reached(v float64) bool {
	if g.atMost {
		return v <= g.limit
	}
	return v >= g.limit
}

func (g *goal) sign() string {
	if g.atMost {
		return "<="
	}
	return ">="
}

// timeTo is the ratio of the time of an operation to that of another client.
func timeTo(work string, goroutines int, client string, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: time to %s's", work, goroutines, client),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, nameNlmux, goroutines, nsPerOp), r.values(work, client, goroutines, nsPerOp))
		},
		atMost: true, limit: limit,
	}
}

// rateTo is the ratio of the rate to that of another client with as many goroutines.
func rateTo(work string, goroutines int, client string, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: rate to %s's", work, goroutines, client),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, client, goroutines, nsPerOp), r.values(work, nameNlmux, goroutines, nsPerOp))
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

// scaling is the ratio of the time of an operation with many goroutines to that with few. A
// lost reply ends the run, so none was lost.
func scaling(work string, many, few int, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s, %d: time to that of %d", work, many, few),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, nameNlmux, many, nsPerOp), r.values(work, nameNlmux, few, nsPerOp))
		},
		atMost: true, limit: limit,
	}
}

// deliveredTo is the ratio of the rates of delivered events.
func deliveredTo(work, client, than string, limit float64) goal {
	return goal{
		text: fmt.Sprintf("%s: delivered rate, %s : %s", work, client, than),
		measure: func(r *Results) (float64, bool) {
			return ratio(r.values(work, client, 1, delivered), r.values(work, than, 1, delivered))
		},
		limit: limit,
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

var goals = slices.Concat(requestGoals, busyGoals(), procsGoals(), dumpGoals, eventGoals, typedGoals)

// sharedFloor is the goal of a request of many goroutines: its time to that of a request
// of one goroutine on one plain socket.
const sharedFloor = 0.6

var requestGoals = []goal{
	timeTo(workNoop, 1, nameRawMsg, 1.3),
	timeTo(workNoop, 1, nameRaw, 1.45),
	rateTo(workNoop, 1, nameMdShared, 3),
	allocations(workNoop, 0),
	timeTo(workNoop, 64, nameRaw, sharedFloor),
	timeTo(workNoop, 512, nameRaw, sharedFloor),
	rateTo(workNoop, 64, nameMdShared, 6),
	rateTo(workNoop, 512, nameMdShared, 6),
	rateTo(workNoop, 64, nameMdPool, 2.5),
	rateTo(workNoop, 512, nameMdPool, 2.5),
	rateTo(workNoop, 64, nameMdBuffer, 5.5),
	rateTo(workNoop, 512, nameMdBuffer, 5.5),
	timeTo(workGetLink, 1, nameRaw, 1.3),
	allocations(workGetLink, 2),
	timeTo(workGetLink, 64, nameRaw, 0.9),
	timeTo(workGetLink, 512, nameRaw, 0.9),
	rateTo(workGetLink, 1, nameMdBuffer, 1.4),
	rateTo(workGetLink, 64, nameMdBuffer, 2.4),
	scaling(workNoop, maxGoroutines, 64, 1.3),
	scaling(workGetLink, maxGoroutines, 64, 1.3),
	timeTo(workDial, 1, nameMdShared, 1),
}

// busyGoals require about the rate of one plain socket in a busy process.
func busyGoals() (all []goal) {
	for _, work := range []string{workBusy, workBusy1} {
		for _, n := range []int{1, 8, 64, 512} {
			all = append(all, rateTo(work, n, nameRawMutex, 0.9))
		}
	}
	return all
}

// procsGoals require that the number of threads that run Go code hardly matters.
func procsGoals() (all []goal) {
	for _, procs := range procCounts {
		for _, n := range []int{64, 512} {
			all = append(all, timeTo(procsWork(procs), n, nameRaw, 1.3*sharedFloor))
		}
	}
	return all
}

var dumpGoals = []goal{
	timeTo(workRoutesStream, 1, nameRaw, 1.1),
	rateTo(workRoutesStream, 1, nameMdShared, 1/0.6),
	rateTo(workRoutesStream, 1, nameMdBuffer, 1.12),
	allocations(workRoutesStream, 99),
	timeTo(workRoutes, 1, nameMdShared, 0.5),
	timeTo(workRoutes, 1, nameVishShared, 0.75),
	scaling(workDumps, parallelDumps, 1, 0.6),
	scaling(workDumpsStream, parallelDumps, 1, 0.6),
}

var eventGoals = []goal{
	deliveredTo(workEvents, nameNlmux, nameRaw, 1),
	deliveredTo(workEvents, nameNlmux, nameMdShared, 2),
	deliveredTo(workSubscribers, nameSubscribers, nameRaw, 0.8),
	{
		text: "events: unreported holes in the worst round",
		measure: func(r *Results) (float64, bool) {
			v := r.values(workEvents, nameNlmux, 1, func(s *Sample) float64 { return float64(s.Untold) })
			return slices.Max(append(v, 0)), len(v) > 0
		},
		atMost: true, limit: 0,
	},
	timeTo(workVerdicts, 1, nameMdShared, 0.7),
	tail(linkStorm+rowEventSocket, linkStorm+rowNoMember, 1.1),
	tail(pacedStorm+rowEventSocket, pacedStorm+rowNoMember, 1.5),
	tail(pacedStorm+rowUnread, pacedStorm+rowRead, 1.5),
	tail(rowDump, rowSleep, 2),
}

var typedGoals = []goal{
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
		verdict := "reached"
		if !g.reached(v) {
			verdict = "missed"
		}
		fmt.Fprintf(t, "%s\t%s %.4g\t%.2f\t%s\t\n", g.text, g.sign(), g.limit, v, verdict)
	}
}
