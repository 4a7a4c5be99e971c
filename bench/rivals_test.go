package main

import (
	"runtime"
	"testing"
	"time"
)

// rival is one way to do the same work as others.
type rival struct {
	name string
	than string // the rival that it is compared with, "" for none
	do   func() error
}

// cost is what a rival needs for its work.
type cost struct {
	processor, wall float64 // in nanoseconds
	bytes           float64 // allocated
}

// compare has the rivals do their work times in turn, so that what else the machine does
// meets all of them. It reports the median cost of each, and the median ratios to the
// rival that it is compared with.
func compare(b *testing.B, times int, rivals ...rival) {
	costs := make(map[string][]cost)
	for b.Loop() {
		for _, r := range rivals {
			costs[r.name] = append(costs[r.name], r.measure(b, times))
		}
	}
	b.ReportMetric(0, "ns/op") // of all rivals together
	for _, r := range rivals {
		own := costs[r.name]
		b.ReportMetric(medianCost(own, nil, cost.ofProcessor), r.name+"-cpu-ns")
		b.ReportMetric(medianCost(own, nil, cost.ofBytes), r.name+"-B")
		if r.than != "" {
			other := costs[r.than]
			b.ReportMetric(medianCost(own, other, cost.ofProcessor), r.name+":"+r.than+"-cpu")
			b.ReportMetric(medianCost(own, other, cost.ofWall), r.name+":"+r.than+"-time")
			b.ReportMetric(medianCost(own, other, cost.ofBytes), r.name+":"+r.than+"-bytes")
		}
	}
}

func (c cost) ofProcessor() float64 { return c.processor }
func (c cost) ofWall() float64      { return c.wall }
func (c cost) ofBytes() float64     { return c.bytes }

// medianCost returns the median of a part of the costs, or of the ratios to other costs.
func medianCost(own, other []cost, part func(cost) float64) float64 {
	values := make([]float64, len(own))
	for i, c := range own {
		if values[i] = part(c); other != nil {
			values[i] /= max(part(other[i]), 1)
		}
	}
	return median(values)
}

// measure has the rival do its work a number of times, and returns the cost of one.
func (r rival) measure(b *testing.B, times int) cost {
	runtime.GC() // of the rival before
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, processor := time.Now(), processorTime(b)
	for range times {
		if err := r.do(); err != nil {
			b.Fatalf("%s: %v", r.name, err)
		}
	}
	wall, processor := time.Since(start), processorTime(b)-processor
	runtime.ReadMemStats(&after)
	n := float64(times)
	return cost{
		processor: float64(processor) / n,
		wall:      float64(wall) / n,
		bytes:     float64(after.TotalAlloc-before.TotalAlloc) / n,
	}
}
