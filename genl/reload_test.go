package genl

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/nlmux/netlink"
	"github.com/nlmux/netlink/client"
	"github.com/nlmux/netlink/nltest"
	"github.com/nlmux/netlink/wire"
)

// reloaded is acme as it is after its module was unloaded and loaded again.
func reloaded() Family {
	f := acme()
	f.ID = 41
	f.Groups = map[string]uint32{"events": 21, "alarms": 22}
	return f
}

// TestReloadedFamily: a Family that was resolved before keeps working.
func TestReloadedFamily(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	k.load(reloaded(), say(reloaded(), "new"))

	msgs, err := f.Request(bg, c, 1, nil, 0)
	if err != nil || len(msgs) != 1 || text(msgs[0]) != "new" {
		t.Errorf("%+v, %v", msgs, err)
	}
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want 2", n)
	}
	// The old value keeps its id, and the cached id is used in its place.
	if got, err := dump(f, c); err != nil || fmt.Sprint(got) != "[new]" {
		t.Errorf("dump: %q, %v", got, err)
	}
	if f := mustResolve(t, c, "acme"); f.ID != reloaded().ID || f.Groups["events"] != 21 {
		t.Errorf("resolved again: %+v", f)
	}
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want 2 still", n)
	}
}

// TestFamilyReloadedTwice: the same value keeps working, and no request goes to an id
// that is known to be old.
func TestFamilyReloadedTwice(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	for range 2 {
		again := reloaded()
		again.ID += netlink.MessageType(k.lookups())
		k.load(again, say(again, "new"))
		for range 3 {
			if msgs, err := f.Request(bg, c, 1, nil, 0); err != nil || len(msgs) != 1 || text(msgs[0]) != "new" {
				t.Errorf("%+v, %v", msgs, err)
			}
			if got, err := dump(f, c); err != nil || fmt.Sprint(got) != "[new]" {
				t.Errorf("dump: %q, %v", got, err)
			}
		}
	}
	if n := k.lookups(); n != 3 {
		t.Errorf("%d look-ups, want 3", n)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refused != 2 {
		t.Errorf("%d requests to an old id, want 2", k.refused)
	}
}

// TestDumpOfAReloadedFamily: the dump is the first to notice.
func TestDumpOfAReloadedFamily(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	k.load(reloaded(), say(reloaded(), "new", "newer"))
	if got, err := dump(f, c); err != nil || fmt.Sprint(got) != "[new newer]" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestManyNoticeAReload: their requests share one look-up.
func TestManyNoticeAReload(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	k.load(reloaded(), say(reloaded(), "new"))
	var g sync.WaitGroup
	for range 100 {
		g.Go(func() {
			if msgs, err := f.Request(bg, c, 1, nil, 0); err != nil || len(msgs) != 1 {
				t.Errorf("%+v, %v", msgs, err)
			}
		})
	}
	g.Wait()
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want one more for all", n)
	}
}

// TestLookUpFromBeforeAReloadIsNotKept: its answer is on its way when another request
// finds that the family has a new id.
func TestLookUpFromBeforeAReloadIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKernel(acme())
		k.hold = make(chan struct{}, 1)
		c := k.dial(t)
		k.hold <- struct{}{}
		f := mustResolve(t, c, "acme")

		join := make(chan error, 1)
		go func() { join <- Join(bg, c, "acme", "events") }()
		synctest.Wait() // the old id is on its way
		k.load(reloaded(), nil)
		request := make(chan error, 1)
		go func() {
			_, err := f.Request(bg, c, 1, nil, 0)
			request <- err
		}()
		synctest.Wait()
		if n := k.lookups(); n != 3 {
			t.Errorf("%d look-ups, want a third one", n)
		}
		close(k.hold)
		if err := <-join; err != nil {
			t.Error(err)
		}
		if err := <-request; err != nil {
			t.Error(err)
		}
		if f, ok := cached(t, c, "acme"); !ok || f.ID != reloaded().ID {
			t.Errorf("%+v is kept, want the new id", f)
		}
		wantIdle(t, c)
	})
}

