package genl

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink/client"
)

func TestResolve(t *testing.T) {
	k := newKernel(Family{ID: 39, Name: "other"}, acme())
	c := k.dial(t)
	for range 3 {
		if f := mustResolve(t, c, "acme"); !reflect.DeepEqual(f, acme()) {
			t.Errorf("got %+v\nwant %+v", f, acme())
		}
	}
	// A family without groups and commands has nil Groups and Ops.
	if f, want := mustResolve(t, c, "other"), (Family{ID: 39, Name: "other"}); !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, want %+v", f, want)
	}
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want one for each name", n)
	}
}

// TestLookupAsks although the family is known, and its answer replaces what is kept.
func TestLookupAsks(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	mustResolve(t, c, "acme")
	k.load(reloaded(), nil)
	if f, err := Lookup(bg, c, "acme"); err != nil || !reflect.DeepEqual(f, reloaded()) {
		t.Errorf("%+v, %v", f, err)
	}
	if f := mustResolve(t, c, "acme"); f.ID != reloaded().ID {
		t.Errorf("%+v is kept", f)
	}
	k.unload("acme")
	if f, err := Lookup(bg, c, "acme"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", f, err)
	}
	if n := k.lookups(); n != 3 {
		t.Errorf("%d look-ups, want 3", n)
	}
}

// TestEachConnAsks: another Conn may be in another namespace.
func TestEachConnAsks(t *testing.T) {
	k := newKernel(acme())
	mustResolve(t, k.dial(t), "acme")
	mustResolve(t, k.dial(t), "acme")
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want 2", n)
	}
}

// TestConcurrentCallersShareALookUp: all of them wait before the kernel answers.
func TestConcurrentCallersShareALookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		k.hold = make(chan struct{})
		c := k.dial(t)
		var g sync.WaitGroup
		for range 100 {
			g.Go(func() {
				if f, err := Resolve(bg, c, "acme"); err != nil || !reflect.DeepEqual(f, acme()) {
					t.Errorf("%+v, %v", f, err)
				}
			})
		}
		synctest.Wait()
		close(k.hold)
		g.Wait()
		if n := k.lookups(); n != 1 {
			t.Errorf("%d look-ups, want 1", n)
		}
		wantIdle(t, c)
	})
}

// wantIdle checks that ended look-ups left nothing.
func wantIdle(t *testing.T, c *client.Conn) {
	t.Helper()
	synctest.Wait()
	k, err := cacheOf(c)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.flights) != 0 {
		t.Errorf("%d look-ups are still there", len(k.flights))
	}
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d requests pending", n)
	}
}

// TestCallerThatLeavesFailsNoOther, even if it started the look-up.
func TestCallerThatLeavesFailsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		k.hold = make(chan struct{})
		c := k.dial(t)
		ctx, cancel := context.WithCancel(bg)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := Resolve(ctx, c, "acme")
			first <- err
		}()
		synctest.Wait()
		go func() {
			_, err := Resolve(bg, c, "acme")
			second <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "acme") {
			t.Errorf("first: %v", err)
		}
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("second ended with the first: %v", err)
		default:
		}
		close(k.hold)
		if err := <-second; err != nil {
			t.Errorf("second: %v", err)
		}
		if n := k.lookups(); n != 1 {
			t.Errorf("%d look-ups, want 1", n)
		}
		wantIdle(t, c)
	})
}

// TestLookUpEndsWithItsLastCaller. The next caller starts another.
func TestLookUpEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		k.hold = make(chan struct{})
		c := k.dial(t)
		ctx, cancel := context.WithCancel(bg)
		var g sync.WaitGroup
		for range 3 {
			g.Go(func() {
				if _, err := Resolve(ctx, c, "acme"); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		g.Wait()
		if _, ok := cached(t, c, "acme"); ok {
			t.Error("an abandoned look-up was kept")
		}

		late := make(chan error, 1)
		go func() {
			_, err := Resolve(bg, c, "acme")
			late <- err
		}()
		synctest.Wait()
		if n := k.lookups(); n != 2 {
			t.Errorf("%d look-ups, want a second one", n)
		}
		close(k.hold)
		if err := <-late; err != nil {
			t.Error(err)
		}
		wantIdle(t, c)
	})
}

// cached returns the cached family of that name.
func cached(t *testing.T, c *client.Conn, name string) (Family, bool) {
	t.Helper()
	k, err := cacheOf(c)
	if err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.families[name]
	return f, ok
}
