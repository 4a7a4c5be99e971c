package genl

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

func TestResolve(t *testing.T) {
	k := newKernel(Family{ID: 39, Name: "other"}, acme())
	c := k.dial(t)
	for range 3 {
		if f := mustResolve(t, c, "acme"); !reflect.DeepEqual(f, acme()) {
			t.Errorf("got %+v\nwant %+v", f, acme())
		}
	}
	// Of a family without groups and commands nothing is made up.
	if f, want := mustResolve(t, c, "other"), (Family{ID: 39, Name: "other"}); !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, want %+v", f, want)
	}
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want one for each name", n)
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

// TestConcurrentCallersShareALookUp: all of them are waiting before the kernel
// answers.
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

// wantIdle checks that nothing is left of look-ups that have ended.
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

// TestCallerThatLeavesFailsNobodyElse: not even the one that began.
func TestCallerThatLeavesFailsNobodyElse(t *testing.T) {
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

// TestLookUpEndsWithItsLastCaller, and a caller that comes then starts another.
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
			t.Error("something was kept of a look-up that nobody waited for")
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

// cached returns what is kept under a name.
func cached(t *testing.T, c *client.Conn, name string) (Family, bool) {
	t.Helper()
	k, err := cacheOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return k.known(name)
}

// overCtx is a ctx that ends when it is waited for, at which time the result has
// come as well.
type overCtx struct {
	context.Context
	over chan struct{}
}

func (c overCtx) Done() <-chan struct{} {
	synctest.Wait()
	return c.over
}

// TestResultBeatsCtx, whichever a select happens to see first.
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

// TestUnknownNames: those that no family can have are not asked for.
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

// TestCopiesAreTheCallers: what one does to a Family, no other caller sees.
func TestCopiesAreTheCallers(t *testing.T) {
	c := newKernel(acme()).dial(t)
	for range 2 { // from the look-up, from what is kept
		f := mustResolve(t, c, "acme")
		clear(f.Groups)
		f.Groups["mine"] = 1
		f.Ops[0] = Op{}
	}
	if f := mustResolve(t, c, "acme"); !reflect.DeepEqual(f, acme()) {
		t.Errorf("%+v", f)
	}
}

// malformed are answers of the controller that cannot be read.
var malformed = map[string]wire.Message{
	"no header":           {Header: wire.Header{Type: ctrlID}, Payload: []byte{1, 2, 0}},
	"no attributes":       message(ctrlID, ctrlNewFamily, ctrlVersion),
	"truncated attribute": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), raw(0xff, 0x0f, attrVersion, 0x0f)),
	"half a header":       message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), raw(8, 0)),
	"id of the protocol":  message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 3)),
	"id of 4 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint32(attrFamilyID, 40)
	}),
	"version of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrVersion, 1)
	}),
	"header size of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrHeaderSize, 1)
	}),
	"maxattr of 2 bytes": message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), func(b *wire.Builder) {
		b.Uint16(attrMaxAttr, 1)
	}),
	"truncated list of commands": nested(attrOps, raw(0xff, 0x0f, 1, 0)),
	"truncated command":          nested(attrOps, nest(1, raw(0xff, 0x0f, 1, 0))),
	"command of 2 bytes":         nested(attrOps, nest(1, func(b *wire.Builder) { b.Uint16(attrOpID, 1) })),
	"command 256":                nested(attrOps, nest(1, func(b *wire.Builder) { b.Uint32(attrOpID, 256) })),
	"truncated list of groups":   nested(attrGroups, raw(0xff, 0x0f, 1, 0)),
	"truncated group":            nested(attrGroups, nest(1, raw(0xff, 0x0f, 1, 0))),
	"group of 2 bytes":           nested(attrGroups, nest(1, func(b *wire.Builder) { b.Uint16(attrGroupID, 1) })),
	"group without a name":       nested(attrGroups, nest(1, func(b *wire.Builder) { b.Uint32(attrGroupID, 1) })),
	"group without an id":        nested(attrGroups, nest(1, func(b *wire.Builder) { b.String(attrGroupName, "g") })),
}