// TestENOENTOfTheCommand is returned as it is, because the id has not changed.
func TestENOENTOfTheCommand(t *testing.T) {
	var requests atomic.Int32
	k := newKernel()
	k.load(acme(), func(Message) []wire.Message {
		requests.Add(1)
		return []wire.Message{nltest.Error(syscall.ENOENT, wire.ExtAck{Message: "no such gadget"})}
	})
	c := k.dial(t)
	_, err := acme().Request(bg, c, 1, nil, 0)
	if refusal, ok := err.(*wire.KernelError); !ok || refusal.Ext.Message != "no such gadget" {
		t.Errorf("%v", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if _, err := dump(acme(), c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dump: %v", err)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestENOENTInADump concerns no id, since the dump had begun.
func TestENOENTInADump(t *testing.T) {
	k := newKernel()
	k.load(acme(), func(m Message) []wire.Message {
		return append(say(acme(), "one")(m), nltest.Done(syscall.ENOENT, wire.ExtAck{}))
	})
	c := k.dial(t)
	if got, err := dump(acme(), c); !errors.Is(err, syscall.ENOENT) || fmt.Sprint(got) != "[one]" {
		t.Errorf("%q, %v", got, err)
	}
	if n := k.lookups(); n != 0 {
		t.Errorf("%d look-ups, want none", n)
	}
}

// TestFamilyThatIsGone gives an error with its name, and is not kept.
func TestFamilyThatIsGone(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	k.unload("acme")
	_, err := f.Request(bg, c, 1, nil, 0)
	var refusal *wire.KernelError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &refusal) || refusal.Request != f.ID ||
		!strings.Contains(err.Error(), `"acme" is gone`) {
		t.Errorf("%v", err)
	}
	if _, err := Resolve(bg, c, "acme"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resolved again: %v", err)
	}
	k.load(reloaded(), nil)
	if _, err := f.Request(bg, c, 1, nil, 0); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

// TestFamilyThatCameBackAsAnotherVersion: the request may have another meaning now, so
// it is not sent.
func TestFamilyThatCameBackAsAnotherVersion(t *testing.T) {
	k := newKernel(acme())
	c := k.dial(t)
	f := mustResolve(t, c, "acme")
	newer := reloaded()
	newer.Version = 4
	k.load(newer, func(Message) []wire.Message {
		t.Error("the request was sent")
		return nil
	})
	_, err := f.Request(bg, c, 1, nil, 0)
	if !errors.Is(err, ErrVersion) || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v", err)
	}
	if _, err := dump(f, c); !errors.Is(err, ErrVersion) {
		t.Errorf("dump: %v", err)
	}
}

// TestOneRetryOnly: a family that is reloaded each time is not retried for ever.
func TestOneRetryOnly(t *testing.T) {
	k := newKernel()
	next := acme()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) {
		next.ID++
		return []wire.Message{describe(next)}, true
	}
	c := k.dial(t)
	_, err := mustResolve(t, c, "acme").Request(bg, c, 1, nil, 0)
	if refusal, ok := err.(*wire.KernelError); !ok || refusal.Errno != syscall.ENOENT {
		t.Errorf("%v", err)
	}
	if n := k.lookups(); n != 2 {
		t.Errorf("%d look-ups, want 2", n)
	}
}

// TestRefusalIsReturnedWhenTheLookUpFails for another reason.
func TestRefusalIsReturnedWhenTheLookUpFails(t *testing.T) {
	k := newKernel()
	k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) { return refuse(syscall.EPERM), true }
	c := k.dial(t)
	_, err := acme().Request(bg, c, 1, nil, 0)
	if refusal, ok := err.(*wire.KernelError); !ok || refusal.Errno != syscall.ENOENT || refusal.Request != acme().ID {
		t.Errorf("%v", err)
	}
}

// TestNothingToLookUp: a Family without a name, and the controller.
func TestNothingToLookUp(t *testing.T) {
	k := newKernel()
	c := k.dial(t)
	for _, f := range []Family{{ID: 40}, {ID: ctrlID, Name: "nlctrl"}} {
		if _, err := f.Request(bg, c, ctrlGetFamily, nil, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if n := k.lookups(); n != 0 {
		t.Errorf("%d look-ups, want none", n)
	}
	if _, err := (Family{}).Request(bg, c, 1, nil, 0); !errors.Is(err, syscall.EINVAL) || !client.NotSent(err) {
		t.Errorf("zero Family: %v", err)
	}
}

// NotSent is false if the kernel refused the first request and the second one was not
// sent.
func TestSecondRequestThatIsNotSent(t *testing.T) {
	for name, send := range map[string]func(Family, *client.Conn) error{
		"Request": func(f Family, c *client.Conn) error {
			_, err := f.Request(bg, c, 1, nil, 0)
			return err
		},
		"Dump": func(f Family, c *client.Conn) (err error) {
			for _, err = range f.Dump(bg, c, 1, nil) {
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKernel(acme())
			gone := errors.New("gone")
			loaded := false
			k.controller = func(Message, netlink.Flags) ([]wire.Message, bool) {
				if loaded {
					k.Stop(gone) // after this look-up
				}
				return nil, false
			}
			c := k.dial(t)
			f := mustResolve(t, c, "acme")
			k.load(reloaded(), say(reloaded(), "new"))
			loaded = true
			if err := send(f, c); !errors.Is(err, gone) || client.NotSent(err) {
				t.Errorf("%v, not sent: %v", err, client.NotSent(err))
			}
		})
	}
}
