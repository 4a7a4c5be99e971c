//go:build linux

package ynlkernel

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/internal/kerneltest"
	"github.com/nlmux/netlink/ynl"
)

// NotSent fails the test unless err is that of a request which could not be encoded, and
// names what was wrong with it.
func NotSent(t testing.TB, err error, text string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: no error", text)
	case !client.NotSent(err):
		t.Errorf("%s: %v, which was sent", text, err)
	case !strings.Contains(err.Error(), text):
		t.Errorf("%v does not name %s", err, text)
	}
}

// Await reads events until each line of want was found, in this order, among those that f
// makes of them. It fails the test if the loop ends before that.
func Await(t testing.TB, events iter.Seq[ynl.Event], cancel context.CancelFunc, want []string, f func(ynl.Event) string) {
	t.Helper()
	var got []string
	for e := range events {
		if e.Err != nil || e.Value == nil {
			t.Fatalf("event type %d: %v", e.Type, e.Err)
		}
		line := f(e)
		got = append(got, line)
		if len(want) > 0 && line == want[0] {
			want = slices.Delete(slices.Clone(want), 0, 1)
		}
		if len(want) == 0 {
			cancel()
		}
	}
	if len(want) > 0 {
		t.Errorf("%q did not come; events were %q", want, got)
	}
}

// Steady calls look until the state is the same before and after it: the kernel goes on to
// make routes and to change states after what a test has done.
func Steady(t testing.TB, state func() string, look func()) {
	t.Helper()
	for ctx := kerneltest.Patient(t); ctx.Err() == nil; {
		before := state()
		look()
		if state() == before {
			return
		}
	}
	t.Fatal("the state goes on to change")
}

// Line returns the values with blanks between them.
func Line(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }
