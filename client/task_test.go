package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/wire"
)

// task is a call that runs in a goroutine of its own.
type task[T any] struct {
	t    *testing.T
	over chan struct{} // closed when the call has returned

	value T
	err   error
}

func runAsync[T any](t *testing.T, f func() (T, error)) *task[T] {
	a := &task[T]{t: t, over: make(chan struct{})}
	go func() {
		defer close(a.over)
		a.value, a.err = f()
	}()
	return a
}

// run is runAsync for a call that needs no further step of the script. It waits for its
// end.
func run[T any](t *testing.T, f func() (T, error)) *task[T] {
	a := runAsync(t, f)
	<-a.over
	return a
}

// result requires that the call has returned when every goroutine is blocked.
func (a *task[T]) result() (T, error) {
	a.t.Helper()
	synctest.Wait()
	select {
	case <-a.over:
	default:
		a.t.Fatal("the call has not returned")
	}
	return a.value, a.err
}

// wantWaiting requires that the call has not returned.
func (a *task[T]) wantWaiting(why string) {
	a.t.Helper()
	synctest.Wait()
	select {
	case <-a.over:
		a.t.Fatalf("the call has returned (%v, %v): %s", a.value, a.err, why)
	default:
	}
}

// request runs [client.Conn.Request] with a text as payload.
func (k *kernel) request(ctx context.Context, c *client.Conn, typ netlink.MessageType, text string, flags netlink.Flags) *task[[]wire.Message] {
	return runAsync(k.t, func() ([]wire.Message, error) { return c.Request(ctx, typ, []byte(text), flags) })
}

// change runs a request that changes something.
func (k *kernel) change(ctx context.Context, c *client.Conn) *task[[]wire.Message] {
	return k.request(ctx, c, newAddr, "change", 0)
}

// get runs a plain request, dump one that dumps.
func (k *kernel) get(ctx context.Context, c *client.Conn) *task[[]wire.Message] {
	return k.request(ctx, c, getLink, "get", 0)
}

func (k *kernel) dump(ctx context.Context, c *client.Conn) *task[[]wire.Message] {
	return k.request(ctx, c, getAddr, "dump", netlink.NLM_F_DUMP)
}

// wantTexts requires that the call has succeeded with replies of these texts.
func wantTexts(t *testing.T, a *task[[]wire.Message], want ...string) {
	t.Helper()
	msgs, err := a.result()
	if got := texts(msgs); err != nil || !slices.Equal(got, want) {
		t.Fatalf("replies %q, %v; want %q", got, err, want)
	}
}

func texts(msgs []wire.Message) (s []string) {
	for _, m := range msgs {
		s = append(s, string(m.Payload))
	}
	return s
}

// wantError requires that the call failed with target, without replies, and that
// NotSent reports notSent.
func wantError(t *testing.T, a *task[[]wire.Message], target error, notSent bool) {
	t.Helper()
	msgs, err := a.result()
	if len(msgs) != 0 || !errors.Is(err, target) || client.NotSent(err) != notSent {
		t.Fatalf("replies %q, %v (not sent: %v); want none, %v (%v)", texts(msgs), err, client.NotSent(err), target, notSent)
	}
}

// wantStats compares all counts; the buffer sizes are left out.
func wantStats(t *testing.T, c *client.Conn, want client.Stats) {
	t.Helper()
	synctest.Wait()
	got := c.Stats()
	got.ReceiveBuffer, got.SendBuffer = 0, 0
	if got != want {
		t.Fatalf("stats\n got %+v\nwant %+v", got, want)
	}
}

// wantEvents requires that these events, and no others, can be received now. A
// gap is written as "gap" and the number that the Conn dropped.
func wantEvents(t *testing.T, c *client.Conn, want ...string) {
	t.Helper()
	wantFrom(t, c.Receive, want...)
}

// wantFrom is wantEvents for any consumer. The marker of a Sync is written as "marker".
func wantFrom(t *testing.T, events func() <-chan client.Event, want ...string) {
	t.Helper()
	var got []string
	for {
		synctest.Wait()
		select {
		case e, ok := <-events():
			switch {
			case !ok:
				t.Fatalf("the channel is closed after %q", got)
			case e.Header.Type == netlink.NLMSG_OVERRUN:
				got = append(got, fmt.Sprint("gap ", e.Lost))
			case e.Header.Type == netlink.NLMSG_NOOP:
				got = append(got, "marker")
			default:
				got = append(got, string(e.Payload))
			}
			continue
		default:
		}
		break
	}
	if !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
}