func named(name string, id uint16) func(b *wire.Builder) {
	return func(b *wire.Builder) {
		b.String(attrFamilyName, name)
		b.Uint16(attrFamilyID, id)
	}
}

// nested is an otherwise good description with a nest in it.
func nested(typ uint16, content func(b *wire.Builder)) wire.Message {
	return message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), nest(typ, content))
}

func nest(typ uint16, content func(b *wire.Builder)) func(b *wire.Builder) {
	return func(b *wire.Builder) { b.Nest(typ, content) }
}

func TestMalformedAnswers(t *testing.T) {
	for name, answer := range malformed {
		k := newKernel()
		k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return []wire.Message{answer}, true }
		c := k.dial(t)
		if f, err := Resolve(bg, c, "acme"); !errors.Is(err, wire.ErrMalformed) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Resolve: %+v, %v", name, f, err)
		}
		if f, err := Families(bg, c); !errors.Is(err, wire.ErrMalformed) || f != nil {
			t.Errorf("%s: Families: %+v, %v", name, f, err)
		}
		m, err := ParseMessage(answer)
		if err == nil {
			_, err = ParseFamily(m)
		}
		if !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: ParseFamily: %v", name, err)
		}
	}
}

// TestAnswersToAnotherQuestion: a family of another name, or none at all.
func TestAnswersToAnotherQuestion(t *testing.T) {
	for name, answer := range map[string][]wire.Message{
		"other name": {describe(Family{ID: 50, Name: "other"})},
		"nothing":    nil,
	} {
		k := newKernel()
		k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return answer, true }
		if f, err := Resolve(bg, k.dial(t), "acme"); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// TestUnknownAttributesAreSkipped: newer kernels may say more.
func TestUnknownAttributesAreSkipped(t *testing.T) {
	more := func(b *wire.Builder) { b.String(999, "more") }
	f, err := ParseFamily(parsed(t, message(ctrlID, ctrlNewFamily, ctrlVersion, named("acme", 40), more,
		nest(attrOps, nest(1, more)), nest(attrGroups, nest(1, func(b *wire.Builder) {
			more(b)
			b.String(attrGroupName, "g")
			b.Uint32(attrGroupID, 7)
		})))))
	want := Family{ID: 40, Name: "acme", Ops: []Op{{}}, Groups: map[string]uint32{"g": 7}}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v, %v; want %+v", f, err, want)
	}
}

// parsed is ParseMessage or the end of the test.
func parsed(t testing.TB, m wire.Message) Message {
	t.Helper()
	p, err := ParseMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestArguments(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	over, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Resolve(over, c, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("ctx that has ended: %v", err)
	}
	//lint:ignore SA1012 what happens then is the test
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

// TestConnIsNotKeptInMemory: what is kept for it goes with it.
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
		// The test's deadline is the limit.
		runtime.GC()
		runtime.Gosched()
	}
}

func TestFamilies(t *testing.T) {
	k := newKernel(Family{ID: 39, Name: "other"}, acme())
	c := k.dial(t)
	got, err := Families(bg, c)
	if want := []Family{{ID: 39, Name: "other"}, acme()}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	k.Stop(syscall.ECONNREFUSED)
	if got, err := Families(bg, c); !errors.Is(err, syscall.ECONNREFUSED) || got != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFamiliesOfAnInterruptedDump(t *testing.T) {
	k := newKernel()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) {
		m := describe(acme())
		m.Header.Flags = netlink.NLM_F_DUMP_INTR
		return []wire.Message{m}, true
	}
	got, err := Families(bg, k.dial(t))
	if !errors.Is(err, client.ErrDumpInterrupted) || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOpFlagsString(t *testing.T) {
	for flags, want := range map[OpFlags]string{
		0:                                      "0",
		GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP:    "CMD_CAP_DO|CMD_CAP_DUMP",
		GENL_ADMIN_PERM | GENL_CMD_CAP_HASPOL:  "ADMIN_PERM|CMD_CAP_HASPOL",
		GENL_UNS_ADMIN_PERM | 0x20 | 0x4000000: "UNS_ADMIN_PERM|0x4000020",
	} {
		if got := flags.String(); got != want {
			t.Errorf("%#x: %s, want %s", uint32(flags), got, want)
		}
	}
}
