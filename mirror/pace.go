package mirror

import "time"

const (
	defaultSettle = 10 * time.Millisecond
	maxDelay      = time.Second
	firstRetry    = 5 * time.Millisecond

	// A pass waits for this many times the duration of the one before, so that passes
	// take at most a quarter of the time, unless the kernel has been quiet.
	pauseFactor = 3
	quietTime   = time.Second
)

// pace says when the next pass over a table may begin.
type pace struct {
	settle  time.Duration // after a gap; doubles while gaps follow each other
	retry   time.Duration // after a pass that left the table in doubt; doubles
	lastGap time.Time
	ended   time.Time     // the last pass
	took    time.Duration // the last pass
}

// gap records a loss of messages.
func (p *pace) gap(now time.Time) { p.lastGap = now }

// done records the end of a pass.
func (p *pace) done(now time.Time, took, settle time.Duration, clean, gap bool) {
	p.ended, p.took = now, took
	switch {
	case clean:
		p.retry, p.settle = 0, settle
	case gap:
		p.settle = min(max(2*p.settle, settle), maxDelay)
	default:
		p.retry = min(max(2*p.retry, firstRetry), maxDelay)
	}
}

// due returns when the next pass may begin, if the last message came at the time last.
func (p *pace) due(last time.Time) time.Time {
	due := later(p.lastGap.Add(p.settle), p.ended.Add(p.retry))
	pause := p.ended.Add(pauseFactor * p.took)
	if quiet := last.Add(quietTime); quiet.Before(pause) {
		pause = quiet
	}
	return later(due, pause)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
