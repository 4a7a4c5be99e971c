package client

import (
	"testing"
	"time"
)

// Yields go on after a slow one, and stop after more of them than the bucket has time for.
func TestSlowYieldsAreLimited(t *testing.T) {
	const ms = time.Millisecond
	type yield struct{ before, after time.Duration }
	for _, tt := range []struct {
		name   string
		yields []yield
		stops  time.Duration // from the end of the last yield on
	}{
		{"none", nil, 0},
		{"many fast ones", []yield{{0, 5 * ms}, {5 * ms, 10 * ms}, {10 * ms, 15 * ms}, {15 * ms, 20 * ms}}, 0},
		{"one", []yield{{0, 8 * ms}}, 0},
		{"several at once", []yield{{0, 8 * ms}, {1 * ms, 9 * ms}, {2 * ms, 10 * ms}}, 0},
		{"several at once, the last one first", []yield{{2 * ms, 10 * ms}, {1 * ms, 9 * ms}, {0, 8 * ms}}, 0},
		{"two in a row", []yield{{0, 10 * ms}, {10 * ms, 20 * ms}}, 390 * ms},
		{"a very slow one", []yield{{0, 20 * ms}}, 400 * ms},
		{"two apart", []yield{{0, 8 * ms}, {400 * ms, 408 * ms}}, 0},
		{"again after a stop", []yield{{0, 20 * ms}, {420 * ms, 430 * ms}}, 490 * ms},
	} {
		var y yielder
		end := time.Duration(0)
		for _, x := range tt.yields {
			if !y.allowed(x.before) {
				t.Errorf("%s: not allowed at %v", tt.name, x.before)
			}
			y.record(x.before, x.after)
			end = x.after
		}
		if tt.stops > 0 && y.allowed(end+tt.stops-1) || !y.allowed(end+tt.stops) {
			t.Errorf("%s: full in %v, want a stop of %v", tt.name, time.Duration(y.full.Load())-end, tt.stops)
		}
	}
}
