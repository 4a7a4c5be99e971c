package genl

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// overCtx is a ctx that ends when a caller waits for it. By then the result has arrived
// as well.
type overCtx struct {
	context.Context
	over chan struct{}
}

func (c overCtx) Done() <-chan struct{} {
	synctest.Wait()
	return c.over
}

// TestResultBeatsCtx, whichever of the two a select picks.
func TestResultBeatsCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		close(over)
		for range 100 {
			c := newKernel(acme()).dial(t)
			if _, err := Resolve(overCtx{bg, over}, c, "acme"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestFailuresAreNotKept(t *testing.T) {
	k := newKernel()
	c := k.dial(t)
	if _, err := Resolve(bg, c, "acme"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	k.load(acme(), nil)
	mustResolve(t, c, "acme")
}

// TestUnknownNames: the kernel is not asked for impossible names.
func TestUnknownNames(t *testing.T) {
	for _, test := range []struct {
		name  string
		asked int
	}{
		{"nosuch", 1},
		{"fifteen-bytes-x", 1},
		{"sixteen-bytes-xx", 0},
		{"", 0},
		{"ac\x00me", 0},
	} {
		k := newKernel(acme())
		c := k.dial(t)
		f, err := Resolve(bg, c, test.name)
		if !errors.Is(err, fs.ErrNotExist) || !reflect.DeepEqual(f, Family{}) {
			t.Errorf("%q: %+v, %v; want fs.ErrNotExist", test.name, f, err)
		}
		if n := k.lookups(); n != test.asked {
			t.Errorf("%q: %d look-ups, want %d", test.name, n, test.asked)
		}
		var refusal *wire.KernelError
		if errors.As(err, &refusal) != (test.asked == 1) {
			t.Errorf("%q: %v", test.name, err)
		}
	}
}

// TestCopiesAreTheCallers: no caller sees what another does to its Family.
func TestCopiesAreTheCallers(t *testing.T) {
	c := newKernel(acme()).dial(t)
	for range 2 { // from the look-up, from the cache
		f := mustResolve(t, c, "acme")
		clear(f.Groups)
		f.Groups["mine"] = 1
		f.Ops[0] = Op{}
	}
	if f := mustResolve(t, c, "acme"); !reflect.DeepEqual(f, acme()) {
		t.Errorf("%+v", f)
	}
}

func TestArguments(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	over, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Resolve(over, c, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("ctx that has ended: %v", err)
	}
	//lint:ignore SA1012 the test is about a nil ctx
	if _, err := Resolve(nil, c, "acme"); !errors.Is(err, errNilContext) {
		t.Errorf("nil ctx: %v", err)
	}
	if n := k.lookups(); n != 0 {
		t.Errorf("%d look-ups, want none", n)
	}
	_, err := Resolve(bg, nil, "acme")
	_, err2 := Families(bg, nil)
	_, err3 := acme().Request(bg, nil, 1, nil, 0)
	_, err4 := acme().Policy(bg, nil)
	for _, err := range []error{err, err2, err3, err4, Join(bg, nil, "acme", "events"), Leave(bg, nil, "acme", "events")} {
		if !errors.Is(err, errNilConn) {
			t.Errorf("nil Conn: %v", err)
		}
	}
	for _, err := range acme().Dump(bg, nil, 1, nil) {
		if !errors.Is(err, errNilConn) {
			t.Errorf("nil Conn: Dump: %v", err)
		}
	}
}

// TestKeptAnswersNeedNeitherCtxNorKernel.
func TestKeptAnswersNeedNeitherCtxNorKernel(t *testing.T) {
	c := newKernel(acme()).dial(t)
	mustResolve(t, c, "acme")
	c.Close()
	over, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Resolve(over, c, "acme"); err != nil {
		t.Error(err)
	}
	if _, err := Resolve(bg, c, "other"); !errors.Is(err, net.ErrClosed) || !client.NotSent(err) {
		t.Errorf("%v, want net.ErrClosed", err)
	}
}

// TestConnIsNotKeptInMemory: its cache is deleted with it.
func TestConnIsNotKeptInMemory(t *testing.T) {
	key := func() weak.Pointer[client.Conn] {
		k := newKernel(acme())
		c := k.Dial()
		defer c.Close()
		mustResolve(t, c, "acme")
		return weak.Make(c)
	}()
	for {
		if _, ok := caches.Load(key); !ok {
			return
		}
		// The deadline of the test ends this loop.
		runtime.GC()
		runtime.Gosched()
	}
}
